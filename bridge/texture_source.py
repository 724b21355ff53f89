# SPDX-License-Identifier: GPL-3.0-or-later
"""An object's materials as the layers of a texture transfer: arrays and JSON, without a reference to Blender's data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32
from .baking import bake
from .images import ImagePixels, read_image, to_linear, to_srgb
from .materials import CHANNELS, Channel, Use, emission_strength, find_use
from .mesh import WholeMesh
from .uv import loop_uv, triangle_slots, usable_uv, whole_corner_uv

MOST_BAKED = 2048  # texels along the side of what a procedural material is baked to
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(eq=False)
class SourceTextures:
    """arrays, layers: as the task “transfer_texture” takes them. constants: linear values of channels without pictures.

    strength: of the emission.
    """

    arrays: dict[str, NDArray[Any]]
    layers: list[dict[str, Any]]
    constants: dict[str, tuple[float, ...]]
    strength: float
    warnings: list[str] = field(default_factory=list)

    @property
    def uv_count(self) -> int:
        return sum(name.startswith("source_uv_") for name in self.arrays)


def read_source_textures(
    obj: bpy.types.Object, whole: WholeMesh, wanted: tuple[str, ...], bake_size: int
) -> SourceTextures:
    """What the object's materials show. wanted: names of channels. Raises `BadInputError` where it is nothing."""
    return _Reader(obj, whole, bake_size).read([channel for channel in CHANNELS if channel.name in wanted])


