# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones turned so that the surface they move lies where it should: rotations and root motion, no scaling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import from_vector, nearest_rotation, rotation_vector, swing_and_twist
from .skeleton import BonePose, Skeleton, forward

Float64 = NDArray[np.float64]

SAMPLES = 3000  # vertices that take part; more tell nothing new about some sixty bones
LEAST_SUPPORT = 2.0  # vertices' worth of weight: a bone with less follows its parent
MOST_TWIST = np.radians(120.0)  # about its own axis, against its parent: nothing alive turns further
MOST_SWING = np.radians(165.0)
PRIOR = 2e-6  # of the squared extent, per squared radian: what keeps bones of a few vertices calm
DAMPING = 1e-7
ROBUST = 0.03  # of the extent: a vertex this far from its goal counts half
CONTACT_WEIGHT = 20.0
SETTLED = np.radians(0.5)  # a step that turns no bone further is the last


@dataclass(frozen=True)
class FitSettings:
    """rounds: Gauss-Newton steps. samples: vertices used."""

    rounds: int = 10
    samples: int = SAMPLES


@dataclass(frozen=True, eq=False)
class Contact:
    """Vertices that stand on the floor: rows (C,) of the mesh, and the floor's height."""

    vertices: NDArray[np.int64]
    floor: float


@dataclass(frozen=True, eq=False)
class FitResult:
    """own: (B, 3, 3) rotations against the parents; moves: (B, 3) of the roots; see `skeleton.forward`.

    error: mean distance of the skinned surface to its goal, in the mesh's unit. limited: bones stopped by a limit.
    """

    own: Float64
    moves: Float64
    pose: BonePose
    error: float
    limited: tuple[int, ...]


