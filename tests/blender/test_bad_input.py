# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is selected: the right result or one clear sentence, and never a half-written object."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from .scenes import add_mesh, add_source, add_target, failure, fingerprint, hero, select, stout, weights_of

JOINTS = hero().joints
TRIANGLE = np.array([(0, 0, 0), (1, 0, 0), (0, 0, 1)], float)


def transfer(**options: object) -> set[str]:
    return bpy.ops.surface_features.transfer_weights(**options)


def assert_refused(*words: str, operator=transfer) -> None:
    """It fails with these words, and nothing has changed."""
    before = fingerprint()
    message = failure(operator)
    for word in words:
        assert word in message, message
    assert fingerprint() == before


def assert_skinned(target, armature: str = "Hero Rig") -> None:
    sums = weights_of(target, JOINTS).sum(axis=1)
    np.testing.assert_allclose(sums, 1.0, atol=1e-3)
    assert [modifier.object.name for modifier in target.modifiers if modifier.type == "ARMATURE"] == [armature]


@pytest.mark.parametrize("operator", ["transfer_weights", "rig"])
def test_nothing_active(operator: str) -> None:
    select(None)
    assert_refused("not a mesh", operator=getattr(bpy.ops.surface_features, operator))


@pytest.mark.parametrize("operator", ["check", "compute_features", "show_features"])
def test_nothing_selected(operator: str) -> None:
    assert_refused("No mesh is selected", operator=getattr(bpy.ops.surface_features, operator))


def test_only_the_source_is_selected() -> None:
    select(add_source())
    assert_refused("Hero", "only the source")


def test_source_and_its_armature_are_selected() -> None:
    source = add_source()
    select(source, source.modifiers["Armature"].object)
    assert_refused("Hero", "only the source")


def test_source_without_armature() -> None:
    select(add_target("Statue", hero()), add_target())
    assert_refused("Statue", "no armature")


def test_source_without_weights() -> None:
    source = add_source()
    source.vertex_groups.clear()
    select(source, add_target())
    assert_refused("Hero", "no vertex has a weight")


def test_bones_that_do_not_deform_give_no_weights() -> None:
    source, target = add_source(), add_target()
    source.modifiers["Armature"].object.data.bones[JOINTS[0]].use_deform = False
    select(source, target)
    transfer()
    assert JOINTS[0] not in target.vertex_groups


def test_groups_without_bones_stay_where_they_are() -> None:
    source, target = add_source(), add_target()
    source.vertex_groups.new(name="Cloth Pin").add([0, 1, 2], 1.0, "REPLACE")
    select(source, target)
    transfer()
    assert_skinned(target)
    assert "Cloth Pin" not in target.vertex_groups


def test_a_bone_without_a_group_moves_nothing() -> None:
    source, target = add_source(), add_target()
    source.vertex_groups.remove(source.vertex_groups["head"])
    select(source, target)
    transfer()
    assert_skinned(target)
    assert weights_of(target, ["head"]).max() == 0


def test_a_second_armature_is_told_of(capfd) -> None:
    source, target = add_source(), add_target()
    face = add_source("Face").modifiers["Armature"].object
    face.data.bones["head"].name = "jaw"
    source.vertex_groups.new(name="jaw").add([0], 0.5, "REPLACE")
    source.modifiers.new("Second", "ARMATURE").object = face
    select(source, target)
    transfer()
    assert_skinned(target)
    assert "Hero: Face Rig deforms it too. Only bones of Hero Rig are given to targets." in capfd.readouterr().out


def test_an_armature_the_source_has_no_groups_for_is_passed_over() -> None:
    source, target = add_source(), add_target()
    helper = bpy.data.objects.new("Helper", bpy.data.armatures.new("Helper"))
    bpy.context.scene.collection.objects.link(helper)
    source.modifiers.new("First", "ARMATURE").object = helper
    source.modifiers.move(1, 0)
    select(source, target)
    transfer()
    assert_skinned(target)


def test_a_posed_source_is_read_at_rest() -> None:
    source, target = add_source(), add_target("Twin", hero())
    bones = source.modifiers["Armature"].object.pose.bones
    for name in ("upperarm.L", "thigh.R"):
        bones[name].rotation_mode = "XYZ"
        bones[name].rotation_euler = (1.0, 0.0, 1.0)
    select(source, target)
    transfer()
    assert np.abs(weights_of(target, JOINTS) - hero().weights).sum(axis=1).mean() < 0.01
    assert tuple(bones["thigh.R"].rotation_euler) == (1.0, 0.0, 1.0)


