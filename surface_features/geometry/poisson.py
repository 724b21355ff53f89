# SPDX-License-Identifier: GPL-3.0-or-later
"""A surface put together again from how every part of it is to turn and stretch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh
from .components import vertex_components
from .laplacian import SparseMatrix, factorise, robust_laplacian

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

NEIGHBOURS = 12  # looked at from every vertex for one of another piece
NEAR = 0.02  # of the extent: pieces this close hold on to each other
BRIDGE_WEIGHT = 0.05  # beside cotangent weights of about 1
PIN = 1e-9  # keeps the factorisation regular; it moves nothing measurable
SOLVE_COLUMNS = 3


class PoissonSolver:
    """Factorised once for a mesh, solved for any number of deformations of it.

    The edges are those of the robust Laplacian, and bridges where pieces of the mesh lie close to each other: a coat
    follows the body under it, an eye its socket, though no face joins them.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        """mesh: any triangles, of about unit extent and welded (a proxy of `preflight`)."""
        from scipy.sparse import coo_matrix, diags

        self.mesh = mesh
        count = len(mesh.vertices)
        laplacian, mass = robust_laplacian(mesh)
        self.mass: Float64 = mass.diagonal()
        entries = laplacian.tocoo()
        kept = (entries.row < entries.col) & (entries.data > 0)
        start, end, weight = entries.row[kept], entries.col[kept], entries.data[kept]
        first, second, strength = _bridges(mesh)
        self.start = np.concatenate([start, first]).astype(np.int64)
        self.end = np.concatenate([end, second]).astype(np.int64)
        self.weight: Float64 = np.concatenate([weight, strength])
        matrix = coo_matrix((self.weight, (self.start, self.end)), shape=(count, count)).tocsc()
        matrix = matrix + matrix.T
        self.laplacian: SparseMatrix = diags(np.asarray(matrix.sum(axis=1)).ravel(), format="csc") - matrix
        self._factors = factorise(self.laplacian + PIN * diags(np.ones(count), format="csc"))
        self._ways: Float64 = (mesh.vertices[self.start] - mesh.vertices[self.end]).astype(np.float64)

    def solve(self, jacobians: Float64) -> Float64:
        """(P, 3) vertices whose surroundings are turned and stretched by `jacobians` (P, 3, 3), about their own mean.

        Minimises Σ w |x_i − x_j − ½ (J_i + J_j) (v_i − v_j)|², the edge form of the Poisson equation of "Deformation
        Transfer for Triangle Meshes" (Sumner and Popović 2004) with one Jacobian per vertex.
        """
        wanted = 0.5 * np.einsum("eij,ej->ei", jacobians[self.start] + jacobians[self.end], self._ways)
        wanted *= self.weight[:, None]
        count = len(self.mesh.vertices)
        right = np.stack(
            [
                np.bincount(self.start, wanted[:, axis], count) - np.bincount(self.end, wanted[:, axis], count)
                for axis in range(3)
            ],
            axis=1,
        )
        solved: Float64 = self._factors.solve(np.asfortranarray(right))
        return solved - solved.mean(axis=0)

    def smoother(self, trust: Float64, reach: float) -> Callable[[Float64], Float64]:
        """A function that spreads values (P, K) along the surface: over `reach` where trust is 1, further elsewhere.

        trust: (P,) 0…1. Minimises Σ trust·m |x − value|² + reach² Σ w |x_i − x_j|².
        """
        from scipy.sparse import diags

        hold = np.maximum(trust, 1e-6) * self.mass
        factors = factorise((diags(hold, format="csc") + reach**2 * self.laplacian).tocsc())

        def smooth(values: Float64) -> Float64:
            right = np.asfortranarray(values * hold[:, None])
            solved = np.empty_like(right)
            for begin in range(0, right.shape[1], SOLVE_COLUMNS):
                solved[:, begin : begin + SOLVE_COLUMNS] = factors.solve(right[:, begin : begin + SOLVE_COLUMNS])
            return solved

        return smooth


def _bridges(mesh: TriangleMesh) -> tuple[Int64, Int64, Float64]:
    """Pairs of vertices of different pieces and their weights: close ones, and enough that nothing is left alone."""
    from scipy.spatial import cKDTree

    piece = vertex_components(mesh.faces, len(mesh.vertices))
    if piece.max(initial=0) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    tree = cKDTree(mesh.vertices)
    away, index = tree.query(mesh.vertices, k=min(NEIGHBOURS, len(mesh.vertices)))
    foreign = piece[index] != piece[:, None]
    found = foreign.any(axis=1)
    rows = np.flatnonzero(found)
    column = foreign[rows].argmax(axis=1)
    first, second, gap = rows, index[rows, column], away[rows, column]
    near = gap < 2 * NEAR * extent
    pairs = [(first[near], second[near], BRIDGE_WEIGHT * np.exp(-((gap[near] / (NEAR * extent)) ** 2)))]
    while True:
        joined = _joined(piece, np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs]))
        if joined.max() == 0:
            break
        sizes = np.bincount(joined)
        others = [number for number in range(len(sizes)) if number != sizes.argmax()]
        for number in others:
            own, rest = np.flatnonzero(joined == number), np.flatnonzero(joined != number)
            gap, nearest = cKDTree(mesh.vertices[rest]).query(mesh.vertices[own])
            closest = np.argsort(gap)[: max(3, len(own) // 20)]
            pairs.append((own[closest], rest[nearest[closest]], np.full(len(closest), BRIDGE_WEIGHT)))
    first, second, weight = (np.concatenate([pair[k] for pair in pairs]) for k in range(3))
    return first.astype(np.int64), second.astype(np.int64), weight.astype(np.float64)


def _joined(piece: NDArray[np.int32], first: Int64, second: Int64) -> Int64:
    """(V,) group of every vertex when pieces with a bridge between them are one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = int(piece.max()) + 1
    graph = coo_matrix((np.ones(len(first)), (piece[first], piece[second])), shape=(count, count))
    return connected_components(graph, directed=False)[1][piece].astype(np.int64)
