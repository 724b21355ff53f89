# SPDX-License-Identifier: GPL-3.0-or-later
"""Seams, sharp edges and creases: marked edges of one mesh as unbroken paths of edges of another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..geometry.vectors import unit_rows
from ..preflight import preflight
from .layout import Layout

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

DENSE = 0.25  # of the edges: an attribute that more of them have is no set of paths but a value of every edge
SPACING = 6.0  # usual edges of the target between two places a path is led through
OFF_PATH = 20.0  # how much dearer an edge is that lies one usual edge's length beside the path
NEIGHBOURS = 8  # edges of the source that are compared for one of the target's, where every edge has a value


def transfer_edges(
    source: Layout, values: NDArray, target: Layout, onto_source: Correspondence, onto_target: Correspondence
) -> Float64:
    """(Et,) values of the target's edges for values (Es,) of the source's, 0 where there is none.

    Where few edges have a value, the paths they form are drawn anew along the target's edges, so that a closed seam
    stays closed. Where most have one, each of the target's edges takes it from the most alike edge.
    """
    values = np.asarray(values, np.float64)
    marked = np.flatnonzero(values)
    if len(marked) == 0:
        return np.zeros(len(target.edges))
    if len(marked) > DENSE * len(source.edges):
        return _most_alike_edges(source, values, target, onto_source)
    return _Tracer(source, values, marked, target, onto_target).trace()


def chains(edges: Int64) -> list[Int64]:
    """Marked edges (M, 2) as walks of vertices; a closed one ends with its first vertex.

    Walks begin and end where a path ends, branches or crosses another.
    """
    around: dict[int, list[int]] = {}
    for index, (start, end) in enumerate(edges.tolist()):
        around.setdefault(start, []).append(index)
        around.setdefault(end, []).append(index)
    used = np.zeros(len(edges), bool)
    ends = [vertex for vertex, own in around.items() if len(own) != 2]
    walks = []
    for vertex in [*ends, *around]:  # whatever is left after the open ones is closed
        for first in around[vertex]:
            if used[first]:
                continue
            walk, edge = [vertex], first
            while True:
                used[edge] = True
                walk.append(int(edges[edge].sum()) - walk[-1])
                onward = [one for one in around[walk[-1]] if not used[one]]
                if len(around[walk[-1]]) != 2 or not onward:
                    break
                edge = onward[0]
            walks.append(np.array(walk))
    return walks


@dataclass(frozen=True, eq=False)
class _Graph:
    """The target's edges between its places (coincident vertices are one). costs: (E,) of walking along each."""

    place: Int64  # (V,) place of each of the artist's vertices
    ends: Int64  # (E, 2) places
    lengths: Float64


