# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural characters are the known truth of other tests: what they promise is checked here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from examples.characters import (
    HUMANOID_JOINTS,
    Character,
    HumanoidSpec,
    build_humanoid,
    pose_character,
    random_humanoid,
    random_pose,
    relative_rotations,
    rest_pose_a,
    walk_cycle,
)
from examples.quadruped import QuadrupedSpec, build_quadruped, random_quadruped, random_stance, trot_cycle
from examples.skeleton import mirror_name

SPECS = {
    "adult": HumanoidSpec(),
    "stout": HumanoidSpec(
        height=1.4,
        head_size=0.22,
        leg_length=0.38,
        arm_thickness=0.035,
        leg_thickness=0.06,
        belly=0.8,
        fingers="mitten",
        hair="none",
        resolution=60,
    ),
    "boxes": HumanoidSpec(style="blocky", resolution=70),
    "pieces": HumanoidSpec(style="parts", hat="helmet", belt=True, cape=True, backpack=True, resolution=70),
}


@pytest.fixture(scope="module", params=[*SPECS, "animal"])
def character(request: pytest.FixtureRequest) -> Character:
    return build_humanoid(SPECS[request.param]) if request.param in SPECS else build_quadruped(QuadrupedSpec())


def _same_points(source: Character, target: Character) -> np.ndarray:
    """For every source vertex the target vertex with the nearest bone coordinates; -1 where the bone has none."""
    match = np.full(len(source.vertices), -1)
    for bone in np.unique(source.bone):
        mine, theirs = np.flatnonzero(source.bone == bone), np.flatnonzero(target.bone == bone)
        if len(theirs):
            gap = np.abs(source.along[mine, None] - target.along[None, theirs])
            turn = np.linalg.norm(source.around[mine, None] - target.around[None, theirs], axis=2)
            match[mine] = theirs[(gap + 0.5 * turn).argmin(1)]
    return match


def test_surfaces_are_closed_and_face_outwards(character: Character) -> None:
    faces, count = character.faces.astype(np.int64), len(character.vertices)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = np.sort(edges[:, 0] * count + edges[:, 1]), np.sort(edges[:, 1] * count + edges[:, 0])
    assert np.array_equal(there, back), "every edge is walked once in each direction"
    a, b, c = (character.vertices[faces[:, i]].astype(np.float64) for i in range(3))
    _, piece = connected_components(coo_matrix((np.ones(len(edges)), tuple(edges.T)), shape=(count, count)))
    volume = np.bincount(piece[faces[:, 0]], weights=np.einsum("fi,fi->f", a, np.cross(b, c)) / 6)
    assert (volume > 0).all()


def test_smooth_characters_are_one_piece() -> None:
    rng = np.random.default_rng(4)
    specs = [spec for spec in (random_humanoid(rng) for _ in range(16)) if spec.style == "smooth"]
    assert len(specs) >= 5
    for spec in specs:
        made = build_humanoid(spec)
        faces = made.faces
        ends = np.concatenate([faces[:, :2], faces[:, 1:]])
        pieces, _ = connected_components(
            coo_matrix((np.ones(len(ends)), tuple(ends.T)), shape=(len(made.vertices),) * 2)
        )
        assert pieces == 1, spec


def test_weights_are_a_blend_of_a_bone_and_its_neighbours(character: Character) -> None:
    assert character.weights.shape == (len(character.vertices), len(character.joints))
    assert (character.weights >= 0).all()
    np.testing.assert_allclose(character.weights.sum(1), 1, atol=1e-5)
    weighted = character.weights > 0
    for joint, name in enumerate(character.joints):
        other = character.joints.index(mirror_name(name))
        # The breastbone and the crotch lie between both sides; nothing further out may.
        if other != joint and not name.startswith(("clavicle", "thigh", "upperarm", "ear")):
            assert not (weighted[:, joint] & weighted[:, other]).any(), f"{name} and its mirror share a vertex"


def test_left_is_plus_x_and_the_face_looks_towards_minus_y(character: Character) -> None:
    left = np.array([name.endswith(".L") for name in character.joints])[character.bone]
    right = np.array([name.endswith(".R") for name in character.joints])[character.bone]
    assert (character.vertices[left, 0] > -0.05).all()
    assert (character.vertices[right, 0] < 0.05).all()
    toe_bone = "ball.L" if "ball.L" in character.joints else "forefoot.L"
    heel_bone = "calf.L" if "ball.L" in character.joints else "pastern.L"
    toes, heel = (character.bone == character.joints.index(bone) for bone in (toe_bone, heel_bone))
    assert character.vertices[toes, 1].mean() < character.vertices[heel, 1].mean() - 0.03


