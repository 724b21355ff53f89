# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint folder says about itself, before any tensor is loaded.

A backbone is a transformers checkpoint folder. The bundled kind adds `surface_features.json` (which pictures it wants,
the size of its head) and `head.safetensors`; a plain one (DINOv2, DINOv3, ViT…) is used as it is, on shaded pictures.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ..errors import BackboneError

MODELS = Path(__file__).resolve().parent.parent / "models"
HUB_NAMES = {"dinov2": "facebook/dinov2-base", "dinov3": "facebook/dinov3-vitb16-pretrain-lvd1689m"}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder's promises.

    pictures: "normals+depth" (4 channels) or "shaded" (3 channels, normalised by `mean` and `std`).
    upsample, dim: of the head; 1 and 0 without one.
    cell_shift: how far a cell's sample lies right of and below the cell's middle, in cells.
    close_up_zoom, detail_zoom: how much closer every view is taken again, and the ends of limbs are, or 0; the features
        of all looks follow one another.
    colour_basis: (3, D + 1) rows turning features into colours, or None.
    layers: of what covers other pieces that are looked beneath, see `sight`.
    merged: the empty patches of so many by so many share a token, or 0; see `merging`.
    surface_context: width, layers, landmarks and levels of the network over the surface, or None.
    """

    folder: Path
    pictures: Literal["normals+depth", "shaded"]
    image_size: int
    patch_size: int
    upsample: int = 1
    dim: int = 0
    cell_shift: float = 0.0
    close_up_zoom: float = 0.0
    detail_zoom: float = 0.0
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    colour_basis: tuple[tuple[float, ...], ...] | None = None
    layers: int = 0
    merged: int = 0
    surface_context: dict[str, int] | None = None

    @property
    def grid(self) -> int:
        """Cells along one side of a picture."""
        return self.image_size // self.patch_size * self.upsample


def find_checkpoint(backbone: str) -> Path:
    """The folder of a backbone: "bundled", a folder, or a Hugging Face name that is already on this machine."""
    bundled = MODELS / backbone
    if "/" not in backbone and "\\" not in backbone and (bundled / "config.json").exists():
        return bundled
    folder = Path(backbone).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").exists():
            raise BackboneError(f"Backbone folder {folder} has no config.json: choose a folder of transformers.")
        return folder
    return _find_downloaded(HUB_NAMES.get(backbone, backbone))


def read_checkpoint(backbone: str) -> Checkpoint:
    """Raises `BackboneError` with one sentence where the folder is missing or not understood."""
    folder = find_checkpoint(backbone)
    config = _read_json(folder / "config.json")
    own = _read_json(folder / "surface_features.json") if (folder / "surface_features.json").exists() else {}
    image = _read_json(folder / "preprocessor_config.json") if (folder / "preprocessor_config.json").exists() else {}
    patch = config.get("patch_size")
    if not isinstance(patch, int):
        raise BackboneError(f"Backbone {folder} has no patch_size in its config.json: only patch transformers work.")
    size = own.get("image_size") or _picture_size(image) or int(config.get("image_size", 224))
    basis = own.get("colour_basis")
    return Checkpoint(
        folder=folder,
        pictures=own.get("pictures", "shaded"),
        image_size=max(size // patch, 1) * patch,
        patch_size=patch,
        upsample=own.get("upsample", 1),
        dim=own.get("dim", 0),
        cell_shift=own.get("cell_shift", 0.0),
        close_up_zoom=own.get("close_up_zoom", 0.0),
        detail_zoom=own.get("detail_zoom", 0.0),
        mean=tuple(image.get("image_mean", IMAGENET_MEAN)),
        std=tuple(image.get("image_std", IMAGENET_STD)),
        colour_basis=tuple(tuple(row) for row in basis) if basis else None,
        layers=own.get("layers", 0),
        merged=own.get("merged", 0),
        surface_context=own.get("surface_context"),
    )


def fingerprint(backbone: str) -> str:
    """A hash of everything in the checkpoint that changes features; part of the cache key."""
    folder = find_checkpoint(backbone)
    files = sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")])
    return _hash_files(tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files))


@lru_cache(maxsize=8)
def _hash_files(files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(Path(path).name.encode())
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"Backbone file {path} cannot be read: {error}.") from error


def _picture_size(image: dict[str, Any]) -> int:
    for key in ("crop_size", "size"):
        value = image.get(key)
        if isinstance(value, int):
            return value
        if isinstance(value, dict):
            return int(value.get("height") or value.get("shortest_edge") or 0)
    return 0


def _find_downloaded(name: str) -> Path:
    """A snapshot of the Hugging Face cache; nothing is ever downloaded here."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise BackboneError(
            f"Backbone “{name}” is not on this machine: choose the bundled one or a checkpoint folder."
        ) from error