def test_one_bone_moves_everything(capfd) -> None:
    source, target = add_source(), add_target()
    for group in list(source.vertex_groups)[1:]:
        source.vertex_groups.remove(group)
    source.vertex_groups[0].add(range(len(source.data.vertices)), 1.0, "REPLACE")
    select(source, target)
    transfer()
    assert_skinned(target)
    told = capfd.readouterr().out
    assert "weights of 1 bone from Hero" in told
    assert "Look at the worst vertices" not in told


def test_five_hundred_bones() -> None:
    character = hero()
    rng = np.random.default_rng(0)
    places = character.vertices[rng.choice(len(character.vertices), 500, replace=False)]
    nearest = np.linalg.norm(character.vertices[:, None] - places[None], axis=2).argmin(axis=1)
    names = tuple(f"bone {number}" for number in range(500))
    bones = places[:, None] + [[0, 0, 0], [0, 0, 0.02]]
    many = replace(
        character, joints=names, bones=bones, parents=np.arange(-1, 499), weights=np.eye(500, dtype=np.float32)[nearest]
    )
    source, target = add_source("Many", many), add_target()
    select(source, target)
    transfer()
    weights = weights_of(target, names)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-3)
    assert (weights.max(axis=0) > 0).sum() > 450


def test_faces_without_area_are_bound_too() -> None:
    character = stout()
    count = len(character.vertices)
    point = np.repeat(character.vertices[:1] - [0, 0.3, 0], 3, axis=0)
    line = character.vertices[:1] - [[0, 0.4, 0], [0, 0.5, 0], [0, 0.6, 0]]
    faces = np.concatenate([character.faces, [[count, count + 1, count + 2], [count + 3, count + 4, count + 5]]])
    target = add_mesh("Islands", np.concatenate([character.vertices, point, line]), faces)
    select(add_source(), target)
    transfer()
    assert_skinned(target)


def test_target_that_is_no_mesh() -> None:
    source = add_source()
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    bpy.context.scene.collection.objects.link(lamp)
    select(source, lamp)
    assert_refused("Lamp", "not a mesh")
    target = add_target()
    select(source, lamp, target)
    assert transfer() == {"FINISHED"}
    assert_skinned(target)


def test_target_without_vertices() -> None:
    select(add_source(), add_mesh("Nothing", np.zeros((0, 3)), []))
    assert_refused("Nothing")


def test_target_without_faces() -> None:
    select(add_source(), add_mesh("Dots", TRIANGLE, []))
    assert_refused("Dots")


def test_target_with_a_vertex_that_is_not_a_number() -> None:
    target = add_target("Broken")
    target.data.vertices[5].co.x = float("nan")
    select(add_source(), target)
    before = [tuple(vertex.co)[1:] for vertex in target.data.vertices]
    try:
        assert transfer() == {"FINISHED"}
    except RuntimeError as error:
        assert "Broken" in str(error)
        assert "\n" not in str(error).strip()
        assert not target.vertex_groups
        assert not target.modifiers
    else:
        assert_skinned(target)
    assert [tuple(vertex.co)[1:] for vertex in target.data.vertices] == before


def test_one_triangle() -> None:
    target = add_mesh("Triangle", TRIANGLE, [(0, 1, 2)])
    select(add_source(), target)
    before = fingerprint()
    try:
        transfer()
    except RuntimeError as error:
        assert "Triangle" in str(error)
        assert fingerprint() == before
    else:
        assert_skinned(target)


def test_two_halves_that_do_not_touch() -> None:
    character = stout()
    above = character.vertices[:, 2] > np.median(character.vertices[:, 2])
    side = above[character.faces]
    whole = side.all(axis=1) | ~side.any(axis=1)
    vertices = character.vertices + np.where(above, 0.05, 0.0)[:, None] * np.array([0, 0, 1.0])
    target = add_mesh("Halves", vertices, character.faces[whole])
    select(add_source(), target)
    transfer()
    assert_skinned(target)


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_extreme_sizes(scale: float) -> None:
    target = add_mesh("Extreme", stout().vertices.astype(float) * scale, stout().faces)
    select(add_source(), target)
    transfer()
    assert_skinned(target)


@pytest.mark.parametrize("scale", [(1.0, 1.4, 0.7), (-1.0, 1.0, 1.0)])
def test_unapplied_scale(scale: tuple[float, float, float]) -> None:
    target = add_target()
    target.scale = scale
    select(add_source(), target)
    transfer()
    assert_skinned(target)