def test_the_same_coordinate_is_the_same_place_on_other_bodies() -> None:
    adult, stout = build_humanoid(SPECS["adult"]), build_humanoid(SPECS["stout"])
    match = _same_points(adult, stout)
    assert (match >= 0).all()
    # Whatever the proportions: the place inside the bounding box, and the way the surface faces out, stay alike.
    place = [(c.vertices - c.vertices.min(0)) / np.ptp(c.vertices, axis=0) for c in (adult, stout)]
    assert np.median(np.abs(place[0] - place[1][match])[:, 2]) < 0.12
    side = np.abs(adult.vertices[:, 0]) > 0.03
    assert (np.sign(adult.vertices[side, 0]) == np.sign(stout.vertices[match[side], 0])).mean() > 0.999
    # The strongest bone, a function of the place, agrees.
    assert (adult.weights.argmax(1) == stout.weights.argmax(1)[match]).mean() > 0.95


def test_posing_keeps_bone_lengths_and_the_shape_of_rigid_parts(character: Character) -> None:
    make = random_pose if character.joints == HUMANOID_JOINTS else random_stance
    posed = pose_character(character, make(np.random.default_rng(3)))
    length = [np.linalg.norm(c.bones[:, 1] - c.bones[:, 0], axis=1) for c in (character, posed)]
    np.testing.assert_allclose(length[1], length[0], rtol=1e-4)
    for joint in range(len(character.joints)):
        rigid = np.flatnonzero(character.weights[:, joint] > 0.9999)[:40]
        before, after = (
            np.linalg.norm(c.vertices[rigid, None] - c.vertices[None, rigid], axis=2) for c in (character, posed)
        )
        np.testing.assert_allclose(after, before, atol=1e-4)
    assert np.abs(posed.vertices - character.vertices).max() > 0.1


def test_a_pose_is_reached_from_any_rest_pose() -> None:
    character = build_humanoid(SPECS["boxes"])
    direct = pose_character(character, walk_cycle(0.3))
    rested = pose_character(character, rest_pose_a())
    again = pose_character(rested, relative_rotations(rested, walk_cycle(0.3), rest_pose_a()))
    np.testing.assert_allclose(again.bones, direct.bones, atol=1e-5)


def test_walking_swings_arms_against_legs() -> None:
    character = build_humanoid(SPECS["adult"])
    forward = {}
    for phase in (0.25, 0.75):
        posed = pose_character(character, walk_cycle(phase))
        y = posed.bones[:, 1, 1]
        forward[phase] = {name: -y[posed.joints.index(name)] for name in ("calf.L", "calf.R", "hand.L", "hand.R")}
    for phase, front, behind in ((0.25, ".L", ".R"), (0.75, ".R", ".L")):
        assert forward[phase]["calf" + front] > forward[phase]["calf" + behind] + 0.2
        assert forward[phase]["hand" + behind] > forward[phase]["hand" + front] + 0.1


def test_trotting_moves_diagonal_legs_together() -> None:
    animal = build_quadruped(random_quadruped(np.random.default_rng(2)))
    posed = pose_character(animal, trot_cycle(0.25))
    shift = {
        name: float((posed.bones - animal.bones)[animal.joints.index(name), 1, 1])
        for name in ("forefoot.L", "forefoot.R", "hindfoot.L", "hindfoot.R")
    }
    assert shift["forefoot.L"] * shift["hindfoot.R"] > 0
    assert shift["forefoot.R"] * shift["hindfoot.L"] > 0
    assert shift["forefoot.L"] * shift["forefoot.R"] < 0


def test_the_same_seed_makes_the_same_character() -> None:
    first, second = (build_humanoid(random_humanoid(np.random.default_rng(9))) for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.weights, second.weights)


def test_an_unknown_joint_is_named() -> None:
    character = build_humanoid(SPECS["boxes"])
    with pytest.raises(KeyError, match=r"no such joint: tail"):
        pose_character(character, {"tail": np.eye(3, dtype=np.float32)})
