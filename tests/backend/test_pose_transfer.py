# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses and clips between limbs whose truth is known: tubes with a knee, of other sizes, pieces and bone names."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surface_features.bone_map import derive_bone_map, from_json, to_json
from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from surface_features.settings import MotionSettings
from surface_features.transfer.contacts import sliding
from surface_features.transfer.jacobians import PoseTransfer
from surface_features.transfer.motion import Clip, follow_surface, retarget
from surface_features.transfer.pose_fit import PoseFitter
from surface_features.transfer.pose_quality import check_alike, intersecting_share
from surface_features.transfer.skeleton import Skeleton, forward

from .shapes import box, cylinder, icosphere, join, moved

BEND = Rotation.from_euler("x", 60, degrees=True).as_matrix()


def limb(scale: float = 1.0, segments: int = 20) -> TriangleMesh:
    return moved(cylinder(0.2, 2.0, segments, 30), scale=scale)


def skeleton(mesh: TriangleMesh, scale: float = 1.0, upper_first: bool = True) -> Skeleton:
    """A bone from the top down to the knee, and one from there to the floor; weights change over a fifth."""
    z = mesh.vertices[:, 2] / scale
    upper = np.clip((z - 0.8) / 0.4, 0, 1)
    weights = np.stack([upper, 1 - upper], axis=1).astype(np.float32)
    heads = np.array([(0, 0, 2), (0, 0, 1)], np.float32) * scale
    tails = np.array([(0, 0, 1), (0, 0, 0)], np.float32) * scale
    axes = np.tile(np.array([(1, 0, 0), (0, 0, -1), (0, 1, 0)], float).T, (2, 1, 1))
    limits = np.tile([-np.inf, np.inf], (2, 3, 1)).astype(float)
    return Skeleton(heads, tails, np.array([-1, 0]), weights, np.ones(2, bool), limits, axes)


def bent(mesh: TriangleMesh, scale: float = 1.0, turn: np.ndarray = BEND) -> np.ndarray:
    own = np.stack([np.eye(3), turn])
    bones = skeleton(mesh, scale)
    return forward(bones, own, np.zeros((2, 3))).skin(bones, mesh.vertices.astype(float))


def onto(target: TriangleMesh, source: TriangleMesh, scale: float) -> Correspondence:
    face, bary, _ = closest_points(source, target.vertices / np.float32(scale))
    return Correspondence(face, bary, np.ones(len(face), np.float32))


def test_pose_reaches_a_mesh_of_other_size_and_topology() -> None:
    source, target = limb(), limb(1.5, segments=28)
    transfer = PoseTransfer(source, target, onto(target, source, 1.5))
    off = np.linalg.norm(transfer.pose(bent(source)) - bent(target, 1.5), axis=1)
    assert off.mean() < 0.01 * 3.0


def test_a_pose_that_changes_nothing_changes_nothing() -> None:
    source, target = limb(), limb(1.5, segments=28)
    transfer = PoseTransfer(source, target, onto(target, source, 1.5))
    np.testing.assert_allclose(transfer.pose(source.vertices.astype(float)), target.vertices, atol=2e-3)


def test_a_piece_beside_the_limb_follows_it() -> None:
    source, body = limb(), limb()
    cuff = moved(cylinder(0.24, 0.2, 16, 3, capped=False), (0, 0, 0.3))
    target = join(body, cuff)
    transfer = PoseTransfer(source, target, onto(target, source, 1.0))
    posed = transfer.pose(bent(source))
    own = posed[len(body.vertices) :]
    truth = (cuff.vertices - [0, 0, 1]) @ BEND.T + [0, 0, 1]
    assert np.linalg.norm(own - truth, axis=1).max() < 0.06


def test_unsure_vertices_follow_their_surroundings() -> None:
    source, target = limb(), limb(1.0, segments=28)
    matched = onto(target, source, 1.0)
    wrong = (target.vertices[:, 2] > 0.4) & (target.vertices[:, 2] < 0.6)
    face = np.where(wrong, 0, matched.face).astype(np.int32)
    trust = np.where(wrong, 0.02, 1.0).astype(np.float32)
    transfer = PoseTransfer(source, target, Correspondence(face, matched.bary, trust))
    off = np.linalg.norm(transfer.pose(bent(source)) - bent(target), axis=1)
    assert off.mean() < 0.03


def test_bones_find_the_rotation() -> None:
    mesh = limb()
    bones = skeleton(mesh)
    result = PoseFitter(bones, mesh.vertices.astype(float), np.ones(len(mesh.vertices))).fit(
        bent(mesh) + np.array((0.3, 0, 0))
    )
    np.testing.assert_allclose(result.own[1], BEND, atol=0.01)
    np.testing.assert_allclose(result.moves[0], (0.3, 0, 0), atol=0.01)
    assert result.error < 0.01


