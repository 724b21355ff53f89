# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a shell sees it: files, exit codes, and one line for every failure."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from surface_features.__main__ import main

from .engine_helpers import PROJECT
from .shapes import box, icosphere

DONE, USAGE, BAD_INPUT, ENGINE_FAILURE = 0, 2, 3, 4
FEW_VIEWS = ["--views", "4", "--device", "cpu"]


def write_obj(path, mesh):
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in mesh.vertices.astype(float)]
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def ball(tmp_path):
    return write_obj(tmp_path / "Kugel größe.obj", icosphere(2))


@pytest.fixture
def cube(tmp_path):
    return write_obj(tmp_path / "cube.obj", box(subdivisions=2))


def error_line(capsys):
    """The one line a failure prints."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_compute_writes_unit_features_of_every_mesh(ball, cube, tmp_path):
    command = [sys.executable, "-m", "surface_features", "compute", ball, cube, "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, *FEW_VIEWS], cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == DONE, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2
    for name, mesh in (("Kugel größe", icosphere(2)), ("cube", box(subdivisions=2))):
        with np.load(tmp_path / "out" / f"{name}.npz") as stored:
            assert set(stored.files) == {"features", "confidence"}
            features, confidence = stored["features"], stored["confidence"]
        assert features.dtype == confidence.dtype == np.float32
        assert len(features) == len(confidence) == len(mesh.vertices)
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-4)
        assert confidence.min() >= 0
        assert confidence.max() <= 1


def test_match_writes_a_point_of_the_target_for_every_source_vertex(ball, cube, tmp_path, capsys):
    out = tmp_path / "new" / "map.npz"
    assert main(["match", ball, cube, "--out", str(out), *FEW_VIEWS, "--up", "Y"]) == DONE
    assert "162 vertices" in capsys.readouterr().out
    with np.load(out) as stored:
        face, bary, confidence = stored["target_face"], stored["target_bary"], stored["confidence"]
    assert (face.dtype, bary.dtype, confidence.dtype) == (np.int32, np.float32, np.float32)
    assert face.shape == confidence.shape == (162,)
    assert bary.shape == (162, 3)
    assert face.min() >= 0
    assert face.max() < len(box(subdivisions=2).faces)
    np.testing.assert_allclose(bary.sum(axis=1), 1, atol=1e-5)


def test_a_different_up_axis_gives_different_features(cube, tmp_path):
    tall = write_obj(tmp_path / "tall.obj", box((1, 2, 5), subdivisions=2))
    found = []
    for axis in ("Z", "Y"):
        assert main(["compute", tall, "--out", str(tmp_path / axis), "--up", axis, *FEW_VIEWS]) == DONE
        found.append(np.load(tmp_path / axis / "tall.npz")["features"])
    assert np.abs(found[0] - found[1]).max() > 0.05


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["compute", "a.obj"],
        ["compute", "--out", "o"],
        ["compute", "a.obj", "--out", "o", "--views", "many"],
        ["compute", "a.obj", "--out", "o", "--views", "0"],
        ["compute", "a.obj", "--out", "o", "--device", "abacus"],
        ["compute", "a.obj", "--out", "o", "--up", "X"],
        ["match", "a.obj", "--out", "o.npz"],
    ],
)
def test_bad_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == USAGE
    assert "error:" in capsys.readouterr().err


def test_meshes_of_one_name_and_impossible_folders_are_bad_usage(ball, tmp_path, capsys):
    assert main(["compute", ball, ball, "--out", str(tmp_path / "out")]) == USAGE
    assert "rename one" in error_line(capsys)
    assert main(["compute", ball, "--out", ball]) == USAGE
    assert "cannot be a folder" in error_line(capsys)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("missing.obj", None, ""),
        ("empty.obj", "", ""),
        ("points.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no_faces"),
        ("noise.glb", "no glb at all", ""),
        ("broken.ply", "ply\nformat ascii 1.0\nelement vertex 5\n", ""),
        ("mesh.docx", "words", ""),
        ("beyond.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", ""),
        ("nan.obj", "v nan nan nan\nv nan 0 0\nv 0 nan 0\nf 1 2 3\n", "non_finite"),
    ],
)
def test_bad_input_is_exit_code_3_and_names_file_and_fault(name, content, fault, tmp_path, capsys):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert main(["compute", str(path), "--out", str(tmp_path / "out"), *FEW_VIEWS]) == BAD_INPUT
    line = error_line(capsys)
    assert str(path) in line
    assert f"[{fault}" in line
    assert not list((tmp_path / "out").iterdir())


def test_one_bad_mesh_does_not_keep_the_others_from_being_done(ball, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["compute", str(tmp_path / "missing.obj"), ball, "--out", str(out), *FEW_VIEWS]) == BAD_INPUT
    assert "missing.obj" in error_line(capsys)
    assert [path.name for path in out.iterdir()] == ["Kugel größe.npz"]


def test_match_and_benchmark_refuse_bad_input_too(ball, tmp_path, capsys):
    out = str(tmp_path / "map.npz")
    assert main(["match", ball, str(tmp_path / "missing.obj"), "--out", out, *FEW_VIEWS]) == BAD_INPUT
    assert "missing.obj" in error_line(capsys)
    assert main(["benchmark", str(tmp_path)]) == BAD_INPUT
    assert "pack.json does not exist" in error_line(capsys)


def test_a_missing_backbone_is_an_engine_failure(ball, tmp_path, capsys):
    backbone = tmp_path / "no such backbone"
    assert main(["compute", ball, "--out", str(tmp_path), "--backbone", str(backbone)]) == ENGINE_FAILURE
    assert str(backbone) in error_line(capsys)


def test_a_result_that_cannot_be_written_is_an_engine_failure(ball, tmp_path, capsys):
    (tmp_path / "out" / "Kugel größe.npz").mkdir(parents=True)
    assert main(["compute", ball, "--out", str(tmp_path / "out"), *FEW_VIEWS]) == ENGINE_FAILURE
    assert "could not be written" in error_line(capsys)


def test_benchmark_prints_a_table_and_writes_every_number(ball, tmp_path, capsys):
    truth = {"source_vertex": [0, 1], "target_face": [0, 5], "target_bary": [[1, 0, 0], [0, 1, 0]]}
    np.savez(tmp_path / "truth.npz", **truth)
    pairs = [["Kugel größe.obj", "Kugel größe.obj", "truth.npz"]]
    (tmp_path / "pack.json").write_text(json.dumps({"format": 1, "name": "one", "up": "Z", "pairs": pairs}))
    report = tmp_path / "report.json"
    assert main(["benchmark", str(tmp_path), "--json", str(report), *FEW_VIEWS]) == DONE
    assert "2 of 2 points measured" in capsys.readouterr().out
    assert 0 <= json.loads(report.read_text())["overall"]["mge_x100"] < 100
