# SPDX-License-Identifier: GPL-3.0-or-later
"""New weights written beside what an artist has locked, painted or not chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..bridge.armature import ensure_armature_modifier
from ..bridge.selection import edge_vertices
from ..bridge.weights import locked_groups, read_weights, write_weights
from ..surface_features.mesh import Float32
from ..surface_features.settings import WeightSettings
from ..surface_features.transfer.bone_sides import flip_name
from ..surface_features.transfer.limits import limit_weights
from ..surface_features.transfer.merging import merge_weights, spread_to_bare


@dataclass(frozen=True, eq=False)
class Writing:
    """What may be written to a target. columns: names of the new weights' columns. bones: of all deforming bones, in
    the armature's order. chosen: those whose groups may change. share: (V,) 0…1 of the new weights in the mix."""

    columns: tuple[str, ...]
    bones: tuple[str, ...]
    chosen: tuple[str, ...]
    share: Float32
    settings: WeightSettings


def give_merged_skin(
    objects: Sequence[bpy.types.Object], armature: bpy.types.Object | None, writing: Writing, weights: Float32
) -> None:
    """Write the weights (V, J) of `writing.columns` to the mesh the objects share, and let the armature deform them.

    Groups are made in the armature's order, and so are those of the other side of a bone that has one.
    """
    obj = objects[0]
    bones = writing.bones
    locked = locked_groups(obj, bones)
    new = np.zeros((len(weights), len(bones)), np.float32)
    new[:, [bones.index(name) for name in writing.columns]] = weights
    is_locked = np.array([name in locked for name in bones])
    is_chosen = np.array([name in writing.chosen for name in bones])
    merged = merge_weights(read_weights(obj, bones), new, is_locked, is_chosen, writing.share)
    if is_locked.any() and is_chosen.all():
        # A vertex of nothing but a locked bone's, which has no weight there, goes with its neighbours.
        bare = (merged.sum(axis=1) <= 0) & (writing.share > 0)
        spread = spread_to_bare(np.where(is_locked, 0, merged), edge_vertices(obj))
        merged[bare] = spread[bare]
    if is_chosen.all() and not is_locked.any():
        rows = writing.share > 0
        merged[rows] = limit_weights(merged[rows], writing.settings)
    wanted = set(writing.columns) & set(writing.chosen)
    wanted |= {flip_name(name) for name in wanted} & set(bones)
    names = [
        name
        for column, name in enumerate(bones)
        if not is_locked[column] and (name in wanted or (name in obj.vertex_groups and merged[:, column].any()))
    ]
    write_weights(
        obj,
        names,
        merged[:, [bones.index(name) for name in names]],
        clear=[name for name in bones if name not in locked],
    )
    if armature is not None:
        for one in objects:
            ensure_armature_modifier(one, armature)
