# SPDX-License-Identifier: GPL-3.0-or-later
"""How far every point of a surface lies from a few hundred sites on it, by the heat method on a coarser mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..mesh import Float32, TriangleMesh
from .coarse import CoarseMesh, coarsen
from .components import vertex_components
from .geodesic import MIN_HEAT_VERTICES
from .landmarks import Landmarks

COARSE_VERTICES = 6000


@dataclass(frozen=True, eq=False)
class SiteDistances:
    """values: (S, C) float32 distance of every coarse vertex from each site, in units of √area."""

    coarse: CoarseMesh
    values: Float32


def measure_sites(mesh: TriangleMesh, landmarks: Landmarks, count: int) -> SiteDistances:
    """From the first `count` landmarks, which are the farthest from each other.

    Between pieces, and on pieces that are too small for the heat method or that it refuses, the landmarks' own ways
    count. mesh: a proxy (see `preflight`), the one the landmarks lie on.
    """
    from potpourri3d import MeshHeatMethodDistanceSolver

    coarse = coarsen(mesh, COARSE_VERTICES)
    place = coarse.mesh
    unit = float(np.sqrt(mesh.face_areas.sum(dtype=np.float64)))
    some_fine = np.zeros(len(place.vertices), np.int64)
    some_fine[coarse.of_vertex] = np.arange(len(coarse.of_vertex))
    values = landmarks.distances[:count][:, landmarks.nearest[some_fine]].copy()
    sites = coarse.of_vertex[landmarks.vertices[:count]]
    part_of = vertex_components(place.faces, len(place.vertices))
    for part in np.unique(part_of[sites]):
        own = np.flatnonzero(part_of == part)
        faces = place.faces[part_of[place.faces[:, 0]] == part]
        if len(own) < MIN_HEAT_VERTICES or len(faces) == 0:
            continue
        points = place.vertices[own].astype(np.float64) / unit
        rows = np.flatnonzero(part_of[sites] == part)
        try:
            solver = MeshHeatMethodDistanceSolver(points, np.searchsorted(own, faces))
            found = np.stack([solver.compute_distance(int(np.searchsorted(own, sites[row]))) for row in rows])
        except (RuntimeError, ValueError):  # how potpourri3d refuses a part it cannot read or factorise
            continue
        sound = np.isfinite(found).all(axis=1)
        values[np.ix_(rows[sound], own)] = found[sound]
    return SiteDistances(coarse, values.astype(np.float32))
