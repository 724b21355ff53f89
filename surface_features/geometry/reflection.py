# SPDX-License-Identifier: GPL-3.0-or-later
"""The plane a mesh is symmetric about, and each vertex's twin on the other side."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SAMPLES = 1500
MOST_POINTS = 20_000  # among which the sample's reflections are sought
SYMMETRIC = 0.012  # of the extent: mean distance to the reflection below which a mesh counts as symmetric


@dataclass(frozen=True, eq=False)
class MirrorPlane:
    """across: (V,) float64 signed distance from the plane, in units of the extent. error: how far the reflections of
    some of the vertices lie from the nearest of all on the mean, in units of the extent."""

    across: Float64
    error: float

    @property
    def symmetric(self) -> bool:
        return self.error < SYMMETRIC


_known: WeakKeyDictionary[TriangleMesh, dict[int, MirrorPlane]] = WeakKeyDictionary()


def find_mirror_plane(mesh: TriangleMesh, axis: int) -> MirrorPlane:
    """The plane across an axis (0 X, 1 Y, 2 Z) that mirrors the mesh best; mesh: any unit.

    The same `TriangleMesh` object is only worked on once.
    """
    planes = _known.setdefault(mesh, {})
    if axis not in planes:
        planes[axis] = _find(mesh, axis)
    return planes[axis]


def _find(mesh: TriangleMesh, axis: int) -> MirrorPlane:
    from scipy.spatial import cKDTree

    points = mesh.vertices.astype(np.float64)
    extent = max(float(np.ptp(points, axis=0).max()), 1e-30)
    points = (points - points.min(axis=0)) / extent
    order = np.random.default_rng(0).permutation(len(points))
    sample, tree = points[order[:SAMPLES]], cKDTree(points[order[:MOST_POINTS]])
    # The median of a symmetric mesh is its plane, unless one half has more vertices; then the extent's middle is.
    starts = [float(np.median(points[:, axis])), float(np.ptp(points[:, axis])) / 2, float(points[:, axis].mean())]
    middles = [_settle(sample, tree, axis, start) for start in starts]
    middle = min(middles, key=lambda one: float(_reflect_distance(sample, tree, axis, one)[0].mean()))
    error = float(_reflect_distance(sample, cKDTree(points), axis, middle)[0].mean())
    return MirrorPlane(points[:, axis] - middle, error)


def find_twins(mesh: TriangleMesh, axis: int) -> tuple[Int64, Float64]:
    """(V,) the vertex nearest to each vertex's reflection in `find_mirror_plane`, and how far off, in extents."""
    from scipy.spatial import cKDTree

    points = mesh.vertices.astype(np.float64)
    points = points / max(float(np.ptp(points, axis=0).max()), 1e-30)
    middle = float(np.mean(points[:, axis] - find_mirror_plane(mesh, axis).across))
    off, twin = _reflect_distance(points, cKDTree(points), axis, middle)
    return twin, off


def _settle(points: Float64, tree: object, axis: int, middle: float) -> float:
    """The plane moved to where points and their reflections' nearest neighbours agree."""
    for _ in range(3):
        off, twin = _reflect_distance(points, tree, axis, middle)
        near = off <= np.quantile(off, 0.7)
        partner = tree.data[twin[near], axis]  # type: ignore[attr-defined]
        middle = float(np.median((points[near, axis] + partner) / 2))
    return middle


def _reflect_distance(points: Float64, tree: object, axis: int, middle: float) -> tuple[Float64, Int64]:
    reflected = points.copy()
    reflected[:, axis] = 2 * middle - reflected[:, axis]
    distance, index = tree.query(reflected, workers=-1)  # type: ignore[attr-defined]
    return distance, index
