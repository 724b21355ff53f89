# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Keypoints: empties on the targets, named, with confidence."""

from __future__ import annotations

import bpy
import numpy as np

from .scenes import add_source, add_target, failure, fingerprint, hero, select, stout


def transfer(**options: object) -> set[str]:
    return bpy.ops.surface_features.transfer_keypoints(**options)


def add_empty(name, place, parent=None):
    empty = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location = place
    empty.parent = parent
    return empty


def joint(character, name, end=0):
    return character.bones[character.joints.index(name), end]


def test_empties_arrive_with_name_and_confidence() -> None:
    source, target = add_source(), add_target()
    head = add_empty("Skull", joint(hero(), "head", 1), source)
    add_empty("Sole", joint(hero(), "foot.L"), source)
    add_empty("Elsewhere", (50, 0, 0))
    select(source, target)
    assert transfer() == {"FINISHED"}
    made = {child["keypoint"]: child for child in target.children}
    assert set(made) == {"Skull", "Sole"}
    assert made["Skull"].name == "Stout Skull"
    assert 0 <= made["Skull"]["confidence"] <= 1
    bpy.context.view_layer.update()
    size = float(np.ptp(stout().vertices[:, 2]))
    for name, bone, end in (("Skull", "head", 1), ("Sole", "foot.L", 0)):
        off = np.linalg.norm(np.array(made[name].matrix_world.translation) - joint(stout(), bone, end))
        assert off < 0.15 * size, (name, off)
    assert head.parent == source


def test_empties_at_the_surface_need_no_parent_and_a_second_run_adds_or_moves() -> None:
    source, target = add_source(), add_target("Twin", hero())
    place = hero().vertices[10]
    add_empty("Spot", place)
    add_empty("Elsewhere", (50, 0, 0))
    select(source, target)
    transfer()
    bpy.context.view_layer.update()
    (spot,) = target.children
    np.testing.assert_allclose(spot.matrix_world.translation, place, atol=1e-3)
    transfer()
    assert sorted(child.name for child in target.children) == ["Twin Spot", "Twin Spot.001"]
    transfer(replace=True)
    assert len(target.children) == 2


def test_selected_vertices() -> None:
    source, target = add_source(), add_target("Twin", hero())
    for vertex in source.data.vertices:
        vertex.select = vertex.index in (3, 40)
    target.location.x = 3
    select(source, target)
    transfer(vertices=True)
    bpy.context.view_layer.update()
    made = {child["keypoint"]: np.array(child.matrix_world.translation) for child in target.children}
    assert set(made) == {"Vertex 3", "Vertex 40"}
    np.testing.assert_allclose(made["Vertex 40"], hero().vertices[40] + (3, 0, 0), atol=1e-3)


def test_nothing_to_transfer_is_one_sentence_and_no_change() -> None:
    source, target = add_source(), add_target()
    for vertex in source.data.vertices:
        vertex.select = False
    select(source, target)
    before = fingerprint()
    assert "empties" in failure(transfer)
    assert "no vertex is selected" in failure(transfer, vertices=True)
    assert fingerprint() == before


def test_undo_takes_the_empties_back() -> None:
    source, target = add_source(), add_target()
    add_empty("Spot", hero().vertices[10], source)
    select(source, target)
    bpy.ops.ed.undo_push(message="Before")
    before = fingerprint()
    transfer()
    bpy.ops.ed.undo_push(message="Transfer Keypoints")
    bpy.ops.ed.undo()
    assert fingerprint() == before
