# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures made from nothing: of given bones, and Rigify's own metarigs."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32
from .fitted_armature import show

METARIGS = {"human": "human", "wolf": "Animals.wolf", "cat": "Animals.cat", "horse": "Animals.horse"}
RIGIFY = "rigify"
_SAME = 1e-4  # of the skeleton's extent


@dataclass(frozen=True, eq=False)
class NewBones:
    """names, parents: B each, parents first, −1 the root. ends: (B, 2, 3) world space. z_axes: (B, 3) world space."""

    names: Sequence[str]
    parents: Sequence[int]
    ends: Float32
    z_axes: Float32


def make_armature(
    context: bpy.types.Context,
    name: str,
    origin: Vector,
    bones: NewBones,
    collections: Sequence[bpy.types.Collection],
    root: str = "",
) -> bpy.types.Object:
    """An armature object at `origin` with these bones; a bone whose head is its parent's tail is connected to it.

    root: name of a further bone at the origin that moves nothing and is everything's parent. Object Mode before and
    after.
    """
    armature = _new_object(context, name, origin, collections)
    extent = float(np.ptp(bones.ends.reshape(-1, 3), axis=0).max())
    previous = _edit(context, armature)
    try:
        made: list[bpy.types.EditBone] = []
        top = None
        if root:
            top = armature.data.edit_bones.new(root)
            top.head, top.tail, top.use_deform = (0, 0, 0), (0, 0.05 * extent, 0), False
        for own, parent, (head, tail), z_axis in zip(bones.names, bones.parents, bones.ends, bones.z_axes, strict=True):
            bone = armature.data.edit_bones.new(own)
            bone.head, bone.tail = Vector(head.tolist()) - origin, Vector(tail.tolist()) - origin
            if bone.length < 1e-3 * extent:  # Blender deletes bones of no length
                bone.tail = bone.head + Vector((0, 0, 1e-3 * extent))
            bone.align_roll(Vector(z_axis.tolist()))
            bone.parent = made[parent] if parent >= 0 else top
            bone.use_connect = parent >= 0 and (made[parent].tail - bone.head).length < _SAME * extent
            made.append(bone)
    finally:
        _leave(context, previous)
    return armature


def make_metarig(
    context: bpy.types.Context, kind: str, name: str, collections: Sequence[bpy.types.Collection]
) -> bpy.types.Object:
    """One of Rigify's metarigs as it makes them, at the world's origin. Raises `BadInputError` without Rigify."""
    check_rigify()
    module = importlib.import_module(f"{RIGIFY}.metarigs.{METARIGS[kind]}")
    armature = _new_object(context, name, Vector(), collections)
    previous = context.view_layer.objects.active
    context.view_layer.objects.active = armature
    try:
        module.create(armature)
    finally:
        _leave(context, previous)
    return armature


def check_rigify() -> None:
    """Raises `BadInputError` where Rigify is not enabled."""
    if RIGIFY not in bpy.context.preferences.addons:
        raise BadInputError(
            "Rigify is not enabled, so there are no metarigs. Enable it in the preferences (Add-ons) and run again.",
            fault="no_rigify",
        )


def _new_object(
    context: bpy.types.Context, name: str, origin: Vector, collections: Sequence[bpy.types.Collection]
) -> bpy.types.Object:
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature.location = origin
    armature.show_in_front = True
    show(context, armature, collections)
    return armature


def _edit(context: bpy.types.Context, armature: bpy.types.Object) -> bpy.types.Object | None:
    previous = context.view_layer.objects.active
    context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.use_mirror_x = False
    return previous


def _leave(context: bpy.types.Context, previous: bpy.types.Object | None) -> None:
    if context.object is not None and context.object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    context.view_layer.objects.active = previous
    context.view_layer.update()
