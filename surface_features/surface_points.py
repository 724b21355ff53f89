# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of one surface carried to another: what a correspondence of vertices says about everything between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .correspondence import Correspondence
from .geometry.closest import closest_points
from .mesh import Float32, Int32, TriangleMesh

TEAR = 0.05  # of the goal's √area: matches of a face's corners that are this much too far apart do not blend
STRETCH = 2.0  # of their own distance: further apart than this they are too far apart


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """N points of a surface. face: (N,) int32. bary: (N, 3) float32. confidence: (N,) float32 0…1."""

    face: Int32
    bary: Float32
    confidence: Float32

    def positions(self, mesh: TriangleMesh) -> Float32:
        """(N, 3) float32 in the mesh's frame."""
        return np.einsum("nc,ncd->nd", self.bary, mesh.vertices[mesh.faces[self.face]])


def carry_points(
    mesh: TriangleMesh, face: Int32, bary: Float32, goal: TriangleMesh, onto_goal: Correspondence
) -> SurfacePoints:
    """Where points of `mesh`, face (N,) and bary (N, 3), lie on `goal`.

    onto_goal: per vertex of `mesh` a point of `goal`. The matches of a face's corners are blended by the point's
    barycentric coordinates and brought back to the goal's surface. Where the map tears, so that the corners of a face
    match places far apart, a point follows the corner that has most say in it.
    """
    corner = mesh.faces[face]
    matched = onto_goal.points(goal)[corner].astype(np.float64)
    say = bary.astype(np.float64) * (onto_goal.confidence[corner] + 0.01)
    leader = say.argmax(axis=1)
    rows = np.arange(len(face))
    apart = np.linalg.norm(matched - matched[rows, leader][:, None], axis=2)
    own = np.linalg.norm(mesh.vertices[corner] - mesh.vertices[corner[rows, leader]][:, None], axis=2)
    unit = root_area(goal)
    torn = np.maximum(apart - STRETCH * own * unit / root_area(mesh), 0) / (TEAR * unit)
    together = bary * np.exp(-(torn**2))
    together /= np.maximum(together.sum(axis=1, keepdims=True), 1e-12)
    blended = np.einsum("nc,ncd->nd", together, matched)
    goal_face, goal_bary, _ = closest_points(goal, blended.astype(np.float32))
    sure = np.einsum("nc,nc->n", together, onto_goal.confidence[corner])
    # A point in a corner is that corner's match, on whichever side of an edge it was found.
    exact = bary.max(axis=1) > 1 - 1e-6
    vertex = corner[rows, bary.argmax(axis=1)]
    goal_face = np.where(exact, onto_goal.face[vertex], goal_face)
    goal_bary = np.where(exact[:, None], onto_goal.bary[vertex], goal_bary)
    return SurfacePoints(goal_face.astype(np.int32), goal_bary.astype(np.float32), sure.astype(np.float32))


def root_area(mesh: TriangleMesh) -> float:
    """√ of the surface's area, the length everything on it is measured by; never 0."""
    areas: NDArray[np.float32] = mesh.face_areas
    return float(np.sqrt(max(float(areas[np.isfinite(areas)].sum(dtype=np.float64)), 1e-30)))
