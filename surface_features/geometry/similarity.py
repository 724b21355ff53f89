# SPDX-License-Identifier: GPL-3.0-or-later
"""The similarity transform that brings one set of points onto another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Similarity:
    """x → scale · rotation x + offset. rotation: (3, 3) proper. offset: (3,)."""

    scale: float
    rotation: Float64
    offset: Float64

    def __call__(self, points: NDArray) -> Float64:
        """points: (..., 3)."""
        return self.scale * points @ self.rotation.T + self.offset


def fit_similarity(points: NDArray, goals: NDArray, weights: NDArray, rounds: int = 3) -> Similarity:
    """The weighted least-squares similarity of points (N, 3) onto goals (N, 3), outliers weighed down round by round.

    "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns" (Umeyama 1991). Fewer than
    three points, or points all on one place, give a translation.
    """
    points, goals = np.asarray(points, np.float64), np.asarray(goals, np.float64)
    say = np.asarray(weights, np.float64) + 1e-12
    fitted = _fit(points, goals, say)
    for _ in range(rounds):
        gap = np.linalg.norm(fitted(points) - goals, axis=1)
        usual = np.sqrt(np.average(gap**2, weights=say)) + 1e-12
        fitted = _fit(points, goals, say / (1 + (gap / usual) ** 2))
    return fitted


def _fit(points: Float64, goals: Float64, say: Float64) -> Similarity:
    say = say / say.sum()
    centre, goal = say @ points, say @ goals
    here, there = points - centre, goals - goal
    spread = float(say @ (here**2).sum(axis=1))
    if len(points) < 3 or spread < 1e-20:
        return Similarity(1.0, np.eye(3), goal - centre)
    u, s, vt = np.linalg.svd((there * say[:, None]).T @ here)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / spread)
    if not scale > 1e-6:
        return Similarity(1.0, np.eye(3), goal - centre)
    return Similarity(scale, rotation, goal - scale * rotation @ centre)
