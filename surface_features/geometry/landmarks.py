# SPDX-License-Identifier: GPL-3.0-or-later
"""A few hundred points spread over a surface, and how far they lie from each other along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32, TriangleMesh
from .sampling import farthest_points

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]  # two landmarks and the length between them

CANDIDATES = 16  # per landmark; the farthest of these are kept
BRIDGES = 2  # from every landmark to the nearest of other pieces, where none of their surface is near
AROUND = 64  # candidates around a landmark among which another piece's surface is sought
FARTHER = 1.5  # of a piece's median: a bridge this much longer leads past what the piece lies on
BRIDGE_COST = 1.5  # of the straight distance: leaving a piece costs more than staying on it


@dataclass(frozen=True, eq=False)
class Landmarks:
    """vertices: (L,) int32. nearest: (V,) int32, the landmark each vertex belongs to, nearest along the surface.

    distances: (L, L) float32, along the surface and over bridges between its pieces, in units of √area.
    """

    vertices: Int32
    nearest: Int32
    distances: Float32


def place_landmarks(
    mesh: TriangleMesh, count: int, seed: int, *, details: NDArray[np.int64] | None = None, more: int = 0
) -> Landmarks:
    """At most `count` landmarks, evenly spread over the mesh's area; fewer on meshes with fewer vertices.

    details: vertices among which `more` landmarks follow, evenly spread over their area.

    Characters come in pieces (a shell of clothes, a head put onto a body), so each piece is bridged to what it lies on:
    from every landmark of the smaller one to the nearest surface, but not from a sleeve to the chest beside it. A mesh
    should be a proxy (see `preflight`): without an area there is no landmark to place.
    """
    from scipy.sparse.csgraph import dijkstra

    area = mesh.vertex_areas
    candidates = _candidates(mesh, area, count, seed)
    vertices = candidates[farthest_points(mesh.vertices[candidates], count, seed)].astype(np.int32)
    if details is not None and more:
        free = np.zeros_like(area)
        free[details] = area[details]
        free[vertices] = 0
        finer = _candidates(mesh, free, more, seed)
        vertices = np.append(vertices, finer[farthest_points(mesh.vertices[finer], more, seed)]).astype(np.int32)
        candidates = np.append(candidates, finer)
    edges = _edges(mesh)
    away, nearest = _voronoi(mesh, edges, vertices)
    unit = float(np.sqrt(mesh.face_areas.sum(dtype=np.float64)))
    graph = _landmark_graph(mesh, edges, vertices, candidates, away, nearest)
    return Landmarks(vertices, nearest, (dijkstra(graph, directed=False) / unit).astype(np.float32))


def _candidates(mesh: TriangleMesh, area: NDArray[np.float64], count: int, seed: int) -> NDArray[np.int64]:
    """Vertices drawn by their (V,) area, many more than `count`, ascending by place; none without any.

    Drawn in the order of their places, so that the artist's vertex order does not matter.
    """
    candidates = np.lexsort(mesh.vertices.T)
    candidates = candidates[area[candidates] > 0]
    most = CANDIDATES * count
    if len(candidates) > most:
        chance = area[candidates] / area[candidates].sum()
        candidates = np.random.default_rng(seed).choice(candidates, most, replace=False, p=chance)
    return candidates


def _edges(mesh: TriangleMesh) -> csr_array:
    """(V, V) lengths of the mesh's edges, in one direction or both."""
    from scipy.sparse import csr_array

    start, end = mesh.edges.T
    length = np.linalg.norm(mesh.vertices[start].astype(np.float64) - mesh.vertices[end], axis=1)
    return csr_array((length, (start, end)), shape=(len(mesh.vertices),) * 2)


def _voronoi(mesh: TriangleMesh, edges: csr_array, vertices: Int32) -> tuple[NDArray[np.float64], Int32]:
    """(V,) way along the edges to the nearest landmark, and which; on pieces without one, the straight nearest."""
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    away, _, source = dijkstra(edges, directed=False, indices=vertices, min_only=True, return_predecessors=True)
    landmark = np.full(len(mesh.vertices), -1, np.int64)
    landmark[vertices] = np.arange(len(vertices))
    nearest = np.where(np.isfinite(away), landmark[np.maximum(source, 0)], -1)
    lost = np.flatnonzero(nearest < 0)
    if len(lost):
        away[lost], nearest[lost] = cKDTree(mesh.vertices[vertices]).query(mesh.vertices[lost])
    return away, nearest.astype(np.int32)


