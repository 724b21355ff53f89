# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh with fewer vertices that keeps its sheets apart, and smooth fields brought from it back to the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32, TriangleMesh
from ..parallel import parts
from .components import vertex_components
from .gradients import vertex_gradient_operators

CHUNK = 50_000  # vertices that are brought fields at once


@dataclass(frozen=True, eq=False)
class CoarseMesh:
    """mesh: the coarse mesh, C vertices. of_vertex: (V,) int32, the coarse vertex each fine vertex went into.

    offset: (V, 3) float32, from there to the fine vertex.
    """

    mesh: TriangleMesh
    of_vertex: Int32
    offset: Float32

    def at(self, fields: Float32, vertices: NDArray[np.integer]) -> Float32:
        """(K, C) fields over the coarse vertices → (K, N) at these fine vertices, carried on along their gradients."""
        from scipy.sparse import csr_array, diags_array

        slopes = [csr_array(slope, dtype=np.float32) for slope in vertex_gradient_operators(self.mesh)]
        columns = np.ascontiguousarray(fields.T, np.float32)
        found = np.empty((len(vertices), len(fields)), np.float32)
        for rows in parts(len(vertices), CHUNK):
            own, offset = self.of_vertex[vertices[rows]], self.offset[vertices[rows]]
            carried = (diags_array(along) @ slope[own] for along, slope in zip(offset.T, slopes, strict=True))
            found[rows] = columns[own] + sum(carried) @ columns
        return found.T

    def bring(self, numbers: Int32) -> Int32:
        """(V,) numbers of the fine vertices → (C,), of each coarse vertex one of those that went into it."""
        found = np.empty(len(self.mesh.vertices), numbers.dtype)
        found[self.of_vertex] = numbers
        return found

    def average(self, values: NDArray) -> NDArray[np.float64]:
        """(V, K) values of the fine vertices → (C, K), of each coarse vertex the mean of those that went into it."""
        size = np.bincount(self.of_vertex)[:, None]
        return np.stack([np.bincount(self.of_vertex, weights=column) for column in values.T], axis=1) / size


def coarsen(mesh: TriangleMesh, count: int) -> CoarseMesh:
    """About `count` vertices: what is joined by edges within a cell of a grid becomes one vertex.

    Two fingers that touch stay two. A mesh that is coarse already stays as it is, and so does a piece that would lose
    all its faces: a button, a card of hair.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    cell_size = np.sqrt(mesh.face_areas.sum(dtype=np.float64) / max(count, 1))
    cell = np.floor(mesh.vertices / max(cell_size, 1e-30)).astype(np.int64)
    start, end = mesh.faces.reshape(-1), mesh.faces[:, [1, 2, 0]].reshape(-1)
    inside = (cell[start] == cell[end]).all(axis=1)
    links = coo_array((np.ones(int(inside.sum()), np.int8), (start[inside], end[inside])), shape=(len(cell),) * 2)
    of_vertex = connected_components(links, directed=False)[1]
    piece = vertex_components(mesh.faces, len(cell))
    lost = np.ones(piece.max(initial=-1) + 1, bool)
    a, b, c = of_vertex[mesh.faces].T
    lost[piece[mesh.faces[(a != b) & (b != c) & (c != a), 0]]] = False
    alone = np.flatnonzero(lost[piece])
    of_vertex[alone] = len(cell) + alone
    of_vertex = np.unique(of_vertex, return_inverse=True)[1].reshape(-1)
    groups = int(of_vertex.max(initial=-1)) + 1
    size = np.bincount(of_vertex, minlength=groups)
    middle = np.stack([np.bincount(of_vertex, weights=axis, minlength=groups) for axis in mesh.vertices.T], axis=1)
    vertices = (middle / size[:, None]).astype(np.float32)
    faces = of_vertex[mesh.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    coarse = TriangleMesh(vertices, faces[np.sort(first)].astype(np.int32), mesh.name)
    return CoarseMesh(coarse, of_vertex.astype(np.int32), mesh.vertices - vertices[of_vertex])
