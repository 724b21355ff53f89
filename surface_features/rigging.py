# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a skeleton from one surface to another: every joint keeps its place inside the surface around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .correspondence import Correspondence
from .joint_depth import BodyDepth, depth_to_keep
from .mesh import Float32, TriangleMesh
from .symmetry import mirror_twins, symmetrise

REACH = 1.2  # the ring around a joint, in distances from the joint to its nearest vertices
WIDER = (1, 2, 4, 8, 16, 32)  # times its reach, while the ring's matches hang together badly:
STRETCH = 4.0  # scaled by more than that beside the whole body,
LOOSE = 0.7  # or off by more than that share of the reach; or
UNSURE = 0.1  # or trusted by less than that; or
FEWEST = 8  # vertices are not there
LONG = 3.0  # times as long, beside the other bones, as in the source: one of the bone's joints went astray
ROUNDS = 4  # of reweighting, so that single wrong matches do not pull a joint


def fit_joints(
    source: TriangleMesh,
    bones: Float32,
    bone_weights: Float32,
    target: TriangleMesh,
    onto_target: Correspondence,
) -> Float32:
    """Where the source's bones belong in the target: `carry_joints`, then `settle_joints`."""
    carried = carry_joints(source, bones, bone_weights, target, onto_target)
    return settle_joints(source, bones, target, carried)


