# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vertices and faces hang together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32


def vertex_components(faces: Int32, vertex_count: int) -> Int32:
    """(V,) int32 component of every vertex, numbered from 0; vertices are connected when a face joins them.

    faces: (F, 3) int32. A vertex without a face is a component of its own.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    start, end = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    graph = coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(vertex_count, vertex_count))
    return connected_components(graph, directed=False)[1].astype(np.int32)


def face_components(faces: Int32, vertex_count: int) -> Int32:
    """(F,) int32 component of every face, with the numbers of `vertex_components`."""
    return vertex_components(faces, vertex_count)[faces[:, 0]]


def corners_around(faces: Int32, vertex_count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners (3 · face + which) grouped by vertex: `corners[slots[v] : slots[v + 1]]` are those at v.

    faces: (F, 3) int32. Returns corners (3 F,) and slots (V + 1,).
    """
    order = np.argsort(faces.reshape(-1), kind="stable")
    return order, np.concatenate([[0], np.cumsum(np.bincount(faces.reshape(-1), minlength=vertex_count))])


def weld(points: Float32, tolerance: float) -> tuple[Int32, Int32]:
    """Merge points closer than the tolerance, chains of them included.

    points: (V, 3) finite, largest extent about 1; tolerance: a length of at least 1e-6.
    Returns (V,) int32 welded point of every point, and (W,) int32 the first point of every welded one; welded points
    are in the order of their first points.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    # One point for each grid cell first: a thousand coincident points would otherwise be half a million pairs.
    cells = np.floor((points - points.min(axis=0)) / tolerance).astype(np.int64)
    sides = cells.max(axis=0) + 1
    cell_key = (cells[:, 0] * sides[1] + cells[:, 1]) * sides[2] + cells[:, 2]
    _, first, cell = np.unique(cell_key, return_index=True, return_inverse=True)
    pairs = cKDTree(points[first]).query_pairs(tolerance, output_type="ndarray")
    if len(pairs):
        graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(first),) * 2)
        group = connected_components(graph, directed=False)[1][cell]
    else:
        group = cell
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(first), np.int32)
    rank[order] = np.arange(len(first), dtype=np.int32)
    return rank[group], first[order].astype(np.int32)
