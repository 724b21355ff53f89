# SPDX-License-Identifier: GPL-3.0-or-later
"""Segment Parts: by itself, by example, by a model; attribute, colours, groups, materials."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .scenes import add_source, add_target, failure, fingerprint, hero, select, stout

PARTS = ("head", "upperarm", "lowerarm", "hand", "thigh", "shin", "calf", "foot")


def segment(**options: object) -> set[str]:
    return bpy.ops.surface_features.segment_parts(**options)


def region_of(character):
    """(F,) 0 head, 1 arms and hands, 2 legs, 3 the rest, by the strongest joint."""
    regions = []
    for joint in character.joints:
        name = joint.lower()
        arm = any(word in name for word in ("arm", "hand", "mitten", "thumb", "finger"))
        leg = any(word in name for word in ("thigh", "shin", "calf", "foot", "toe", "leg"))
        regions.append(0 if "head" in name else 1 if arm else 2 if leg else 3)
    strongest = character.weights[character.faces].sum(axis=1).argmax(axis=1)
    return np.array(regions)[strongest]


def read(obj, name="Parts"):
    return np.array([value.value for value in obj.data.attributes[name].data])


def settings():
    return bpy.context.scene.surface_features.parts


@pytest.fixture
def pair():
    source, target = add_source(), add_target()
    select(source, target)
    return source, target


def label(obj, values, name="Parts"):
    obj.data.attributes.new(name, "INT", "FACE").data.foreach_set("value", values.astype(np.int32))


def test_others_follow_an_attribute(pair) -> None:
    source, target = pair
    label(source, region_of(hero()) * 10)
    settings().labels = "ATTRIBUTE"
    settings().outputs = {"ATTRIBUTE", "COLOURS", "GROUPS"}
    assert segment(method="EXAMPLES") == {"FINISHED"}
    assert set(np.unique(read(target))) <= {0, 10, 20, 30}
    assert (read(target) == region_of(stout()) * 10).mean() > 0.8
    assert "Part Colors" in target.data.color_attributes
    assert {group.name for group in target.vertex_groups} == {"Part 0", "Part 10", "Part 20", "Part 30"}
    assert len(source.vertex_groups) == len(hero().joints)


def test_others_follow_materials_and_get_them(pair) -> None:
    source, target = pair
    for name in ("Head", "Arms", "Legs", "Body"):
        source.data.materials.append(bpy.data.materials.new(name))
    source.data.polygons.foreach_set("material_index", region_of(hero()).astype(np.int32))
    settings().outputs = {"MATERIALS"}
    segment(method="EXAMPLES")
    assert [slot.material.name for slot in target.material_slots] == ["Head", "Arms", "Legs", "Body"]
    assert len(bpy.data.materials) == 4
    before = fingerprint()
    assert "already has materials" in failure(segment, method="EXAMPLES")
    assert fingerprint() == before


def test_selected_faces_are_found_on_others(pair) -> None:
    source, target = pair
    settings().labels = "SELECTION"
    source.data.polygons.foreach_set("select", region_of(hero()) == 0)
    segment(method="EXAMPLES")
    assert ((read(target) == 1) == (region_of(stout()) == 0)).mean() > 0.9


def test_parts_found_without_help_are_numbered_alike_and_kept(pair) -> None:
    source, target = pair
    settings().count = 5
    segment(method="CLUSTERS")
    first = read(target)
    assert len(np.unique(np.concatenate([read(source), first]))) == 5
    segment(method="CLUSTERS")
    np.testing.assert_array_equal(read(target, "Parts.001"), first)
    segment(method="CLUSTERS", replace=True)
    assert "Parts.002" not in target.data.attributes


def test_a_model_is_trained_saved_and_used(pair, tmp_path) -> None:
    source, target = pair
    label(source, region_of(hero()))
    settings().labels = "ATTRIBUTE"
    path = tmp_path / "people.parts"
    select(source)
    assert bpy.ops.surface_features.train_parts(path=str(path)) == {"FINISHED"}
    settings().path = str(path)
    select(target)
    segment(method="MODEL")
    assert (read(target) == region_of(stout())).mean() > 0.75


def test_what_cannot_be_done_is_one_sentence(pair) -> None:
    source, _ = pair
    before = fingerprint()
    settings().labels = "ATTRIBUTE"
    assert "no whole-number attribute" in failure(segment, method="EXAMPLES")
    settings().labels = "SELECTION"
    source.data.polygons.foreach_set("select", np.zeros(len(source.data.polygons), bool))
    assert "at least two parts" in failure(segment, method="EXAMPLES")
    assert "no such parts model" in failure(segment, method="MODEL")
    assert "No file is named" in failure(bpy.ops.surface_features.train_parts)
    assert fingerprint() == before