class _Tracer:
    def __init__(
        self, source: Layout, values: Float64, marked: Int64, target: Layout, onto_target: Correspondence
    ) -> None:
        self._values, self._marked = values, source.edges[marked].astype(np.int64)
        self._marked_values = values[marked]
        self._matches = onto_target.points(target.mesh)[: source.vertex_count].astype(np.float64)
        nearest = target.mesh.faces[onto_target.face, onto_target.bary.argmax(axis=1)][: source.vertex_count]
        place = preflight(target.mesh).proxy_vertex[: target.vertex_count].astype(np.int64)
        self._own = nearest < target.vertex_count  # not on the half that a Mirror modifier adds
        self._snapped = place[np.where(self._own, nearest, 0)]
        ends = place[target.edges]
        points = target.mesh.vertices[target.edges].astype(np.float64)
        self._graph = _Graph(place, ends, np.linalg.norm(points[:, 1] - points[:, 0], axis=1))
        self._middles = points.mean(axis=1)
        lengths = self._graph.lengths
        self._usual = float(lengths[lengths > 0].mean()) if (lengths > 0).any() else 1.0

    def trace(self) -> Float64:
        from scipy.sparse import coo_matrix
        from scipy.spatial import cKDTree

        samples, sample_values = self._polylines()
        away, nearest = cKDTree(samples).query(self._middles)
        graph = self._graph
        cost = graph.lengths * (0.05 + OFF_PATH * (away / self._usual) ** 2) + 1e-9 * self._usual
        size = int(graph.place.max()) + 1
        keep = graph.ends[:, 0] != graph.ends[:, 1]
        # Doubled edges add up in a sparse matrix: harmless, they are as dear as each other.
        row, column = graph.ends[keep].T
        network = coo_matrix((cost[keep], (row, column)), shape=(size, size)).tocsr()
        chosen: set[tuple[int, int]] = set()
        kept_ends: set[int] = set()
        for walk in chains(self._marked):
            stops = self._stops(walk)
            kept_ends.update((stops[0], stops[-1]) if stops else ())
            for start, end in pairwise(stops):
                chosen |= _shortest(network, start, end)
        _prune(chosen, kept_ends)
        pairs = np.sort(graph.ends, axis=1)
        on_path = np.array([tuple(pair) in chosen for pair in pairs.tolist()], bool)
        return np.where(on_path, sample_values[nearest], 0.0)

    def _polylines(self) -> tuple[Float64, Float64]:
        """Points along the matched marked edges, about half a usual edge apart, and the value at each."""
        start, end = self._matches[self._marked[:, 0]], self._matches[self._marked[:, 1]]
        length = np.linalg.norm(end - start, axis=1)
        number = np.clip(np.ceil(2 * length / self._usual), 1, 50).astype(int) + 1
        edge = np.repeat(np.arange(len(number)), number)
        step = np.arange(len(edge)) - np.repeat(np.cumsum(number) - number, number)
        share = (step / np.maximum(number[edge] - 1, 1))[:, None]
        return start[edge] * (1 - share) + end[edge] * share, self._marked_values[edge]

    def _stops(self, walk: Int64) -> list[int]:
        """Places a walk is led through: its ends, and others every few usual edges; none beyond a mirror plane."""
        walk = walk[self._own[walk]]
        if len(walk) < 2:
            return []
        points = self._matches[walk]
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        # a ring needs at least two stops beside its beginning, or the way back would be the way there
        legs = max(int(along[-1] / (SPACING * self._usual)), 3 if walk[0] == walk[-1] else 1)
        index = np.unique(np.searchsorted(along, np.linspace(0, along[-1], legs + 1)).clip(0, len(walk) - 1))
        index = np.unique(np.concatenate([[0], index, [len(walk) - 1]]))
        snapped = self._snapped[walk[index]]
        return snapped[np.concatenate([[True], snapped[1:] != snapped[:-1]])].tolist()


def _shortest(network: object, start: int, end: int) -> set[tuple[int, int]]:
    """Edges of the cheapest way; none where the target is not connected there."""
    from scipy.sparse.csgraph import dijkstra

    cost, before = dijkstra(network, directed=False, indices=start, return_predecessors=True)
    if not np.isfinite(cost[end]):
        return set()
    way = set()
    while end != start:
        previous = int(before[end])
        way.add((min(previous, end), max(previous, end)))
        end = previous
    return way


def _prune(edges: set[tuple[int, int]], kept_ends: set[int]) -> None:
    """Remove, in place, dead ends that are no ends of a source's path."""
    degree: dict[int, int] = {}
    for pair in edges:
        for vertex in pair:
            degree[vertex] = degree.get(vertex, 0) + 1
    while True:
        dead = [pair for pair in edges if any(degree[vertex] == 1 and vertex not in kept_ends for vertex in pair)]
        if not dead:
            return
        for pair in dead:
            edges.discard(pair)
            for vertex in pair:
                degree[vertex] -= 1


def _most_alike_edges(source: Layout, values: Float64, target: Layout, onto_source: Correspondence) -> Float64:
    from scipy.spatial import cKDTree

    there = source.mesh.vertices[source.edges].astype(np.float64)
    here = onto_source.points(source.mesh)[target.edges].astype(np.float64)
    count = min(NEIGHBOURS, len(there))
    away, near = cKDTree(there.mean(axis=1)).query(here.mean(axis=1), count)
    away, near = away.reshape(len(here), -1), near.reshape(len(here), -1)
    ways, own = _directions(there)[near], _directions(here)
    aslant = 1 - np.abs(np.einsum("nkd,nd->nk", ways, own))
    usual = float(np.linalg.norm(there[:, 1] - there[:, 0], axis=1).mean())
    return values[near[np.arange(len(near)), (away + usual * aslant).argmin(axis=1)]]


def _directions(edges: Float64) -> Float64:
    return unit_rows(edges[:, 1] - edges[:, 0])
