# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints carried between procedural characters whose correspondence is exact."""

import numpy as np
from scipy.spatial import cKDTree

from examples.characters import HumanoidSpec, build_humanoid, pose_character, rest_pose_a
from examples.skeleton import euler
from surface_features.correspondence import Correspondence
from surface_features.geometry.inside import winding_numbers
from surface_features.mesh import TriangleMesh
from surface_features.rigging import fit_joints

SOURCE = HumanoidSpec(seed=1)
TARGET = HumanoidSpec(seed=2, height=1.3, head_size=0.2, arm_length=0.28, leg_length=0.42, arm_thickness=0.04)


def exact_match(source, target) -> Correspondence:
    nearest = np.zeros(len(source.vertices), int)
    for joint in range(len(source.joints)):
        mine, theirs = np.flatnonzero(source.bone == joint), np.flatnonzero(target.bone == joint)
        tree = cKDTree(np.column_stack([target.along[theirs] * 4, target.around[theirs]]))
        nearest[mine] = theirs[tree.query(np.column_stack([source.along[mine] * 4, source.around[mine]]))[1]]
    face, corner = np.zeros(len(target.vertices), int), np.zeros(len(target.vertices), int)
    for column in range(3):
        face[target.faces[:, column]] = np.arange(len(target.faces))
        corner[target.faces[:, column]] = column
    bary = np.eye(3, dtype=np.float32)[corner[nearest]]
    return Correspondence(face[nearest].astype(np.int32), bary, np.ones(len(nearest), np.float32))


def joint_errors(source, target, match: Correspondence, weights: np.ndarray | None = None) -> np.ndarray:
    start, goal = TriangleMesh(source.vertices, source.faces), TriangleMesh(target.vertices, target.faces)
    bones = fit_joints(start, source.bones, source.weights if weights is None else weights, goal, match)
    return np.linalg.norm(bones - target.bones, axis=-1)


def test_joints_find_their_place_in_another_body_and_pose():
    source, target = build_humanoid(SOURCE), pose_character(build_humanoid(TARGET), rest_pose_a(45))
    errors = joint_errors(source, target, exact_match(source, target))
    assert errors.mean() < 0.01
    assert np.median(errors) < 0.004


def test_a_fifth_of_the_matches_may_be_nonsense():
    source, target = build_humanoid(SOURCE), pose_character(build_humanoid(TARGET), rest_pose_a(45))
    match, rng = exact_match(source, target), np.random.default_rng(0)
    wrong = rng.random(len(match.face)) < 0.2
    match.face[wrong] = rng.integers(len(target.faces), size=int(wrong.sum()))
    assert joint_errors(source, target, match).mean() < 0.015


def test_the_same_body_elsewhere_and_larger_moves_the_skeleton_along():
    source = build_humanoid(SOURCE)
    match = exact_match(source, source)
    goal = TriangleMesh(source.vertices * 3 + np.float32([5, -2, 1]), source.faces)
    bones = fit_joints(TriangleMesh(source.vertices, source.faces), source.bones, source.weights, goal, match)
    assert np.allclose(bones, source.bones * 3 + np.float32([5, -2, 1]), atol=0.02)


def test_bones_without_weights_follow_the_body():
    source = build_humanoid(SOURCE)
    weights = source.weights.copy()
    weights[:, source.joints.index("pelvis")] = 0
    goal = TriangleMesh(source.vertices + np.float32([1, 0, 0]), source.faces)
    match = exact_match(source, source)
    bones = fit_joints(TriangleMesh(source.vertices, source.faces), source.bones, weights, goal, match)
    assert np.allclose(bones[0], source.bones[0] + np.float32([1, 0, 0]), atol=0.01)


def test_joints_stay_inside_thin_limbs_when_matches_are_off():
    source, target = build_humanoid(SOURCE), build_humanoid(TARGET)
    start, goal = TriangleMesh(source.vertices, source.faces), TriangleMesh(target.vertices, target.faces)
    match, rng = exact_match(source, target), np.random.default_rng(0)
    off = rng.random(len(match.face)) < 0.3
    match.face[off] = rng.integers(len(target.faces), size=int(off.sum()))
    bones = fit_joints(start, source.bones, source.weights, goal, match)
    assert (winding_numbers(goal, bones[:, 0]) > 0.5).all()


def test_a_symmetric_body_gets_a_symmetric_skeleton_and_a_posed_one_does_not():
    source, target = build_humanoid(SOURCE), build_humanoid(TARGET)
    match = exact_match(source, target)
    rng = np.random.default_rng(1)
    match.face[:] = np.where(rng.random(len(match.face)) < 0.1, rng.permutation(match.face), match.face)
    left, right = (target.joints.index(f"hand.{side}") for side in "LR")
    start = TriangleMesh(source.vertices, source.faces)

    def gap(character) -> float:
        goal = TriangleMesh(character.vertices, character.faces)
        head = fit_joints(start, source.bones, source.weights, goal, match)[:, 0]
        return float(np.abs(head[left] * [-1, 1, 1] - head[right]).max())

    assert gap(target) < 1e-4
    assert gap(pose_character(target, {"upperarm.L": euler(0, 60, 0)})) > 0.1
