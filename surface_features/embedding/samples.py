# SPDX-License-Identifier: GPL-3.0-or-later
"""What the embedding learns from: points of one mesh with their features, and how far apart they lie on the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..features import Features
from ..geometry.landmarks import place_landmarks
from ..geometry.site_distances import measure_sites
from ..mesh import Float32, Int32, TriangleMesh
from ..preflight import preflight
from ..progress import JobContext

POINTS, ANCHORS = 2048, 256


@dataclass(frozen=True, eq=False)
class EmbeddingSample:
    """features: (N, D) float32 unit rows. anchors: (P,) int32 points. distances: (P, N) float32, the largest is 1."""

    name: str
    features: Float32
    anchors: Int32
    distances: Float32


def sample_mesh(
    mesh: TriangleMesh, features: Features, seed: int, context: JobContext | None = None
) -> EmbeddingSample:
    """Evenly spread points of a mesh, farthest-point anchors among them, and heat-method geodesics.

    Between pieces that share no vertex, which the heat method cannot cross, the way over bridges is taken
    (`geometry.site_distances`).
    """
    context = context or JobContext()
    context.report(0.0, f"Measuring {mesh.name}")
    checked = preflight(mesh)
    landmarks = place_landmarks(checked.proxy, POINTS, seed)
    count = min(ANCHORS, len(landmarks.vertices))  # landmarks come farthest first
    sites = measure_sites(checked.proxy, landmarks, count)
    distances = np.maximum(sites.coarse.at(sites.values, landmarks.vertices), 0)
    distances[np.arange(count), np.arange(count)] = 0
    values = features.values[checked.artist_vertex[landmarks.vertices]]
    anchors = np.arange(count, dtype=np.int32)
    return EmbeddingSample(mesh.name, values, anchors, distances / max(float(distances.max()), 1e-9))
