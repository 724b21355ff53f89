# SPDX-License-Identifier: GPL-3.0-or-later
"""What the embedding learns from: points of one mesh with their features, and how far apart they lie on the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..features import Features
from ..geometry.geodesic import GeodesicSolver
from ..geometry.landmarks import place_landmarks
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
    (`geometry.landmarks`).
    """
    context = context or JobContext()
    checked = preflight(mesh)
    landmarks = place_landmarks(checked.proxy, POINTS, seed)
    count = min(ANCHORS, len(landmarks.vertices))  # landmarks come farthest first
    solver = GeodesicSolver(checked.proxy)
    unit = float(np.sqrt(checked.proxy.face_areas.sum(dtype=np.float64)))
    distances = np.empty((count, len(landmarks.vertices)), np.float32)
    for row in range(count):
        context.report(row / count, f"Measuring {mesh.name}")
        distances[row] = solver.from_vertex(int(landmarks.vertices[row]))[landmarks.vertices] / unit
    over_bridges = landmarks.distances[:count]
    distances = np.where(np.isfinite(distances), distances, over_bridges)
    values = features.values[checked.artist_vertex[landmarks.vertices]]
    anchors = np.arange(count, dtype=np.int32)
    return EmbeddingSample(mesh.name, values, anchors, distances / max(float(distances.max()), 1e-9))
