# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig: a fitted copy of the armature, bound to the target."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Vector

from .scenes import add_source, add_target, failure, fingerprint, hero, select, stout, weights_of

JOINTS = hero().joints


def rig_of(target):
    return next(modifier.object for modifier in target.modifiers if modifier.type == "ARMATURE")


def heads(armature) -> np.ndarray:
    return np.array([armature.matrix_world @ armature.data.bones[joint].head_local for joint in JOINTS])


def test_joints_are_fitted_and_the_source_is_left_alone() -> None:
    source, target = add_source(), add_target()
    target.location = (3, 0, 0)
    source_rig = source.modifiers["Armature"].object
    bones_before = heads(source_rig)
    select(source, target)
    assert bpy.ops.surface_features.rig() == {"FINISHED"}
    rig = rig_of(target)
    assert rig != source_rig
    assert rig.data != source_rig.data
    assert [bone.name for bone in rig.data.bones] == [bone.name for bone in source_rig.data.bones]
    parents = [[bone.parent.name if bone.parent else None for bone in r.data.bones] for r in (rig, source_rig)]
    assert parents[0] == parents[1]
    off = np.linalg.norm(heads(rig) - (stout().bones[:, 0] + [3, 0, 0]), axis=1)
    assert np.median(off) < 0.15  # of 1.5 m, with few views; unfitted they are 3 m away
    np.testing.assert_array_equal(heads(source_rig), bones_before)
    np.testing.assert_allclose(weights_of(target, JOINTS).sum(axis=1), 1.0, atol=1e-3)
    assert bpy.context.view_layer.objects.active == source
    assert bpy.context.mode == "OBJECT"


def test_target_is_parented_without_moving() -> None:
    source, target = add_source(), add_target()
    target.location = (1, 2, 0)
    bpy.context.view_layer.update()
    before = target.matrix_world.copy()
    select(source, target)
    bpy.ops.surface_features.rig()
    bpy.context.view_layer.update()
    assert target.parent == rig_of(target)
    assert np.allclose(target.matrix_world, before, atol=1e-5)


def test_constraints_and_drivers_point_at_the_copy() -> None:
    source, target = add_source(), add_target()
    source_rig = source.modifiers["Armature"].object
    bone = source_rig.pose.bones[JOINTS[5]]
    constraint = bone.constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = source_rig, JOINTS[1]
    variable = bone.driver_add("location", 0).driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id = source_rig
    select(source, target)
    bpy.ops.surface_features.rig()
    rig = rig_of(target)
    copied = rig.pose.bones[JOINTS[5]].constraints[0]
    assert (copied.target, copied.subtarget) == (rig, JOINTS[1])
    assert rig.animation_data.drivers[0].driver.variables[0].targets[0].id == rig
    assert constraint.target == source_rig
    assert variable.targets[0].id == source_rig


def test_connected_bones_stay_connected_and_rolls_are_kept(extension) -> None:
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    armature.scale = (2, 2, 2)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    upper, lower = (armature.data.edit_bones.new(name) for name in ("Upper", "Lower"))
    upper.head, upper.tail, lower.tail = (0, 0, 1), (1, 0, 1), (2, 0, 1)
    lower.parent, lower.use_connect = upper, True
    upper.align_roll(Vector((0, 1, 0)))
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    ends = np.array([[(0, 0, 3), (0, 0, 2)], [(0, 0, 2), (0, 0, 2)]], np.float32)  # turned by 90°; one has no length
    extension("bridge.fitted_armature").place_bones(bpy.context, armature, ["Upper", "Lower"], ends)
    bones = armature.data.bones
    assert bones["Lower"].use_connect
    assert bones["Lower"].length > 0
    np.testing.assert_allclose(armature.matrix_world @ bones["Upper"].head_local, (0, 0, 3), atol=1e-5)
    np.testing.assert_allclose(armature.matrix_world @ bones["Upper"].tail_local, (0, 0, 2), atol=1e-5)
    np.testing.assert_allclose(bones["Upper"].z_axis, (0, 1, 0), atol=1e-5)


def test_undo_takes_the_armature_away() -> None:
    source, target = add_source(), add_target()
    select(source, target)
    before = fingerprint()
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.surface_features.rig()
    bpy.ops.ed.undo_push(message="Rig")
    bpy.ops.ed.undo()
    assert fingerprint() == before


def test_skinned_target_is_kept_unless_replace_is_ticked() -> None:
    source, target = add_source(), add_target()
    select(source, target)
    bpy.ops.surface_features.rig()
    first = rig_of(target)
    before = fingerprint()
    assert "Replace Existing" in failure(bpy.ops.surface_features.rig)
    assert fingerprint() == before
    bpy.ops.surface_features.rig(replace=True)
    assert rig_of(target) != first


@pytest.mark.parametrize("hide", ["collection", "object"])
def test_hidden_source_armature_is_no_obstacle(hide: str) -> None:
    source, target = add_source(), add_target()
    rig = source.modifiers["Armature"].object
    if hide == "object":
        rig.hide_set(True)
        rig.hide_viewport = True
    else:
        hidden = bpy.data.collections.new("Rigs")
        bpy.context.scene.collection.children.link(hidden)
        hidden.objects.link(rig)
        bpy.context.scene.collection.objects.unlink(rig)
        bpy.context.view_layer.layer_collection.children["Rigs"].exclude = True
    select(source, target)
    assert bpy.ops.surface_features.rig() == {"FINISHED"}
    assert rig_of(target).visible_get()


def test_armature_scaled_to_nothing_is_refused() -> None:
    source, target = add_source(), add_target()
    source.modifiers["Armature"].object.scale = (0, 0, 0)
    select(source, target)
    before = fingerprint()
    assert "Hero Rig" in failure(bpy.ops.surface_features.rig)
    assert fingerprint() == before


def test_failure_while_bones_are_placed_leaves_no_armature_behind(extension, monkeypatch) -> None:
    source, target = add_source(), add_target()
    select(source, target)
    before = fingerprint()
    monkeypatch.setattr(extension("bridge.fitted_armature"), "_place_edit_bones", lambda *_: 1 / 0)
    with pytest.raises(
        RuntimeError, match="division by zero"
    ):  # a fault of ours, not the user's: it may be told as one
        bpy.ops.surface_features.rig()
    assert fingerprint() == before
