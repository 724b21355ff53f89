# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of surfaces: found without help, or as on labelled examples; with borders along creases.

Scores of parts (F, K) on faces come from clusters of features, from matches with examples, or from a `PartsModel`; what
single faces say is then made one piece with what their neighbours say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .features import Features
from .geometry.vectors import unit_rows
from .mesh import Float32, TriangleMesh
from .preflight import preflight
from .surface_points import SurfacePoints

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SAMPLES = 20_000  # faces that clusters are made from, all meshes together
KMEANS_ROUNDS = 40
ROUNDS = 30  # in which neighbours agree with each other
CREASE = np.radians(25.0)  # faces that meet at this angle pull at each other only a third as much
NEAR_TIE = 0.02  # below the best centre's cosine, over which a cluster's say falls


def face_features(mesh: TriangleMesh, features: Features) -> Float32:
    """(F, D) unit rows: the mean of each face's corners."""
    return unit_rows(features.values[mesh.faces].mean(axis=1))


def cluster_parts(
    meshes: Sequence[TriangleMesh], features: Sequence[Float32], count: int, seed: int = 0
) -> list[Float64]:
    """Scores (F, count) of each mesh's faces for parts that mean the same on all of them.

    features: (F, D) of each mesh. Spherical k-means, k-means++ beginnings, weighted by area, every mesh counting alike.
    Raises `BadInputError` with fault "few_faces" for fewer faces than parts.
    """
    rng = np.random.default_rng(seed)
    faces = sum(len(mesh.faces) for mesh in meshes)
    if faces < count:
        raise BadInputError(
            f"{meshes[0].name}: {faces} faces cannot be {count} parts. Ask for fewer parts.", fault="few_faces"
        )
    chosen, weights = [], []
    for mesh, values in zip(meshes, features, strict=True):
        area = mesh.face_areas.astype(np.float64) + 1e-12
        number = min(len(values), max(SAMPLES // len(meshes), count))
        rows = rng.choice(len(values), number, replace=False)
        chosen.append(values[rows])
        weights.append(area[rows] / area[rows].sum())
    centres = _kmeans(np.concatenate(chosen).astype(np.float64), np.concatenate(weights), count, rng)
    scores = []
    for values in features:
        alike = values @ centres.T
        say = np.exp((alike - alike.max(axis=1, keepdims=True)) / NEAR_TIE)
        scores.append(say / say.sum(axis=1, keepdims=True))
    return scores


def _kmeans(values: Float64, weights: Float64, count: int, rng: np.random.Generator) -> Float64:
    """(count, D) unit centres, the largest part first."""
    centres = values[[rng.choice(len(values), p=weights / weights.sum())]]
    for _ in range(count - 1):
        gap = np.maximum(1 - (values @ centres.T).max(axis=1), 0) * weights + 1e-15
        centres = np.concatenate([centres, values[[rng.choice(len(values), p=gap / gap.sum())]]])
    for _ in range(KMEANS_ROUNDS):
        nearest = (values @ centres.T).argmax(axis=1)
        total = np.stack([weights[nearest == one] @ values[nearest == one] for one in range(count)])
        length = np.linalg.norm(total, axis=1, keepdims=True)
        centres = np.where(length > 1e-12, total / np.maximum(length, 1e-12), centres)
    nearest = (values @ centres.T).argmax(axis=1)
    return centres[np.argsort(-np.bincount(nearest, weights, count), kind="stable")]


def scores_by_example(labels: Int64, points: SurfacePoints, samples_per_face: int, count: int) -> Float64:
    """Scores (F, count) of faces whose samples lie at points of a labelled example.

    labels: (Fe,) part of each of the example's faces, −1 for none. points: F · samples_per_face points on the example.
    A sample says as much as its match is sure.
    """
    label = labels[points.face]
    face = np.arange(len(label)) // samples_per_face
    known = label >= 0
    say = points.confidence.astype(np.float64) + 0.02
    key = face[known] * count + label[known]
    scores = np.bincount(key, say[known], (len(label) // samples_per_face) * count)
    return scores.astype(np.float64).reshape(-1, count)


def settle(mesh: TriangleMesh, scores: Float64, smoothness: float) -> Int64:
    """(F,) part of each face: the scores' favourites, with short borders that prefer creases.

    scores: (F, K), rows of any sum; a row of zeros says nothing. smoothness: 0 takes every face's own favourite; 1 is
    usual. Mean-field inference in a Potts model on the face graph, weights by edge length and dihedral angle. Faces on
    one place, and faces of split vertices, are neighbours as on the welded proxy.
    """
    total = scores.sum(axis=1, keepdims=True)
    count = scores.shape[1]
    prior = (scores + 1e-3 * total.max(initial=1e-12)) / (total + count * 1e-3 * total.max(initial=1e-12))
    graph = _face_graph(mesh)
    unary = np.log(np.maximum(prior, 1e-6))
    state = prior
    for _ in range(ROUNDS if smoothness > 0 else 0):
        energy = unary + 3.0 * smoothness * (graph @ state)
        state = np.exp(energy - energy.max(axis=1, keepdims=True))
        state /= state.sum(axis=1, keepdims=True)
    return state.argmax(axis=1)


def _face_graph(mesh: TriangleMesh) -> Any:
    """Sparse (F, F) how much each face listens to each neighbour; rows sum to at most 1."""
    from scipy.sparse import coo_matrix, diags

    checked = preflight(mesh)
    proxy, place = checked.proxy, checked.proxy_face
    faces = proxy.faces.astype(np.int64)
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    key = sides[:, 0] * len(proxy.vertices) + sides[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]
    first, second = order[:-1][same], order[1:][same]
    length = np.linalg.norm(proxy.vertices[sides[first, 0]] - proxy.vertices[sides[first, 1]], axis=1)
    normals = proxy.face_normals
    bend = np.arccos(np.clip((normals[first // 3] * normals[second // 3]).sum(axis=1), -1, 1))
    weight = length * (1 / 3 + 2 / 3 * np.exp(-((bend / CREASE) ** 2))) + 1e-12
    count = len(mesh.faces)
    one, other = place[first // 3], place[second // 3]
    graph = coo_matrix(
        (np.tile(weight, 2), (np.concatenate([one, other]), np.concatenate([other, one]))), (count, count)
    )
    border = np.zeros(count)
    np.add.at(border, place[np.arange(len(faces)).repeat(3)], _side_lengths(proxy))
    return diags(1 / np.maximum(border, 1e-12)) @ graph.tocsr()


def _side_lengths(mesh: TriangleMesh) -> Float64:
    corners = mesh.corners.astype(np.float64)
    return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).ravel()
