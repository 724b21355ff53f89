# SPDX-License-Identifier: GPL-3.0-or-later
"""New skin weights beside those an artist has already painted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, TriangleMesh

Bool = NDArray[np.bool_]
NOTHING = 1e-6


def merge_weights(existing: Float32, new: Float32, locked: Bool, chosen: Bool, share: Float32) -> Float32:
    """(V, J) weights of the target's groups: the new ones, as far as the artist lets them in.

    existing, new: (V, J); new rows sum to 1. locked: (J,) groups that stay exactly as they are. chosen: (J,) groups
    that get new weights; others only make room, in the proportion they had. share: (V,) 0…1 of the new weights in
    the mix; vertices without any weight take the new ones whole. Rows of share 0 come back untouched, all others sum
    to 1, unless they had no weight and only some groups were chosen.
    """
    free, others = chosen & ~locked, ~chosen & ~locked
    total = existing.sum(axis=1, keepdims=True)
    weighted = total[:, 0] > NOTHING
    amount = np.where(~weighted & (share > 0), 1.0, share).astype(np.float32)[:, None]
    # Rows painted to another sum are mixed as shares of 1.
    old = np.divide(existing, total, out=np.zeros_like(existing), where=total > NOTHING)
    room = np.clip(1 - existing[:, locked].sum(axis=1), 0, 1)
    moving = np.where(free, old * (1 - amount) + new * amount, 0)
    moving = _scaled(moving, np.minimum(moving.sum(axis=1), room))
    rest = np.where(others, old, 0)
    rest = _scaled(rest, room - moving.sum(axis=1))
    # With nothing beside them to take the rest, the chosen ones fill the room.
    fills = (rest.sum(axis=1) <= NOTHING) & (weighted | ~others.any())
    moving = np.where(fills[:, None], _scaled(moving, room), moving)
    result = np.where(locked, existing, moving + rest)
    bare = result.sum(axis=1) <= NOTHING
    result[bare & ~others.any()] = np.where(locked, existing, new)[bare & ~others.any()]
    return np.where(amount > 0, result, existing).astype(np.float32)


def spread_to_bare(weights: Float32, edges: NDArray[np.int32]) -> Float32:
    """(V, J) weights with the rows that have none filled from their neighbours, edge by edge; edges: (E, 2).

    A vertex whose only bone is locked would otherwise be left behind when the armature moves. What no edge joins to a
    weighted vertex stays without.
    """
    result = weights.copy()
    bare = result.sum(axis=1) <= NOTHING
    both = np.concatenate([edges, edges[:, ::-1]])
    while bare.any():
        usable = both[bare[both[:, 0]] & ~bare[both[:, 1]]]
        if len(usable) == 0:
            break
        rows = np.unique(usable[:, 0])
        np.add.at(result, usable[:, 0], result[usable[:, 1]])
        result[rows] /= result[rows].sum(axis=1, keepdims=True)
        bare[rows] = False
    return result


def _scaled(weights: Float32, goal: Float32) -> Float32:
    """Rows scaled to a sum; rows of zeros stay."""
    total = weights.sum(axis=1)
    return weights * np.divide(goal, total, out=np.zeros_like(total), where=total > NOTHING)[:, None]


def soft_selection(mesh: TriangleMesh, selected: Bool, width: float) -> Float32:
    """(V,) 1 on the selected vertices, falling to 0 inside the selection's rim over `width` (the mesh's unit)."""
    from ..geometry.edge_ways import way_from

    share = selected.astype(np.float32)
    if width <= 0 or selected.all() or not selected.any():
        return share
    way = way_from(mesh, np.flatnonzero(~selected), width)
    ramp = np.clip(np.where(np.isfinite(way), way, width) / width, 0, 1)
    return share * (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
