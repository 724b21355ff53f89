# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's numbers on spheres, where every error is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import characters
from surface_features import benchmark
from surface_features.benchmark import format_table, run_benchmark
from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.mesh import TriangleMesh
from surface_features.pack import Truth
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings
from surface_features.surface_ruler import SurfaceRuler

from .exact_features import opposite_features
from .shapes import box, icosphere, join, moved, split_per_face

HALF_TURN = np.pi / np.sqrt(4 * np.pi)  # from pole to pole, over the square root of a sphere's area


def write_off(path, mesh):
    lines = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [" ".join(repr(float(x)) for x in vertex) for vertex in mesh.vertices]
    lines += [f"3 {a} {b} {c}" for a, b, c in mesh.faces]
    path.write_text("\n".join(lines))


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """Two pairs of spheres: one that is matched right, one where everything lands on the other side."""
    monkeypatch.setattr(benchmark, "compute_features", opposite_features)
    sphere = icosphere(3)
    for name in ("ball", "other", "opposite"):
        write_off(tmp_path / f"{name}.off", sphere)
    vertex = np.arange(len(sphere.vertices))
    around = np.argsort(sphere.faces.reshape(-1), kind="stable")
    first = around[np.searchsorted(sphere.faces.reshape(-1)[around], vertex)]
    bary = np.eye(3, dtype=np.float32)[first % 3]
    antipode = np.argmin(sphere.vertices @ sphere.vertices.T, axis=1)
    np.savez(
        tmp_path / "truth.npz",
        source_vertex=vertex,
        target_face=first // 3,
        target_bary=bary,
        target_mirror_vertex=antipode,
    )
    pairs = [["ball.off", "other.off", "truth.npz"], ["ball.off", "opposite.off", "truth.npz"]]
    (tmp_path / "pack.json").write_text(json.dumps({"format": 1, "name": "balls", "up": "Z", "pairs": pairs}))
    return tmp_path


def run(pack, samples=0):
    return run_benchmark(pack, FeatureSettings(), samples, JobContext())


def test_known_errors_are_measured(pack):
    report = run(pack)
    right, wrong = report.pairs
    assert right["mge_x100"] < 0.1
    assert (right["acc_at_1_percent"], right["gross"], right["side_flips"]) == (1, 0, 0)
    assert wrong["mge_x100"] == pytest.approx(100 * HALF_TURN, rel=0.02)
    assert wrong["median_x100"] == pytest.approx(100 * HALF_TURN, rel=0.02)
    assert (wrong["acc_at_1_percent"], wrong["gross"], wrong["side_flips"]) == (0, 1, 1)
    assert report.overall.mge_x100 == pytest.approx(50 * HALF_TURN, rel=0.02)
    assert report.overall.gross == report.overall.side_flips == 0.5


def test_the_table_says_everything_and_json_is_complete(pack):
    report = run(pack, samples=50)
    text = format_table(report)
    assert "100 of 1284 points measured" in text
    assert "ball.off → opposite.off" in text
    assert "peak memory" in text
    stored = json.loads(json.dumps(report.to_json()))
    assert set(stored["seconds_per_shape"]) == {"ball.off", "other.off", "opposite.off"}
    assert stored["overall"]["gross"] == 0.5
    assert stored["settings"]["up"] == "Z"
    again = run(pack, samples=50)
    assert again.overall == report.overall


def test_a_pack_without_twins_has_no_side_flips(pack):
    with np.load(pack / "truth.npz") as stored:
        arrays = {name: stored[name] for name in stored.files if name != "target_mirror_vertex"}
    np.savez(pack / "truth.npz", **arrays)
    report = run(pack, samples=20)
    assert report.overall.side_flips is None
    assert report.overall.wrong_side is None
    assert "–" in format_table(report)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda pack: (pack / "pack.json").unlink(), "pack.json does not exist"),
        (lambda pack: (pack / "pack.json").write_text("{"), "pack.json cannot be read"),
        (lambda pack: (pack / "pack.json").write_text('{"format": 1, "up": "Z", "pairs": []}'), "lists no pairs"),
        (lambda pack: (pack / "pack.json").write_text('{"format": 9, "up": "Z", "pairs": [["", "", ""]]}'), "format 9"),
        (lambda pack: (pack / "pack.json").write_text('{"format": 1, "pairs": [["", "", ""]]}'), "which axis is up"),
        (lambda pack: (pack / "truth.npz").write_text("no"), "truth.npz is not a pair's truth"),
        (
            lambda pack: np.savez(pack / "truth.npz", source_vertex=[0], target_face=[99999], target_bary=[[1, 0, 0]]),
            "target_face must be 1 numbers from 0 to 1279",
        ),
    ],
)
def test_damaged_packs_are_named(pack, damage, sentence):
    damage(pack)
    with pytest.raises(BadInputError, match=sentence) as caught:
        run(pack)
    assert caught.value.fault == "bad_pack"


