# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a skeleton from one surface to another: every joint keeps its place inside the surface around it."""

from __future__ import annotations

import numpy as np

from .correspondence import Correspondence
from .joint_depth import BodyDepth, depth_to_keep
from .mesh import Float32, TriangleMesh
from .symmetry import mirror_twins, symmetrise

REACH = 1.2  # the ring around a joint, in distances from the joint to its nearest vertices
ROUNDS = 4  # of reweighting, so that single wrong matches do not pull a joint


def fit_joints(
    source: TriangleMesh,
    bones: Float32,
    bone_weights: Float32,
    target: TriangleMesh,
    onto_target: Correspondence,
) -> Float32:
    """Where the source's bones belong in the target.

    bones: (B, 2, 3) float32 heads and tails in the source's frame. bone_weights: (Vs, B) skin weights, zero columns for
    bones that move nothing. onto_target: per source vertex a point of the target. Returns (B, 2, 3) float32 in the
    target's frame.

    Around each joint the vertices of the bones that meet there form a ring; the similarity transform that takes the
    ring to its matches takes the joint along. Bones that move nothing follow whatever surface is nearest to them, so a
    root between the feet stays between the feet. Ends that coincide in the source coincide in the target. Where
    skeleton and target are the same left and right, so are the fitted joints. A joint inside the source ends inside
    the target, about as deep.
    """
    goal = onto_target.points(target)
    usable = np.isfinite(source.vertices).all(axis=1) & np.isfinite(goal).all(axis=1)
    vertices, goal = source.vertices[usable].astype(np.float64), goal[usable].astype(np.float64)
    weights, trust = bone_weights[usable], onto_target.confidence[usable].astype(np.float64) + 1e-3
    whole = robust_similarity(vertices, goal, trust)
    extent = float(np.ptp(vertices, axis=0).max())
    points, joint = _merge(bones.reshape(-1, 3).astype(np.float64), 1e-4 * extent)
    moved = np.empty_like(points)
    for index, point in enumerate(points):
        meeting = np.unique(np.flatnonzero(joint == index) // 2)
        own = weights[:, meeting].sum(axis=1).astype(np.float64)
        if own.max(initial=0.0) < 0.05:
            own = np.ones(len(vertices))
        moved[index] = _carry(point, vertices, goal, own * trust, whole, extent)
    moved = _settle(source, points, target, moved)
    return moved[joint].reshape(-1, 2, 3).astype(np.float32)


def _settle(source: TriangleMesh, points: np.ndarray, target: TriangleMesh, moved: np.ndarray) -> np.ndarray:
    """The carried joints (P, 3) symmetric and inside the target, as far as the source's `points` (P, 3) are."""
    twins, wanted, body = mirror_twins(points), depth_to_keep(source, points), BodyDepth(target)
    if twins is not None:
        moved = symmetrise(moved, twins, target)
    settled = body.pull_in(moved, wanted)
    if twins is None:
        return settled
    alike = symmetrise(settled, twins, target)
    lost = (wanted >= 0) & (body.relative(alike) < 0) & (body.relative(settled) >= 0)
    return np.where(lost[:, None], settled, alike)


def _carry(
    point: np.ndarray, vertices: np.ndarray, goal: np.ndarray, weight: np.ndarray, whole: np.ndarray, extent: float
) -> np.ndarray:
    """One joint, by the ring of weighted vertices around it; the whole body's transform where there is no ring."""
    distance = np.linalg.norm(vertices - point, axis=1)
    near = np.quantile(distance[weight > 0.3 * weight.max()], 0.05)
    reach = REACH * max(float(near), 0.01 * extent)
    ring = weight * np.exp(-0.5 * (distance / reach) ** 2)
    keep = ring > 1e-3 * ring.max(initial=0.0)
    if keep.sum() < 8:
        return whole[:, :3] @ point + whole[:, 3]
    transform = robust_similarity(vertices[keep], goal[keep], ring[keep])
    scale = np.cbrt(abs(np.linalg.det(transform[:, :3])) / max(abs(np.linalg.det(whole[:, :3])), 1e-30))
    if not 0.2 < scale < 5.0:
        transform = whole
    return transform[:, :3] @ point + transform[:, 3]


def robust_similarity(start: np.ndarray, goal: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(3, 4) similarity with goal ≈ s·R·start + t, far-off pairs weighted down (Cauchy).

    start, goal: (N, 3). weight: (N,), all alike when not given.
    """
    weight = np.ones(len(start)) if weight is None else weight
    transform = similarity(start, goal, weight)
    for _ in range(ROUNDS):
        gap = np.linalg.norm(start @ transform[:, :3].T + transform[:, 3] - goal, axis=1)
        typical = max(float(np.median(gap)), 1e-12)
        transform = similarity(start, goal, weight / (1 + (gap / (1.5 * typical)) ** 2))
    return transform


def similarity(start: np.ndarray, goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted least-squares similarity (Umeyama 1991), (3, 4)."""
    share = weight / max(float(weight.sum()), 1e-30)
    middle, aim = share @ start, share @ goal
    a, b = start - middle, goal - aim
    u, stretch, vt = np.linalg.svd((b * share[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = (u * sign) @ vt
    scale = float((stretch * sign).sum()) / max(float((share @ (a * a)).sum()), 1e-30)
    return np.column_stack([scale * rotation, aim - scale * rotation @ middle])


def _merge(points: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Distinct points (P, 3), and for every input point the number of its distinct one."""
    _, first, number = np.unique(
        np.round(points / max(tolerance, 1e-30)), axis=0, return_index=True, return_inverse=True
    )
    return points[first], number.reshape(-1)
