# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures: which one deforms a mesh, which bones it has, and making it deform another mesh."""

from __future__ import annotations

import bpy
import numpy as np

from ..surface_features.mesh import Float32

# Modifiers that make new vertices from the mesh; the Armature modifier belongs ahead of them.
_AFTER_ARMATURE = {"SUBSURF", "MULTIRES", "SOLIDIFY", "REMESH", "BEVEL", "CLOTH", "CORRECTIVE_SMOOTH", "SMOOTH"}


def find_armature(obj: bpy.types.Object) -> bpy.types.Object | None:
    """The armature object that deforms a mesh, or None.

    Of the first Armature modifier that has one with bones the mesh has vertex groups for; else of the first that has
    one, else its parent.
    """
    armatures = modifier_armatures(obj)
    if len(armatures) > 1:
        return next((armature for armature in armatures if has_groups_of(obj, armature)), armatures[0])
    if armatures:
        return armatures[0]
    parent = obj.parent
    return parent if parent is not None and parent.type == "ARMATURE" else None


def modifier_armatures(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The armature objects its Armature modifiers point at, in their order, each once."""
    objects = [modifier.object for modifier in obj.modifiers if modifier.type == "ARMATURE"]
    return list(dict.fromkeys(armature for armature in objects if armature is not None))


def has_groups_of(obj: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Whether any vertex group of the mesh is named after a deforming bone of the armature."""
    return any(name in obj.vertex_groups for name in deform_bones(armature))


def deform_bones(armature: bpy.types.Object) -> list[str]:
    """Names of the bones that deform, in the armature's order."""
    return [bone.name for bone in armature.data.bones if bone.use_deform]


def read_bones(armature: bpy.types.Object) -> tuple[list[str], Float32]:
    """Names of all bones, and (B, 2, 3) float32 their heads and tails at rest, in world space."""
    bones = armature.data.bones
    names = [bone.name for bone in bones]
    ends = np.array([(bone.head_local, bone.tail_local) for bone in bones], np.float64).reshape(-1, 2, 3)
    world_from_armature = np.array(armature.matrix_world, np.float64)
    world = ends @ world_from_armature[:3, :3].T + world_from_armature[:3, 3]
    return names, world.astype(np.float32)


def other_armature(obj: bpy.types.Object, armature: bpy.types.Object) -> bpy.types.Object | None:
    """An armature other than the given one that a modifier of the mesh already points at."""
    return next((other for other in modifier_armatures(obj) if other != armature), None)


def ensure_armature_modifier(obj: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Let the armature deform the mesh through its vertex groups, by the Armature modifier it has or a new one.

    A new modifier is placed ahead of those that refine or simulate the deformed surface, and after a Mirror.
    """
    for modifier in obj.modifiers:
        if modifier.type == "ARMATURE":
            modifier.object = armature
            modifier.use_vertex_groups = True
            return
    place = next((i for i, modifier in enumerate(obj.modifiers) if modifier.type in _AFTER_ARMATURE), None)
    modifier = obj.modifiers.new(name="Armature", type="ARMATURE")
    modifier.object = armature
    if place is not None:
        obj.modifiers.move(len(obj.modifiers) - 1, place)
