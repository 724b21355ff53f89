# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a target may change, pins, skinning models, and what the transfer says of itself."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest

from .scenes import add_source, add_target, failure, fingerprint, hero, select, stout, weights_of

JOINTS = hero().joints


def transfer(**options: object) -> set[str]:
    return bpy.ops.surface_features.transfer_weights(**options)


def settings():
    return bpy.context.scene.surface_features.weights


def test_locked_groups_keep_their_weights_and_sums_are_one() -> None:
    source, target = add_source(), add_target()
    locked = target.vertex_groups.new(name=JOINTS[0])
    locked.add(range(20), 0.25, "REPLACE")
    locked.lock_weight = True
    select(source, target)
    transfer()
    kept = weights_of(target, [JOINTS[0]])[:, 0]
    assert kept[:20] == pytest.approx(0.25)
    assert kept[20:].max() == 0
    np.testing.assert_allclose(weights_of(target, JOINTS).sum(axis=1), 1.0, atol=1e-3)


def test_only_selected_vertices_and_bones_change_and_weights_are_mixed() -> None:
    source, target = add_source(), add_target()
    count = len(target.data.vertices)
    target.vertex_groups.new(name=JOINTS[0]).add(range(count), 1.0, "REPLACE")
    chosen = stout().vertices[:, 2] > 0.8
    target.data.vertices.foreach_set("select", chosen)
    settings().selected_vertices, settings().mix = True, 0.5
    bpy.context.scene.surface_features.replace = True
    select(source, target)
    transfer()
    weights = weights_of(target, JOINTS)
    assert weights[~chosen, 0].min() == 1
    assert weights[chosen, 0].min() == pytest.approx(0.5, abs=0.02)
    settings().selected_bones = True
    assert "Pose Mode" in failure(transfer)


def test_selected_bones_alone_are_written() -> None:
    source, target = add_source(), add_target()
    armature = source.modifiers["Armature"].object
    target.vertex_groups.new(name=JOINTS[0]).add(range(len(target.data.vertices)), 1.0, "REPLACE")
    for bone in armature.pose.bones:
        flagged = bone if hasattr(bone, "select") else bone.bone
        flagged.select = bone.name == "head"
    settings().selected_bones = bpy.context.scene.surface_features.replace = True
    select(source, target)
    transfer()
    assert {group.name for group in target.vertex_groups} == {JOINTS[0], "head"}
    np.testing.assert_allclose(weights_of(target, [JOINTS[0], "head"]).sum(axis=1), 1.0, atol=1e-3)
    assert weights_of(target, ["head"]).max() > 0.9


def test_groups_are_made_for_both_sides() -> None:
    source, target = add_source(), add_target()
    source.vertex_groups.remove(source.vertex_groups["hand.R"])
    select(source, target)
    transfer()
    assert {"hand.L", "hand.R"} <= {group.name for group in target.vertex_groups}


def test_the_whole_character_is_the_source() -> None:
    import bmesh  # only there once bpy is

    source = add_source()
    head = source.vertex_groups["head"].index
    of_head = [any(g.group == head and g.weight > 0.5 for g in vertex.groups) for vertex in source.data.vertices]
    hat = source.copy()
    hat.data = source.data.copy()
    hat.name = "Head"
    bpy.context.collection.objects.link(hat)
    for obj, kept in ((source, False), (hat, True)):
        mesh = bmesh.new()
        mesh.from_mesh(obj.data)
        mesh.verts.ensure_lookup_table()
        gone = [vertex for vertex in mesh.verts if of_head[vertex.index] != kept]
        bmesh.ops.delete(mesh, geom=gone, context="VERTS")
        mesh.to_mesh(obj.data)
        mesh.free()
    source.vertex_groups.remove(source.vertex_groups["head"])
    target = add_target()
    settings().whole_character = True
    select(source, target)
    transfer()
    assert weights_of(target, ["head"]).max() > 0.5


def test_a_pin_is_heeded_and_removed(capfd) -> None:
    source, target = add_source(), add_target("Twin", hero())
    for obj in (source, target):
        flags = np.zeros(len(obj.data.vertices), bool)
        flags[7] = True
        obj.data.vertices.foreach_set("select", flags)
    select(source, target)
    assert bpy.ops.surface_features.pin_points() == {"FINISHED"}
    pins = [obj for obj in bpy.data.objects if obj.type == "EMPTY"]
    bpy.context.view_layer.update()
    assert {pin.parent.name for pin in pins} == {"Hero", "Twin"}
    for pin in pins:
        assert np.allclose(pin.matrix_world.translation, hero().vertices[7], atol=1e-5)
    transfer()
    np.testing.assert_allclose(weights_of(target, JOINTS).sum(axis=1), 1.0, atol=1e-3)
    bpy.ops.surface_features.clear_pins()
    assert not [obj for obj in bpy.data.objects if obj.type == "EMPTY"]


def test_pins_need_one_vertex_of_each_mesh() -> None:
    source, target = add_source(), add_target()
    select(source, target)
    before = fingerprint()
    assert "exactly one" in failure(bpy.ops.surface_features.pin_points)
    assert fingerprint() == before


def test_a_saved_model_skins_without_the_source(tmp_path) -> None:
    source, target = add_source(), add_target()
    armature = source.modifiers["Armature"].object
    settings().skinning_model = str(tmp_path / "hero.safetensors")
    select(source)
    assert bpy.ops.surface_features.save_skinning_model() == {"FINISHED"}
    bpy.data.objects.remove(source)
    select(target, armature)
    assert bpy.ops.surface_features.apply_skinning_model() == {"FINISHED"}
    np.testing.assert_allclose(weights_of(target, JOINTS).sum(axis=1), 1.0, atol=1e-3)
    assert target.modifiers[0].object == armature
    settings().skinning_model = str(tmp_path / "missing.safetensors")
    before = fingerprint()
    assert "missing.safetensors" in failure(bpy.ops.surface_features.apply_skinning_model, replace=True)
    assert fingerprint() == before


def test_the_report_is_kept_and_shows_where_to_look(tmp_path) -> None:
    source, target = add_source(), add_target()
    select(target)
    assert "Run Transfer Weights" in failure(bpy.ops.surface_features.select_worst_vertices)
    select(source, target)
    transfer()
    select(target)
    bpy.ops.surface_features.select_worst_vertices(share=0.1)
    chosen = sum(vertex.select for vertex in target.data.vertices)
    assert chosen == round(0.1 * len(target.data.vertices))
    bpy.ops.surface_features.show_weight_heat()
    assert target.data.color_attributes.active_color.name == "Surface Features"
    for name in ("report.json", "report.html"):
        bpy.ops.surface_features.save_weight_report(filepath=str(tmp_path / name))
    (report,) = json.loads((tmp_path / "report.json").read_text())
    assert (report["target"], report["unweighted"], report["side_violations"]) == ("Stout", 0, 0)
    assert "Stout" in (tmp_path / "report.html").read_text()
    assert "data:image/png;base64," in (tmp_path / "report.html").read_text()
