# SPDX-License-Identifier: GPL-3.0-or-later
"""The dog of dm_control as a skinned Blender object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.dog import read_dog

from .kaykit_weights import Figure, build_figure

LEAF = 0.03  # metres: bones that nothing hangs on


def read_dog_figure(folder: Path) -> Figure:
    """folder: with dog_skin.skn and dog.xml. Every bone leads to what hangs on it."""
    import bpy

    dog = read_dog(folder)
    joints = tuple(dog["joints"].tolist())
    armature = bpy.data.objects.new("Dog skeleton", bpy.data.armatures.new("Dog skeleton"))
    bpy.context.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = [armature.data.edit_bones.new(name) for name in joints]
    for number, bone in enumerate(bones):
        parent = int(dog["parents"][number])
        head = dog["heads"][number].astype(np.float64)
        children = dog["heads"][dog["parents"] == number].astype(np.float64)
        away = children.mean(axis=0) - head if len(children) else np.zeros(3)
        if np.linalg.norm(away) < LEAF / 10:
            away = head - dog["heads"][parent]
            away = away / max(float(np.linalg.norm(away)), 1e-6) * LEAF if away.any() else np.array([0, 0, -LEAF])
        bone.head, bone.tail = head, head + away
        if parent >= 0:
            bone.parent = bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    return build_figure("Dog", dog["vertices"], dog["faces"].tolist(), dog["weights"], joints, armature)
