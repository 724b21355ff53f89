# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects an operator works on: the active one is the source, the other selected ones are the targets."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from ..surface_features.errors import BadInputError


def source_and_others(context: bpy.types.Context) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """The active mesh, and everything else that is selected.

    Raises `BadInputError` for an active object of another kind.
    """
    source = context.view_layer.objects.active
    if source is None or source.type != "MESH":
        raise BadInputError(
            f"{source.name if source else 'Scene'}: the active object is not a mesh. "
            "Select the targets, then Shift-click the source mesh last.",
            fault="no_source",
        )
    return source, [obj for obj in context.view_layer.objects.selected if obj != source]


def selected_meshes(context: bpy.types.Context) -> tuple[list[bpy.types.Object], list[str]]:
    """Selected mesh objects, the active one first, and a warning for each object that is none.

    Raises `BadInputError` where nothing is left.
    """
    active = context.view_layer.objects.active
    chosen = sorted(context.view_layer.objects.selected, key=lambda obj: obj != active)
    meshes, warnings = split_meshes(chosen)
    if not meshes:
        raise BadInputError("No mesh is selected: select one or more mesh objects and run again.", fault="no_mesh")
    return meshes, warnings


def split_meshes(objects: Iterable[bpy.types.Object]) -> tuple[list[bpy.types.Object], list[str]]:
    """Mesh objects, and a warning for each of the others. Armatures are passed over: they belong to a character."""
    meshes, warnings = [], []
    for obj in objects:
        if obj.type == "MESH":
            meshes.append(obj)
        elif obj.type != "ARMATURE":
            kind = obj.type.replace("_", " ").lower()
            warnings.append(f"{obj.name}: skipped, it is not a mesh ({kind}). Convert it (Object ▸ Convert ▸ Mesh).")
    return meshes, warnings
