# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances along a mesh from any point of its surface to any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry.geodesic import GeodesicSolver
from .mesh import Float32, Int32, TriangleMesh
from .preflight import preflight

Float64 = NDArray[np.float64]


FLAT = float(np.cos(np.radians(30)))  # surfaces turned less than this apart are measured straight when they touch
RINGS = 2  # vertices around the start that are measured straight; marching alone starts up to 8 % too long


class SurfaceRuler:
    """Distances along a mesh between any two points of it, in the mesh's unit.

    Measured on the mesh's proxy, so that seams between unwelded facets are no gaps: by fast marching (Kimmel and
    Sethian 1998) from the exact point, or by the heat method where the proxy is not manifold. About 1 % too long.
    Never less than the straight distance, which is also the answer between parts that are not connected.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        checked = preflight(mesh)
        self._mesh = mesh
        self._proxy = checked.proxy
        self._scale = checked.scale
        self._proxy_vertex = checked.proxy_vertex
        self._proxy_face = np.full(len(mesh.faces), -1, np.int64)
        self._proxy_face[checked.proxy_face] = np.arange(len(checked.proxy_face))

    def distances_from(self, face: int, bary: Float32) -> Callable[[Int32, Float32], float]:
        """A function (3 artist vertices, weights) → distance from the point (`face`, `bary`) to that point."""
        start = self._place(face, bary)
        position = start.weights @ self._proxy.vertices[start.corners]
        field = self._field(start, position)

        def distance_to(corners: Int32, weights: Float32) -> float:
            own = self._proxy_vertex[corners]
            goal = weights @ self._proxy.vertices[own]
            straight = float(np.linalg.norm(goal - position))
            used = own[weights > 0]
            if self._are_beside(start, used):
                return straight / self._scale
            along = float(field[used] @ weights[weights > 0])
            return (max(along, straight) if np.isfinite(along) else straight) / self._scale

        return distance_to

    def _place(self, face: int, bary: Float32) -> _Place:
        """The proxy's face, its corners and their weights for a point of the artist's mesh."""
        corners = self._proxy_vertex[self._mesh.faces[face]]
        own = int(self._proxy_face[face])
        if own < 0:  # mended away, having no area: its corner is where it was
            corner = corners[bary.argmax()]
            own = int(np.argmax((self._proxy.faces == corner).any(axis=1)))
            corners = self._proxy.faces[own]
            bary = (corners == corner).astype(np.float32)
        return _Place(own, corners, bary.astype(np.float64) / bary.sum(dtype=np.float64))

    def _are_beside(self, start: _Place, corners: Int32) -> bool:
        """Whether a straight line tells better than a field: on the start's face, or where the next goes on flat."""
        if np.isin(corners, start.corners).all():
            return True
        if not np.isin(corners, start.corners).any():
            return False
        normals = self._proxy.vertex_normals[corners]
        return bool((normals @ self._proxy.face_normals[start.face]).min() > FLAT)

    def _field(self, start: _Place, position: Float64) -> Float64:
        """(P,) distance of every proxy vertex from the start."""
        if self._marching is None:
            order = [int(np.flatnonzero(start.corners == corner)[0]) for corner in self._proxy.faces[start.face]]
            return self._heat.from_point(start.face, start.weights[order]).astype(np.float64)
        near = np.zeros(len(self._proxy.vertices))
        near[start.corners] = 1
        for _ in range(RINGS):
            near = self._neighbours @ near
        near[self._proxy.vertex_normals @ self._proxy.face_normals[start.face] < FLAT] = 0
        near[start.corners] = 1
        seeds = np.flatnonzero(near)
        straight = np.linalg.norm(self._proxy.vertices[seeds] - position, axis=1)
        return np.asarray(
            self._marching.compute_distance([[(int(seed), [])] for seed in seeds], [[float(d)] for d in straight])
        )

    @cached_property
    def _neighbours(self) -> Any:
        """(P, P) sparse: vertices that share a face, and every vertex with itself."""
        from scipy.sparse import coo_matrix

        faces = self._proxy.faces
        rows, columns = np.repeat(faces, 3, axis=1).reshape(-1), np.tile(faces, (1, 3)).reshape(-1)
        return coo_matrix((np.ones(len(rows)), (rows, columns)), (len(self._proxy.vertices),) * 2).tocsr()

    @cached_property
    def _marching(self) -> Any:
        """Fast marching on the proxy, None where it is not manifold."""
        import potpourri3d

        try:
            solver = potpourri3d.MeshFastMarchingDistanceSolver(
                self._proxy.vertices.astype(np.float64), self._proxy.faces
            )
            solver.compute_distance([[(0, [1.0, 0.0, 0.0])]])  # only now it says whether it can
        except RuntimeError:
            return None
        return solver

    @cached_property
    def _heat(self) -> GeodesicSolver:
        return GeodesicSolver(self._proxy)


@dataclass(frozen=True, eq=False)
class _Place:
    """A point inside a face of the proxy: corners (3,) and weights (3,) in the same order, whichever that is."""

    face: int
    corners: Int32
    weights: Float64