def carry_joints(
    source: TriangleMesh,
    bones: Float32,
    bone_weights: Float32,
    target: TriangleMesh,
    onto_target: Correspondence,
) -> Float32:
    """Where the surface around them takes the source's bones, which need not be inside the target.

    bones: (B, 2, 3) float32 heads and tails in the source's frame. bone_weights: (Vs, B) skin weights, zero columns for
    bones that move nothing. onto_target: per source vertex a point of the target. Returns (B, 2, 3) float32 in the
    target's frame.

    Around each joint the vertices of the bones that meet there form a ring; the similarity transform that takes the
    ring to its matches takes the joint along. Bones that move nothing follow whatever surface is nearest to them, so a
    root between the feet stays between the feet. Ends that coincide in the source coincide in the target.
    """
    goal = onto_target.points(target)
    usable = np.isfinite(source.vertices).all(axis=1) & np.isfinite(goal).all(axis=1)
    vertices, goal = source.vertices[usable].astype(np.float64), goal[usable].astype(np.float64)
    weights, trust = bone_weights[usable], onto_target.confidence[usable].astype(np.float64) + 1e-3
    whole = robust_similarity(vertices, goal, trust)
    extent = float(np.ptp(vertices, axis=0).max())
    points, joint = _distinct_joints(source, bones)
    owned = []
    for index in range(len(points)):
        meeting = np.unique(np.flatnonzero(joint == index) // 2)
        own = weights[:, meeting].sum(axis=1).astype(np.float64)
        owned.append(own if own.max(initial=0.0) >= 0.05 else np.ones(len(vertices)))

    def carry(index: int, rings: Sequence[int] = WIDER) -> np.ndarray:
        return _carry(points[index], vertices, goal, owned[index], trust, whole, extent, rings)

    moved = np.array([carry(index) for index in range(len(points))])
    _mend_long_bones(points, joint.reshape(-1, 2), moved, carry)
    return moved[joint].reshape(-1, 2, 3).astype(np.float32)


def settle_joints(source: TriangleMesh, bones: Float32, target: TriangleMesh, carried: Float32) -> Float32:
    """Bones carried into the target, (B, 2, 3) float32, symmetric and inside it as far as the source's are.

    bones: (B, 2, 3) in the source's frame, carried: (B, 2, 3) in the target's. Where skeleton and target are the same
    left and right, so are the joints. A joint inside the source ends inside the target, about as deep.
    """
    points, joint = _distinct_joints(source, bones)
    moved = carried.reshape(-1, 3)[np.unique(joint, return_index=True)[1]].astype(np.float64)
    twins, wanted, body = mirror_twins(points), depth_to_keep(source, points), BodyDepth(target)
    if twins is not None:
        moved = symmetrise(moved, twins, target)
    settled = body.pull_in(moved, wanted)
    if twins is not None:
        alike = symmetrise(settled, twins, target)
        lost = (wanted >= 0) & (body.relative(alike) < 0) & (body.relative(settled) >= 0)
        settled = np.where(lost[:, None], settled, alike)
    return settled[joint].reshape(-1, 2, 3).astype(np.float32)


def _distinct_joints(source: TriangleMesh, bones: Float32) -> tuple[np.ndarray, np.ndarray]:
    """(P, 3) where bones begin or end, and for each bone's head and tail, (2B,), which of them it is."""
    finite = source.vertices[np.isfinite(source.vertices).all(axis=1)].astype(np.float64)
    return merge_points(bones.reshape(-1, 3).astype(np.float64), 1e-4 * float(np.ptp(finite, axis=0).max()))


def _mend_long_bones(
    points: np.ndarray, ends: np.ndarray, moved: np.ndarray, carry: Callable[[int, Sequence[int]], np.ndarray]
) -> None:
    """Put back the joint, one of each far too long bone's two, that went astray. ends: (B, 2) joints; moved in place.

    An astray joint's ring was matched elsewhere as a whole, and so hangs together; its wider surroundings were not.
    """
    before = np.linalg.norm(points[ends[:, 1]] - points[ends[:, 0]], axis=1)
    real = np.flatnonzero(before > 1e-6 * max(float(before.max(initial=0.0)), 1e-30))
    if len(real) == 0:
        return

    def stretch(bone: int) -> float:
        return float(np.linalg.norm(moved[ends[bone, 1]] - moved[ends[bone, 0]]) / before[bone])

    usual = float(np.median([stretch(bone) for bone in real]))
    for bone in real:
        if stretch(bone) <= LONG * usual:
            continue
        tried = []
        for end in ends[bone]:
            kept = moved[end].copy()
            moved[end] = carry(end, WIDER[2:])
            tried.append((stretch(bone), end, moved[end].copy()))
            moved[end] = kept
        best, end, place = min(tried, key=lambda one: one[0])
        if best < stretch(bone):
            moved[end] = place


def _carry(
    point: np.ndarray,
    vertices: np.ndarray,
    goal: np.ndarray,
    own: np.ndarray,
    trust: np.ndarray,
    whole: np.ndarray,
    extent: float,
    rings: Sequence[int],
) -> np.ndarray:
    """One joint, by the ring of vertices around it that its bones move.

    Where the matches of the ring hang together badly (fingers of a mitten fall into one point), wider surroundings tell
    the joint's place, whatever bones move them; in the end the whole body.
    """
    distance = np.linalg.norm(vertices - point, axis=1)
    weight = own * trust
    near = np.quantile(distance[weight > 0.3 * weight.max()], 0.05)
    reach = REACH * max(float(near), 0.01 * extent)
    usual = np.cbrt(abs(np.linalg.det(whole[:, :3])))
    for wider in rings:
        around = (own if wider == 1 else 1.0) * np.exp(-0.5 * (distance / (wider * reach)) ** 2)
        ring = around * trust
        if ring.sum() < UNSURE * around.sum():
            continue
        keep = ring > 1e-3 * ring.max(initial=0.0)
        if keep.sum() < FEWEST:
            continue
        transform = robust_similarity(vertices[keep], goal[keep], ring[keep])
        stretch = np.cbrt(abs(np.linalg.det(transform[:, :3]))) / max(usual, 1e-30)
        gap = np.linalg.norm(vertices[keep] @ transform[:, :3].T + transform[:, 3] - goal[keep], axis=1)
        loose = float(np.median(gap)) / max(wider * reach * stretch * usual, 1e-30)
        if 1 / STRETCH < stretch < STRETCH and loose < LOOSE:
            return transform[:, :3] @ point + transform[:, 3]
    return whole[:, :3] @ point + whole[:, 3]


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


def merge_points(points: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Distinct points (P, 3), and for every input point the number of its distinct one."""
    _, first, number = np.unique(
        np.round(points / max(tolerance, 1e-30)), axis=0, return_index=True, return_inverse=True
    )
    return points[first], number.reshape(-1)
