# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine answers to each task, on meshes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.engine import JobRequest
from surface_features.errors import BadInputError, EngineError, JobCancelled
from surface_features.progress import JobContext
from surface_features.tasks import run_task

from .exact_features import exact_features  # noqa: F401 - a fixture
from .shapes import icosphere

SOURCE, TARGET = icosphere(3), icosphere(4, radius=2.0, centre=(5, 0, 0))


def run(task, arrays, **params):
    context = JobContext()
    return run_task(JobRequest(task, arrays, params), context), context


def mesh_arrays(mesh, prefix="", suffix=""):
    return {f"{prefix}vertices{suffix}": mesh.vertices, f"{prefix}faces{suffix}": mesh.faces}


def halves(mesh):
    """(V, 2) weights: upper and lower half."""
    upper = (mesh.vertices[:, 2] > 0).astype(np.float32)
    return np.stack([upper, 1 - upper], axis=1)


def transfer_arrays():
    return (
        mesh_arrays(SOURCE, "source_")
        | {"source_weights": halves(SOURCE)}
        | mesh_arrays(TARGET, "target_", "_0")
        | mesh_arrays(SOURCE, "target_", "_1")
    )


def test_check_lists_findings_and_never_raises():
    fine, _ = run("check", mesh_arrays(SOURCE), name="Ball")
    assert all(finding["severity"] != "refused" for finding in fine.info["findings"])
    empty, _ = run("check", {"vertices": np.zeros((0, 3)), "faces": np.zeros((0, 3), int)}, name="Nothing")
    (finding,) = empty.info["findings"]
    assert (finding["severity"], finding["fault"]) == ("refused", "no_faces")
    assert "Nothing" in finding["message"]


def test_match_finds_the_same_point_of_another_sphere(exact_features):  # noqa: F811
    result, _ = run("match", mesh_arrays(SOURCE, "source_") | mesh_arrays(TARGET, "target_"))
    face, bary = result.arrays["face"], result.arrays["bary"]
    points = np.einsum("vc,vcd->vd", bary, TARGET.vertices[TARGET.faces[face]])
    assert np.linalg.norm(points - (SOURCE.vertices * 2 + (5, 0, 0)), axis=1).max() < 0.02
    assert result.arrays["confidence"].min() > 0.5
    assert result.info["timings"]["total"] > 0


def test_weights_arrive_on_every_target_in_its_own_order(exact_features):  # noqa: F811
    result, _ = run("transfer_weights", transfer_arrays(), source_name="Ball", target_names=["Big", "Twin"])
    kinds = ("weights", "confidence", "doubt", "picture")
    assert set(result.arrays) == {f"{kind}_{index}" for kind in kinds for index in (0, 1)}
    assert [report["unweighted"] for report in result.info["quality"]] == [0, 0]
    weights = result.arrays["weights_0"]
    assert weights.shape == (len(TARGET.vertices), 2)
    away = np.abs(TARGET.vertices[:, 2]) > 0.5  # away from the border, where weights blend
    np.testing.assert_allclose(weights[away], halves(TARGET)[away], atol=1e-3)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_rig_moves_bones_into_the_target(exact_features):  # noqa: F811
    bones = np.float32([[[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, -1]], [[0, 0, -1], [0, 1, -1]]])
    result, _ = run(
        "rig",
        transfer_arrays() | {"bones": bones},
        source_name="Ball",
        target_names=["Big", "Twin"],
        bone_columns=[0, 1, -1],
    )
    np.testing.assert_allclose(result.arrays["bones_0"], bones * 2 + (5, 0, 0), atol=0.1)
    np.testing.assert_allclose(result.arrays["bones_1"], bones, atol=0.05)
    assert result.arrays["weights_0"].shape == (len(TARGET.vertices), 2)


def test_colours_are_comparable_across_meshes(exact_features, monkeypatch):  # noqa: F811
    from surface_features import features

    monkeypatch.setattr(  # colours of the fake features, not of a model's
        features, "feature_colours", lambda computed, backbone: [f.values / 2 + 0.5 for f in computed]
    )
    arrays = mesh_arrays(SOURCE, "", "_0") | mesh_arrays(TARGET, "", "_1")
    result, _ = run("show_features", arrays, names=["Ball", "Big"], settings={"views": 4})
    assert result.arrays["colours_0"].shape == SOURCE.vertices.shape
    assert result.arrays["colours_1"].shape == TARGET.vertices.shape


@pytest.mark.parametrize("task", ["features", "match", "transfer_weights"])
def test_progress_rises_over_all_stages_and_cancel_is_heard(exact_features, task):  # noqa: F811
    arrays = mesh_arrays(SOURCE) | mesh_arrays(TARGET, "target_") | transfer_arrays()
    request = JobRequest(task, arrays, {"target_names": ["Big", "Twin"]})
    seen = []
    run_task(request, JobContext(lambda fraction, message: seen.append(fraction)))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)
    for stop_after in range(1, len(seen)):  # wherever the user presses Escape
        count = 0

        def stopped(limit=stop_after):
            nonlocal count
            count += 1
            return count > limit

        with pytest.raises(JobCancelled):
            run_task(request, JobContext(is_cancelled=stopped))


def test_features_of_a_real_model_on_a_read_only_cache_arrive_with_a_warning(tmp_path):
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the cache's folder should be: nobody can write below it, root neither")
    result, context = run("features", mesh_arrays(SOURCE), settings={"views": 4}, cache_folder=str(blocked / "here"))
    assert result.arrays["features"].shape[0] == len(SOURCE.vertices)
    np.testing.assert_allclose(np.linalg.norm(result.arrays["features"], axis=1), 1, atol=1e-4)
    assert any("cache" in warning.lower() for warning in result.info["warnings"]), context.warnings


def test_the_cache_gives_the_same_features_again(tmp_path):
    params = {"settings": {"views": 4}, "cache_folder": str(tmp_path / "cache"), "cache_size_mb": 50}
    first, _ = run("features", mesh_arrays(SOURCE), **params)
    second, _ = run("features", mesh_arrays(SOURCE), **params)
    np.testing.assert_array_equal(first.arrays["features"], second.arrays["features"])
    assert second.info["timings"]["total"] < first.info["timings"]["total"]
    assert "backbone" not in second.info["timings"]


def test_unknown_tasks_and_settings_are_refused():
    with pytest.raises(EngineError, match="Unknown task “dance”"):
        run("dance", {})
    with pytest.raises(BadInputError, match="vews"):
        run("features", mesh_arrays(SOURCE), settings={"vews": 4})
