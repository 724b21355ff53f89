# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures read at UV coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32

Extension = Literal["REPEAT", "EXTEND", "CLIP", "MIRROR"]
FIRST_UDIM = 1001


@dataclass(frozen=True, eq=False)
class Picture:
    """What an image texture shows.

    tiles: (H, W, C) uint8 or float32 by UDIM number, row 0 at the bottom, as Blender stores them; an image that is not
    tiled is tile 1001. extension: what lies outside 0…1 of an image that is not tiled.
    """

    tiles: Mapping[int, NDArray[Any]]
    extension: Extension = "REPEAT"
    tiled: bool = field(default=False)

    @property
    def channels(self) -> int:
        return next(iter(self.tiles.values())).shape[2]

    @property
    def texels(self) -> int:
        """Pixels for each unit square of the UV map, on average over the tiles."""
        return round(sum(tile.shape[0] * tile.shape[1] for tile in self.tiles.values()) / len(self.tiles))

    def reduced(self, halvings: int) -> Picture:
        """The same picture with its sides halved so many times, for reading it at a coarser resolution."""
        tiles = dict(self.tiles)
        for number, tile in tiles.items():
            for _ in range(halvings):
                if min(tile.shape[:2]) < 2:
                    break
                even = tile[: tile.shape[0] // 2 * 2, : tile.shape[1] // 2 * 2].astype(np.float32)
                mean = (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]) / 4
                tile = np.rint(mean).astype(np.uint8) if tile.dtype == np.uint8 else mean
            tiles[number] = tile
        return Picture(tiles, self.extension, self.tiled)

    def sample(self, uv: Float32) -> Float32:
        """(N, C) float32 bilinear values at (N, 2) UV coordinates; bytes become 0…1. Missing tiles are 0."""
        uv = np.nan_to_num(uv, posinf=0.0, neginf=0.0)
        if not self.tiled:
            return _bilinear(next(iter(self.tiles.values())), uv, self.extension)
        column, row = np.floor(uv).astype(np.int64).T
        number = np.where((column >= 0) & (column < 10) & (row >= 0), FIRST_UDIM + column + 10 * row, -1)
        result = np.zeros((len(uv), self.channels), np.float32)
        for present in np.unique(number):
            tile = self.tiles.get(int(present))
            if tile is not None:
                chosen = number == present
                result[chosen] = _bilinear(tile, uv[chosen] - np.floor(uv[chosen]), "EXTEND")
        return result


def _bilinear(image: NDArray[Any], uv: Float32, extension: Extension) -> Float32:
    height, width, channels = image.shape
    place, share = [], []
    for axis, size in ((0, width), (1, height)):
        at = uv[:, axis].astype(np.float64) * size - 0.5
        low = np.floor(at)
        share.append((at - low).astype(np.float32)[:, None])
        low = low.astype(np.int64)
        place.append((_wrap(low, size, extension), _wrap(low + 1, size, extension)))
    flat = image.reshape(-1, channels)
    (left, right), (bottom, top) = place
    x, y = share
    low_row = flat[bottom * width + left] * (1 - x) + flat[bottom * width + right] * x
    high_row = flat[top * width + left] * (1 - x) + flat[top * width + right] * x
    result = low_row * (1 - y) + high_row * y
    if image.dtype == np.uint8:
        result *= np.float32(1 / 255)
    if extension == "CLIP":
        result[((uv < 0) | (uv > 1)).any(axis=1)] = 0
    return result.astype(np.float32, copy=False)


def _wrap(index: NDArray[np.int64], size: int, extension: Extension) -> NDArray[np.int64]:
    if extension == "REPEAT":
        return index % size
    if extension == "MIRROR":
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)
    return np.clip(index, 0, size - 1)
