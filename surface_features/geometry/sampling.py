# SPDX-License-Identifier: GPL-3.0-or-later
"""Evenly spread samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32, TriangleMesh


def farthest_points(mesh_or_points: TriangleMesh | Float32, count: int, seed: int) -> Int32:
    """Vertices, or points, each chosen farthest (in a straight line) from those before it; the first is drawn.

    mesh_or_points: a mesh, or (N, 3) float32. Returns (count,) int32 indices; fewer when there are fewer distinct
    positions. `seed` draws the first.
    """
    points = mesh_or_points.vertices if isinstance(mesh_or_points, TriangleMesh) else np.asarray(mesh_or_points)
    if len(points) == 0 or count <= 0:
        return np.zeros(0, np.int32)
    x, y, z = np.ascontiguousarray(points.astype(np.float32).T)
    chosen = [int(np.random.default_rng(seed).integers(len(points)))]
    nearest = np.full(len(points), np.inf, np.float32)
    while len(chosen) < count:
        last = chosen[-1]
        np.minimum(nearest, (x - x[last]) ** 2 + (y - y[last]) ** 2 + (z - z[last]) ** 2, out=nearest)
        farthest = int(nearest.argmax())
        if nearest[farthest] == 0:
            break
        chosen.append(farthest)
    return np.asarray(chosen, np.int32)


def with_middles(values: NDArray, faces: NDArray[np.integer]) -> NDArray:
    """Values (V, C) at the vertices, then at the middles of faces (F, 3), then of the faces' sides."""
    corners = values[faces]
    sides = (corners + np.roll(corners, -1, axis=1)) / 2
    return np.concatenate([values, corners.mean(axis=1), sides.reshape(-1, values.shape[1])])
