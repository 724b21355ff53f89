# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data engine does to meshes and rigs; needs no data."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.mesh import TriangleMesh
from training.dressing import Labelled, roughen
from training.read_rigs import face_front

from .shapes import icosphere


@pytest.mark.parametrize("seed", [3, 11])
def test_roughening_does_not_tear_meshes_apart_that_are_split_at_their_edges(seed):
    ball = icosphere(3)
    split = Labelled(ball.vertices[ball.faces.reshape(-1)], np.arange(3 * len(ball.faces)).reshape(-1, 3), np.zeros(1))
    roughen(split, np.random.default_rng(seed), 1.0)
    corners = split.vertices[split.faces.reshape(-1)]
    whole = TriangleMesh(corners.astype(np.float32), np.arange(len(corners), dtype=np.int32).reshape(-1, 3))
    assert whole.face_areas.sum() > 0.7 * ball.face_areas.sum()


def test_a_rig_that_looks_backwards_is_turned_half_around():
    rig = {
        "joints": np.array(["Hips", "Foot.L", "Foot.R"]),
        "heads": np.float32([[0, 0, 1], [-1, 0.2, 0], [1, 0.2, 0]]),
        "vertices": np.float32([[-1, 0.3, 0]]),
        "poses": np.tile(np.float32([[1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7]]), (1, 3, 1, 1)),
    }
    turned = face_front(rig)
    np.testing.assert_allclose(turned["vertices"], [[1, -0.3, 0]])
    np.testing.assert_allclose(turned["heads"][1], [1, -0.2, 0])
    assert turned["poses"][0, 1, :, 3].tolist() == [-5, -6, 7]
    assert face_front(turned) is turned
