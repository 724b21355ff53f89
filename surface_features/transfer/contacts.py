# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand where they stand: contacts found on the source, kept on the target, and how much feet slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotations import from_vector
from .skeleton import Skeleton

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

ON_FLOOR = 0.03  # of the height: vertices this low at rest are soles
LEAST_SOLE = 0.02  # of all soles' weight: less is no foot
LIFTED = 0.06  # of the leg's length above its lowest place: a foot higher than that is in the air
CHAIN = 2  # bones above the foot that bend to bring it where it belongs
FADE = 4  # frames over which a correction comes and goes
ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Foot:
    """One end of a limb that stands on the floor at rest.

    bone: the one that carries the sole. chain: bones from it upwards that may bend, itself not among them.
    sole: (3,) the middle of its sole at rest. vertices: rows of the mesh.
    """

    bone: int
    chain: tuple[int, ...]
    sole: Float64
    vertices: NDArray[np.int64]


def find_feet(skeleton: Skeleton, vertices: Float64) -> list[Foot]:
    """The feet of a skeleton and its mesh (V, 3) at rest, Z up: whatever touches the floor, two feet or eight."""
    floor, height = float(vertices[:, 2].min()), float(np.ptp(vertices[:, 2]))
    low = np.flatnonzero(vertices[:, 2] < floor + ON_FLOOR * height)
    weight = skeleton.weights[low].astype(np.float64)
    carried = weight.sum(axis=0)
    standing = np.flatnonzero((carried > LEAST_SOLE * carried.sum()) & ~skeleton.roots)
    feet: list[Foot] = []
    for bone in standing:
        if any(skeleton.family[other, bone] for other in standing if other != bone):
            continue  # a toe: its foot is listed
        own = low[weight[:, skeleton.family[bone]].sum(axis=1) > 0.5]
        if len(own) == 0:
            continue
        chain: list[int] = []
        above = int(skeleton.parents[bone])
        while above >= 0 and not skeleton.roots[above] and len(chain) < CHAIN and skeleton.support[above] > 0:
            chain.append(above)
            above = int(skeleton.parents[above])
        if chain:
            feet.append(Foot(int(bone), tuple(chain), vertices[own].mean(axis=0), own))
    return feet


def contact_frames(path: Float64, leg: float) -> Bool:
    """(F,) bool when a sole whose way is `path` (F, 3) is on the floor."""
    height = path[:, 2]
    return height < np.quantile(height, 0.02) + LIFTED * leg


def keep_contacts(
    skeleton: Skeleton, foot: Foot, turns: Float64, heads: Float64, wanted: Float64, contact: Bool
) -> tuple[Float64, Float64]:
    """Bend a foot's limb so that its sole follows `wanted` (F, 3) while it is on the floor; elsewhere it fades out.

    turns: (F, B, 3, 3), heads: (F, B, 3) of every frame. wanted: the source's own way of the sole at the target's size,
    of which each contact takes the shape, about the place where the target would have stood.
    """
    here = _sole(skeleton, foot, turns, heads)
    offset, sure = np.zeros_like(here), np.zeros(len(here))
    for begin, end in _intervals(contact):
        shape = wanted[begin:end] - wanted[begin:end].mean(axis=0)
        goal = here[begin:end].mean(axis=0) + shape
        goal[:, 2] = wanted[begin:end, 2]
        offset[begin:end], sure[begin:end] = goal - here[begin:end], 1.0
    return _reach(skeleton, foot, turns, heads, here + _faded(offset, sure))


def sliding(path: Float64, contact: Bool) -> float:
    """Mean way in the plane per frame of a sole while it is on the floor, in the path's unit."""
    both = contact[1:] & contact[:-1]
    if not both.any():
        return 0.0
    return float(np.linalg.norm(np.diff(path[:, :2], axis=0)[both], axis=1).mean())


def _sole(skeleton: Skeleton, foot: Foot, turns: Float64, heads: Float64) -> Float64:
    arm = foot.sole - skeleton.heads[foot.bone].astype(np.float64)
    return heads[:, foot.bone] + turns[:, foot.bone] @ arm


def _intervals(contact: Bool) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], contact.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _faded(offset: Float64, sure: Float64) -> Float64:
    """Corrections between contacts: of the contact before, fading out, and of the one after, fading in."""
    result = offset.copy()
    known = np.flatnonzero(sure > 0)
    for frame in np.flatnonzero(sure == 0):
        before, after = known[known < frame], known[known > frame]
        for near in (before[-1:], after[:1]):
            if len(near):
                away = abs(int(near[0]) - int(frame)) / (FADE + 1)
                if away < 1:
                    result[frame] += offset[near[0]] * (1 - away) ** 2 * (1 + 2 * away)
    return result


def _reach(skeleton: Skeleton, foot: Foot, turns: Float64, heads: Float64, goal: Float64) -> tuple[Float64, Float64]:
    """All frames at once: damped least squares over the chain; the foot keeps its own turn."""
    turns, heads = turns.copy(), heads.copy()
    kept = turns[:, foot.bone].copy()
    chain = list(foot.chain[::-1])  # from the top
    length = float(np.linalg.norm(skeleton.heads[chain[0]] - skeleton.heads[foot.bone])) or 1.0
    ankle_goal = goal - kept @ (foot.sole - skeleton.heads[foot.bone].astype(np.float64))
    below = {bone: np.flatnonzero(skeleton.family[bone]) for bone in (*chain, foot.bone)}
    for _ in range(ROUNDS):
        gap = (ankle_goal - heads[:, foot.bone]) / length
        if np.abs(gap).max() < 1e-4:
            break
        columns = np.concatenate(
            [_cross(heads[:, foot.bone] - heads[:, bone]) / length for bone in chain], axis=2
        )  # (F, 3, 3·chain)
        square = columns @ columns.transpose(0, 2, 1) + 1e-3 * np.eye(3)
        step = (columns.transpose(0, 2, 1) @ np.linalg.solve(square, gap[:, :, None]))[:, :, 0]
        step *= np.minimum(1, 0.3 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        for place, bone in enumerate(chain):
            turn = from_vector(step[:, 3 * place : 3 * place + 3])
            pivot = heads[:, bone].copy()
            for member in below[bone]:
                heads[:, member] = pivot + np.einsum("fij,fj->fi", turn, heads[:, member] - pivot)
                turns[:, member] = turn @ turns[:, member]
    undo = kept @ turns[:, foot.bone].transpose(0, 2, 1)
    pivot = heads[:, foot.bone].copy()
    for member in below[foot.bone]:
        heads[:, member] = pivot + np.einsum("fij,fj->fi", undo, heads[:, member] - pivot)
        turns[:, member] = undo @ turns[:, member]
    return turns, heads


def _cross(arms: Float64) -> Float64:
    """(F, 3, 3) with matrix · ω = ω × arm."""
    x, y, z = arms.T
    zero = np.zeros_like(x)
    rows = [[zero, z, -y], [-z, zero, x], [y, -x, zero]]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)
