# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command surface_features`: results in files, and exit codes."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .scenes import add_source, add_target, hero, stout, weights_of


@pytest.fixture
def main(extension):
    return extension("operators.command").main


@pytest.fixture
def file(tmp_path):
    add_source()
    add_target()
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_weights_are_saved_to_another_file(main, file, tmp_path) -> None:
    out = tmp_path / "new" / "out.blend"
    content = file.read_bytes()
    assert main(["weights", str(file), "--source", "Hero", "--target", "Stout", "--out", str(out), "--views", "8"]) == 0
    assert file.read_bytes() == content
    bpy.ops.wm.open_mainfile(filepath=str(out))
    weights = weights_of(bpy.data.objects["Stout"], hero().joints)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-3)


def test_rig_is_saved_to_another_file(main, file, tmp_path) -> None:
    out = tmp_path / "out.blend"
    assert main(["rig", str(file), "--source", "Hero", "--target", "Stout", "--out", str(out), "--views", "8"]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert bpy.data.objects["Stout"].modifiers[0].object.name == "Stout Hero Rig"


def test_rig_without_a_source_makes_a_skeleton(main, file, tmp_path) -> None:
    out = tmp_path / "out.blend"
    options = ["--target", "Stout", "--preset", "human", "--skeleton", "mixamo", "--out", str(out), "--views", "8"]
    assert main(["rig", str(file), *options]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert "mixamorig:Hips" in bpy.data.objects["Stout"].modifiers[0].object.data.bones


def test_features_are_saved_in_the_fixed_format(main, file, tmp_path) -> None:
    out = tmp_path / "features"
    assert main(["compute", str(file), "--out", str(out), "--views", "8"]) == 0
    for name, character in (("Hero", hero()), ("Stout", stout())):
        with np.load(out / f"{name}.npz") as saved:
            assert saved["features"].dtype == saved["confidence"].dtype == np.float32
            assert len(saved["features"]) == len(saved["confidence"]) == len(character.vertices)
            np.testing.assert_allclose(np.linalg.norm(saved["features"], axis=1), 1.0, atol=1e-3)


def test_what_lies_on_a_surface_is_saved_to_another_file(main, file, tmp_path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(file))
    hero_object = bpy.data.objects["Hero"]
    hero_object.shape_key_add(name="Basis")
    key = hero_object.shape_key_add(name="Grow")
    for point in key.data:
        point.co *= 1 + 0.1 * (point.co.z > 1)
    empty = bpy.data.objects.new("Spot", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.parent, empty.location = hero_object, hero().vertices[10]
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    ends = ["--source", "Hero", "--target", "Stout", "--views", "8", "--out"]
    steps = [
        ["keypoints", str(file), *ends, str(tmp_path / "a.blend")],
        ["attributes", str(tmp_path / "a.blend"), "--what", "groups", *ends, str(tmp_path / "b.blend")],
        ["shape-keys", str(tmp_path / "b.blend"), *ends, str(tmp_path / "c.blend")],
        ["parts", str(tmp_path / "c.blend"), "--object", "Stout", "--object", "Hero", "--count", "4", "--views", "8",
         "--out", str(tmp_path / "d.blend")],
        ["train-parts", str(tmp_path / "d.blend"), "--object", "Stout", "--labels", "attribute", "--views", "8",
         "--out", str(tmp_path / "four.parts")],
        ["parts", str(tmp_path / "b.blend"), "--object", "Stout", "--model", str(tmp_path / "four.parts"), "--views",
         "8", "--out", str(tmp_path / "e.blend")],
    ]  # fmt: skip
    for step in steps:
        assert main(step) == 0, step
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "d.blend"))
    target = bpy.data.objects["Stout"]
    assert [child["keypoint"] for child in target.children] == ["Spot"]
    assert {group.name for group in target.vertex_groups} == set(hero().joints)
    assert "Grow" in target.data.shape_keys.key_blocks
    assert "Parts" in target.data.attributes


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["weights", "FILE"], ["weights", "FILE", "--source", "Hero", "--out", "OUT"], ["compute", "FILE"]],
)
def test_bad_usage_is_2(main, arguments, capsys) -> None:
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_help_is_0(main) -> None:
    assert main(["--help"]) == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["weights", "FILE", "--source", "Nobody", "--target", "Stout", "--out", "OUT"], "Nobody"),
        (["weights", "FILE", "--source", "Hero", "--target", "Hero Rig", "--out", "OUT"], "Hero"),
        (["weights", "FILE", "--source", "Stout", "--target", "Hero", "--out", "OUT"], "Stout"),
        (["weights", "FILE", "--source", "Hero", "--target", "Hero", "--out", "OUT"], "Hero"),
        (["rig", "FILE", "--source", "Hero Rig", "--target", "Stout", "--out", "OUT"], "not a mesh"),
        (["rig", "FILE", "--source", "Hero", "--out", "OUT"], "--target"),
        (["rig", "FILE", "--target", "Hero", "--out", "OUT"], "Replace Existing"),
        (["compute", "FILE", "--object", "Hero", "--out", "OUT", "--views", "0"], "--views"),
        (["compute", "missing.blend", "--out", "OUT"], "missing.blend"),
    ],
)
def test_bad_input_is_3_and_one_line(main, file, tmp_path, capsys, arguments, word) -> None:
    places = {"FILE": str(file), "OUT": str(tmp_path / "out")}
    assert main([places.get(argument, argument) for argument in arguments]) == 3
    told = capsys.readouterr().err.strip()
    assert word in told
    assert "\n" not in told
    assert not (tmp_path / "out").exists()


def test_engine_failure_is_4(main, file, tmp_path, preferences) -> None:
    preferences.engine_python = str(tmp_path / "no-python")
    assert main(["compute", str(file), "--out", str(tmp_path / "out"), "--views", "8"]) == 4
    assert not (tmp_path / "out").exists()
