# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data engine does to meshes and rigs."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.mesh import TriangleMesh
from training.dressing import Labelled, roughen
from training.humans import HumanModel, pose_person, sample_crossed_pose
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


def test_a_crossed_limb_lies_on_the_other_side(shared_data):
    model = HumanModel(shared_data)
    body = model.body_vertex_count
    for seed in range(3):
        rng = np.random.default_rng(seed)
        person = model.sample_person(rng)
        posed = pose_person(model, person, sample_crossed_pose(model, person, rng))
        weights = model.weights[:body]
        ends = [weights[:, model.bone_index[bone]] > 0.5 for bone in ("hand_l", "foot_l", "hand_r", "foot_r")]
        sideways = np.array([posed[:body][end, 0].mean() for end in ends]) * [1, 1, -1, -1]
        assert sideways.min() < 0
