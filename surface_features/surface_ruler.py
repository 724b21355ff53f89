# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances along a mesh from any point of its surface to any other."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry.geodesic import GeodesicSolver
from .mesh import Float32, Int32, TriangleMesh
from .preflight import preflight

Float64 = NDArray[np.float64]


class SurfaceRuler:
    """Distances along a mesh between any two points of it, in the mesh's unit.

    Measured on the mesh's proxy, so that seams between unwelded facets are no gaps, by fast marching from the exact
    point (Kimmel and Sethian 1998; about 1 %), or by the heat method where the proxy is not manifold. Never less than
    the straight distance, which is also the answer between parts that are not connected and close to the start.
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
        start = bary @ self._mesh.vertices[self._mesh.faces[face]]
        field = self._field(face, bary) / self._scale
        near = set(self._proxy_vertex[self._mesh.faces[face]].tolist())

        def distance_to(corners: Int32, weights: Float32) -> float:
            straight = float(np.linalg.norm(weights @ self._mesh.vertices[corners] - start))
            own = self._proxy_vertex[corners]
            used = weights > 0
            if near.intersection(own[used].tolist()):  # the same face or the next: a field cannot tell better
                return straight
            along = float(field[own[used]] @ weights[used])
            return max(along, straight) if np.isfinite(along) else straight

        return distance_to

    def _field(self, face: int, bary: Float32) -> Float64:
        """(P,) distance of every proxy vertex from a point."""
        corners = self._proxy_vertex[self._mesh.faces[face]]
        proxy_face = int(self._proxy_face[face])
        if proxy_face < 0:  # mended away, having no area: its corner is where it was
            proxy_face = int(np.argmax((self._proxy.faces == corners[bary.argmax()]).any(axis=1)))
            bary = (self._proxy.faces[proxy_face] == corners[bary.argmax()]).astype(np.float32)
        else:  # the proxy's face may begin at another corner
            order = [int(np.flatnonzero(corners == corner)[0]) for corner in self._proxy.faces[proxy_face]]
            bary = bary[order]
        weights = bary.astype(np.float64) / bary.sum(dtype=np.float64)
        if self._marching is not None:
            return np.asarray(self._marching.compute_distance([[(proxy_face, weights.tolist())]]))
        return self._heat.from_point(proxy_face, weights).astype(np.float64)

    @cached_property
    def _marching(self) -> Any:
        """Fast marching on the proxy, None where it is not manifold."""
        import potpourri3d

        try:
            return potpourri3d.MeshFastMarchingDistanceSolver(
                self._proxy.vertices.astype(np.float64), self._proxy.faces
            )
        except RuntimeError:
            return None

    @cached_property
    def _heat(self) -> GeodesicSolver:
        return GeodesicSolver(self._proxy)
