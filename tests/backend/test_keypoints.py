# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints arrive at the same place of another surface."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.mesh import TriangleMesh
from surface_features.surface_points import carry_points

from .exact_features import exact_features  # noqa: F401 - a fixture
from .shapes import icosphere
from .test_tasks import mesh_arrays, run

SOURCE, TARGET = icosphere(3), icosphere(4, radius=2.0, centre=(5, 0, 0))
OFFSET = np.float32([5, 0, 0])


def keypoints_of(points):
    result, _ = run(
        "transfer_keypoints",
        mesh_arrays(SOURCE, "source_") | mesh_arrays(TARGET, "target_", "_0") | {"points": np.float32(points)},
        source_name="Ball",
        target_names=["Big"],
    )
    return result.arrays["points_0"], result.arrays["confidence_0"]


def test_points_on_the_surface_stay_on_it(exact_features):  # noqa: F811
    wanted = np.random.default_rng(0).normal(size=(20, 3))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found, confidence = keypoints_of(wanted)
    np.testing.assert_allclose(found, wanted * 2 + OFFSET, atol=0.03)
    assert confidence.min() > 0.5


def test_points_inside_and_beside_keep_their_place(exact_features):  # noqa: F811
    wanted = np.float32([(0, 0, 0), (0.3, 0, 0.2), (0, 0, 1.5)])
    np.testing.assert_allclose(keypoints_of(wanted)[0], wanted * 2 + OFFSET, atol=0.05)


def test_a_point_between_torn_corners_follows_one_of_them():
    """Two corners match the one sphere, the third the far one: never a point between the two spheres."""
    source = TriangleMesh(np.float32([(0, 0, 0), (1, 0, 0), (0, 1, 0)]), np.int32([(0, 1, 2)]))
    goal = TriangleMesh(
        np.float32([(0, 0, 0), (1, 0, 0), (0, 1, 0), (50, 0, 0), (51, 0, 0), (50, 1, 0)]),
        np.int32([(0, 1, 2), (3, 4, 5)]),
    )
    onto = Correspondence(np.int32([0, 0, 1]), np.eye(3, dtype=np.float32), np.ones(3, np.float32))
    bary = np.float32([(0.4, 0.4, 0.2), (0.1, 0.2, 0.7)])
    found = carry_points(source, np.int32([0, 0]), bary, goal, onto).positions(goal)
    assert found[0, 0] <= 1
    assert found[1, 0] >= 50


def test_a_keypoint_without_a_place_is_refused(exact_features):  # noqa: F811
    with pytest.raises(BadInputError) as refused:
        keypoints_of([(np.nan, 0, 0)])
    assert refused.value.fault == "non_finite"