def test_object_scaled_to_nothing() -> None:
    target = add_target("Flat")
    target.scale = (0, 0, 0)
    select(add_source(), target)
    assert_refused("Flat")


def test_linked_target(tmp_path) -> None:
    path = tmp_path / "library.blend"
    linked = add_target("Linked")
    bpy.data.libraries.write(str(path), {linked})
    bpy.data.objects.remove(linked)
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = ["Linked"]
    target = wanted.objects[0]
    bpy.context.scene.collection.objects.link(target)
    source = add_source()
    select(source, target)
    assert_refused("Linked", "Make it local")
    assert_refused("Linked", "Make it local", operator=bpy.ops.surface_features.rig)
    select(target)
    assert_refused("Linked", "Make it local", operator=bpy.ops.surface_features.show_features)


def test_linked_source_is_only_read(tmp_path) -> None:
    path = tmp_path / "library.blend"
    source = add_source()
    bpy.data.libraries.write(str(path), {source})
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = ["Hero", "Hero Rig"]
    for obj in wanted.objects:
        bpy.context.scene.collection.objects.link(obj)
    target = add_target()
    select(wanted.objects[0], target)
    transfer()
    assert_skinned(target)


def test_target_with_shape_keys_and_modifiers() -> None:
    target = add_target()
    target.shape_key_add(name="Basis")
    smile = target.shape_key_add(name="Smile")
    smile.data[3].co.z += 0.1
    smile.value = 1.0
    target.modifiers.new("Subdivision", "SUBSURF")
    keys = [[tuple(point.co) for point in key.data] for key in target.data.shape_keys.key_blocks]
    select(add_source(), target)
    transfer()
    assert_skinned(target)
    assert [[tuple(point.co) for point in key.data] for key in target.data.shape_keys.key_blocks] == keys


@pytest.mark.parametrize("edited", ["source", "both"])
def test_edit_mode_is_left_for_writing_and_entered_again(edited: str) -> None:
    source, target = add_source(), add_target()
    editing = {"source": [source], "both": [source, target]}[edited]
    select(editing[0], *editing[1:])
    bpy.ops.object.mode_set(mode="EDIT")
    for obj in (source, target):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = source
    transfer()
    assert_skinned_in_any_mode(target)
    assert [obj.mode for obj in (source, target)] == [
        "EDIT" if obj in editing else "OBJECT" for obj in (source, target)
    ]


def assert_skinned_in_any_mode(target) -> None:
    target.update_from_editmode()
    assert_skinned(target)


def test_rig_refuses_locked_groups() -> None:
    target = add_target()
    target.vertex_groups.new(name=JOINTS[1]).lock_weight = True
    select(add_source(), target)
    assert_refused("Stout", JOINTS[1], "Unlock", operator=bpy.ops.surface_features.rig)


def test_target_that_shares_the_sources_mesh() -> None:
    source = add_source()
    twin = bpy.data.objects.new("Twin", source.data)
    bpy.context.scene.collection.objects.link(twin)
    select(source, twin)
    assert_refused("Twin", "shares its mesh")


def test_names_in_any_script_and_of_any_length() -> None:
    source, target = add_source("主人公"), add_target("Ж" * 80)
    rig = source.modifiers["Armature"].object
    new_name = ("骨" * 40)[:20]
    rig.data.bones[JOINTS[2]].name = new_name  # Blender renames the vertex group with it
    long_name = rig.data.bones[JOINTS[3]]
    long_name.name = "b" * 100
    assert len(long_name.name.encode()) <= 63
    select(source, target)
    transfer()
    assert {new_name, long_name.name} <= {group.name for group in target.vertex_groups}
    bpy.ops.surface_features.rig(replace=True)
    assert bpy.ops.surface_features.show_features() == {"FINISHED"}


def test_missing_engine_python_is_one_sentence(preferences, tmp_path) -> None:
    preferences.engine_python = str(tmp_path / "no" / "python")
    select(add_source(), add_target())
    assert_refused("Engine Python")


def test_missing_backbone_is_one_sentence(preferences, tmp_path) -> None:
    preferences.backbone, preferences.backbone_folder = "FOLDER", str(tmp_path / "no-such-model")
    try:
        select(add_source(), add_target())
        assert_refused("no-such-model")
    finally:
        preferences.backbone = "BUNDLED"
