# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole clip from one body to another: every frame's bones from the source's bones, or from its moving surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import nearest_rotation
from ..settings import MotionSettings
from .alignment import matched_points
from .contacts import contact_frames, find_feet, keep_contacts, sliding
from .jacobians import PoseTransfer
from .skeleton import BonePose, Skeleton, own_rotations

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clip:
    """Turns (F, B, 3, 3) of bones since rest, their parents' included, and their heads (F, B, 3), of F frames."""

    turns: Float64
    heads: Float64

    def at(self, frame: int) -> BonePose:
        """One frame, counted from 0."""
        return BonePose(self.turns[frame], self.heads[frame])


@dataclass(frozen=True, eq=False)
class Motion:
    """own: (F, B, 3, 3) rotations against the parents; moves: (F, B, 3) of roots; see `skeleton.forward`.

    source_sliding, sliding: how far feet slide per frame on the floor, in lengths of the leg.
    """

    own: Float64
    moves: Float64
    clip: Clip
    source_sliding: float
    sliding: float


def retarget(
    transfer: PoseTransfer,
    source: Skeleton,
    clip: Clip,
    target: Skeleton,
    source_of: NDArray[np.int64],
    options: MotionSettings,
) -> Motion:
    """Bones from bones. source_of: (Bt,) source bone of each target bone, −1 for one that follows its parent.

    A target bone turns, in the world, as its source bone turned since rest, plus what the rest poses differ by.
    """
    turn = transfer.alignment.rotation
    stance = bone_stance(transfer, target)
    turns = np.tile(np.eye(3), (len(clip.turns), len(source_of), 1, 1))
    for bone in target.order:
        parent = target.parents[bone]
        if source_of[bone] >= 0 and target.movable[bone]:
            turns[:, bone] = turn @ clip.turns[:, source_of[bone]] @ turn.T @ stance[bone]
        elif parent >= 0:
            turns[:, bone] = turns[:, parent]
    ratio = leg_ratio(transfer, source, target, source_of)
    roots = {}
    for bone in np.flatnonzero(target.roots):
        # A pelvis without skin has no match of its own; it goes with what carries the whole source.
        carrier = source_of[bone] if source_of[bone] >= 0 else int(np.flatnonzero(source.roots)[0])
        roots[int(bone)] = ratio * (clip.heads[:, carrier] - source.heads[carrier]) @ turn.T

    def follow(point: Float64, bone: int) -> Float64 | None:
        """(F, 3) way of the source's rest point that a target bone's surface matches."""
        chosen = source_of[bone]
        if chosen < 0:
            return None
        return clip.heads[:, chosen] + clip.turns[:, chosen] @ (point - source.heads[chosen])

    return _finish(transfer, target, turns, roots, ratio, follow, options)


def follow_surface(transfer: PoseTransfer, frames: Float64, target: Skeleton, options: MotionSettings) -> Motion:
    """Bones from a moving surface: frames (F, Vs, 3) of the source's vertices.

    Every bone turns as the surface that matches its own turned since rest (Procrustes per bone and frame).
    """
    turn = transfer.alignment.rotation
    stance = bone_stance(transfer, target)
    rest = matched_points(transfer.source, transfer.onto_source, transfer.source.vertices.astype(np.float64))
    trust = transfer.onto_source.confidence.astype(np.float64) ** 2 + 1e-4
    share = target.weights.astype(np.float64) ** 2 * trust[:, None]
    total = np.maximum(share.sum(axis=0), 1e-30)
    here = (share.T @ rest) / total[:, None]
    from scipy.sparse import csr_matrix

    # One sparse product per frame gives all bones' moments.
    moments = csr_matrix((share[:, :, None] * (rest[:, None] - here)).reshape(len(rest), -1).T)
    means = csr_matrix((share / total).T)
    turned = np.empty((len(frames), len(total), 3, 3))
    centre = np.empty((len(frames), len(total), 3))
    for number, frame in enumerate(frames):
        moved = matched_points(transfer.source, transfer.onto_source, frame.astype(np.float64))
        turned[number] = (moments @ moved).reshape(-1, 3, 3).transpose(0, 2, 1)
        centre[number] = means @ moved
    turned = nearest_rotation(turned)
    turns = np.tile(np.eye(3), (*turned.shape[:2], 1, 1))
    has_surface = target.support > 2.0
    for bone in target.order:
        parent = target.parents[bone]
        if has_surface[bone] and target.movable[bone]:
            turns[:, bone] = turn @ turned[:, bone] @ turn.T @ stance[bone]
        elif parent >= 0:
            turns[:, bone] = turns[:, parent]
    ratio = transfer.alignment.scale
    roots = {}
    for bone in np.flatnonzero(target.roots):
        carriers = [bone] if has_surface[bone] else np.flatnonzero((target.parents == bone) & has_surface)
        if len(carriers):
            roots[int(bone)] = ratio * (centre[:, carriers] - here[carriers]).mean(axis=1) @ turn.T

    def follow(point: Float64, bone: int) -> Float64 | None:
        if not has_surface[bone]:
            return None
        return centre[:, bone] + turned[:, bone] @ (point - here[bone])

    return _finish(transfer, target, turns, roots, ratio, follow, options)


