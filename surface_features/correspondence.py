# SPDX-License-Identifier: GPL-3.0-or-later
"""Which point of one surface means the same as each vertex of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .features import Features
from .mesh import Float32, Int32, TriangleMesh
from .progress import JobContext

MAX_CANDIDATES = 25_000
CHUNK = 2048
CYCLE_TOLERANCE = 0.06  # of the source's extent: a round trip that ends this far away halves the confidence or worse


@dataclass(frozen=True, eq=False)
class Correspondence:
    """For every source vertex a point on the target's surface.

    face: (V,) int32 target face. bary: (V, 3) float32, non-negative, rows sum to 1. confidence: (V,) float32 0…1.
    """

    face: Int32
    bary: Float32
    confidence: Float32

    def points(self, target: TriangleMesh) -> Float32:
        """(V, 3) float32 positions on the target."""
        return np.einsum("vc,vcd->vd", self.bary, target.vertices[target.faces[self.face]])


def match_surfaces(
    source: TriangleMesh,
    source_features: Features,
    target: TriangleMesh,
    target_features: Features,
    context: JobContext | None = None,
) -> Correspondence:
    """The most alike target vertex by cosine, moved to the most alike point of the faces around it.

    Features vary linearly over a face, so that point is a projection in feature space. The confidence multiplies how
    alike the features are, how sure both ends were seen, and whether the way back ends where it began.
    """
    context = context or JobContext()
    with context.stage("match"):
        context.report(0.0, f"Matching {source.name} to {target.name}")
        source_ids, target_ids = _candidates(source), _candidates(target)
        forward, backward = _best_both_ways(
            source_features.values, source_ids, target_features.values, target_ids, context
        )
        face, bary, alike = _refine_on_faces(source_features.values, target, target_features.values, forward)
        drift = np.linalg.norm(source.vertices - source.vertices[backward[forward]], axis=1)
        drift = np.nan_to_num(drift, nan=np.inf) / max(_extent(source), 1e-30)
        sureness = np.einsum("vc,vc->v", bary, target_features.confidence[target.faces[face]])
        confidence = np.clip(alike, 0, 1) * np.exp(-((drift / CYCLE_TOLERANCE) ** 2))
        confidence *= np.sqrt(np.clip(source_features.confidence * sureness, 0, 1))
        context.report(1.0, f"Matched {source.name}")
    return Correspondence(face.astype(np.int32), bary.astype(np.float32), confidence.astype(np.float32))


def _extent(mesh: TriangleMesh) -> float:
    finite = mesh.vertices[np.isfinite(mesh.vertices).all(axis=1)]
    return float(np.ptp(finite, axis=0).max())


def _candidates(mesh: TriangleMesh) -> np.ndarray:
    """Vertices that belong to a face, evenly thinned to `MAX_CANDIDATES`; (C,) int64, ascending."""
    used = np.unique(mesh.faces[mesh.face_areas > 0])
    if len(used) == 0:
        used = np.unique(mesh.faces)
    if len(used) <= MAX_CANDIDATES:
        return used
    return np.sort(np.random.default_rng(0).choice(used, MAX_CANDIDATES, replace=False))


def _best_both_ways(
    source: Float32, source_ids: np.ndarray, target: Float32, target_ids: np.ndarray, context: JobContext
) -> tuple[np.ndarray, np.ndarray]:
    """Most alike target vertex of every source vertex (Vs,), and most alike source vertex of every target vertex.

    Only candidates can be found; `backward` is filled for the target's candidates, the only ones `forward` names.
    """
    import torch

    goal, start = torch.from_numpy(target[target_ids]), torch.from_numpy(source)
    is_candidate = np.zeros(len(source), bool)
    is_candidate[source_ids] = True
    forward = np.zeros(len(source), np.int64)
    best = torch.full((len(target_ids),), -2.0)
    best_source = torch.zeros(len(target_ids), dtype=torch.int64)
    for begin in range(0, len(source), CHUNK):
        alike = start[begin : begin + CHUNK] @ goal.T
        forward[begin : begin + CHUNK] = target_ids[alike.argmax(dim=1).numpy()]
        rows = np.flatnonzero(is_candidate[begin : begin + CHUNK])
        if len(rows):
            value, row = alike[rows].max(dim=0)
            better = value > best
            best = torch.where(better, value, best)
            best_source = torch.where(better, torch.from_numpy(rows + begin)[row], best_source)
        context.report(min(begin + CHUNK, len(source)) / len(source) * 0.9, "Matching surfaces")
    backward = np.zeros(len(target), np.int64)
    backward[target_ids] = best_source.numpy()
    return forward, backward


def _refine_on_faces(
    values: Float32, target: TriangleMesh, target_values: Float32, vertex: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most alike point of the faces around `vertex` (V,): face (V,), bary (V, 3), cosine (V,)."""
    faces, slots = _faces_around(target)
    count = slots[vertex + 1] - slots[vertex]
    best = np.full(len(values), np.inf)
    face, bary = np.zeros(len(values), np.int64), np.zeros((len(values), 3))
    for turn in range(int(count.max())):
        rows = np.flatnonzero(count > turn)
        own = faces[slots[vertex[rows]] + turn]
        corners = target_values[target.faces[own]]
        weights = _closest_barycentric(values[rows], corners)
        gap = ((np.einsum("rc,rcd->rd", weights, corners) - values[rows]) ** 2).sum(axis=1)
        better = gap < best[rows]
        best[rows[better]] = gap[better]
        face[rows[better]], bary[rows[better]] = own[better], weights[better]
    return face, bary, 1 - best / 2


def _faces_around(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """Faces grouped by vertex: `faces[slots[v]:slots[v + 1]]` are the faces around v."""
    order = np.argsort(mesh.faces.reshape(-1), kind="stable")
    slots = np.concatenate([[0], np.cumsum(np.bincount(mesh.faces.reshape(-1), minlength=len(mesh.vertices)))])
    return order // 3, slots


def _closest_barycentric(points: Float32, corners: Float32) -> np.ndarray:
    """Barycentric (R, 3) of the point of each triangle (R, 3, D) closest to each point (R, D), in any dimension.

    Inside: the projection. Outside: the closest of the three edges' clamped projections.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    aa, bb, cc = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d1, d2 = (ap * ab).sum(1), (ap * ac).sum(1)
    determinant = aa * cc - bb * bb
    safe = np.where(determinant > 1e-12, determinant, 1.0)
    v, w = (cc * d1 - bb * d2) / safe, (aa * d2 - bb * d1) / safe
    result = np.stack([1 - v - w, v, w], axis=1)
    outside = np.flatnonzero((determinant <= 1e-12) | (result < 0).any(axis=1))
    nearest = np.full(len(outside), np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, way = corners[outside, first], corners[outside, second] - corners[outside, first]
        length = np.maximum((way * way).sum(1), 1e-20)
        share = np.clip(((points[outside] - start) * way).sum(1) / length, 0, 1)
        gap = ((start + share[:, None] * way - points[outside]) ** 2).sum(1)
        better = gap < nearest
        nearest[better] = gap[better]
        edge = np.zeros((int(better.sum()), 3))
        edge[:, first], edge[:, second] = 1 - share[better], share[better]
        result[outside[better]] = edge
    return result
