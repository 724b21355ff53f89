# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Pose in Blender: to bones, to a shape key, and what must stay as it was."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from examples.blender_scene import pose_armature, read_deformed
from examples.characters import pose_character, relative_rotations, rest_pose_a
from examples.skeleton import euler, mirror_rotation

from .scenes import add_mesh, add_source, add_target, failure, fingerprint, hero, select, stout

ARMS_DOWN = {
    "upperarm.L": euler(0, 60, 0), "upperarm.R": mirror_rotation(euler(0, 60, 0)),
    "thigh.L": euler(-40, 0, 0), "calf.L": euler(40, 0, 0),
}  # fmt: skip
REST = rest_pose_a(30.0)


@pytest.fixture
def source():
    obj = add_source()
    pose_armature(obj.modifiers["Armature"].object, ARMS_DOWN)
    return obj


def truth() -> np.ndarray:
    """The stout character, whose arms rest lowered, standing as the hero does."""
    return pose_character(stout(), relative_rotations(stout(), ARMS_DOWN, REST)).vertices


def off(obj, wanted: np.ndarray) -> float:
    """Mean distance in heights, wherever the whole stands."""
    bpy.context.view_layer.update()
    gap = read_deformed(obj) - wanted
    return float(np.linalg.norm(gap - np.median(gap, axis=0), axis=1).mean() / np.ptp(wanted[:, 2]))


def test_pose_becomes_a_shape_key(source) -> None:
    target = add_target()
    source.modifiers.new("Smooth", "SUBSURF")
    select(source, target)
    before = np.array([vertex.co for vertex in target.data.vertices])
    matrices = [bone.matrix.copy() for bone in source.modifiers["Armature"].object.pose.bones]
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    assert source.modifiers["Smooth"].show_viewport
    for bone, matrix in zip(source.modifiers["Armature"].object.pose.bones, matrices, strict=True):
        np.testing.assert_allclose(bone.matrix, matrix, atol=1e-6)
    assert [key.name for key in target.data.shape_keys.key_blocks] == ["Basis", "Pose Hero"]
    np.testing.assert_allclose([point.co for point in target.data.shape_keys.key_blocks[0].data], before, atol=1e-6)
    assert off(target, truth()) < 0.5 * off_unposed(truth())


def off_unposed(wanted: np.ndarray) -> float:
    gap = stout().vertices - wanted
    return float(np.linalg.norm(gap - np.median(gap, axis=0), axis=1).mean() / np.ptp(wanted[:, 2]))


def test_pose_becomes_bone_rotations_keyed_by_auto_key(source) -> None:
    target = add_source("Stout", stout())
    select(source, target)
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    rig = target.modifiers["Armature"].object
    assert rig.animation_data.action is not None
    assert off(target, truth()) < 0.5 * off_unposed(truth())
    for bone in rig.pose.bones:
        np.testing.assert_allclose(bone.scale, 1)


def test_a_standing_mesh_gives_its_stance() -> None:
    scan = pose_character(hero(), ARMS_DOWN)
    source, target = add_mesh("Scan", scan.vertices, scan.faces), add_source("Stout", stout())
    select(source, target)
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    assert off(target, truth()) < 0.6 * off_unposed(truth())


def test_shape_keys_of_the_source_are_a_pose() -> None:
    source, target = add_mesh("Hero", hero().vertices, hero().faces), add_target()
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="Down")
    key.data.foreach_set("co", pose_character(hero(), ARMS_DOWN).vertices.ravel())
    key.value = 1.0
    select(source, target)
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    assert off(target, truth()) < 0.5 * off_unposed(truth())
    assert source.data.shape_keys.key_blocks["Down"].value == 1.0