def bone_stance(transfer: PoseTransfer, target: Skeleton) -> Float64:
    """(B, 3, 3) the turn from each target bone's rest to how the source's limb rests, in the target's frame."""
    stance = transfer.stance_of_vertices.reshape(-1, 9)
    trust = transfer.onto_source.confidence.astype(np.float64)[:, None] + 1e-3
    weights = target.weights.astype(np.float64) * trust
    total = weights.sum(axis=0)
    mean = np.where(total[:, None] > 0, weights.T @ stance / np.maximum(total, 1e-12)[:, None], np.eye(3).reshape(9))
    return nearest_rotation(mean.reshape(-1, 3, 3))


def leg_ratio(transfer: PoseTransfer, source: Skeleton, target: Skeleton, source_of: NDArray[np.int64]) -> float:
    """How much longer the target's legs are: its root's height over its soles against the source's."""
    for bone in np.flatnonzero(target.roots):
        if source_of[bone] < 0:
            continue
        own = float(target.heads[bone, 2] - transfer.target.vertices[:, 2].min())
        other = float(source.heads[source_of[bone], 2] - transfer.source.vertices[:, 2].min())
        if own > 0 and other > 0 and 0.2 < own / other / transfer.alignment.scale < 5:
            return own / other
    return transfer.alignment.scale


def _finish(
    transfer: PoseTransfer,
    target: Skeleton,
    turns: Float64,
    roots: dict[int, Float64],
    ratio: float,
    follow: Callable[[Float64, int], Float64 | None],
    options: MotionSettings,
) -> Motion:
    """Smooth, keep the feet, and tell how they slide. follow: the way (F, 3) of a source's rest point with a bone."""
    if options.smoothing > 0:
        turns = nearest_rotation(_smooth(turns, options.smoothing))
        roots = {bone: _smooth(way, options.smoothing) for bone, way in roots.items()}
    heads = _place(target, turns, roots)
    vertices = transfer.target.vertices.astype(np.float64)
    turn = transfer.alignment.rotation
    rest_source = matched_points(transfer.source, transfer.onto_source, transfer.source.vertices.astype(np.float64))
    leg = max(float(np.mean([target.heads[bone, 2] for bone in np.flatnonzero(target.roots)] or [0.0])), 0.0)
    leg = max(leg - float(vertices[:, 2].min()), 0.1 * float(np.ptp(vertices, axis=0).max()))
    floor, source_floor = vertices[:, 2].min(), transfer.source.vertices[:, 2].min()
    slid: list[tuple[float, float]] = []
    for foot in find_feet(target, vertices):
        start = rest_source[foot.vertices].mean(axis=0)
        way = follow(start, foot.bone)
        if way is None:
            continue
        wanted = ratio * (way - [0, 0, source_floor]) @ turn.T + [0, 0, floor]
        # What matches a sole may lie higher up a boot: it rests where the sole rests, and nothing sinks into the floor.
        rise = ratio * ((way - start) @ turn.T)[:, 2]
        wanted[:, 2] = foot.sole[2] + rise - min(rise.min(), 0)
        contact = contact_frames(wanted, leg)
        if options.keep_feet:
            turns, heads = keep_contacts(target, foot, turns, heads, wanted, contact)
        arm = foot.sole - target.heads[foot.bone].astype(np.float64)
        reached = heads[:, foot.bone] + turns[:, foot.bone] @ arm
        slid.append((sliding(wanted, contact) / leg, sliding(reached, contact) / leg))
    own = np.stack([own_rotations(target, frame) for frame in turns])
    moves = _moves(target, turns, heads)
    source_sliding, target_sliding = np.mean(slid, axis=0) if slid else (0.0, 0.0)
    return Motion(own, moves, Clip(turns, heads), float(source_sliding), float(target_sliding))


def _place(target: Skeleton, turns: Float64, roots: dict[int, Float64]) -> Float64:
    heads = np.empty((*turns.shape[:2], 3))
    rest = target.heads.astype(np.float64)
    for bone in target.order:
        parent = target.parents[bone]
        if bone in roots:
            heads[:, bone] = rest[bone] + roots[bone]
        elif parent < 0:
            heads[:, bone] = rest[bone]
        else:
            heads[:, bone] = heads[:, parent] + turns[:, parent] @ (rest[bone] - rest[parent])
    return heads


def _moves(target: Skeleton, turns: Float64, heads: Float64) -> Float64:
    """(F, B, 3) the roots' moves as `skeleton.forward` takes them."""
    moves = np.zeros_like(heads)
    rest = target.heads.astype(np.float64)
    for bone in np.flatnonzero(target.roots):
        parent = target.parents[bone]
        if parent < 0:
            moves[:, bone] = heads[:, bone] - rest[bone]
        else:
            back = turns[:, parent].transpose(0, 2, 1)
            moves[:, bone] = np.einsum("fij,fj->fi", back, heads[:, bone] - heads[:, parent])
            moves[:, bone] -= rest[bone] - rest[parent]
    return moves


def _smooth(values: Float64, frames: float) -> Float64:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, frames, axis=0, mode="nearest"))
