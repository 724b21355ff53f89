# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights as dense arrays, one column per vertex group."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import bpy
import numpy as np

from ..surface_features.mesh import Float32
from .mesh import WholeMesh


def read_weights(obj: bpy.types.Object, names: Sequence[str]) -> Float32:
    """(V, J) float32 weights of the named vertex groups; zero where a vertex or a group is not there."""
    obj.update_from_editmode()
    column = {group.index: names.index(group.name) for group in obj.vertex_groups if group.name in names}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            place = column.get(element.group)
            if place is not None:
                rows.append(vertex.index)
                columns.append(place)
                values.append(element.weight)
    weights = np.zeros((len(obj.data.vertices), len(names)), np.float32)
    weights[rows, columns] = values
    return weights


def weights_on_whole(whole: WholeMesh, weights: Float32, names: Sequence[str]) -> Float32:
    """The artist's weights (V, J) on the vertices of the whole mesh, left and right swapped where Mirror does so."""
    all_weights = weights[whole.origin]
    if whole.swapped.any():
        flipped = [bpy.utils.flip_name(name) for name in names]
        twin = [names.index(name) if name in names else index for index, name in enumerate(flipped)]
        all_weights[whole.swapped] = all_weights[whole.swapped][:, twin]
    return all_weights


def groups_with_weights(obj: bpy.types.Object, names: Collection[str]) -> list[str]:
    """Those of the named vertex groups in which at least one vertex has a weight above zero."""
    obj.update_from_editmode()
    wanted = {group.index: group.name for group in obj.vertex_groups if group.name in names}
    found: set[int] = set()
    for vertex in obj.data.vertices if wanted else ():
        found.update(element.group for element in vertex.groups if element.weight > 0 and element.group in wanted)
        if len(found) == len(wanted):
            break
    return [name for index, name in wanted.items() if index in found]


def locked_groups(obj: bpy.types.Object, names: Collection[str]) -> list[str]:
    """Those of the named vertex groups that are locked against changes."""
    return [group.name for group in obj.vertex_groups if group.name in names and group.lock_weight]


def write_weights(obj: bpy.types.Object, names: Sequence[str], weights: Float32, clear: Collection[str]) -> None:
    """Give the vertex groups `names` the weights (V, J); missing groups are made, zero weights are not stored.

    clear: existing groups that are emptied first. Object Mode only. Geometry is not touched: a round trip through
    bmesh would be a little faster, but may change shape keys and custom normals.
    """
    everyone = list(range(len(weights)))
    for group in obj.vertex_groups:
        if group.name in clear:
            group.remove(everyone)
    for column, name in enumerate(names):
        group = obj.vertex_groups.get(name) or obj.vertex_groups.new(name=name)
        rows = np.flatnonzero(weights[:, column] > 0)
        add = group.add
        for row, weight in zip(rows.tolist(), weights[rows, column].tolist(), strict=True):
            add((row,), weight, "REPLACE")