def test_the_report_is_kept_with_pictures_until_the_next(source, extension, tmp_path) -> None:
    extension("bridge.pose_report").keep_reports([], [])
    save = bpy.ops.surface_features.save_pose_report
    assert "run Transfer Pose" in failure(save, filepath=str(tmp_path / "pose.html"))
    target, bare = add_source("Stout", stout()), add_target("Bare")
    select(source, target, bare)
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    for name in ("pose.html", "pose.json"):
        assert save(filepath=str(tmp_path / name)) == {"FINISHED"}
    told = {row["target"]: row for row in json.loads((tmp_path / "pose.json").read_text())}
    assert {name: row["kind"] for name, row in told.items()} == {"Stout": "pose", "Bare": "shape key"}
    assert 0 < told["Stout"]["fit_error"] < 0.1
    assert "fit_error" not in told["Bare"]
    page = (tmp_path / "pose.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "Hero → Stout" in page
    (tmp_path / "file").write_text("")
    assert "cannot be written" in failure(save, filepath=str(tmp_path / "file" / "pose.html"))


def test_undo_takes_the_shape_key_away(source) -> None:
    target = add_target()
    select(source, target)
    before = fingerprint()
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.surface_features.transfer_pose()
    bpy.ops.ed.undo_push(message="Pose")
    bpy.ops.ed.undo()
    assert fingerprint() == before


def no_target(source, _target) -> None:
    select(source)


def no_deforming_bones(source, target) -> None:
    for bone in target.modifiers["Armature"].object.data.bones:
        bone.use_deform = False


def control_rig(source, target) -> None:
    for bone in target.modifiers["Armature"].object.pose.bones:
        bone.constraints.new("COPY_ROTATION").target = source


def mirrored(source, target) -> None:
    source.modifiers.new("Mirror", "MIRROR")


def chair(source, target) -> None:
    box = np.array([(x, y, z) for x in (0, 0.4) for y in (0, 0.5) for z in (0, 0.3)])
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    select(source, add_mesh("Crate", box, faces))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (no_target, "only the source"), (no_deforming_bones, "none of its bones"), (control_rig, "Mute Constraints"),
        (mirrored, "Mirror"), (chair, "Do It Anyway"),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_changes_nothing(source, spoil, word) -> None:
    target = add_source("Stout", stout())
    select(source, target)
    spoil(source, target)
    before = fingerprint()
    assert word in failure(bpy.ops.surface_features.transfer_pose)
    assert fingerprint() == before


def test_held_bones_are_kept_and_told(source, capfd) -> None:
    target = add_source("Stout", stout())
    rig = target.modifiers["Armature"].object
    rig.pose.bones["upperarm.L"].lock_rotation = (True, True, True)
    rig.pose.bones["thigh.L"].driver_add("rotation_quaternion", 1)
    rig.pose.bones["calf.R"].constraints.new("IK").chain_count = 2
    select(source, target)
    bpy.ops.surface_features.transfer_pose()
    told = capfd.readouterr().out
    assert rig.animation_data.action is None
    assert "locked channels" in told
    assert "kept as constraints place them" in told
    assert "drivers" in told
    np.testing.assert_allclose(rig.pose.bones["upperarm.L"].rotation_quaternion, (1, 0, 0, 0), atol=1e-6)
    assert not rig.pose.bones["calf.R"].constraints[0].mute
    bpy.ops.surface_features.transfer_pose(mute_constraints=True)
    assert rig.pose.bones["calf.R"].constraints[0].mute


def test_a_turned_target_is_posed_in_its_own_axes(source) -> None:
    target = add_target()
    target.data.transform(Matrix.Rotation(np.radians(-90), 4, "Z"))
    target.rotation_euler.z = np.radians(90)
    select(source, target)
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    assert off(target, truth()) < 0.5 * off_unposed(truth())


def remove_arm(target) -> None:
    """The left arm off, skin and bones: what is left of an old statue."""
    arm = [
        group.index for group in target.vertex_groups if group.name.startswith(("upperarm.L", "lowerarm.L", "hand.L"))
    ]
    lost = [v.index for v in target.data.vertices if max(v.groups, key=lambda g: g.weight).group in arm]
    import bmesh

    mesh = bmesh.new()
    mesh.from_mesh(target.data)
    mesh.verts.ensure_lookup_table()
    bmesh.ops.delete(mesh, geom=[mesh.verts[index] for index in lost], context="VERTS")
    mesh.to_mesh(target.data)
    mesh.free()
    change_bones(target, lambda bones: [bones.remove(bones[n]) for n in ("hand.L", "lowerarm.L", "upperarm.L")])


def add_tail(target) -> None:
    """A limb that the source has not, and a bone as short as Blender lets one be."""
    import bmesh

    def grow(bones) -> None:
        tail = bones.new("tail")
        tail.head, tail.tail, tail.parent = (0, 0.15, 0.9), (0, 0.6, 0.9), bones["pelvis"]
        speck = bones.new("speck")
        speck.head, speck.tail, speck.parent = (0, 0.6, 0.9), (0, 0.6, 0.9 + 1e-5), tail

    change_bones(target, grow)
    count = len(target.data.vertices)
    lying = Matrix.Translation((0, 0.38, 0.9)) @ Matrix.Rotation(np.radians(-90), 4, "X")
    mesh = bmesh.new()
    mesh.from_mesh(target.data)
    bmesh.ops.create_cone(mesh, cap_ends=True, segments=12, radius1=0.04, radius2=0.02, depth=0.5, matrix=lying)
    mesh.to_mesh(target.data)
    mesh.free()
    added = list(range(count, len(target.data.vertices)))
    target.vertex_groups.new(name="tail").add(added, 1.0, "REPLACE")


def change_bones(obj, change) -> None:
    armature = obj.modifiers["Armature"].object
    select(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    change(armature.data.edit_bones)
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("change", [remove_arm, add_tail])
def test_limbs_that_only_one_of_them_has_leave_the_others_right(source, change) -> None:
    target = add_source("Stout", stout())
    change(target)
    select(source, target)
    assert bpy.ops.surface_features.transfer_pose() == {"FINISHED"}
    bones = target.modifiers["Armature"].object.pose.bones
    bent = [
        np.degrees(bones[name].matrix_basis.to_quaternion().angle) for name in ("thigh.L", "calf.L", "thigh.R", "head")
    ]
    assert bent[0] == pytest.approx(40, abs=15)
    assert bent[1] == pytest.approx(40, abs=15)
    assert max(bent[2:]) < 15
    if "tail" in bones:
        assert np.degrees(bones["tail"].matrix_basis.to_quaternion().angle) < 20