def test_a_limit_stops_a_joint_and_is_told() -> None:
    mesh = limb()
    bones = skeleton(mesh)
    bones.limits[1] = np.radians([(-30, 30), (-30, 30), (-30, 30)])
    result = PoseFitter(bones, mesh.vertices.astype(float), np.ones(len(mesh.vertices))).fit(bent(mesh))
    angle = np.degrees(Rotation.from_matrix(result.own[1]).magnitude())
    assert angle < 31
    assert result.limited == (1,)


def test_a_mesh_without_a_rest_pose_gives_its_stance() -> None:
    scan_rest, target = limb(), limb(1.0, segments=28)
    matched = onto(target, scan_rest, 1.0)
    scan = TriangleMesh(bent(scan_rest).astype(np.float32), scan_rest.faces, "Scan")
    transfer = PoseTransfer(scan, target, matched, standing=True)
    goal = transfer.pose(scan.vertices.astype(float))
    bones = skeleton(target)
    result = PoseFitter(bones, target.vertices.astype(float), np.ones(len(target.vertices))).fit(goal)
    found = result.pose.turns[0].T @ result.pose.turns[1]
    assert np.degrees(Rotation.from_matrix(found.T @ BEND).magnitude()) < 10


def test_rest_poses_that_differ_are_evened_out() -> None:
    source, straight = limb(), limb(1.0, segments=28)
    lowered = Rotation.from_euler("x", 45, degrees=True).as_matrix()
    target = TriangleMesh(bent(straight, turn=lowered).astype(np.float32), straight.faces, "Lowered")
    transfer = PoseTransfer(source, target, onto(straight, source, 1.0))
    found, truth = transfer.pose(bent(source)), bent(straight)
    shape, true_shape = found - found.mean(axis=0), truth - truth.mean(axis=0)
    turn = Rotation.align_vectors(true_shape, shape)[0]  # a limb alone has no torso to tell which half was turned
    assert np.linalg.norm(turn.apply(shape) - true_shape, axis=1).mean() < 0.06


def clip_of(mesh: TriangleMesh, frames: int = 12) -> tuple[Clip, np.ndarray]:
    bones = skeleton(mesh)
    turns, heads, shown = [], [], []
    for step in range(frames):
        swing = Rotation.from_euler("x", 40 * np.sin(step / 2), degrees=True).as_matrix()
        pose = forward(bones, np.stack([np.eye(3), swing]), np.array([(0, 0.1 * step, 0), (0, 0, 0)]))
        turns.append(pose.turns)
        heads.append(pose.heads)
        shown.append(pose.skin(bones, mesh.vertices.astype(float)))
    return Clip(np.stack(turns), np.stack(heads)), np.stack(shown)


def test_motion_turns_bones_alike_and_scales_the_way_by_the_leg() -> None:
    source, target = limb(), limb(1.5, segments=28)
    clip, shown = clip_of(source)
    transfer = PoseTransfer(source, target, onto(target, source, 1.5))
    bones = skeleton(target, 1.5)
    options = MotionSettings(keep_feet=False)
    by_bones = retarget(transfer, skeleton(source), clip, bones, np.array([0, 1]), options)
    by_surface = follow_surface(transfer, shown, bones, options)
    for motion, tolerance in ((by_bones, 1e-3), (by_surface, 0.08)):
        np.testing.assert_allclose(motion.own[:, 1], clip.turns[:, 1], atol=tolerance)
        np.testing.assert_allclose(motion.moves[:, 0, 1], 1.5 * 0.1 * np.arange(12), atol=0.15)


def test_a_root_without_skin_carries_the_motion() -> None:
    mesh = limb()
    clip, shown = clip_of(mesh)
    bones = skeleton(mesh)
    pelvis = np.array([(0, 0, 2)], np.float32)
    rooted = Skeleton(
        np.concatenate([pelvis, bones.heads]), np.concatenate([pelvis + 0.1, bones.tails]), np.array([-1, 0, 0]),
        np.pad(bones.weights, ((0, 0), (1, 0))), np.ones(3, bool), np.tile([-np.inf, np.inf], (3, 3, 1)),
        np.tile(np.eye(3), (3, 1, 1)),
    )  # fmt: skip
    transfer = PoseTransfer(mesh, mesh, onto(mesh, mesh, 1.0))
    options = MotionSettings(keep_feet=False)
    by_bones = retarget(transfer, bones, clip, rooted, np.array([-1, 0, 1]), options)
    by_surface = follow_surface(transfer, shown, rooted, options)
    np.testing.assert_allclose(by_bones.moves[:, 0, 1], 0.1 * np.arange(12), atol=1e-3)
    assert by_surface.moves[-1, 0, 1] > 0.5


