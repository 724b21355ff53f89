# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Motion in Blender: actions on the target, the bone map, and the commands."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest

from examples.blender_scene import add_action, read_deformed
from examples.characters import pose_character, relative_rotations, rest_pose_a, walk_cycle

from .scenes import add_mesh, add_source, failure, hero, select, stout

FRAMES = 8
WALK = [walk_cycle(step / FRAMES) for step in range(FRAMES)]
REST = rest_pose_a(30.0)


@pytest.fixture
def walker():
    obj = add_source()
    add_action(obj.modifiers["Armature"].object, "Walk", WALK)
    return obj


@pytest.fixture
def target():
    return add_source("Stout", stout())


def rig(obj):
    return obj.modifiers["Armature"].object


def walk_error(obj) -> float:
    """Mean distance in heights to the true walk, wherever the whole stands."""
    errors = []
    for frame, pose in enumerate(WALK, 1):
        bpy.context.scene.frame_set(frame)
        wanted = pose_character(stout(), relative_rotations(stout(), pose, REST)).vertices
        gap = read_deformed(obj) - wanted
        errors.append(np.linalg.norm(gap - np.median(gap, axis=0), axis=1).mean() / np.ptp(wanted[:, 2]))
    return float(np.mean(errors))


def curves_of(action) -> list:
    if not hasattr(action, "layers"):
        return list(action.fcurves)
    return [curve for bag in action.layers[0].strips[0].channelbags for curve in bag.fcurves]


def test_a_walk_becomes_an_action(walker, target) -> None:
    select(walker, target)
    bpy.context.scene.frame_set(3)
    assert bpy.ops.surface_features.transfer_motion() == {"FINISHED"}
    action = rig(target).animation_data.action
    assert action.name == "Walk Stout Rig"
    assert tuple(action.frame_range) == (1, FRAMES)
    assert bpy.context.scene.frame_current == 3
    assert rig(walker).animation_data.action.name == "Walk"
    table = bpy.context.scene.surface_features.pose.bone_map
    chosen = {row.name: row.source for row in table.rows}
    assert chosen["thigh.L"] == "thigh.L"
    assert chosen["upperarm.R"] == "upperarm.R"
    assert walk_error(target) < 0.04


def test_a_moving_mesh_drives_an_armature(target) -> None:
    source = add_mesh("Hero", hero().vertices, hero().faces)
    source.shape_key_add(name="Basis")
    for frame, pose in enumerate(WALK, 1):
        key = source.shape_key_add(name=f"Step {frame}")
        key.data.foreach_set("co", pose_character(hero(), pose).vertices.ravel())
        for other in (frame - 1, frame, frame + 1):
            key.value = float(other == frame)
            key.keyframe_insert("value", frame=other)
    select(source, target)
    assert bpy.ops.surface_features.transfer_motion(frame_start=1, frame_end=FRAMES) == {"FINISHED"}
    assert walk_error(target) < 0.05


def test_sparse_keys_and_an_action_by_name(walker, target) -> None:
    rig(walker).animation_data.action.use_fake_user = True
    rig(walker).animation_data.action = None
    old = bpy.data.actions.new("Mine")
    rig(target).animation_data_create().action = old
    bpy.context.scene.surface_features.pose.key_step = 3
    select(walker, target)
    assert bpy.ops.surface_features.transfer_motion(action="Walk") == {"FINISHED"}
    assert rig(walker).animation_data.action is None
    assert bpy.data.actions["Mine"].use_fake_user
    counts = {len(curve.keyframe_points) for curve in curves_of(rig(target).animation_data.action)}
    assert max(counts) == 4


def test_bone_map_is_made_edited_saved_and_used(walker, target, tmp_path) -> None:
    table = bpy.context.scene.surface_features.pose.bone_map
    select(walker, target)
    assert bpy.ops.surface_features.make_bone_map() == {"FINISHED"}
    for row in table.rows:
        if row.name == "head":
            row.source = "hand.L"
    path = str(tmp_path / "map.json")
    bpy.ops.surface_features.save_bone_map(filepath=path)
    bpy.ops.surface_features.clear_bone_map()
    assert len(table.rows) == 0
    bpy.ops.surface_features.load_bone_map(filepath=path)
    assert table.rows["head"].source == "hand.L"
    assert bpy.ops.surface_features.transfer_motion() == {"FINISHED"}
    assert table.rows["head"].source == "hand.L"
    table.rows["head"].source = "Nobody"
    assert "Nobody" in failure(bpy.ops.surface_features.transfer_motion)
    (tmp_path / "bad.json").write_text("{}")
    assert "bad.json" in failure(bpy.ops.surface_features.load_bone_map, filepath=str(tmp_path / "bad.json"))


def still(walker, target) -> None:
    rig(walker).animation_data.action = None


def backwards(walker, target) -> dict:
    return {"frame_start": 9, "frame_end": 2}


def no_action(walker, target) -> dict:
    return {"action": "Dance"}


def no_rig(walker, target) -> None:
    target.modifiers.clear()


@pytest.mark.parametrize(
    ("spoil", "word"),
    [(still, "does not move"), (backwards, "no clip"), (no_action, "Dance"), (no_rig, "Rig it first")],
)
def test_bad_input_is_told_and_leaves_no_action(walker, target, spoil, word) -> None:
    options = spoil(walker, target) or {}
    select(walker, target)
    before = len(bpy.data.actions)
    assert word in failure(bpy.ops.surface_features.transfer_motion, **options)
    assert len(bpy.data.actions) == before
    assert rig(walker).data.pose_position == "POSE"


def test_commands_save_poses_and_motions(walker, target, tmp_path, extension) -> None:
    main = extension("operators.command").main
    file, out = tmp_path / "scene.blend", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    names = ["--source", "Hero", "--target", "Stout", "--out", str(out), "--views", "8"]
    report = tmp_path / "told.json"
    assert main(["motion", str(file), *names, "--frames", "2", "5", "--smoothing", "1", "--report", str(report)]) == 0
    (told,) = json.loads(report.read_text())
    assert (told["source"], told["target"], told["kind"], told["frames"]) == ("Hero: Walk", "Stout", "motion", 4)
    assert 0 <= told["sliding"] < 1
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert tuple(bpy.data.objects["Stout Rig"].animation_data.action.frame_range) == (2, 5)
    assert main(["pose", str(file), *names, "--frame", "4"]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert bpy.data.objects["Stout Rig"].pose.bones["thigh.L"].rotation_quaternion.angle > 0.1
    assert main(["motion", str(file), *names, "--action", "Dance"]) == 3
