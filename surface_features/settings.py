# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can turn, as frozen dataclasses that travel as JSON and are part of the cache key."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from .errors import BadInputError


@dataclass(frozen=True)
class _JsonSettings:
    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise BadInputError(f"Unknown setting: {', '.join(unknown)}.", fault="unknown_setting")
        return cls(**values)


@dataclass(frozen=True)
class FeatureSettings(_JsonSettings):
    """How features are computed.

    backbone: "bundled", a local checkpoint folder, or the name of a downloaded one.
    views: number of cameras around the mesh.
    device: "auto", "cpu", "cuda" or "mps".
    up: the mesh's up axis in the coordinates it is given in; "auto" for Z unless it clearly is another one
        (`upright.find_up`).
    embedding: of the features, so that they tell how far apart points lie on the surface: "auto" for the one that comes
        with the backbone, where one does; "none"; or the folder of a trained one.
    """

    backbone: str = "bundled"
    views: int = 24
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    up: Literal["auto", "Z", "Y"] = "auto"
    embedding: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.views <= 200:
            raise BadInputError(f"Views must be between 1 and 200, not {self.views}.", fault="bad_setting")
        if self.device not in ("auto", "cpu", "cuda", "mps"):
            raise BadInputError(f"Unknown device “{self.device}”: use auto, cpu, cuda or mps.", fault="bad_setting")
        if self.up not in ("auto", "Z", "Y"):
            raise BadInputError(f"Unknown up axis “{self.up}”: use auto, Z or Y.", fault="bad_setting")


@dataclass(frozen=True)
class MotionSettings(_JsonSettings):
    """How a clip is transferred.

    smoothing: standard deviation, in frames, of a filter that looks both ways and so does not lag; 0 for none.
    keep_feet: feet that stand on the floor are kept where they stand.
    """

    smoothing: float = 0.0
    keep_feet: bool = True


@dataclass(frozen=True)
class WeightSettings(_JsonSettings):
    """How skin weights are transferred.

    max_influences: bones per vertex that keep a weight (0 = no limit).
    min_confidence: matches below this confidence are inpainted from their neighbours.
    prune_below: smaller weights are removed before normalising.
    mode: "match" carries the source's weights along the correspondence, "regress" learns them from the features.
    follow_bones: the source is bent into the target's pose, and what comes to lie on it is matched there.
    side_guard: every connected limb gets one side, by the names of the bones.
    swap_sides: left and right change places, for a match that took one for the other.
    loose_parts: small pieces stay rigid and go with what they sit on.
    symmetrise: on a symmetric target both sides get exactly mirrored weights.
    """

    max_influences: int = 4
    min_confidence: float = 0.3
    prune_below: float = 0.01
    mode: Literal["match", "regress"] = "match"
    follow_bones: bool = True
    side_guard: bool = True
    swap_sides: bool = False
    loose_parts: bool = True
    symmetrise: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("match", "regress"):
            raise BadInputError(f"Unknown mode “{self.mode}”: use match or regress.", fault="bad_setting")


TEXTURE_SIZES = (256, 512, 1024, 2048, 4096, 8192)


@dataclass(frozen=True)
class TextureSettings(_JsonSettings):
    """How textures are transferred.

    size: width and height of the new images, in texels.
    margin: how far the islands' colours go on beyond their outlines, in texels.
    min_confidence: texels matched with less are filled in from their surroundings on the surface.
    """

    size: int = 2048
    margin: int = 16
    min_confidence: float = 0.15

    def __post_init__(self) -> None:
        if not TEXTURE_SIZES[0] <= self.size <= TEXTURE_SIZES[-1]:
            raise BadInputError(
                f"Texture size must be between {TEXTURE_SIZES[0]} and {TEXTURE_SIZES[-1]}, not {self.size}.",
                fault="bad_setting",
            )
        if not 0 <= self.margin <= 256:
            raise BadInputError(f"Margin must be between 0 and 256 texels, not {self.margin}.", fault="bad_setting")

    def memory_mb(self, channels: int) -> float:
        """About how much memory images with so many channels in all take while they are made, in megabytes."""
        return (self.size**2 * (channels + 6) + 250e6) / 1e6
