# SPDX-License-Identifier: GPL-3.0-or-later
"""Which texels of a picture the triangles of a UV map cover, and where on the triangle each of them lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

TEXELS_AT_ONCE = 1_000_000  # about 100 MB in whatever is computed for them
ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, eq=False)
class Texels:
    """Some texels of a picture.

    place: (T,) int64 row · size + column, row 0 at the bottom, as UV coordinates and Blender's pixels count.
    face: (T,) int32. bary: (T, 3) float32 barycentric coordinates of the texel's centre on that face.
    """

    place: Int64
    face: Int32
    bary: Float32


def rasterise(corner_uv: Float32, size: int) -> Iterator[Texels]:
    """Texels of a `size` × `size` picture whose centres the triangles cover, in portions of bounded size.

    corner_uv: (F, 3, 2) float32 UV coordinates of each triangle's corners; the picture is 0…1 in both. Works line by
    line: a triangle covers one run of texels in each row. Texels that several triangles cover come several times;
    triangles without an area cover none.
    """
    corners = np.asarray(corner_uv, np.float64) * size
    corners[~np.isfinite(corners).all(axis=(1, 2))] = 0
    low = np.clip(np.ceil(corners[..., 1].min(axis=1) - 0.5), 0, size).astype(np.int64)
    high = np.clip(np.floor(corners[..., 1].max(axis=1) - 0.5) + 1, 0, size).astype(np.int64)
    rows = np.maximum(high - low, 0)
    rows[_doubled_area(corners) == 0] = 0
    for part in _split(rows, ROWS_AT_ONCE):
        face = np.repeat(part, rows[part])
        y = _ranges(rows[part]) + low[face]
        begin, end = _run(corners, face, y, size)
        texels = end - begin
        for portion in _split(texels, TEXELS_AT_ONCE):
            if texels[portion].sum():
                yield _fill(corners, face[portion], y[portion], begin[portion], texels[portion], size)


def _run(corners: Float64, face: Int64, y: Int64, size: int) -> tuple[Int64, Int64]:
    """First and one-past-last column of each triangle's run in each row; both (R,)."""
    centre = y + 0.5
    left, right = np.full(len(face), np.inf), np.full(len(face), -np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, end = corners[face, first], corners[face, second]
        rise = end[:, 1] - start[:, 1]
        crosses = (np.minimum(start[:, 1], end[:, 1]) <= centre) & (centre <= np.maximum(start[:, 1], end[:, 1]))
        crosses &= rise != 0
        x = start[:, 0] + (centre - start[:, 1]) / np.where(crosses, rise, 1.0) * (end[:, 0] - start[:, 0])
        left = np.where(crosses, np.minimum(left, x), left)
        right = np.where(crosses, np.maximum(right, x), right)
    empty = left > right
    left[empty], right[empty] = 0, -1
    begin = np.clip(np.ceil(left - 0.5), 0, size).astype(np.int64)
    end = np.clip(np.floor(right - 0.5) + 1, 0, size).astype(np.int64)
    return begin, np.maximum(end, begin)


def _fill(corners: Float64, face: Int64, y: Int64, begin: Int64, texels: Int64, size: int) -> Texels:
    a, b, c = corners[face].transpose(1, 0, 2)
    u, v = b - a, c - a
    inverse = 1 / (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    x, dy = begin + 0.5 - a[:, 0], y + 0.5 - a[:, 1]
    start = np.stack([(x * v[:, 1] - dy * v[:, 0]) * inverse, (dy * u[:, 0] - x * u[:, 1]) * inverse], axis=1)
    step = np.stack([v[:, 1] * inverse, -u[:, 1] * inverse], axis=1)
    run = np.repeat(np.arange(len(face)), texels)
    along = _ranges(texels)
    bary = np.empty((len(run), 3), np.float32)
    for corner in (1, 2):
        bary[:, corner] = start[run, corner - 1] + along * step[run, corner - 1]
    np.maximum(bary[:, 1:], 0, out=bary[:, 1:])
    bary[:, 0] = np.maximum(1 - bary[:, 1] - bary[:, 2], 0)
    return Texels((y * size + begin)[run] + along, face[run].astype(np.int32), bary)


def _doubled_area(corners: Float64) -> Float64:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def _ranges(counts: Int64) -> Int64:
    """0 … n − 1 for every count n, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


def _split(amounts: Int64, most: int) -> list[Int64]:
    """Indices in runs whose amounts add up to about `most`."""
    index = np.flatnonzero(amounts)
    return np.split(index, np.flatnonzero(np.diff(np.cumsum(amounts[index]) // most)) + 1) if len(index) else []
