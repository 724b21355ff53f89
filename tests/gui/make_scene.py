# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare the window test in background Blender: preferences, and the .blend file it opens.

The scene: Hero (skinned to its armature), Friend and Statue (no weights; Friend's own skeleton waits, unused) stand
side by side. Frame 1 is everybody's rest pose, frame 10 a step of a walk. The timeline's place is taken by an Info
editor, so that what Blender reports can be read, in the pictures too.
"""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

REST_FRAME, WALK_FRAME = 1, 10
PLACES = {"Hero": -1.9, "Friend": 0.0, "Statue": 1.9}


def set_preferences() -> None:
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.view.smooth_view = 0
    # Software OpenGL draws every sample; the pauses to be measured are the extension's, not Mesa's.
    preferences.system.viewport_aa = "OFF"
    # the collection iterates over its items, unlike a dictionary
    module = next(addon.module for addon in preferences.addons if addon.module.endswith(".surface_features"))
    preferences.addons[module].preferences.engine_python = str(Path(os.environ["GUI_PROJECT"]) / ".venv/bin/python")
    bpy.ops.wm.save_userpref()


def add_mesh(name: str, arrays: dict[str, np.ndarray]) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(arrays[f"{name}_vertices"].tolist(), [], arrays[f"{name}_faces"].tolist())
    mesh.shade_smooth()
    obj = bpy.data.objects.new(name, mesh)
    obj.location.x = PLACES[name]
    bpy.context.scene.collection.objects.link(obj)
    return obj


def add_armature(name: str, arrays: dict[str, np.ndarray]) -> bpy.types.Object:
    armature = bpy.data.objects.new(f"{name} Rig", bpy.data.armatures.new(f"{name} Rig"))
    armature.location.x = PLACES[name]
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    joints, parents = arrays["joints"].tolist(), arrays["parents"]
    for joint, (head, tail) in zip(joints, arrays[f"{name}_bones"].tolist(), strict=True):
        bone = armature.data.edit_bones.new(joint)
        bone.head, bone.tail = head, tail
    for joint, parent in zip(joints, parents, strict=True):
        if parent >= 0:
            armature.data.edit_bones[joint].parent = armature.data.edit_bones[joints[parent]]
    bpy.ops.object.mode_set(mode="OBJECT")
    add_walk(armature, joints, parents, arrays[f"{name}_walk"])
    armature.hide_set(True)
    return armature


def add_walk(armature: bpy.types.Object, joints: list[str], parents: np.ndarray, transforms: np.ndarray) -> None:
    """transforms: (J, 3, 4) from the rest pose to the step, armature space."""
    moved = [Matrix([*rows, (0, 0, 0, 1)]) for rows in transforms.tolist()]
    for number, joint in enumerate(joints):
        bone, rest = armature.pose.bones[joint], armature.data.bones[joint].matrix_local
        above = moved[parents[number]] if parents[number] >= 0 else Matrix.Identity(4)
        step = (above @ rest).inverted() @ moved[number] @ rest
        for frame, basis in ((REST_FRAME, Matrix.Identity(4)), (WALK_FRAME, step)):
            bone.location, bone.rotation_quaternion, _ = basis.decompose()
            bone.keyframe_insert("location", frame=frame)
            bone.keyframe_insert("rotation_quaternion", frame=frame)


def skin(obj: bpy.types.Object, armature: bpy.types.Object, joints: list[str], weights: np.ndarray) -> None:
    for joint, column in zip(joints, weights.T, strict=True):
        group = obj.vertex_groups.new(name=joint)
        for vertex in np.flatnonzero(column).tolist():
            group.add([vertex], float(column[vertex]), "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature


def arrange_screen() -> None:
    bpy.context.window.workspace = bpy.data.workspaces["Layout"]
    screen = bpy.data.workspaces["Layout"].screens[0]
    for area in screen.areas:
        if area.type == "DOPESHEET_EDITOR":
            area.type = "INFO"
        elif area.type == "VIEW_3D":
            view = area.spaces.active
            view.overlay.show_bones = False
            region = view.region_3d
            region.view_perspective = "ORTHO"
            region.view_rotation = (0.7071068, 0.7071068, 0.0, 0.0)
            region.view_location, region.view_distance = (0.6, 0.0, 0.9), 7.0


def main() -> None:
    set_preferences()
    scratch = Path(os.environ["GUI_SCRATCH"])
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    with np.load(scratch / "characters.npz") as file:
        arrays = dict(file)
    hero, _, _ = (add_mesh(name, arrays) for name in PLACES)
    armature = add_armature("Hero", arrays)
    skin(hero, armature, arrays["joints"].tolist(), arrays["Hero_weights"])
    add_armature("Friend", arrays)
    bpy.context.scene.frame_set(REST_FRAME)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    arrange_screen()
    bpy.ops.wm.save_as_mainfile(filepath=str(scratch / "scene.blend"))


main()
