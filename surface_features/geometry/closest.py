# SPDX-License-Identifier: GPL-3.0-or-later
"""The nearest point of a surface."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32, TriangleMesh
from ..parallel import each, parts

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

FIRST_CANDIDATES = 8
PAIRS = 65_536  # of a point and a triangle, measured at once: they stay in the processor's cache
FEWEST = 64  # points measured at once, against however many triangles


def closest_points(mesh: TriangleMesh, points: Float32) -> tuple[Int32, Float32, Float32]:
    """The exact nearest point of the surface for every point.

    points: (N, 3) float32 in the mesh's frame. Returns face (N,) int32, bary (N, 3) float32 and distance (N,) float32.
    The faces are searched in classes of like size by their centres: a face can only be nearer than the best so far
    when its centre is nearer than that plus its radius. Raises ValueError for a mesh without faces.
    """
    if len(mesh.faces) == 0:
        raise ValueError(f"{mesh.name} has no faces")
    queries = np.asarray(points, np.float64).reshape(-1, 3)
    best = _Best(mesh.corners.astype(np.float64), queries)
    centres = best.triangles.mean(axis=1)
    radii = np.linalg.norm(best.triangles - centres[:, None], axis=2).max(axis=1)
    smallest = max(float(radii.max()) * 1e-6, float(np.finfo(np.float64).tiny))
    size_class = np.log2(np.maximum(radii, smallest)).astype(int)
    classes, counts = np.unique(size_class, return_counts=True)
    for chosen in classes[np.argsort(-counts)]:
        faces = np.flatnonzero(size_class == chosen)
        best.search(faces, centres[faces], float(radii[faces].max()))
    return best.face.astype(np.int32), best.bary.astype(np.float32), np.sqrt(best.squared).astype(np.float32)


class _Best:
    """The nearest point found so far for every query."""

    def __init__(self, triangles: Float64, queries: Float64) -> None:
        self.triangles = triangles
        self.queries = queries
        self.face = np.full(len(queries), -1, np.int64)
        self.bary = np.zeros((len(queries), 3))
        self.squared = np.full(len(queries), np.inf)

    def search(self, faces: Int64, centres: Float64, radius: float) -> None:
        """Measure against faces whose corners are all within `radius` of their centres."""
        from scipy.spatial import cKDTree

        tree = cKDTree(centres)
        open_queries = np.arange(len(self.queries))
        seen, candidates = 0, min(FIRST_CANDIDATES, len(faces))
        while len(open_queries):
            size = max(PAIRS // candidates, FEWEST)
            look = partial(self._look, tree, faces, radius, seen, candidates)
            open_queries = np.concatenate(list(each(look, [open_queries[p] for p in parts(len(open_queries), size)])))
            if candidates == len(faces):
                return
            seen, candidates = candidates, min(candidates * 4, len(faces))

    def _look(self, tree: cKDTree, faces: Int64, radius: float, seen: int, candidates: int, part: Int64) -> Int64:
        """Measure some queries against the next nearest faces. Returns those to which faces unseen may be nearer."""
        away, index = tree.query(self.queries[part], candidates)
        away, index = away.reshape(len(part), -1), index.reshape(len(part), -1)
        if seen == 0:  # one after the other: most are not worth it once the first are measured
            for turn in range(candidates):
                worth = np.flatnonzero(away[:, turn] - radius <= np.sqrt(self.squared[part]))
                self._measure(part[worth], faces[index[worth, turn]], repeated=False)
        else:
            rows, turns = np.nonzero(away[:, seen:] - radius <= np.sqrt(self.squared[part])[:, None])
            self._measure(part[rows], faces[index[rows, seen + turns]], repeated=True)
        return part[away[:, -1] - radius <= np.sqrt(self.squared[part])]

    def _measure(self, queries: Int64, faces: Int64, *, repeated: bool) -> None:
        """A face for each of some queries, which may be `repeated`; of equally near ones the first stays."""
        triangles, points = self.triangles[faces], self.queries[queries]
        bary = closest_barycentrics(triangles, points)
        squared = ((np.einsum("nc,nci->ni", bary, triangles) - points) ** 2).sum(axis=1)
        best = self.squared[queries]
        better = np.flatnonzero((squared < best) | ((squared == best) & (faces < self.face[queries])))
        if repeated:  # the nearest for each query
            better = better[np.lexsort((faces[better], squared[better], queries[better]))]
            better = better[np.flatnonzero(np.diff(queries[better], prepend=-1))]
        query = queries[better]
        self.squared[query], self.face[query], self.bary[query] = squared[better], faces[better], bary[better]


def closest_barycentrics(triangles: Float64, points: Float64) -> Float64:
    """(N, 3) barycentric coordinates of each triangle's point nearest to its query.

    triangles: (N, 3, 3), degenerate ones allowed; points: (N, 3). The nearest of the foot of the perpendicular, where
    that lies inside, and the nearest points of the three sides.
    """
    a, b, c = triangles.transpose(1, 0, 2)
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = _dot(u, u), _dot(u, v), _dot(v, v)
    wu, wv = _dot(w, u), _dot(w, v)
    determinant = uu * vv - uv * uv
    safe = np.where(determinant > 0, determinant, 1.0)
    s, t = (vv * wu - uv * wv) / safe, (uu * wv - uv * wu) / safe
    inside = (determinant > 0) & (s >= 0) & (t >= 0) & (s + t <= 1)
    result = np.stack([1 - s - t, s, t], axis=1)
    outside = np.flatnonzero(~inside)
    result[outside] = _closest_on_sides(triangles[outside], points[outside])
    return result


def _closest_on_sides(triangles: Float64, points: Float64) -> Float64:
    count = len(points)
    bary = np.zeros((3, count, 3))
    squared = np.empty((3, count))
    for side in range(3):
        start, end = triangles[:, side], triangles[:, (side + 1) % 3]
        along = end - start
        length = _dot(along, along)
        share = np.clip(_dot(points - start, along) / np.where(length > 0, length, 1.0), 0, 1)
        bary[side, :, side], bary[side, :, (side + 1) % 3] = 1 - share, share
        offset = start + share[:, None] * along - points
        squared[side] = _dot(offset, offset)
    return bary[squared.argmin(axis=0), np.arange(count)]


def _dot(a: Float64, b: Float64) -> Float64:
    return np.einsum("ni,ni->n", a, b)