def random_points(mesh, count):
    rng = np.random.default_rng(0)
    face = rng.integers(len(mesh.faces), size=count)
    bary = rng.dirichlet([1, 1, 1], count).astype(np.float32)
    return face, bary, np.einsum("nc,ncd->nd", bary, mesh.vertices[mesh.faces[face]])


@pytest.mark.parametrize("prepare", [lambda mesh: mesh, split_per_face, lambda mesh: moved(mesh, scale=1000)])
def test_distances_on_a_sphere(prepare):
    sphere = icosphere(4)
    mesh = prepare(sphere)
    ruler = SurfaceRuler(mesh)
    face, bary, points = random_points(mesh, 40)
    radius = np.linalg.norm(points, axis=1).mean()
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    for i in range(0, 40, 2):
        measured = ruler.distances_from(int(face[i]), bary[i])(mesh.faces[face[i + 1]], bary[i + 1])
        true = np.arccos(np.clip(unit[i] @ unit[i + 1], -1, 1)) * radius
        assert measured == pytest.approx(true, rel=0.03, abs=0.01 * radius)


def test_a_point_is_no_distance_from_itself_and_parts_are_measured_straight():
    mesh = join(box(), moved(box(), offset=(10, 0, 0)))
    ruler = SurfaceRuler(mesh)
    bary = np.float32([0.2, 0.3, 0.5])
    distance_to = ruler.distances_from(3, bary)
    assert distance_to(mesh.faces[3], bary) == pytest.approx(0, abs=1e-6)
    other = 3 + len(mesh.faces) // 2
    assert distance_to(mesh.faces[other], bary) == pytest.approx(10, rel=1e-5)


def test_a_fin_that_is_no_manifold_does_not_stop_the_measuring():
    sphere = icosphere(3)
    fin = np.vstack([sphere.vertices, [[0, 0, 2]]]).astype(np.float32)
    faces = np.vstack([sphere.faces, [[*sphere.faces[0][:2], len(sphere.vertices)]]])
    mesh = TriangleMesh(fin, faces)
    middle = np.full((2, 3), 1 / 3, np.float32)
    far = int(np.argmin(sphere.face_normals @ sphere.face_normals[5]))
    truth = Truth(np.int32([0, 1]), np.int32([0, 5]), middle)
    found = Correspondence(np.int32([0, far]), middle, np.ones(2, np.float32))
    errors = benchmark.measure_pair("a", "b", mesh, found, truth, 0)
    assert errors.geodesic[0] == pytest.approx(0, abs=1e-6)
    assert errors.geodesic[1] == pytest.approx(HALF_TURN, rel=0.05)


def test_points_on_the_middle_have_no_side(pack):
    with np.load(pack / "truth.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["target_mirror_vertex"][::2] = arrays["source_vertex"][::2]  # their own twins
    np.savez(pack / "truth.npz", **arrays)
    report = run(pack)
    assert report.pairs[1]["side_flips"] == pytest.approx(0.5, abs=0.01)
    assert report.pairs[1]["wrong_side"] == 1
    assert report.pairs[0]["wrong_side"] == 0


def test_an_arm_belongs_on_a_foreleg_and_a_tail_on_nobody():
    names = {"Arm": "upperarm", "Head": "neck head"}, {"FrontLeg": "foreleg.0", "Skull": "head", "Tail": "tail"}
    source = np.array(["Arm.L", "Arm.R", "Head"])
    target = np.array(["FrontLeg.L", "FrontLeg.R", "Skull", "Tail"])
    right = characters.compare(target, source, np.array([0, 1, 2, 2]), names)
    assert (right.parts, right.wrong_side, right.limbs) == (1.0, 0.0, 1.0)
    assert np.isnan(right.bones)
    crossed = characters.compare(target, source, np.array([1, 1, 2, 0]), names)
    assert (crossed.parts, crossed.wrong_side, crossed.limbs) == (2 / 3, 0.5, 0.5)
