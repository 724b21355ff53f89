# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts on meshes with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.errors import BadInputError
from surface_features.parts_model import PartsModel, train_parts_model
from surface_features.segmentation import cluster_parts, face_features, settle

from .exact_features import direction_features, exact_features  # noqa: F401 - a fixture
from .shapes import box, icosphere, split_per_face
from .test_tasks import mesh_arrays, run

SMALL, LARGE = icosphere(3), icosphere(4, radius=2.0, centre=(5, 0, 0))


def octant(mesh):
    """(F,) 0…3 by the signs of x and z around the centre."""
    middle = mesh.corners.mean(axis=1) - mesh.vertices.mean(axis=0)
    return (middle[:, 0] > 0).astype(int) + 2 * (middle[:, 2] > 0)


def share_right(found, mesh):
    return (mesh.face_areas * (found == octant(mesh))).sum() / mesh.face_areas.sum()


def test_others_follow_the_labelled_example(exact_features):  # noqa: F811
    arrays = mesh_arrays(SMALL, "", "_0") | mesh_arrays(LARGE, "", "_1") | {"labels_0": octant(SMALL)}
    result, _ = run(
        "segment_parts", arrays, names=["Ball", "Big"], method="examples", part_count=4, examples=[0], smoothness=1.0
    )
    assert set(result.arrays) == {"parts_1"}
    assert share_right(result.arrays["parts_1"], LARGE) > 0.95


def test_clusters_mean_the_same_on_all_meshes_and_do_not_change(exact_features):  # noqa: F811
    arrays = mesh_arrays(SMALL, "", "_0") | mesh_arrays(LARGE, "", "_1")
    results = [
        run("segment_parts", arrays, names=["Ball", "Big"], method="clusters", part_count=5)[0].arrays for _ in range(2)
    ]
    for key in ("parts_0", "parts_1"):
        np.testing.assert_array_equal(results[0][key], results[1][key])
        assert len(np.unique(results[0][key])) == 5
    from scipy.spatial import cKDTree

    near = cKDTree(LARGE.corners.mean(axis=1) - (5, 0, 0)).query(SMALL.corners.mean(axis=1) * 2)[1]
    assert (results[0]["parts_1"][near] == results[0]["parts_0"]).mean() > 0.95


def test_a_parts_model_is_saved_and_labels_other_meshes(exact_features, tmp_path):  # noqa: F811
    path = tmp_path / "quarters.parts"
    arrays = mesh_arrays(SMALL, "", "_0") | {"labels_0": octant(SMALL)}
    trained, _ = run("train_parts", arrays, names=["Ball"], part_names=list("abcd"), path=str(path))
    assert trained.info["accuracy"] > 0.95
    result, _ = run("segment_parts", mesh_arrays(LARGE, "", "_0"), names=["Big"], method="model", path=str(path))
    assert result.info["names"] == list("abcd")
    assert share_right(result.arrays["parts_0"], LARGE) > 0.95


def test_a_wrong_file_or_other_features_are_refused(tmp_path):
    path = tmp_path / "model.parts"
    path.write_bytes(b"no model")
    with pytest.raises(BadInputError) as refused:
        PartsModel.load(path)
    assert refused.value.fault == "bad_parts_model"
    values = face_features(SMALL, direction_features(SMALL))
    model = train_parts_model([values], [octant(SMALL)], [SMALL.face_areas], list("abcd"), "one")
    model.save(path)
    with pytest.raises(BadInputError) as refused:
        PartsModel.load(path, "another")
    assert refused.value.fault == "other_features"
    with pytest.raises(BadInputError):
        model.scores(np.zeros((3, 7), np.float32))


@pytest.mark.parametrize("split", [False, True])
def test_borders_settle_on_creases_and_specks_vanish(split):
    """A box's top against its sides: the scores' border lies a little below the edge, with specks."""
    cube = box(subdivisions=4)
    cube = split_per_face(cube) if split else cube
    middle = cube.corners.mean(axis=1)
    top = middle[:, 2] > 0.499
    scores = np.where(((middle[:, 2] > 0.46) | top)[:, None], (0.55, 0.45), (0.1, 0.9))
    inner = np.flatnonzero(top)[::37]
    scores[inner] = (0.4, 0.6)
    assert (settle(cube, scores, 0.0) == 0).sum() != top.sum()
    found = settle(cube, scores, 1.0)
    assert (found[top] == 0).all()


def test_more_parts_than_faces_are_refused():
    mesh = box()
    with pytest.raises(BadInputError) as refused:
        cluster_parts([mesh], [np.ones((12, 3), np.float32)], 13)
    assert refused.value.fault == "few_faces"
