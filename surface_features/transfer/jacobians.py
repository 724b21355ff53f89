# SPDX-License-Identifier: GPL-3.0-or-later
"""Deformation transfer: how each part of the source turns and stretches, done to the part of the target that means it.

"Deformation Transfer for Triangle Meshes" (Sumner and Popović 2004) with semantic matches for its correspondence, and
Jacobians as in "Neural Jacobian Fields" (Aigerman et al. 2022) read from the one pair rest → posed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..geometry.poisson import PoissonSolver
from ..geometry.rotations import nearest_rotation
from ..mesh import TriangleMesh
from ..preflight import Preflight, preflight
from .alignment import Alignment, align, matched_points, region_rotations, stance_difference

Float64 = NDArray[np.float64]

REACH = 0.012  # of the target's extent: Jacobians are averaged over this much of a surely matched surface
STANCE_REACH = 0.05  # of the target's extent: rest poses differ limb by limb, not vertex by vertex
LEAST_TRUST = 1e-4
ROUNDS = 8


class PoseTransfer:
    """A source and a target at rest, matched once; then any number of poses.

    All positions are in the two meshes' own frames and artists' vertex orders. `standing`: the source has no rest
    pose, what it shows is the pose itself; the target's limbs are turned as the source's lie.
    """

    def __init__(
        self, source: TriangleMesh, target: TriangleMesh, onto_source: Correspondence, *, standing: bool = False
    ) -> None:
        """onto_source: per target vertex a point of the source."""
        self.source, self.target, self.onto_source = source, target, onto_source
        self.source_check: Preflight = preflight(source)
        self.target_check: Preflight = preflight(target)
        proxy = self.target_check.proxy
        self.solver = PoissonSolver(proxy)
        artist = self.target_check.artist_vertex
        self.trust: Float64 = np.maximum(onto_source.confidence[artist].astype(np.float64) ** 2, LEAST_TRUST)
        self._rest_matches = matched_points(source, onto_source, _finite(source.vertices))
        start, goal = self._rest_matches[artist], _finite(target.vertices)[artist]
        self.alignment: Alignment = align(start, goal, self.trust * self.solver.mass)
        turned = region_rotations(self.target_check, goal, start, self.trust)  # target's rest → source's
        if standing:
            self._stance = turned
        else:
            self._stance = stance_difference(turned, self.alignment.rotation.T)
        self._standing = standing
        self._stance = self._smooth_rotations(self._stance, STANCE_REACH)
        self._spread = self.solver.smoother(self.trust, REACH)

    @property
    def stance_of_vertices(self) -> Float64:
        """(Vt, 3, 3) the turn from the target's rest to how the source's matching part rests, in the target's frame."""
        return self._stance[self.target_check.proxy_vertex]

    def _smooth_rotations(self, rotations: Float64, reach: float) -> Float64:
        if np.abs(rotations - np.eye(3)).max() < 1e-9:
            return rotations
        smooth = self.solver.smoother(self.trust, reach)(rotations.reshape(-1, 9))
        return nearest_rotation(smooth.reshape(-1, 3, 3))

    def jacobians(self, posed: Float64) -> Float64:
        """(P, 3, 3) for every proxy vertex of the target, from a pose (Vs, 3) of the source."""
        turn = self.alignment.rotation
        if self._standing:
            return self._stance
        rotations, stretches = _polar(vertex_jacobians(self.source_check, posed))
        table = np.concatenate([rotations.reshape(-1, 9), stretches.reshape(-1, 9)], axis=1)
        table = table[self.source_check.proxy_vertex]
        artist = self.target_check.artist_vertex
        corners = table[self.source.faces[self.onto_source.face[artist]]]
        matched = np.einsum("pc,pcd->pd", self.onto_source.bary[artist].astype(np.float64), corners)
        matched = self._spread(matched)
        rotation = nearest_rotation(matched[:, :9].reshape(-1, 3, 3))
        stretch = matched[:, 9:].reshape(-1, 3, 3)
        # `stance` takes the target's limb to where the source's limb rests, in the target's frame.
        back = turn @ stretch @ turn.T @ self._stance
        return turn @ rotation @ turn.T @ back

    def pose(self, posed: Float64) -> Float64:
        """(Vt, 3) the target's vertices in a pose (Vs, 3) of the source."""
        posed = _finite(posed)
        proxy = self.target_check.proxy
        shape = self.solver.solve(self.jacobians(posed)) / self.target_check.scale
        artist = self.target_check.artist_vertex
        rest = _finite(self.target.vertices)[artist]
        if self._standing:
            place = rest.mean(axis=0) * [1, 1, 0] + [0, 0, rest[:, 2].min() - shape[:, 2].min()]
            place[:2] -= shape[:, :2].mean(axis=0)
            goal = shape + place
        else:
            matches = matched_points(self.source, self.onto_source, posed) - self._rest_matches
            moved = rest + self.alignment.scale * (matches @ self.alignment.rotation.T)[artist]
            goal = shape + _usual(
                moved - shape, self.trust * self.solver.mass, _extent(proxy) / self.target_check.scale
            )
        # Vertices that the proxy welds or drops keep their offset from their stand-in.
        stand_in = self.target_check.proxy_vertex
        return goal[stand_in] + (_finite(self.target.vertices) - rest[stand_in])