class PoseFitter:
    """A skeleton and its surface at rest; fits any number of goals."""

    def __init__(
        self, skeleton: Skeleton, vertices: Float64, trust: Float64, settings: FitSettings | None = None
    ) -> None:
        """vertices: (V, 3) at rest. trust: (V,) 0…1 how much each vertex's goals count."""
        self.settings = settings or FitSettings()
        self.full = skeleton
        self.extent = float(np.ptp(vertices, axis=0).max())
        chosen = self._choose(skeleton, len(vertices))
        self.chosen = chosen
        self.skeleton = replace(skeleton, weights=skeleton.weights[chosen])
        self.vertices = vertices[chosen]
        self.all_vertices = vertices
        self.trust = trust[chosen] / max(float(trust[chosen].sum()), 1e-30)
        self._weights = self.skeleton.weights.astype(np.float32)
        self._points = self.vertices.astype(np.float32)
        self._unweighted = 1 - self._weights.sum(axis=1, keepdims=True, dtype=np.float64)
        support = self.skeleton.support
        self.free = self.full.movable & (self.full.family.astype(float) @ support > LEAST_SUPPORT)
        over_roots = self.full.family[:, self.full.roots].any(axis=1) & ~self.full.roots
        self.free &= ~over_roots  # what carries the root bone would only repeat its turn
        self._has_surface = support > LEAST_SUPPORT

    def _choose(self, skeleton: Skeleton, count: int) -> NDArray[np.int64]:
        """Evenly drawn vertices, and enough of every bone."""
        if count <= self.settings.samples:
            return np.arange(count)
        rng = np.random.default_rng(0)
        strongest = skeleton.weights.argmax(axis=1)
        size = np.bincount(strongest, minlength=len(skeleton.parents))
        chance = 1 / np.sqrt(size[strongest])
        return np.sort(rng.choice(count, self.settings.samples, replace=False, p=chance / chance.sum()))

    def fit(
        self,
        goal: Float64,
        start: tuple[Float64, Float64] | None = None,
        contact: Contact | None = None,
        rounds: int | None = None,
    ) -> FitResult:
        """Bones for a goal (V, 3) of the surface. start: own rotations and moves to begin from."""
        aim = goal[self.chosen]
        own, moves = start if start is not None else self._first_guess(aim)
        prior = own.copy()
        contact_rows, floor = self._contact_rows(contact)
        limited: set[int] = set()
        for _ in range(rounds or self.settings.rounds):
            own, moves, turned = self._step(own, moves, prior, aim, contact_rows, floor)
            own, limited = self._within_limits(own)
            if turned < SETTLED:
                break
        pose = forward(self.skeleton, own, moves)
        reached = pose.skin(self.full, self.all_vertices)
        error = float(np.linalg.norm(reached - goal, axis=1).mean())
        return FitResult(own, moves, pose, error, tuple(sorted(limited)))

    def _contact_rows(self, contact: Contact | None) -> tuple[NDArray[np.int64], float]:
        if contact is None or len(contact.vertices) == 0:
            return np.zeros(0, np.int64), 0.0
        return np.flatnonzero(np.isin(self.chosen, contact.vertices)), contact.floor

    def _first_guess(self, aim: Float64) -> tuple[Float64, Float64]:
        """Every bone turned as its own surface turned (Procrustes), from the root down."""
        skeleton = self.skeleton
        share = skeleton.weights.astype(np.float64) ** 2 * self.trust[:, None]
        total = np.maximum(share.sum(axis=0), 1e-30)
        here, there = (share.T @ self.vertices) / total[:, None], (share.T @ aim) / total[:, None]
        both = np.einsum("vb,vi,vj->bij", share, aim, self.vertices) / total[:, None, None]
        turned = nearest_rotation(both - there[:, :, None] * here[:, None, :])
        own = np.tile(np.eye(3), (len(turned), 1, 1))
        turns = own.copy()
        for bone in skeleton.order:
            parent = skeleton.parents[bone]
            above = turns[parent] if parent >= 0 else np.eye(3)
            turns[bone] = turned[bone] if self.free[bone] and self._has_surface[bone] else above
            own[bone] = above.T @ turns[bone]
        own, _ = self._within_limits(own)
        moves = np.zeros((len(own), 3))
        pose = forward(skeleton, own, moves)
        for bone in np.flatnonzero(skeleton.roots):
            shift = there[bone] - (pose.turns[bone] @ (here[bone] - skeleton.heads[bone]) + pose.heads[bone])
            parent = skeleton.parents[bone]
            moves[bone] = shift if parent < 0 else pose.turns[parent].T @ shift
        return own, moves

    def _step(
        self, own: Float64, moves: Float64, prior: Float64, aim: Float64, contact: NDArray[np.int64], floor: float
    ) -> tuple[Float64, Float64, float]:
        """One damped Gauss-Newton step of all rotations and root moves at once; also the largest turn it made."""
        skeleton, scale = self.skeleton, 1 / self.extent
        pose = forward(skeleton, own, moves)
        offset = pose.heads - np.einsum("bij,bj->bi", pose.turns, skeleton.heads.astype(np.float64))
        weights = self._weights
        each = np.einsum("bij,vj->vbi", pose.turns.astype(np.float32), self._points, optimize=True)
        weighted = weights[:, :, None] * (each + offset.astype(np.float32))
        reached = weighted.sum(axis=1, dtype=np.float64) + self._unweighted * self.vertices
        gap = (aim - reached) * scale
        trust = self.trust / (1 + (np.linalg.norm(gap, axis=1) / ROBUST) ** 2)
        free, roots = np.flatnonzero(self.free), np.flatnonzero(skeleton.roots)
        below = skeleton.family[free].astype(np.float32)
        moved = weights @ below.T  # (V, free) share of a vertex that a bone's whole subtree carries
        gathered = np.matmul(below, weighted)  # (V, free, 3)
        x, y, z = np.moveaxis((gathered - moved[:, :, None] * pose.heads[free].astype(np.float32)) * scale, 2, 0)
        strength = np.repeat(trust[:, None], 3, axis=1)
        if len(contact):
            gap[contact, 2] = (floor - reached[contact, 2]) * scale
            strength[contact, 2] = self.trust.mean() * CONTACT_WEIGHT
        columns = np.zeros((len(aim), 3, len(free) + len(roots), 3), np.float32)
        turning, sliding = columns[:, :, : len(free)], columns[:, :, len(free) :]
        turning[:, 0, :, 1], turning[:, 0, :, 2] = z, -y
        turning[:, 1, :, 0], turning[:, 1, :, 2] = -z, x
        turning[:, 2, :, 0], turning[:, 2, :, 1] = y, -x
        for axis in range(3):
            sliding[:, axis, :, axis] = weights @ skeleton.family[roots].T.astype(np.float32)
        columns *= np.sqrt(strength).astype(np.float32)[:, :, None, None]
        flat = columns.reshape(3 * len(aim), -1)
        right = (flat.T @ (gap * np.sqrt(strength)).reshape(-1).astype(np.float32)).astype(np.float64)
        hessian = (flat.T @ flat).astype(np.float64)
        # The prior: a bone stays where its own surface put it, unless the whole gains by its moving.
        above = np.array([pose.turns[skeleton.parents[b]] if skeleton.parents[b] >= 0 else np.eye(3) for b in free])
        drift = rotation_vector(own[free] @ prior[free].transpose(0, 2, 1))
        hold = np.full(3 * len(free), PRIOR)
        right[: 3 * len(free)] -= PRIOR * np.einsum("bij,bj->bi", above, drift).reshape(-1)
        index = np.arange(3 * len(free))
        hessian[index, index] += hold
        hessian[np.diag_indices_from(hessian)] += DAMPING
        step = np.linalg.solve(hessian, right)
        own, moves = own.copy(), moves.copy()
        turn = from_vector(_bounded(step[: 3 * len(free)].reshape(-1, 3), 0.6))
        own[free] = above.transpose(0, 2, 1) @ turn @ above @ own[free]
        for k, bone in enumerate(roots):
            shift = step[3 * len(free) + 3 * k :][:3] * self.extent
            parent = skeleton.parents[bone]
            moves[bone] += shift if parent < 0 else pose.turns[parent].T @ shift
        return nearest_rotation(own), moves, float(np.abs(step[: 3 * len(free)]).max(initial=0.0))

    def _within_limits(self, own: Float64) -> tuple[Float64, set[int]]:
        """Own rotations that keep to the bones' limits, and to what any joint can do."""
        skeleton = self.skeleton
        own = own.copy()
        limited: set[int] = set()
        joints = np.flatnonzero((skeleton.parents >= 0) & self.free & ~skeleton.roots)
        swing, twist = swing_and_twist(own[joints], skeleton.axes[joints][:, :, 1])
        vectors = rotation_vector(swing)
        angle = np.linalg.norm(vectors, axis=1)
        over = (np.abs(twist) > MOST_TWIST) | (angle > MOST_SWING)
        if over.any():
            kept_twist = np.clip(twist, -MOST_TWIST, MOST_TWIST)[:, None] * skeleton.axes[joints][:, :, 1]
            kept_swing = from_vector(vectors * np.minimum(1, MOST_SWING / np.maximum(angle, 1e-12))[:, None])
            own[joints[over]] = (kept_swing @ from_vector(kept_twist))[over]
            limited.update(joints[over].tolist())
        bound = np.flatnonzero(np.isfinite(skeleton.limits).any(axis=(1, 2)) & self.free)
        for bone in bound:
            axes = skeleton.axes[bone]
            vector = axes.T @ rotation_vector(own[bone][None])[0]
            kept = np.clip(vector, skeleton.limits[bone, :, 0], skeleton.limits[bone, :, 1])
            if np.abs(kept - vector).max() > 1e-6:
                own[bone] = from_vector((axes @ kept)[None])[0]
                limited.add(int(bone))
        return own, limited


def _bounded(vectors: Float64, most: float) -> Float64:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors * np.minimum(1, most / np.maximum(length, 1e-12))
