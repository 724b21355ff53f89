# SPDX-License-Identifier: GPL-3.0-or-later
"""Anchor points on the families' templates and, for every template vertex, how near each anchor is.

Training classifies every pixel among its family's anchors with soft geodesic targets (a continuous surface embedding;
compare the template-guided soft targets of SGSoft). Hands, feet and faces get denser anchors and sharper targets,
because their parts are small and matter to an animator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from surface_features.geometry.vectors import unit_rows

from .families import Family

SIGMA = 0.03
ANCHORS = {"people": 1900, "animals": 1300}
KEEP = 16
EMBEDDING_DIM = 64
BRIDGE = 0.06  # of √area: parts that overlap are joined where their vertices lie nearer than that


@dataclass(frozen=True, eq=False)
class Template:
    """All families' anchors; A of them over N template vertices.

    anchors: (A,) int64 vertices. anchor_family: (A,) int64. family: (N,) int64.
    embedding: (A, D) float32 unit rows whose cosines fall with the geodesic distance; where training starts from.
    near: (N, K) int16, the anchors nearest to each vertex. share: (N, K) float32 targets, rows sum to 1.
    part, side, mirror: (N,) int64, see `Family`.
    """

    anchors: np.ndarray
    anchor_family: np.ndarray
    family: np.ndarray
    embedding: np.ndarray
    near: np.ndarray
    share: np.ndarray
    part: np.ndarray
    side: np.ndarray
    mirror: np.ndarray


def build_template(families: Sequence[Family]) -> Template:
    """Anchors by farthest-point sampling in a density-weighted metric, soft targets exp(−d² / 2σ²).

    d is the geodesic in units of √area; σ = 0.03, divided by the density of the anchor's region.
    """
    columns: dict[str, list[np.ndarray]] = {}
    vertex_start = anchor_start = 0
    for number, family in enumerate(families):
        anchors = _spread(family, ANCHORS[family.name])
        distance = _geodesics(family, anchors)
        near, share = _soft_targets(distance, family.density[anchors])
        own = {
            "anchors": anchors + vertex_start,
            "anchor_family": np.full(len(anchors), number),
            "family": np.full(len(family.vertices), number),
            "embedding": embed_distances(distance[anchors], EMBEDDING_DIM),
            "near": (near + anchor_start).astype(np.int16),
            "share": share,
            "part": family.part,
            "side": family.side,
            "mirror": family.mirror + vertex_start,
        }
        for name, values in own.items():
            columns.setdefault(name, []).append(values)
        vertex_start += len(family.vertices)
        anchor_start += len(anchors)
    return Template(**{name: np.concatenate(values) for name, values in columns.items()})


def _spread(family: Family, count: int) -> np.ndarray:
    """(A,) vertices that pictures can show, each the farthest from those before it in the density-weighted metric."""
    anchors = [int(np.flatnonzero(family.seen)[0])]
    weight = family.density * family.seen
    distance = np.full(len(family.vertices), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, np.linalg.norm(family.vertices - family.vertices[anchors[-1]], axis=1))
        anchors.append(int(np.argmax(distance * weight)))
    return np.array(anchors)


def _geodesics(family: Family, anchors: np.ndarray) -> np.ndarray:
    """(N, A) distances along the surface: heat method on one piece, else along edges, diagonals and bridges."""
    faces = family.faces
    start, end = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    count = len(family.vertices)
    joined = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(count, count))
    used = np.unique(faces)
    piece = connected_components(joined, directed=False)[1]
    if len(np.unique(piece[used])) == 1:
        import potpourri3d as pp3d

        solver = pp3d.MeshHeatMethodDistanceSolver(family.vertices, faces)
        return np.stack([solver.compute_distance(anchor) for anchor in anchors], axis=1)
    pairs = [np.stack([start, end], axis=1), _diagonals(faces), _bridges(family.vertices, piece)]
    links = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    length = np.linalg.norm(family.vertices[links[:, 0]] - family.vertices[links[:, 1]], axis=1)
    graph = coo_array((length, (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    return dijkstra(graph, directed=False, indices=anchors).T


def _diagonals(faces: np.ndarray) -> np.ndarray:
    """(M, 2) the two corners that face each other over every edge: without them a grid's ways are all too long."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    opposite = faces[:, [2, 0, 1]].reshape(-1)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, opposite = edges[order], opposite[order]
    shared = np.flatnonzero((edges[1:] == edges[:-1]).all(axis=1))
    return np.stack([opposite[shared], opposite[shared + 1]], axis=1)


def _bridges(vertices: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """(M, 2) pairs of close vertices of different pieces."""
    pairs = cKDTree(vertices).query_pairs(BRIDGE, output_type="ndarray")
    return pairs[piece[pairs[:, 0]] != piece[pairs[:, 1]]]


def _soft_targets(distance: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) nearest anchors, and their shares."""
    logit = -0.5 * (distance * density / SIGMA) ** 2
    near = np.argpartition(-logit, KEEP, axis=1)[:, :KEEP]
    chosen = np.take_along_axis(logit, near, axis=1)
    share = np.exp(chosen - chosen.max(axis=1, keepdims=True))
    return near, (share / share.sum(axis=1, keepdims=True)).astype(np.float32)


def embed_distances(distance: np.ndarray, dim: int, reach: float = 0.35) -> np.ndarray:
    """(A, A) geodesic distances → (A, dim) float32 unit rows with cosines near exp(−d / reach), by kernel PCA."""
    kernel = np.exp(-(distance + distance.T) / 2 / reach)
    values, vectors = np.linalg.eigh(kernel)
    rows = vectors[:, -dim:] * np.sqrt(np.maximum(values[-dim:], 0))
    return unit_rows(rows).astype(np.float32)


def load_template(families: Sequence[Family], cache_file: Path) -> Template:
    """The template, computed once and kept in `cache_file` (npz)."""
    if cache_file.exists():
        with np.load(cache_file) as stored:
            return Template(**{name: stored[name] for name in stored.files})
    template = build_template(families)
    cache_file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache_file, **vars(template))
    return template
