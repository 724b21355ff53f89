# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of an armature whose bones lie in another body."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..surface_features.mesh import Float32

SHORTEST_BONE = 1e-3  # of the skeleton's extent; Blender deletes bones of no length when it leaves Edit Mode


def copy_armature(
    context: bpy.types.Context, armature: bpy.types.Object, name: str, collections: list[bpy.types.Collection]
) -> bpy.types.Object:
    """A local copy of an armature object and its data, with what points at the original pointing at the copy.

    It keeps names, hierarchy, bone collections, constraints, custom shapes and drivers; it has no parent, and stands
    where the original stands.
    """
    world_from_armature = armature.matrix_world.copy()
    copy = armature.copy()
    copy.data = armature.data.copy()
    copy.name = copy.data.name = name
    copy.parent = None
    copy.matrix_world = world_from_armature
    show(context, copy, collections)
    _point_at_copy(copy, armature)
    return copy


def show(context: bpy.types.Context, obj: bpy.types.Object, collections: Sequence[bpy.types.Collection]) -> None:
    """Link a new object to the collections, and to the scene where it would not be seen else."""
    for collection in collections:
        if collection.library is None and collection.override_library is None:
            collection.objects.link(obj)
    if not _is_shown(context, obj) and context.scene.collection.objects.get(obj.name) != obj:
        context.scene.collection.objects.link(obj)
        _is_shown(context, obj)


def _is_shown(context: bpy.types.Context, obj: bpy.types.Object) -> bool:
    """Clear the object's own ways of being hidden; whether that was enough."""
    obj.hide_viewport = False
    context.view_layer.update()  # before that, what was linked just now is not in the view layer
    if context.view_layer.objects.get(obj.name) != obj:
        return False
    obj.hide_set(False)
    return obj.visible_get()


def _point_at_copy(copy: bpy.types.Object, original: bpy.types.Object) -> None:
    constraints = [constraint for bone in copy.pose.bones for constraint in bone.constraints]
    holders = [holder for constraint in constraints for holder in (constraint, *getattr(constraint, "targets", ()))]
    for holder, pointer in itertools.product(holders, ("target", "pole_target")):
        if getattr(holder, pointer, None) == original:
            setattr(holder, pointer, copy)
    for owner in (copy, copy.data):
        if owner.animation_data is None:
            continue
        variables = [variable for curve in owner.animation_data.drivers for variable in curve.driver.variables]
        for target in (target for variable in variables for target in variable.targets):
            if target.id in (original, original.data):
                target.id = copy if target.id == original else copy.data


def place_bones(context: bpy.types.Context, armature: bpy.types.Object, names: list[str], ends: Float32) -> None:
    """Put the named bones of a local, visible armature where they belong. Object Mode before and after.

    ends: (B, 2, 3) heads and tails in world space. A bone's roll turns with the bone, by the smallest rotation.
    Connected bones stay connected: their heads are their parents' tails.
    """
    previous = context.view_layer.objects.active
    context.view_layer.objects.active = armature
    was_mirrored, armature.data.use_mirror_x = armature.data.use_mirror_x, False
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _place_edit_bones(armature, dict(zip(names, ends, strict=True)))
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        armature.data.use_mirror_x = was_mirrored
        context.view_layer.objects.active = previous


def _place_edit_bones(armature: bpy.types.Object, ends: dict[str, Float32]) -> None:
    edit_bones = armature.data.edit_bones
    armature_from_world = armature.matrix_world.inverted()
    shortest = SHORTEST_BONE * float(np.ptp(np.concatenate(list(ends.values())), axis=0).max())
    before = {bone.name: (bone.vector.copy(), bone.z_axis.copy(), bone.use_connect) for bone in edit_bones}
    for bone in edit_bones:
        bone.use_connect = False  # else moving a head would move the parent's tail
    for name, (head, tail) in ends.items():
        bone = edit_bones[name]
        direction, z_axis, _ = before[name]
        bone.head, bone.tail = _ends_with_length(armature_from_world, head, tail, direction, shortest)
        bone.align_roll(direction.rotation_difference(bone.vector) @ z_axis)
    for bone in edit_bones:
        bone.use_connect = before[bone.name][2]


def _ends_with_length(
    armature_from_world: Matrix, head: Float32, tail: Float32, direction: Vector, shortest: float
) -> tuple[Vector, Vector]:
    start, end = armature_from_world @ Vector(head.tolist()), armature_from_world @ Vector(tail.tolist())
    shortest_here = shortest / max(armature_from_world.inverted().median_scale, 1e-30)
    if (end - start).length < shortest_here:
        end = start + direction.normalized() * shortest_here
    return start, end
