# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters as Blender objects: mesh, armature, vertex groups, action; and pictures of them without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from .skeleton import Character, Float32, Rotations

SHOWN = "Shown"


def add_mesh(character: Character, name: str) -> bpy.types.Object:
    """The character's surface alone, with no vertex groups."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(character.vertices.tolist(), [], character.faces.tolist())
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def add_armature(name: str, joints: Sequence[str], ends: NDArray, parents: NDArray) -> bpy.types.Object:
    """An armature with one deforming bone for every joint.

    ends: (J, 2, 3) heads and tails. parents: (J,) the joint each hangs on, −1 for none.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for joint, (head, tail) in zip(joints, ends.tolist(), strict=True):
        bone = bones.new(joint)
        bone.head, bone.tail = head, tail
    for joint, parent in zip(joints, parents.tolist(), strict=True):
        if parent >= 0:
            bones[joint].parent = bones[joints[parent]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def skin_to(obj: bpy.types.Object, armature: bpy.types.Object, joints: Sequence[str], weights: NDArray) -> None:
    """Vertex groups with the joints' weights (V, J), and the Armature modifier."""
    for joint, column in zip(joints, weights.T, strict=True):
        group = obj.vertex_groups.new(name=joint)
        for vertex in np.flatnonzero(column).tolist():
            group.add((vertex,), float(column[vertex]), "REPLACE")
    modifier = obj.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature


def pose_armature(armature: bpy.types.Object, rotations: Rotations, frame: int | None = None) -> None:
    """Turn an armature's bones about the character's axes, whatever the bones' own axes are.

    frame: set a keyframe there.
    """
    for name, rotation in rotations.items():
        bone = armature.pose.bones[name]
        rest = bone.bone.matrix_local.to_3x3()
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (rest.inverted() @ Matrix(rotation.tolist()) @ rest).to_quaternion()
        if frame is not None:
            bone.keyframe_insert("rotation_quaternion", frame=frame)


def add_action(armature: bpy.types.Object, name: str, poses: Sequence[Rotations]) -> None:
    """An action with one pose per frame, from frame 1."""
    for frame, rotations in enumerate(poses, 1):
        pose_armature(armature, rotations, frame)
    armature.animation_data.action.name = name


def read_groups(obj: bpy.types.Object, names: Sequence[str]) -> Float32:
    """(V, J) float32 weights of the named vertex groups, rows divided by their sum."""
    column = {obj.vertex_groups[name].index: place for place, name in enumerate(names) if name in obj.vertex_groups}
    weights = np.zeros((len(obj.data.vertices), len(names)), np.float32)
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            if element.group in column:
                weights[vertex.index, column[element.group]] = element.weight
    total = weights.sum(1, keepdims=True)
    return np.divide(weights, total, out=weights, where=total > 0)


def read_deformed(obj: bpy.types.Object) -> Float32:
    """(V, 3) float32 vertices after the object's modifiers, in world space."""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    data = evaluated.to_mesh()
    flat = np.empty(3 * len(data.vertices), np.float32)
    data.vertices.foreach_get("co", flat)
    evaluated.to_mesh_clear()
    world = np.array(obj.matrix_world, np.float32)
    return flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def blender_data_transfer(source: bpy.types.Object, target: bpy.types.Object, names: Sequence[str]) -> Float32:
    """(Vt, J) weights that Blender's own Data Transfer gives a copy of the target (nearest face, interpolated)."""
    copy = target.copy()
    copy.data = target.data.copy()
    copy.vertex_groups.clear()
    copy.modifiers.clear()
    bpy.context.scene.collection.objects.link(copy)
    bpy.context.view_layer.update()
    for name in names:
        copy.vertex_groups.new(name=name)
    modifier = copy.modifiers.new("Transfer", "DATA_TRANSFER")
    modifier.object = source
    modifier.use_vert_data = True
    modifier.data_types_verts = {"VGROUP_WEIGHTS"}
    modifier.vert_mapping = "POLYINTERP_NEAREST"
    bpy.context.view_layer.objects.active = copy
    bpy.ops.object.modifier_apply(modifier=modifier.name)
    weights = read_groups(copy, names)
    bpy.data.batch_remove([copy, copy.data])
    return weights


def bone_colours(weights: Float32) -> Float32:
    """(V, 3) float32 colours that blend as the weights do; neighbouring bones differ clearly."""
    hue = np.arange(weights.shape[1]) * 0.618034 % 1.0
    wheel = np.clip(np.abs((hue[:, None] + np.array([0, 2 / 3, 1 / 3])) % 1.0 * 6 - 3) - 1, 0, 1)
    return (weights @ (0.12 + 0.75 * wheel)).astype(np.float32)


def paint(obj: bpy.types.Object, colours: Float32) -> None:
    """Write (V, 3) colours to the attribute that `picture` shows by default."""
    attribute = obj.data.color_attributes.get(SHOWN) or obj.data.color_attributes.new(SHOWN, "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set(
        "color", np.concatenate([colours, np.ones((len(colours), 1))], 1).astype(np.float32).ravel()
    )


def set_up_stage(size: int, samples: int) -> None:
    """A sun, soft light from all around, a plain background and Cycles on the CPU: works without a display."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 2
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    world = bpy.data.worlds.new("Stage")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.82, 0.84, 0.87, 1)
    background.inputs["Strength"].default_value = 0.75
    scene.world = world
    light = bpy.data.lights.new("Sun", "SUN")
    light.energy, light.angle = 2.2, 0.3
    sun = bpy.data.objects.new("Sun", light)
    sun.rotation_euler = (0.75, 0.15, 0.6)
    scene.collection.objects.link(sun)
    lens: Any = bpy.data.cameras.new("Camera")
    lens.type = "ORTHO"
    camera = bpy.data.objects.new("Camera", lens)
    scene.collection.objects.link(camera)
    scene.camera = camera


def picture(
    obj: bpy.types.Object, path: Path, attribute: str = "", turn_degrees: float = 25.0, lean: float = 8.0
) -> None:
    """Render one object alone, by the colours of `attribute` (grey without one), seen `turn_degrees` from its front."""
    scene = bpy.context.scene
    for other in scene.objects:
        other.hide_render = other.type in {"MESH", "ARMATURE"} and other != obj
    _show_colours(obj, attribute)
    points = read_deformed(obj)
    low, high = points.min(0), points.max(0)
    turn, tilt = np.radians(turn_degrees), np.radians(lean)
    away = Vector((np.sin(turn) * np.cos(tilt), -np.cos(turn) * np.cos(tilt), np.sin(tilt)))
    camera = scene.camera
    camera.location = Vector(((low + high) / 2).tolist()) + 10 * away
    camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()
    camera.data.ortho_scale = 1.12 * float(max(high[2] - low[2], np.linalg.norm((high - low)[:2]) * 0.93))
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def _show_colours(obj: bpy.types.Object, attribute: str) -> None:
    name = attribute or "Plain"
    material = bpy.data.materials.get(name)
    if material is None:
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        surface = material.node_tree.nodes["Principled BSDF"]
        surface.inputs["Roughness"].default_value = 0.75
        surface.inputs["Base Color"].default_value = (0.55, 0.55, 0.56, 1)
        if attribute:
            reader = material.node_tree.nodes.new("ShaderNodeVertexColor")
            reader.layer_name = attribute
            material.node_tree.links.new(reader.outputs["Color"], surface.inputs["Base Color"])
    obj.data.materials.clear()
    obj.data.materials.append(material)