def test_a_leg_stays_straight_where_its_sole_matches_higher_up_a_boot() -> None:
    mesh = limb()
    upper, lower = skeleton(mesh).weights.T
    sole = np.clip((0.3 - mesh.vertices[:, 2]) / 0.1 + 0.5, 0, 1)
    weights = np.stack([np.zeros(len(upper)), upper, lower * (1 - sole), lower * sole], axis=1).astype(np.float32)
    heads = np.array([(0, 0, 2), (0, 0, 2), (0, -0.15, 1), (0, 0, 0.3)], np.float32)
    leg = Skeleton(
        heads, heads - np.float32([0, 0, 0.3]), np.array([-1, 0, 1, 2]), weights, np.ones(4, bool),
        np.tile([-np.inf, np.inf], (4, 3, 1)), np.tile(np.eye(3), (4, 1, 1)),
    )  # fmt: skip
    higher = mesh.vertices + np.float32([0, 0, 0.3]) * (mesh.vertices[:, 2:] < 0.35)
    face, bary, _ = closest_points(mesh, higher)
    transfer = PoseTransfer(mesh, mesh, Correspondence(face, bary, np.ones(len(face), np.float32)))
    still = Clip(np.tile(np.eye(3), (6, 4, 1, 1)), np.tile(heads.astype(float), (6, 1, 1)))
    motion = retarget(transfer, leg, still, leg, np.arange(4), MotionSettings(keep_feet=True))
    turned = Rotation.from_matrix(motion.own.reshape(-1, 3, 3)).magnitude()
    assert np.degrees(turned).max() < 5


def test_smoothing_does_not_lag() -> None:
    source = limb()
    clip, _ = clip_of(source, 40)
    transfer = PoseTransfer(source, source, onto(source, source, 1.0))
    bones = skeleton(source)
    smooth = retarget(transfer, bones, clip, bones, np.array([0, 1]), MotionSettings(smoothing=1.5, keep_feet=False))
    angle = np.arctan2(smooth.own[:, 1, 2, 1], smooth.own[:, 1, 2, 2])
    truth = np.arctan2(clip.turns[:, 1, 2, 1], clip.turns[:, 1, 2, 2])
    lags = [np.corrcoef(np.roll(truth, lag)[5:-5], angle[5:-5])[0, 1] for lag in (-1, 0, 1)]
    assert int(np.argmax(lags)) == 1


def test_bone_map_goes_by_the_surface_and_not_by_names() -> None:
    source, target = limb(), limb(1.5, segments=28)
    rows = derive_bone_map(
        source, skeleton(source), ["A", "B"], target, skeleton(target, 1.5), ["B", "A"], onto(target, source, 1.5)
    )
    assert [(row.target, row.source) for row in rows] == [("B", "A"), ("A", "B")]
    assert from_json(to_json(rows), "map.json") == rows
    assert min(row.share for row in rows) > 0.8


@pytest.mark.parametrize("text", ["", "{}", '{"format": 9, "kind": "bone map", "bones": []}', "[1]"])
def test_other_files_are_no_bone_maps(text: str) -> None:
    with pytest.raises(BadInputError, match=r"map\.json"):
        from_json(text, "map.json")


def test_what_is_not_alike_is_refused_in_one_sentence() -> None:
    source, target = box(), icosphere(2)
    count = len(target.vertices)
    nothing = Correspondence(np.zeros(count, np.int32), np.full((count, 3), 1 / 3, np.float32), np.zeros(count))
    with pytest.raises(BadInputError, match="Do It Anyway"):
        check_alike(source, target, nothing, np.ones(count, bool))


def test_corners_of_a_crate_that_match_by_chance_do_not_make_it_a_person() -> None:
    source, target = icosphere(2), box()
    chance = np.resize(np.float32([0, 0, 0, 0.25, 0.3, 0.35, 0.35, 0.45]), len(target.vertices))
    count = len(chance)
    matches = Correspondence(np.zeros(count, np.int32), np.full((count, 3), 1 / 3, np.float32), chance)
    assert np.median(chance) > 0.25
    with pytest.raises(BadInputError, match="Do It Anyway"):
        check_alike(source, target, matches, np.ones(count, bool))


def test_a_body_under_clothes_is_judged_by_what_is_seen() -> None:
    source, target = box(), icosphere(2)
    count = len(target.vertices)
    seen = np.arange(count) % 3 == 0
    sure = np.where(seen, 0.7, 0).astype(np.float32)
    matches = Correspondence(np.zeros(count, np.int32), np.full((count, 3), 1 / 3, np.float32), sure)
    assert check_alike(source, target, matches, seen) == pytest.approx(0.7)
    with pytest.raises(BadInputError, match="Do It Anyway"):
        check_alike(source, target, matches, np.zeros(count, bool))


def test_intersections_are_counted() -> None:
    apart = join(icosphere(2), icosphere(2, centre=(3, 0, 0)))
    through = join(icosphere(2), icosphere(2, centre=(1, 0, 0)))
    assert intersecting_share(apart) == 0
    assert 0.01 < intersecting_share(through) < 0.5


def test_sliding_counts_only_what_stands() -> None:
    path = np.stack([np.arange(6.0), np.zeros(6), np.zeros(6)], axis=1)
    assert sliding(path, np.array([False] * 6)) == 0
    assert sliding(path, np.array([True] * 3 + [False] * 3)) == 1.0