def vertex_jacobians(check: Preflight, posed: Float64) -> Float64:
    """(P, 3, 3) deformation gradients at a mesh's proxy vertices, averaged over the faces around them by their area.

    posed: (V, 3) the artist's vertices in another pose.
    """
    faces = check.proxy.faces
    start = check.proxy.vertices.astype(np.float64)[faces]
    moved = _welded(check, posed)[faces] * check.scale
    before, after = _frames(start), _frames(moved)
    area = check.proxy.face_areas.astype(np.float64)
    good = np.abs(np.linalg.det(before)) > 1e-18
    gradients = np.broadcast_to(np.eye(3), before.shape).copy()
    gradients[good] = after[good] @ np.linalg.inv(before[good])
    count = len(check.proxy.vertices)
    flat, weight = gradients.reshape(-1, 9), np.where(good, area, 0.0)
    total = np.zeros((count, 9))
    mass = np.zeros(count)
    for corner in range(3):
        mass += np.bincount(faces[:, corner], weight, count)
        for k in range(9):
            total[:, k] += np.bincount(faces[:, corner], weight * flat[:, k], count)
    empty = mass <= 0
    total[empty], mass[empty] = np.eye(3).reshape(9), 1.0
    return (total / mass[:, None]).reshape(-1, 3, 3)


def _welded(check: Preflight, vertices: Float64) -> Float64:
    return _finite(vertices)[check.artist_vertex]


def _frames(corners: Float64) -> Float64:
    """(F, 3, 3) columns: two edges and a normal as long as the face is wide, so that it stretches with the face."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    normal /= np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30))
    return np.stack([first, second, normal], axis=2)


def _polar(matrices: Float64) -> tuple[Float64, Float64]:
    """Rotations R and stretches S with matrices = R · S."""
    rotations = nearest_rotation(matrices)
    return rotations, rotations.transpose(0, 2, 1) @ matrices


def _usual(offsets: Float64, weight: Float64, extent: float) -> Float64:
    """(3,) the offset that most of the surface agrees on (Cauchy weights)."""
    usual = np.average(offsets, axis=0, weights=weight)
    for _ in range(ROUNDS):
        gap = np.linalg.norm(offsets - usual, axis=1)
        usual = np.average(offsets, axis=0, weights=weight / (1 + (gap / (0.03 * extent)) ** 2))
    return usual


def _extent(mesh: TriangleMesh) -> float:
    return float(np.ptp(mesh.vertices, axis=0).max())


def _finite(points: np.ndarray) -> Float64:
    """As float64, with what is no number at the middle of the rest."""
    points = np.asarray(points, np.float64)
    good = np.isfinite(points).all(axis=1)
    if good.all():
        return points
    return np.where(good[:, None], points, points[good].mean(axis=0))
