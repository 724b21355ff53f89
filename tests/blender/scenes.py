# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects for the tests, and a fingerprint of everything that a failed job must leave alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache

import bpy
import numpy as np
import pytest

from examples.characters import Character, HumanoidSpec, build_humanoid, pose_character, rest_pose_a

Object = bpy.types.Object


@cache
def hero() -> Character:
    return build_humanoid(HumanoidSpec(resolution=44, fingers="mitten"))


@cache
def stout() -> Character:
    spec = HumanoidSpec(
        height=1.5, leg_length=0.43, torso_width=0.12, torso_depth=0.09, belly=0.5, hair="bun", fingers="mitten",
        resolution=38, seed=1,
    )  # fmt: skip
    return pose_character(build_humanoid(spec), rest_pose_a(30.0))


def add_mesh(name: str, vertices: np.ndarray, polygons: np.ndarray | list) -> Object:
    data = bpy.data.meshes.new(name)
    data.from_pydata(np.asarray(vertices).tolist(), [], np.asarray(polygons).tolist() if len(polygons) else [])
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def add_source(name: str = "Hero", character: Character | None = None) -> Object:
    """A rigged character: mesh, armature “<name> Rig”, vertex groups, Armature modifier."""
    character = character or hero()
    obj = add_mesh(name, character.vertices, character.faces)
    armature = bpy.data.objects.new(f"{name} Rig", bpy.data.armatures.new(f"{name} Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for joint, (head, tail), parent in zip(
        character.joints, character.bones.tolist(), character.parents.tolist(), strict=True
    ):
        bone = bones.new(joint)
        bone.head, bone.tail = head, tail
        if parent >= 0:
            bone.parent = bones[character.joints[parent]]
    bpy.ops.object.mode_set(mode="OBJECT")
    for joint, weights in zip(character.joints, character.weights.T, strict=True):
        group = obj.vertex_groups.new(name=joint)
        for vertex in np.flatnonzero(weights).tolist():
            group.add((vertex,), float(weights[vertex]), "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    return obj


def add_target(name: str = "Stout", character: Character | None = None) -> Object:
    character = character or stout()
    return add_mesh(name, character.vertices, character.faces)


def select(active: Object | None, *others: Object) -> None:
    bpy.context.view_layer.update()  # objects that were linked just now cannot be selected before
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj == active or obj in others)
    bpy.context.view_layer.objects.active = active


def weights_of(obj: Object, names: list[str] | tuple[str, ...]) -> np.ndarray:
    """(V, J) weights; zeros for groups that are not there."""
    weights = np.zeros((len(obj.data.vertices), len(names)))
    column = {obj.vertex_groups[name].index: i for i, name in enumerate(names) if name in obj.vertex_groups}
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            if element.group in column:
                weights[vertex.index, column[element.group]] = element.weight
    return weights


def failure(operator: Callable[..., set[str]], **options: object) -> str:
    """Run an operator that must fail; returns its message, which must be text for a user and no traceback."""
    with pytest.raises(RuntimeError) as caught:
        operator(**options)
    message = str(caught.value).strip()
    assert message.startswith("Error: ")
    message = message.removeprefix("Error: ")
    assert "\n" not in message
    assert "Traceback" not in message
    assert re.search(r"[.!]$", message), message
    return message


def fingerprint() -> str:
    """A hash of all objects, meshes and armatures: names, geometry, weights, attributes, modifiers, bones."""
    parts: list[object] = []
    for obj in sorted(bpy.data.objects, key=lambda obj: obj.name):
        parts += [obj.name, obj.mode, obj.select_get(), [list(row) for row in obj.matrix_world], str(obj.parent)]
        parts += [[(m.type, m.name, str(getattr(m, "object", None))) for m in obj.modifiers]]
        if obj.type == "MESH":
            obj.update_from_editmode()
            mesh = obj.data
            parts += [[(g.name, g.lock_weight) for g in obj.vertex_groups]]
            parts += [[(tuple(v.co), [(e.group, e.weight) for e in v.groups]) for v in mesh.vertices]]
            parts += [[tuple(p.vertices) for p in mesh.polygons], [a.name for a in mesh.color_attributes]]
            if mesh.shape_keys:
                parts += [[[tuple(point.co) for point in key.data] for key in mesh.shape_keys.key_blocks]]
        elif obj.type == "ARMATURE":
            parts += [[(b.name, tuple(b.head_local), tuple(b.tail_local)) for b in obj.data.bones]]
    parts += [str(bpy.context.view_layer.objects.active), len(bpy.data.meshes), len(bpy.data.armatures)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()
