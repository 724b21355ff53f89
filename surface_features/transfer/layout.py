# SPDX-License-Identifier: GPL-3.0-or-later
"""How a triangle mesh belongs to an artist's polygons, corners and edges, which attributes live on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..mesh import Int32, TriangleMesh

Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """A mesh with what its elements are to the artist.

    mesh: the surface everything is matched on; it may hold reflected halves after the artist's own triangles.
    vertex: (V,) the artist's vertex that each vertex is, or is the reflection of; the artist's own come first.
    corner: (F, 3) the artist's face corner (Blender: loop) at each corner of each triangle.
    polygon: (F,) the artist's face of each triangle.
    corner_vertex: (L,) the artist's vertex at each face corner.
    edges: (E, 2) the artist's vertices at each edge.
    own_triangles: how many triangles are the artist's own.
    """

    mesh: TriangleMesh
    vertex: Int32
    corner: Int32
    polygon: Int32
    corner_vertex: Int32
    edges: Int32
    own_triangles: int

    @property
    def vertex_count(self) -> int:
        return int(self.vertex.max(initial=-1)) + 1

    @property
    def polygon_count(self) -> int:
        return int(self.polygon.max(initial=-1)) + 1

    def count(self, domain: str) -> int:
        """How many of the artist's elements a domain has: POINT, EDGE, FACE or CORNER."""
        return {
            "POINT": self.vertex_count,
            "EDGE": len(self.edges),
            "FACE": self.polygon_count,
            "CORNER": len(self.corner_vertex),
        }[domain]

    @cached_property
    def twins(self) -> tuple[Int64, Int64]:
        """(N,), (N,) half-edges (3·triangle + corner it starts at) that lie on one edge, in pairs."""
        vertex = self.vertex[self.mesh.faces].astype(np.int64)
        start, end = vertex.ravel(), np.roll(vertex, -1, axis=1).ravel()
        key = np.minimum(start, end) * (int(vertex.max(initial=0)) + 1) + np.maximum(start, end)
        order = np.argsort(key, kind="stable")
        same = key[order[1:]] == key[order[:-1]]
        return order[:-1][same], order[1:][same]


def inset_samples(faces: Int64) -> tuple[Int64, NDArray[np.float32]]:
    """Four points inside each of the triangles (F,): its middle and one near each corner. (4F,) face, (4F, 3) bary."""
    inside = np.array([(1 / 3, 1 / 3, 1 / 3), (0.7, 0.15, 0.15), (0.15, 0.7, 0.15), (0.15, 0.15, 0.7)], np.float32)
    return np.repeat(faces, 4), np.tile(inside, (len(faces), 1))
