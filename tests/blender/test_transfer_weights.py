# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Weights: the right result, and nothing overwritten that was not given up."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .scenes import add_mesh, add_source, add_target, failure, fingerprint, hero, select, stout, weights_of

JOINTS = hero().joints
# The benchmarks measure how good transfers are; mixed-up rows or columns end up at about 0.08 (26 bones).
LEAST_RIGHT = 0.6


def transfer(**options: object) -> set[str]:
    return bpy.ops.surface_features.transfer_weights(**options)


def share_of_right_bones(obj, character) -> float:
    weights = weights_of(obj, character.joints)
    return float((weights.argmax(axis=1) == character.weights.argmax(axis=1)).mean())


def test_target_is_skinned_like_the_source() -> None:
    source, target = add_source(), add_target()
    before = [tuple(vertex.co) for vertex in target.data.vertices]
    select(source, target)
    assert transfer() == {"FINISHED"}
    weights = weights_of(target, JOINTS)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-3)
    assert (weights > 0).sum(axis=1).max() <= 4
    assert share_of_right_bones(target, stout()) > LEAST_RIGHT
    modifiers = [modifier for modifier in target.modifiers if modifier.type == "ARMATURE"]
    assert [modifier.object.name for modifier in modifiers] == ["Hero Rig"]
    assert target.parent is None
    assert [tuple(vertex.co) for vertex in target.data.vertices] == before
    assert bpy.context.view_layer.objects.active == source


def test_vertices_in_another_order_get_their_own_weights() -> None:
    character = hero()
    order = np.random.default_rng(0).permutation(len(character.vertices))
    place = np.argsort(order)
    source, target = add_source(), add_mesh("Shuffled", character.vertices[order], place[character.faces])
    select(source, target)
    transfer()
    difference = np.abs(weights_of(target, JOINTS) - character.weights[order]).sum(axis=1)
    assert (difference < 0.1).mean() > 0.95


def test_target_bends_with_the_sources_armature() -> None:
    source, target = add_source(), add_target("Twin", hero())
    select(source, target)
    transfer()
    arm = source.modifiers["Armature"].object.pose.bones["upperarm.L"]
    arm.rotation_mode = "XYZ"
    arm.rotation_euler = (0, 0, 1.0)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    shapes = [np.array([v.co for v in obj.evaluated_get(depsgraph).data.vertices]) for obj in (source, target)]
    moved = np.linalg.norm(shapes[0] - hero().vertices, axis=1).max()
    assert moved > 0.1
    assert np.linalg.norm(shapes[1] - shapes[0], axis=1).mean() < 0.1 * moved


def test_several_targets_at_once() -> None:
    source, first, second = add_source(), add_target("First"), add_target("Second", hero())
    select(source, first, second)
    assert transfer() == {"FINISHED"}
    for target in (first, second):
        assert weights_of(target, JOINTS).sum(axis=1) == pytest.approx(1.0, abs=1e-3)


def test_undo_takes_everything_back_and_redo_brings_it_again() -> None:
    source, target = add_source(), add_target()
    select(source, target)
    before = fingerprint()
    bpy.ops.ed.undo_push(message="Before")
    transfer()
    bpy.ops.ed.undo_push(message="Transfer Weights")
    after = fingerprint()
    assert after != before
    bpy.ops.ed.undo()
    assert fingerprint() == before
    bpy.ops.ed.redo()
    assert fingerprint() == after


def test_existing_weights_are_kept_unless_replace_is_ticked() -> None:
    source, target = add_source(), add_target()
    count = len(target.data.vertices)
    target.vertex_groups.new(name=JOINTS[0]).add(range(count), 1.0, "REPLACE")
    target.vertex_groups.new(name="Hat").add([0, 1], 0.25, "REPLACE")
    select(source, target)
    before = fingerprint()
    assert "Replace Existing" in failure(transfer)
    assert fingerprint() == before
    transfer(replace=True)
    assert weights_of(target, JOINTS).sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert weights_of(target, [JOINTS[0]]).min() == 0
    assert weights_of(target, ["Hat"])[:3, 0].tolist() == [0.25, 0.25, 0]


def test_empty_groups_of_the_bones_are_filled_without_asking() -> None:
    source, target = add_source(), add_target()
    for joint in JOINTS:
        target.vertex_groups.new(name=joint)
    select(source, target)
    transfer()
    assert [group.name for group in target.vertex_groups] == list(JOINTS)


def test_replace_of_the_scene_is_used_too() -> None:
    source, target = add_source(), add_target()
    target.vertex_groups.new(name=JOINTS[0]).add([0], 1.0, "REPLACE")
    bpy.context.scene.surface_features.replace = True
    select(source, target)
    assert transfer() == {"FINISHED"}


def test_another_armature_is_kept_unless_replace_is_ticked() -> None:
    source, target = add_source(), add_target()
    other = add_source("Other").modifiers["Armature"].object
    target.modifiers.new("Armature", "ARMATURE").object = other
    select(source, target)
    assert "Other Rig" in failure(transfer)
    transfer(replace=True)
    assert [modifier.object.name for modifier in target.modifiers] == ["Hero Rig"]


def test_armature_goes_between_mirror_and_subdivision() -> None:
    source, target = add_source(), add_target()
    target.modifiers.new("Mirror", "MIRROR").show_viewport = False
    target.modifiers.new("Subdivision", "SUBSURF")
    select(source, target)
    transfer()
    assert [modifier.type for modifier in target.modifiers] == ["MIRROR", "ARMATURE", "SUBSURF"]


def test_half_a_character_with_a_mirror_is_seen_whole() -> None:
    source, character = add_source(), stout()
    kept = character.vertices[:, 0] >= -1e-6
    index = np.cumsum(kept) - 1
    faces = index[character.faces[kept[character.faces].all(axis=1)]]
    target = add_mesh("Half", character.vertices[kept], faces)
    target.modifiers.new("Mirror", "MIRROR")
    select(source, target)
    transfer()
    weights = weights_of(target, JOINTS)
    right = (weights.argmax(axis=1) == character.weights[kept].argmax(axis=1)).mean()
    assert right > LEAST_RIGHT


def test_objects_that_share_a_mesh_are_all_bound() -> None:
    source, first = add_source(), add_target()
    second = first.copy()
    second.name = "Sharing"
    bpy.context.scene.collection.objects.link(second)
    select(source, first, second)
    transfer()
    assert first.data == second.data
    assert [obj.modifiers[0].object.name for obj in (first, second)] == ["Hero Rig"] * 2


def test_far_target_is_told_to_use_rig(capfd) -> None:
    source, target = add_source(), add_target()
    target.location.x = 3.0
    select(source, target)
    assert transfer() == {"FINISHED"}
    assert "Use Rig" in capfd.readouterr().out


def test_near_target_is_not_warned(capfd) -> None:
    source, target = add_source(), add_target("Twin", hero())
    select(source, target)
    transfer()
    assert "Use Rig" not in capfd.readouterr().out


def test_unapplied_scale_gives_the_same_weights() -> None:
    source = add_source()
    plain, scaled = add_target("Plain"), add_target("Scaled")
    scaled.data.transform(scaled.matrix_world.Scale(1 / 100, 4))
    scaled.scale = (100, 100, 100)
    select(source, plain, scaled)
    transfer()
    difference = np.abs(weights_of(plain, JOINTS) - weights_of(scaled, JOINTS)).sum(axis=1)
    assert difference.mean() < 0.05