def _landmark_graph(
    mesh: TriangleMesh,
    edges: csr_array,
    vertices: Int32,
    candidates: NDArray[np.int64],
    away: NDArray[np.float64],
    nearest: Int32,
) -> csr_array:
    """(L, L) lengths between neighbouring landmarks: over the edges that join their cells, and over bridges."""
    count = len(vertices)
    joined = edges.tocoo()
    start, end = joined.coords
    crossing = nearest[start] != nearest[end]
    start, end = start[crossing], end[crossing]
    way = away[start] + joined.data[crossing] + away[end]
    pairs = _shortest([(nearest[start], nearest[end], way)], count)
    piece = _pieces(pairs, count)
    if piece.max(initial=0) > 0:
        near = _bridges_to_surface(mesh, vertices, candidates, away, nearest, piece)
        pairs = _shortest([pairs, near], count)
    while (piece := _pieces(pairs, count)).max(initial=0) > 0:
        pairs = _shortest([pairs, *_bridges(mesh.vertices[vertices], piece)], count)
    return _as_graph(pairs, count)


def _bridges_to_surface(
    mesh: TriangleMesh,
    vertices: Int32,
    candidates: NDArray[np.int64],
    away: NDArray[np.float64],
    nearest: Int32,
    piece: NDArray[np.int32],
) -> Pairs:
    """From landmarks of every piece but the largest to the nearest surface of another, where there is one close by."""
    from scipy.spatial import cKDTree

    start = np.flatnonzero(piece != np.bincount(piece).argmax())
    places = mesh.vertices[candidates]
    gap, found = cKDTree(places).query(mesh.vertices[vertices[start]], k=min(AROUND, len(candidates)))
    found = candidates[found.reshape(len(start), -1)]
    foreign = piece[nearest[found]] != piece[start][:, None]
    first = foreign.argmax(axis=1)
    rows = np.arange(len(start))
    reached, gap = found[rows, first], gap.reshape(len(start), -1)[rows, first]
    gap[~foreign.any(axis=1)] = np.inf
    median = np.full(piece.max() + 1, np.inf)
    for number in np.unique(piece[start]):
        own = gap[(piece[start] == number) & np.isfinite(gap)]
        median[number] = np.median(own) if len(own) else np.inf
    kept = np.isfinite(gap) & (gap <= FARTHER * median[piece[start]])
    length = BRIDGE_COST * gap[kept] + away[reached[kept]] + 1e-6
    return start[kept], nearest[reached[kept]].astype(np.int64), length


def _bridges(points: Float32, piece: NDArray[np.int32]) -> list[Pairs]:
    """From every landmark to the nearest ones of other pieces. Pieces may still form several groups afterwards."""
    from scipy.spatial import cKDTree

    found = []
    for number in range(piece.max() + 1):
        own, others = np.flatnonzero(piece == number), np.flatnonzero(piece != number)
        gap, nearest = cKDTree(points[others]).query(points[own], k=min(BRIDGES, len(others)))
        bridge = others[nearest.reshape(len(own), -1)]
        found.append((np.repeat(own, bridge.shape[1]), bridge.reshape(-1), BRIDGE_COST * gap.reshape(-1) + 1e-6))
    return found


def _shortest(connections: list[Pairs], count: int) -> Pairs:
    """The shortest of all connections of each pair."""
    first, second, length = (np.concatenate(part) for part in zip(*connections, strict=True))
    key = np.minimum(first, second).astype(np.int64) * count + np.maximum(first, second)
    order = np.lexsort((length, key))
    key, place = np.unique(key[order], return_index=True)
    return key // count, key % count, length[order][place]


def _pieces(pairs: Pairs, count: int) -> NDArray[np.int32]:
    from scipy.sparse.csgraph import connected_components

    return connected_components(_as_graph(pairs, count), directed=False)[1]


def _as_graph(pairs: Pairs, count: int) -> csr_array:
    from scipy.sparse import coo_array

    first, second, length = pairs
    return coo_array((length, (first, second)), shape=(count, count)).tocsr()
