# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways along the edges of a mesh: a quick upper bound of geodesic distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh


def edge_graph(mesh: TriangleMesh) -> Any:
    """(V, V) sparse matrix of edge lengths, never 0."""
    from scipy.sparse import csr_matrix

    edges = mesh.edges
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1).astype(np.float64)
    count = len(mesh.vertices)
    return csr_matrix((np.maximum(length, 1e-12), (edges[:, 0], edges[:, 1])), shape=(count, count))


def way_from(mesh: TriangleMesh, start: NDArray[np.int64], limit: float) -> NDArray[np.float64]:
    """(V,) length of the shortest way along edges from the nearest of the start vertices; infinite beyond the limit."""
    from scipy.sparse.csgraph import dijkstra

    return dijkstra(edge_graph(mesh), directed=False, indices=start, min_only=True, limit=limit)
