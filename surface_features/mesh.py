# SPDX-License-Identifier: GPL-3.0-or-later
"""The one mesh type that crosses every boundary of this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .geometry.vectors import unit_rows

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """Triangles over the artist's vertices, in the artist's vertex order.

    vertices: (V, 3) float32, any unit, any consistent frame (world space when sent by Blender).
    faces: (F, 3) int32 indices into `vertices`, counter-clockwise seen from outside.
    name: shown in messages about this mesh.
    """

    vertices: Float32
    faces: Int32
    name: str = "Mesh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", np.ascontiguousarray(self.vertices, np.float32).reshape(-1, 3))
        object.__setattr__(self, "faces", np.ascontiguousarray(self.faces, np.int32).reshape(-1, 3))

    @classmethod
    def from_polygons(cls, vertices: Float32, polygons: Sequence[Sequence[int]], name: str = "Mesh") -> TriangleMesh:
        """Triangulate polygons of any size as fans around their first corner."""
        triangles = [(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)]
        return cls(vertices, np.asarray(triangles, np.int32).reshape(-1, 3), name)

    @cached_property
    def corners(self) -> Float32:
        """(F, 3, 3) float32 corner positions of every face."""
        return self.vertices[self.faces]

    @cached_property
    def face_areas(self) -> Float32:
        """(F,) float32 triangle areas, in the mesh's unit squared."""
        return np.linalg.norm(self._face_cross, axis=1) / 2

    @cached_property
    def vertex_areas(self) -> NDArray[np.float64]:
        """(V,) float64 a third of the area of the faces around each vertex; zero where it has none."""
        shares = np.repeat(self.face_areas.astype(np.float64) / 3, 3)
        return np.bincount(self.faces.reshape(-1), shares, len(self.vertices)).astype(np.float64)

    @cached_property
    def face_normals(self) -> Float32:
        """(F, 3) float32 unit normals; zero for degenerate faces."""
        return unit_rows(self._face_cross)

    @cached_property
    def vertex_normals(self) -> Float32:
        """(V, 3) float32 area-weighted unit normals; zero where a vertex has no face."""
        total = np.zeros(self.vertices.shape, np.float64)
        for corner in range(3):
            for axis in range(3):
                total[:, axis] += np.bincount(
                    self.faces[:, corner], weights=self._face_cross[:, axis], minlength=len(self.vertices)
                )
        return unit_rows(total).astype(np.float32)

    @cached_property
    def edges(self) -> Int32:
        """(E, 2) int32 the vertices of every edge, the lower one first, each edge once."""
        start, end = self.faces.reshape(-1).astype(np.int64), self.faces[:, [1, 2, 0]].reshape(-1)
        count = len(self.vertices)
        key = np.unique(np.minimum(start, end) * count + np.maximum(start, end))
        return np.stack([key // max(count, 1), key % max(count, 1)], axis=1).astype(np.int32)

    @cached_property
    def _face_cross(self) -> Float32:
        corners = self.corners
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
