# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical human surface: anchor points and, for every vertex, how near each anchor is.

Training classifies every pixel among the anchors with soft geodesic targets (a continuous surface embedding; compare
the template-guided soft targets of SGSoft). Hands, feet and the face get denser anchors and sharper targets, because
their parts are small and matter to an animator.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .humans import HumanModel, part_of_bone

DENSITY = {"hand": 2.2, "foot": 1.4, "head": 1.5}
SIGMA = 0.03


@dataclass(frozen=True, eq=False)
class Template:
    """anchors: (A,) int64 body vertices.

    embedding: (A, D) float32 unit rows whose cosines fall with the geodesic distance; where training starts from.
    near: (13380, K) int16, the anchors nearest to each vertex. share: (13380, K) float32 targets, rows sum to 1.
    """

    anchors: np.ndarray
    embedding: np.ndarray
    near: np.ndarray
    share: np.ndarray


def build_template(model: HumanModel, anchor_count: int = 1400, keep: int = 16, dim: int = 64) -> Template:
    """Anchors by farthest-point sampling in a density-weighted metric, soft targets exp(−d² / 2σ²).

    d is the heat-method geodesic in units of √area; σ = 0.03, divided by the density of the anchor's region.
    """
    import potpourri3d as pp3d

    body = model.base[: model.body_vertex_count].astype(np.float64)
    triangles = body[model.body_faces]
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1).sum()
    body /= np.sqrt(area / 2)
    dominant = model.weights[: model.body_vertex_count].argmax(axis=1)
    density = np.array([DENSITY.get(part_of_bone(model.bones[b]), 1.0) for b in dominant])
    anchors = [0]
    distance = np.full(len(body), np.inf)
    for _ in range(anchor_count - 1):
        distance = np.minimum(distance, np.linalg.norm(body - body[anchors[-1]], axis=1))
        anchors.append(int(np.argmax(distance * density)))
    solver = pp3d.MeshHeatMethodDistanceSolver(body, model.body_faces)
    geodesic = np.stack([solver.compute_distance(a) for a in anchors], axis=1)
    sharpness = density[anchors] / SIGMA
    logit = -0.5 * (geodesic * sharpness) ** 2
    near = np.argpartition(-logit, keep, axis=1)[:, :keep]
    chosen = np.take_along_axis(logit, near, axis=1)
    share = np.exp(chosen - chosen.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    embedding = embed_distances(geodesic[anchors], dim)
    return Template(np.array(anchors), embedding, near.astype(np.int16), share.astype(np.float32))


def embed_distances(distance: np.ndarray, dim: int, reach: float = 0.35) -> np.ndarray:
    """(A, A) geodesic distances → (A, dim) float32 unit rows with cosines near exp(−d / reach), by kernel PCA."""
    kernel = np.exp(-(distance + distance.T) / 2 / reach)
    values, vectors = np.linalg.eigh(kernel)
    rows = vectors[:, -dim:] * np.sqrt(np.maximum(values[-dim:], 0))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def load_template(model: HumanModel, cache_file: Path) -> Template:
    """The template, computed once and kept in `cache_file` (npz)."""
    if cache_file.exists():
        stored = np.load(cache_file)
        return Template(*(stored[name] for name in ("anchors", "embedding", "near", "share")))
    template = build_template(model)
    cache_file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache_file, **vars(template))
    return template
