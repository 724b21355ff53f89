# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's images as arrays, and arrays as new images."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

LINEAR_SPACES = ("Non-Color", "Raw", "Linear", "Generic Data")
FIRST_UDIM = 1001


@dataclass(frozen=True, eq=False)
class ImagePixels:
    """tiles: (H, W, 4) float32 by UDIM number, row 0 at the bottom, as stored: see `encoded`.

    is_float: more than 8 bits; such pixels are linear. encoded: colours are sRGB-encoded.
    """

    tiles: Mapping[int, NDArray[np.float32]]
    tiled: bool
    is_float: bool
    encoded: bool


def read_image(image: bpy.types.Image) -> ImagePixels | None:
    """The pixels of any image: file, packed, generated, 16 bits, UDIM; None where Blender cannot find them."""
    encoded = not image.is_float and not image.colorspace_settings.name.startswith(LINEAR_SPACES)
    if image.source != "TILED":
        pixels = _read_pixels(image)
        return None if pixels is None else ImagePixels({FIRST_UDIM: pixels}, False, image.is_float, encoded)
    tiles = {}
    with tempfile.TemporaryDirectory(prefix="surface_features-") as folder:
        try:
            files = _write_tiles(image, Path(folder))
        except RuntimeError:
            return None
        for number, path in files.items():
            loaded = bpy.data.images.load(str(path))
            pixels = _read_pixels(loaded)
            bpy.data.images.remove(loaded)
            if pixels is not None:
                tiles[number] = pixels
    return ImagePixels(tiles, True, image.is_float, encoded) if tiles else None


def _write_tiles(image: bpy.types.Image, folder: Path) -> dict[int, Path]:
    """A file for every tile there is, by UDIM number: Python itself only sees the first tile's pixels."""
    if "save_copy" in bpy.types.Image.bl_rna.functions["save"].parameters:
        suffix = ".exr" if image.is_float else ".png"
        image.save(filepath=str(folder / f"tile.<UDIM>{suffix}"), save_copy=True)
        paths = {tile.number: folder / f"tile.{tile.number}{suffix}" for tile in image.tiles}
        return {number: path for number, path in paths.items() if path.exists()}
    copied = image.copy()  # Blender 4.2: what was painted since the image was last saved is not seen
    try:
        if not copied.packed_files:
            copied.pack()
        written = {}
        for packed in copied.packed_files:
            written[packed.tile_number] = folder / f"tile.{packed.tile_number}{Path(packed.filepath).suffix}"
            written[packed.tile_number].write_bytes(packed.packed_file.data)
        return written
    finally:
        bpy.data.images.remove(copied)


def _read_pixels(image: bpy.types.Image) -> NDArray[np.float32] | None:
    stored: Any = image.pixels
    count = len(stored)  # loads the file where that has not been done
    width, height = image.size
    if count == 0 or width * height == 0:
        return None
    channels = count // (width * height)
    flat = np.empty(count, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, channels)
    if channels == 4:
        return pixels
    result = np.ones((height, width, 4), np.float32)
    result[..., :3] = pixels[..., :1] if channels < 3 else pixels[..., :3]
    return result


def to_linear(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB-encoded → linear."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def to_srgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear → sRGB-encoded."""
    curved = 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(values <= 0.0031308, values * 12.92, curved).astype(np.float32)


def make_image(name: str, tiles: Mapping[int, NDArray[Any]], *, is_data: bool, folder: Path | None) -> bpy.types.Image:
    """A new image of (S, S, C) uint8 or float32 tiles, row 0 at the bottom; one tile or a UDIM set.

    is_data: no colours. folder: where its files go; None packs it into the blend file. Raises OSError or RuntimeError
    where a file cannot be written.
    """
    if list(tiles) == [FIRST_UDIM]:
        image = _new_image(name, tiles[FIRST_UDIM], is_data)
        if folder is None:
            image.pack()
        else:
            _save(image, folder / f"{bpy.path.clean_name(image.name)}{_suffix(tiles[FIRST_UDIM])}")
        return image
    if folder is not None:
        return _make_tiled(name, tiles, is_data, folder)
    with tempfile.TemporaryDirectory(prefix="surface_features-") as passing:
        image = _make_tiled(name, tiles, is_data, Path(passing))
        image.pack()
    return image


def _make_tiled(name: str, tiles: Mapping[int, NDArray[Any]], is_data: bool, folder: Path) -> bpy.types.Image:
    suffix = _suffix(next(iter(tiles.values())))
    stem = bpy.path.clean_name(name)
    for number, tile in tiles.items():
        single = _new_image(f"{name} {number}", tile, is_data)
        try:
            _save(single, folder / f"{stem}.{number}{suffix}")
        finally:
            bpy.data.images.remove(single)
    image = bpy.data.images.load(str(folder / f"{stem}.{min(tiles)}{suffix}"))
    image.name = name
    image.colorspace_settings.name = "Non-Color" if is_data else image.colorspace_settings.name
    image.source = "TILED"
    image.filepath = str(folder / f"{stem}.<UDIM>{suffix}")
    present = {tile.number for tile in image.tiles}
    for number in sorted(set(tiles) - present):
        image.tiles.new(tile_number=number)
    image.reload()
    return image


def _new_image(name: str, pixels: NDArray[Any], is_data: bool) -> bpy.types.Image:
    height, width, channels = pixels.shape
    is_float = pixels.dtype != np.uint8
    image = bpy.data.images.new(name, width, height, alpha=channels == 4, float_buffer=is_float, is_data=is_data)
    rgba = np.ones((height, width, 4), np.float32)
    values = pixels if is_float else pixels.astype(np.float32) / 255
    rgba[..., : max(channels, 3)] = values if channels >= 3 else values[..., :1]
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    return image


def _suffix(pixels: NDArray[Any]) -> str:
    return ".png" if pixels.dtype == np.uint8 else ".exr"


def _save(image: bpy.types.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.filepath_raw = str(path)
    image.file_format = "PNG" if path.suffix == ".png" else "OPEN_EXR"
    image.save()
