# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges of a triangle mesh, and which way its faces wind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32

# An open patch is turned round only when it clearly bulges the wrong way: the signed volume between it and its
# centre, over area^1.5, which is 0.094 for a sphere, 0.05 for a hemisphere and 0 for a plane.
OPEN_PATCH_BULGE = 0.01


@dataclass(frozen=True)
class EdgeUse:
    """Every undirected edge, and the half-edges (3 a face: corners 0→1, 1→2, 2→0) that run along it.

    edge: (3F,) edge of every half-edge, half-edge = 3·face + corner.
    forward: (3F,) bool, whether the half-edge runs from the lower vertex to the higher.
    count: (E,) half-edges of every edge: 1 = boundary, 2 = manifold, more = non-manifold.
    """

    edge: NDArray[np.int64]
    forward: NDArray[np.bool_]
    count: NDArray[np.int64]


def edge_use(faces: Int32, vertex_count: int) -> EdgeUse:
    """faces: (F, 3) int32."""
    start = faces.ravel().astype(np.int64)
    end = faces[:, [1, 2, 0]].ravel().astype(np.int64)
    keys = np.minimum(start, end) * vertex_count + np.maximum(start, end)
    _, edge, count = np.unique(keys, return_inverse=True, return_counts=True)
    return EdgeUse(edge.astype(np.int64), start < end, count)


def inward_faces(vertices: Float32, faces: Int32, edges: EdgeUse) -> NDArray[np.bool_]:
    """(F,) bool, which faces must be turned round so that neighbours agree and patches face outwards.

    A patch is what hangs together over manifold edges. Its faces are made to agree with the majority; then the whole
    patch is turned round when it encloses a negative volume. A patch that cannot be oriented (a Möbius strip) is left.
    """
    flip, patch = _disagreeing_faces(faces, edges)
    return flip ^ _is_inside_out(vertices, faces, edges, flip, patch)[patch]


def _disagreeing_faces(faces: Int32, edges: EdgeUse) -> tuple[NDArray[np.bool_], Int32]:
    """(F,) which faces disagree with the majority of their patch, and (F,) the patch of every face."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    face_count = len(faces)
    order = np.argsort(edges.edge, kind="stable")
    halves = order[edges.count[edges.edge[order]] == 2].reshape(-1, 2)
    a, b = halves[:, 0] // 3, halves[:, 1] // 3
    # Two nodes a face, one for either winding: neighbours that already agree link like with like, others cross over.
    crossed = np.where(edges.forward[halves[:, 0]] == edges.forward[halves[:, 1]], face_count, 0)
    start = np.concatenate([a, a + face_count])
    end = np.concatenate([b + crossed, b + face_count - crossed])
    graph = coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(2 * face_count, 2 * face_count))
    sheet = connected_components(graph, directed=False)[1]
    kept, turned = sheet[:face_count], sheet[face_count:]
    _, patch = np.unique(np.minimum(kept, turned), return_inverse=True)
    patch = patch.astype(np.int32)
    flip = kept > turned  # equal on a patch without two sides: left as it is
    minority = np.bincount(patch, flip) * 2 > np.bincount(patch)
    return flip ^ (minority[patch] & (kept != turned)), patch


def _is_inside_out(
    vertices: Float32, faces: Int32, edges: EdgeUse, flip: NDArray[np.bool_], patch: Int32
) -> NDArray[np.bool_]:
    """(patches,) bool, whether the patch, once its faces agree, encloses a negative volume about its centre."""
    size = np.bincount(patch)
    corners = vertices.astype(np.float64)[faces]
    middle = corners.mean(axis=1)
    centre = np.stack([np.bincount(patch, middle[:, axis]) for axis in range(3)], axis=1) / size[:, None]
    corners -= centre[patch][:, None]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    signed = np.einsum("fi,fi->f", corners[:, 0], cross) / 6
    volume = np.bincount(patch, np.where(flip, -signed, signed))
    area = np.bincount(patch, np.linalg.norm(cross, axis=1) / 2)
    loose_side = (edges.count[edges.edge] != 2).reshape(-1, 3).any(axis=1)
    is_open = np.bincount(patch, loose_side) > 0
    return volume < -np.where(is_open, OPEN_PATCH_BULGE, 1e-6) * area**1.5
