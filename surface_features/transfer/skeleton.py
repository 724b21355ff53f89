# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones as arrays: how they hang together, what they move, and where that puts the surface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """An armature at rest, in the frame of the mesh it deforms. Bones in any order.

    heads, tails: (B, 3) float32. parents: (B,) int, -1 for none. weights: (V, B) float32 skin weights, rows sum to 1 or
    0 (such vertices stay), zero columns for bones that do not deform.
    movable: (B,) bool bones whose rotation may be changed. limits: (B, 3, 2) least and greatest turn in radians about
    the bone's own axes (a rotation vector in `axes`), infinite where there is none. axes: (B, 3, 3) columns are the
    bone's own axes, Y along it.
    """

    heads: Float32
    tails: Float32
    parents: NDArray[np.int64]
    weights: Float32
    movable: Bool
    limits: Float64
    axes: Float64

    @cached_property
    def order(self) -> list[int]:
        """Parents before children."""
        depth = np.zeros(len(self.parents), int)
        for bone in range(len(self.parents)):
            above = self.parents[bone]
            while above >= 0:
                depth[bone] += 1
                above = self.parents[above]
        return [int(bone) for bone in np.argsort(depth, kind="stable")]

    @cached_property
    def family(self) -> Bool:
        """(B, B) bool: [b, d] where d is b or hangs on b."""
        family = np.eye(len(self.parents), dtype=bool)
        for bone in self.order:
            if self.parents[bone] >= 0:
                family[:, bone] |= family[:, self.parents[bone]]
        return family

    @cached_property
    def support(self) -> Float64:
        """(B,) how many vertices' worth of weight each bone has."""
        support: Float64 = self.weights.sum(axis=0, dtype=np.float64)
        return support

    @cached_property
    def roots(self) -> Bool:
        """(B,) bool: the bones that carry the whole: the lowest one over all that deform, or the topmost of several."""
        weighted = self.support > 0
        over = (self.family & weighted).sum(axis=1)
        common = np.flatnonzero(over == weighted.sum())
        roots = np.zeros(len(self.parents), bool)
        if weighted.any() and len(common):
            roots[max(common, key=lambda bone: self.order.index(int(bone)))] = True
            return roots
        for bone in np.flatnonzero(weighted):
            roots[bone] = not (self.family[:, bone] & weighted & (np.arange(len(roots)) != bone)).any()
        return roots


def attach_loose(parents: NDArray[np.int64], weights: Float32, heads: Float32, tails: Float32) -> NDArray[np.int64]:
    """(B,) the parents by which bones move a body: as given, but nothing that deforms hangs on nothing.

    Rigs for inverse kinematics keep feet or hands as bones of their own, beside the limb that reaches for them. Such a
    bone hangs on the one it shares most of the skin with, else on the one that ends nearest to it.
    """
    result = parents.copy()
    weighted = weights.sum(axis=0) > 0

    def family(bone: int) -> list[int]:
        found = [bone]
        for other in found:
            found += [int(child) for child in np.flatnonzero(result == other)]
        return found

    def hangs(bone: int) -> bool:
        above = result[bone]
        while above >= 0:
            if weighted[above]:
                return True
            above = result[above]
        return False

    loose = [int(bone) for bone in np.flatnonzero(weighted) if not hangs(int(bone))]
    if len(loose) < 2:
        return result
    loose.sort(key=lambda bone: float(weights[:, family(bone)].sum()), reverse=True)
    if (result[loose] == result[loose[0]]).all() and result[loose[0]] >= 0:
        return result  # they share a bone above that deforms nothing: a pelvis without weights
    for bone in loose[1:]:
        body = np.array([other for other in family(loose[0]) if weighted[other]])
        own = weights[:, family(bone)].sum(axis=1)
        shared = np.minimum(own[:, None], weights[:, body]).sum(axis=0)
        if shared.max(initial=0.0) > 0:
            result[bone] = body[shared.argmax()]
        else:
            result[bone] = body[np.linalg.norm(tails[body] - heads[bone], axis=1).argmin()]
    return result


@dataclass(frozen=True, eq=False)
class BonePose:
    """turns: (B, 3, 3) each bone's rotation from rest in the mesh's frame, its parents' included.

    heads: (B, 3) where the bones' heads are.
    """

    turns: Float64
    heads: Float64

    def skin(self, skeleton: Skeleton, vertices: Float64) -> Float64:
        """(V, 3) linear blend skinning of rest vertices (V, 3)."""
        offset = self.heads - np.einsum("bij,bj->bi", self.turns, skeleton.heads.astype(np.float64))
        weights = skeleton.weights.astype(np.float64)
        blended = weights @ np.concatenate([self.turns.reshape(-1, 9), offset], axis=1)
        moved = np.einsum("vij,vj->vi", blended[:, :9].reshape(-1, 3, 3), vertices) + blended[:, 9:]
        return moved + (1 - weights.sum(axis=1, keepdims=True)) * vertices


def forward(skeleton: Skeleton, own: Float64, moves: Float64) -> BonePose:
    """Bones posed by rotations `own` (B, 3, 3) against their parents and moves (B, 3) of their heads, both in the
    rest pose's axes as the parent carries them."""
    turns, heads = np.empty_like(own), np.empty_like(moves)
    rest = skeleton.heads.astype(np.float64)
    for bone in skeleton.order:
        parent = skeleton.parents[bone]
        if parent < 0:
            turns[bone], heads[bone] = own[bone], rest[bone] + moves[bone]
        else:
            turns[bone] = turns[parent] @ own[bone]
            heads[bone] = heads[parent] + turns[parent] @ (rest[bone] - rest[parent] + moves[bone])
    return BonePose(turns, heads)


def own_rotations(skeleton: Skeleton, turns: Float64) -> Float64:
    """(B, 3, 3) rotations against the parents, from rotations since rest."""
    own = turns.copy()
    children = skeleton.parents >= 0
    own[children] = turns[skeleton.parents[children]].transpose(0, 2, 1) @ turns[children]
    return own