class _Reader:
    def __init__(self, obj: bpy.types.Object, whole: WholeMesh, bake_size: int) -> None:
        self._obj, self._whole = obj, whole
        self._bake_size = min(bake_size, MOST_BAKED)
        self._slots = triangle_slots(obj, whole)
        self._materials = [slot.material for slot in obj.material_slots] or [None]
        used = np.unique(np.clip(self._slots, 0, len(self._materials) - 1))
        self._used = {int(slot) for slot in used}
        self._uvs: dict[str, int] = {}
        self._pixels: dict[str, ImagePixels | None] = {}
        self._out = SourceTextures({"source_slots": self._slots}, [], {}, self._strength())

    def read(self, channels: list[Channel]) -> SourceTextures:
        uses = {channel: [self._usable(use) for use in self._uses(channel)] for channel in channels}
        to_bake = [channel for channel, found in uses.items() if any(use.procedural for use in found)]
        baked: dict[str, NDArray[np.float32]] = {}
        if to_bake:
            loops, baked = bake(self._obj, to_bake, self._bake_size)
            self._out.arrays[f"source_uv_{len(self._uvs)}"] = self._corners(loops)
            self._uvs[""] = baked_uv = len(self._uvs)
            labels = ", ".join(channel.label for channel in to_bake)
            self._out.warnings.append(
                f"{self._obj.name}: {labels} is not a plain image; baked at {self._bake_size} texels first."
            )
        for channel, found in uses.items():
            if channel.name in baked:
                pixels = ImagePixels({1001: baked[channel.name]}, False, False, channel.kind == "colour")
                fill = self._fill(channel, Use(channel.default), pixels, baked_uv, "RGB", is_deep=False)
                self._add_layer(channel, [fill] * len(found))
            else:
                self._read_channel(channel, found)
        self._check()
        return self._out

    def _uses(self, channel: Channel) -> list[Use]:
        return [
            find_use(material, channel) if slot in self._used else Use(channel.default)
            for slot, material in enumerate(self._materials)
        ]

    def _usable(self, use: Use) -> Use:
        """The same, but baked where its UV map is missing, and constant where its image is."""
        if use.image is None:
            return use
        name = use.image.name_full
        if name not in self._pixels:
            self._pixels[name] = read_image(use.image)
            if self._pixels[name] is None:
                self._out.warnings.append(
                    f"{self._obj.name}: image “{name}” is missing and was left out. "
                    "Find it (File ▸ External Data ▸ Find Missing Files) and run again."
                )
        if self._pixels[name] is None:
            return Use(use.constant)
        return use if usable_uv(self._obj, use.uv_map) else Use(use.constant, procedural=True)

    def _read_channel(self, channel: Channel, uses: list[Use]) -> None:
        seen = [use for slot, use in enumerate(uses) if slot in self._used]
        if all(use.image is None for use in seen) and len({use.constant for use in seen}) == 1:
            if channel.kind != "normal":
                self._out.constants[channel.name] = seen[0].constant
            return
        pixels = [self._pixels[use.image.name_full] if use.image is not None else None for use in uses]
        is_deep = any(found is not None and found.is_float for found in pixels)
        fills = []
        for use, found in zip(uses, pixels, strict=True):
            uv = self._uv(use.uv_map) if found is not None else 0
            fills.append(self._fill(channel, use, found, uv, use.component, is_deep=is_deep))
        self._add_layer(channel, fills)

    def _add_layer(self, channel: Channel, fills: list[dict[str, Any]]) -> None:
        kind = "normal" if channel.kind == "normal" else "colour"
        self._out.layers.append({"name": channel.name, "kind": kind, "channels": channel.channels, "fills": fills})

    def _fill(
        self, channel: Channel, use: Use, pixels: ImagePixels | None, uv: int, component: str, *, is_deep: bool
    ) -> dict[str, Any]:
        """A slot's fill. Colours are sRGB-encoded in images of 8 bits and linear in deeper ones."""
        encoded = channel.kind == "colour" and not is_deep
        constant = np.asarray(use.constant, np.float32)
        fill: dict[str, Any] = {"constant": (to_srgb(constant) if encoded else constant).tolist(), "uv": uv}
        if pixels is not None:
            fill |= {"extension": use.extension, "tiled": pixels.tiled, "tiles": {}}
            for number, tile in pixels.tiles.items():
                values = _component(tile, component, channel.channels, encoded=pixels.encoded)
                if component != "A" and component != "Y" and encoded != pixels.encoded:
                    values = to_srgb(values) if encoded else to_linear(values)
                index = sum(name.startswith("image_") for name in self._out.arrays)
                stored = values if is_deep else np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
                self._out.arrays[f"image_{index}"] = np.ascontiguousarray(stored)
                fill["tiles"][str(number)] = index
        return fill

    def _uv(self, name: str) -> int:
        found = usable_uv(self._obj, name)
        if found not in self._uvs:
            self._out.arrays[f"source_uv_{len(self._uvs)}"] = self._corners(loop_uv(self._obj, found))
            self._uvs[found] = len(self._uvs)
        return self._uvs[found]

    def _corners(self, loops: NDArray[np.float32]) -> Float32:
        return whole_corner_uv(self._obj, loops, self._whole)

    def _strength(self) -> float:
        return max(emission_strength(self._materials[slot]) for slot in self._used)

    def _check(self) -> None:
        if self._out.layers:
            return
        if any(found is None for found in self._pixels.values()):
            raise BadInputError("  ".join(self._out.warnings), fault="missing_image")
        raise BadInputError(
            f"{self._obj.name}: its materials have no picture and all the same colour: there is nothing to transfer. "
            "Give it an image texture and run again.",
            fault="no_texture",
        )


def _component(pixels: NDArray[np.float32], component: str, channels: int, *, encoded: bool) -> NDArray[np.float32]:
    """(H, W, C) of (H, W, 4): the colours, one channel, the alpha, or the luminance."""
    if component == "A":
        values = pixels[..., 3:]
    elif component == "Y":
        colours = to_linear(pixels[..., :3]) if encoded else pixels[..., :3]
        values = (colours @ LUMINANCE)[..., None]
    elif component == "RGB":
        values = pixels[..., :3]
    else:
        index = "RGB".index(component)
        values = pixels[..., index : index + 1]
    return values[..., :channels] if values.shape[-1] >= channels else np.repeat(values, channels, axis=-1)
