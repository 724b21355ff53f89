# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig from nothing: a skeleton in meshes that never had one."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from surface_features.geometry.inside import winding_numbers
from surface_features.mesh import TriangleMesh
from surface_features.rig_template import load_template

from .scenes import add_mesh, add_source, add_target, failure, fingerprint, select, stout, weights_of


@pytest.fixture
def settings():
    return bpy.context.scene.surface_features


def rig_of(obj):
    return next(modifier.object for modifier in obj.modifiers if modifier.type == "ARMATURE")


def deform_heads(armature) -> np.ndarray:
    return np.array([armature.matrix_world @ bone.head_local for bone in armature.data.bones if bone.use_deform])


def test_one_click_gives_an_unrigged_character_a_skeleton_inside_it() -> None:
    target = add_target()
    target.location = (2, 1, 0)
    select(target)
    assert bpy.ops.surface_features.rig() == {"FINISHED"}
    rig = rig_of(target)
    names = [bone.name for bone in rig.data.bones]
    assert {"hips", "upper_arm.L", "shin.R", "head"} <= set(names)
    mesh = TriangleMesh(stout().vertices + np.float32([2, 1, 0]), stout().faces)
    assert (winding_numbers(mesh, deform_heads(rig)) > 0.5).all()
    np.testing.assert_allclose(weights_of(target, names).sum(axis=1), 1.0, atol=1e-3)
    assert rig.data.bones["shin.L"].parent.name == "thigh.L"
    assert rig.data.bones["shin.L"].use_connect
    joints = dict(zip(stout().joints, stout().bones[:, 0] + [2, 1, 0], strict=True))
    found = {"thigh.L": "thigh.L", "shin.L": "calf.L", "forearm.R": "lowerarm.R", "head": "head"}
    off = [np.linalg.norm(np.array(rig.data.bones[a].head_local) + rig.location - joints[b]) for a, b in found.items()]
    assert max(off) < 0.15  # of 1.45 m, with few views; sides swapped it would be 0.3 and more


@pytest.mark.parametrize(
    ("skeleton", "bones"),
    [
        ("UNREAL", {"root", "pelvis", "upperarm_l", "thumb_03_r", "ball_l"}),
        ("MIXAMO", {"mixamorig:Hips", "mixamorig:LeftForeArm", "mixamorig:RightHandIndex1"}),
        ("RIGIFY", {"spine", "spine.006", "f_index.01.L", "toe.R"}),
    ],
)
def test_names_of_other_conventions(settings, skeleton, bones) -> None:
    target = add_target()
    settings.rig_from, settings.skeleton = "HUMAN", skeleton
    select(target)
    bpy.ops.surface_features.rig()
    assert bones <= {bone.name for bone in rig_of(target).data.bones}
    assert all(bone.use_deform == (bone.name != "root") for bone in rig_of(target).data.bones)


def test_touching_meshes_are_one_character(settings) -> None:
    character = stout()
    upper = character.vertices[character.faces].mean(axis=1)[:, 2] > 0.75
    pieces = []
    for name, own in (("Upper", upper), ("Lower", ~upper)):
        used, faces = np.unique(character.faces[own], return_inverse=True)
        pieces.append(add_mesh(name, character.vertices[used], faces.reshape(-1, 3)))
    settings.rig_from = "HUMAN"
    select(*pieces)
    bpy.ops.surface_features.rig()
    assert rig_of(pieces[0]) == rig_of(pieces[1])
    assert weights_of(pieces[0], ["head"]).max() > 0.9
    assert weights_of(pieces[1], ["head"]).max() == 0
    assert len([obj for obj in bpy.data.objects if obj.type == "ARMATURE"]) == 1


def test_metarig_is_fitted_and_generates(settings, rigify) -> None:
    target = add_target()
    settings.rig_from, settings.skeleton = "HUMAN", "METARIG"
    select(target)
    bpy.ops.surface_features.rig()
    metarig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    head = dict(zip(stout().joints, stout().bones[:, 0], strict=True))
    assert np.linalg.norm(np.array(metarig.data.bones["shin.L"].head_local) - head["calf.L"]) < 0.15
    select(metarig)
    bpy.ops.pose.rigify_generate()
    generated = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE" and obj != metarig)
    groups = {group.name for group in target.vertex_groups}
    assert groups <= {bone.name for bone in generated.data.bones if bone.use_deform}


def test_animals_get_the_metarig_of_their_kind(settings, rigify) -> None:
    animals = {}
    for place, shape in enumerate(load_template("quadruped").shapes):
        if shape.name in ("wolf", "cat", "horse"):
            aside = np.array([5 * place, 0, 0])
            animals[shape.name] = add_mesh(shape.name, shape.mesh.vertices + aside, shape.mesh.faces)
    settings.rig_from, settings.skeleton = "QUADRUPED", "METARIG"
    select(*animals.values())
    bpy.ops.surface_features.rig()
    for name, paw in (("wolf", "front_toe.L"), ("cat", "f_toe.L"), ("horse", "f_hoof.L")):
        metarig = bpy.data.objects[f"{name} Metarig"]
        shape = next(shape for shape in load_template("quadruped").shapes if shape.name == name)
        wanted = shape.ends[load_template("quadruped").bones.index("fingers.L"), 1]
        found = np.array(metarig.data.bones[paw].tail_local) - np.array(animals[name].data.vertices[0].co)
        np.testing.assert_allclose(found + shape.mesh.vertices[0], wanted, atol=0.1)  # of 2 m
        select(metarig)
        before = len(bpy.data.objects)
        assert bpy.ops.pose.rigify_generate() == {"FINISHED"}
        assert len(bpy.data.objects) > before


def test_metarig_without_rigify_is_refused(settings) -> None:
    target = add_target()
    settings.rig_from, settings.skeleton = "HUMAN", "METARIG"
    select(target)
    before = fingerprint()
    assert "Rigify" in failure(bpy.ops.surface_features.rig)
    assert fingerprint() == before


def test_a_rigged_mesh_is_kept_unless_replace_is_ticked(settings) -> None:
    source = add_source()
    settings.rig_from = "HUMAN"
    select(source)
    before = fingerprint()
    assert "Replace Existing" in failure(bpy.ops.surface_features.rig)
    assert fingerprint() == before


def test_undo_takes_the_new_armature_away() -> None:
    target = add_target()
    select(target)
    before = fingerprint()
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.surface_features.rig()
    bpy.ops.ed.undo_push(message="Rig")
    bpy.ops.ed.undo()
    assert fingerprint() == before
