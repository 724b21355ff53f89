# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right by name, and limbs that keep to one side."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.mesh import TriangleMesh
from surface_features.transfer.bone_sides import bone_sides, flip_name, side_of
from surface_features.transfer.side_guard import settle_sides
from surface_features.transfer.symmetry import symmetrise

from .shapes import cylinder, join, moved

NAMES = ("Root", "Arm.L", "Arm.R")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hand.L", "Hand.R"),
        ("hand_l", "hand_r"),
        ("mixamorig:LeftHand", "mixamorig:RightHand"),
        ("Bip01 L Hand", "Bip01 R Hand"),
        ("L_Hand", "R_Hand"),
        ("leg_l_01", "leg_r_01"),
        ("ORG-shin.L.001", "ORG-shin.R.001"),
        ("ArmLeft", "ArmRight"),
        ("LEFT_LEG", "RIGHT_LEG"),
    ],
)
def test_names_of_twins(left: str, right: str) -> None:
    assert flip_name(left) == right
    assert flip_name(right) == left
    assert (side_of(left), side_of(right)) == (1, -1)


@pytest.mark.parametrize("name", ["Spine", "bright", "Leftover", "collar", "Bone.001", ""])
def test_names_without_a_side(name: str) -> None:
    assert flip_name(name) == name
    assert side_of(name) == 0


def test_a_bone_without_twin_has_none() -> None:
    assert bone_sides(["Arm.L", "Head"]).twin.tolist() == [-1, 1]
    assert not bone_sides(["Arm.L", "Head"]).known


def two_arms() -> tuple[TriangleMesh, np.ndarray]:
    """Two upright cylinders that do not touch, not mirrored, and the weights of one arm each."""
    mesh = join(moved(cylinder(), (-1, 0, 0)), moved(cylinder(segments=20, rings=31), (1.3, 0.4, 0), scale=0.8))
    left = mesh.vertices[:, 0] > 0.5
    weights = np.zeros((len(mesh.vertices), 3), np.float32)
    weights[left, 1] = weights[~left, 2] = 1
    return mesh, weights


def test_vertices_of_a_limb_on_the_wrong_side_are_put_right() -> None:
    mesh, truth = two_arms()
    wrong = np.random.default_rng(0).random(len(truth)) < 0.25
    given = truth.copy()
    given[wrong] = truth[wrong][:, [0, 2, 1]]
    settled = settle_sides(mesh, given, np.ones(len(truth), np.float32), bone_sides(NAMES))
    np.testing.assert_array_equal(settled.weights, truth)
    np.testing.assert_array_equal(settled.moved, wrong)


def test_a_right_match_is_left_alone() -> None:
    mesh, truth = two_arms()
    settled = settle_sides(mesh, truth, np.ones(len(truth), np.float32), bone_sides(NAMES))
    np.testing.assert_array_equal(settled.weights, truth)
    assert not settled.moved.any()


def test_symmetric_meshes_get_mirrored_weights() -> None:
    mesh = join(moved(cylinder(), (-1, 0, 0)), moved(cylinder(), (1, 0, 0)))
    left = mesh.vertices[:, 0] > 0
    weights = np.random.default_rng(0).random((len(mesh.vertices), 3)).astype(np.float32)
    weights[left, 2], weights[~left, 1] = 0, 0
    weights /= weights.sum(axis=1, keepdims=True)
    result = symmetrise(mesh, weights, bone_sides(NAMES))
    half = len(mesh.vertices) // 2
    reflected = np.array(
        [np.argmin(((mesh.vertices - vertex * [-1, 1, 1]) ** 2).sum(axis=1)) for vertex in mesh.vertices[:half]]
    )
    np.testing.assert_allclose(result[:half], result[reflected][:, [0, 2, 1]], atol=1e-5)
    assert np.abs(result - weights).max() > 0.01
