# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data engine does to meshes and rigs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.make_mpfb_pack import FIRST_HELD_OUT_SEED, make_person, truth_from_spoilt
from surface_features.mesh import TriangleMesh
from training.animal_specs import LEGS, random_animal
from training.critters import sample_critter
from training.dressing import Labelled, Wardrobe, roughen
from training.figures import sample_figure
from training.human_poses import lower_arms, pose_person, sample_crossed_pose, sample_piercing_pose, sample_pose
from training.humans import HumanModel, to_z_up
from training.loose_clothes import SQUATLY, dress_loosely
from training.procedural import TemplateChart
from training.proportions import sample_squat
from training.quadrupeds import CROSSING, GRIDS, AnimalModel, crossed_pose
from training.read_rigs import face_front
from training.remeshing import carry_labels
from training.rigs import animal_regions

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


def posed_bodies(model, sample):
    """Vertices (body_vertex_count, 3) of three people, in poses that `sample` draws."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        person = model.sample_person(rng)
        yield pose_person(model, person, sample(model, person, rng))[: model.body_vertex_count]


def test_a_crossed_limb_lies_on_the_other_side(shared_data):
    model = HumanModel(shared_data)
    weights = model.weights[: model.body_vertex_count]
    for posed in posed_bodies(model, sample_crossed_pose):
        ends = [weights[:, model.bone_index[bone]] > 0.5 for bone in ("hand_l", "foot_l", "hand_r", "foot_r")]
        sideways = np.array([posed[end, 0].mean() for end in ends]) * [1, 1, -1, -1]
        assert sideways.min() < 0


def test_a_piercing_hand_comes_out_on_the_other_side_of_the_torso(shared_data):
    model = HumanModel(shared_data)
    weights = model.weights[: model.body_vertex_count]
    for posed in posed_bodies(model, sample_piercing_pose):

        def skin(*bones: str, posed: np.ndarray = posed) -> np.ndarray:
            return posed[weights[:, [model.bone_index[bone] for bone in bones]].sum(axis=1) > 0.5]

        torso = skin("pelvis", "spine_01", "spine_02", "spine_03")
        inside = []
        for side, sign in (("l", 1), ("r", -1)):
            forearm, hand = skin(f"lowerarm_{side}"), skin(f"hand_{side}")
            crossed = sign * hand[:, 0].mean() < 0
            within = (forearm > torso.min(axis=0)) & (forearm < torso.max(axis=0))
            inside.append(crossed and within.all(axis=1).any())
        assert any(inside)


def test_what_hides_a_body_belongs_to_the_side_it_hangs_on(shared_data):
    model = HumanModel(shared_data)
    wardrobe = Wardrobe(model)
    count = model.body_vertex_count
    for seed in range(6):
        rng = np.random.default_rng(seed)
        person = model.sample_person(rng)
        posed = pose_person(model, person, sample_pose(model, person, rng, 0.0))
        mesh = dress_loosely(wardrobe, posed, rng, deleted=1.0)
        body, added = mesh.vertices[:count], mesh.vertices[count:]
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.max() < len(mesh.vertices) == len(mesh.labels)
        assert (mesh.faces >= count).any()
        place = body[mesh.labels[count:]]
        beside = np.abs(added[:, 0]) > 0.03 * np.ptp(body[:, 1])
        assert (np.sign(added[beside, 0]) == np.sign(place[beside, 0])).mean() > 0.9
        legs = place[:, 1] < np.quantile(body[:, 1], 0.2)
        assert (np.abs(added[legs, 1] - place[legs, 1]) < 0.15 * np.ptp(body[:, 1])).all()


def test_squat_figures_stand_on_boots_with_no_leg_in_them(shared_data):
    model = HumanModel(shared_data)
    wardrobe, count, booted = Wardrobe(model), model.body_vertex_count, 0
    feet, trunk = wardrobe.follows("calf", "foot", "ball"), wardrobe.follows("pelvis")
    for seed in range(8):
        rng = np.random.default_rng(seed)
        person = model.sample_person(rng)
        pose = sample_pose(model, person, rng, 0.0)
        lower_arms(model, pose, rng)
        posed = pose_person(model, person, pose, sample_squat(rng))
        mesh = dress_loosely(wardrobe, posed, rng, deleted=1.0, worn_by=SQUATLY)
        body, used = mesh.vertices[:count], np.zeros(len(mesh.vertices), bool)
        used[mesh.faces] = True
        if not used[:count][feet].all():
            booted += 1
            assert (used[count:] & feet[mesh.labels[count:]]).any()
        low, tall = body[:, 1].min(), np.ptp(body[:, 1])
        assert body[trunk, 1].mean() - low < 0.45 * tall  # a person's: 0.53
        left, right = (body[wardrobe.follows(f"hand_{side}")].mean(axis=0) for side in "lr")
        assert left[0] > 0 > right[0]
        assert max(left[1], right[1]) < body[wardrobe.follows("clavicle")].mean(axis=0)[1]
    assert booted > 4


def test_figures_that_are_not_shaped_like_humans_have_their_left_on_the_left(shared_data):
    model = HumanModel(shared_data)
    chart, across = TemplateChart(model), to_z_up(model.base)[:, 0]
    strange = 0
    for seed in range(12):
        mesh = sample_figure(chart, np.random.default_rng(seed))
        assert np.isfinite(mesh.vertices).all()
        assert 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices) == len(mesh.labels)
        known = mesh.labels >= 0
        side = np.where(known, np.sign(across[mesh.labels]) * (np.abs(across[mesh.labels]) > 0.2), 0)
        assert mesh.vertices[side > 0, 0].mean() > mesh.vertices[side < 0, 0].mean()
        strange += bool((~known).any())
    assert strange  # tails, wings and aerials


def test_procedural_quadrupeds_have_their_forelegs_in_front_and_their_left_on_the_left(shared_data):
    animals = AnimalModel(shared_data)
    regions = animal_regions(animals, 100)
    for seed in range(12):
        mesh = sample_critter(regions, np.random.default_rng(seed))
        assert (mesh.labels >= 100).all()
        assert 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices) == len(mesh.labels)
        part = np.array(list(GRIDS))[animals.part[mesh.labels - 100]]
        middle = {name: mesh.vertices[part == name].mean(axis=0) for name in GRIDS if name.startswith(LEGS)}
        for leg in LEGS:
            assert middle[f"{leg}.L"][0] > middle[f"{leg}.R"][0]
        for side in "LR":
            assert middle[f"foreleg.{side}"][1] < middle[f"hindleg.{side}"][1]


def test_a_crossed_foot_lies_beyond_its_twin_or_its_neighbour(shared_data):
    model = AnimalModel(shared_data)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        spec = random_animal(rng)
        feet = model.feet(spec, crossed_pose(model, spec, rng))
        sideways = [feet[f"{leg}.L"][0] - feet[f"{leg}.R"][0] for leg in LEGS]
        along = [feet[f"hindleg.{side}"][1] - feet[f"foreleg.{side}"][1] for side in "LR"]
        assert min(sideways + along) < -CROSSING


def test_a_surface_made_anew_takes_no_label_from_what_lies_beneath_it():
    coarse, beneath = _sheet(2, 0.0), _sheet(30, -0.02)
    old = TriangleMesh(
        np.concatenate([coarse.vertices, beneath.vertices]),
        np.concatenate([coarse.faces, beneath.faces + len(coarse.vertices)]),
    )
    labels = np.repeat([7, 8], [len(coarse.vertices), len(beneath.vertices)])
    assert (carry_labels(old, labels, _sheet(20, 0.001), reach=0.2) == 7).all()
    assert (carry_labels(old, labels, _sheet(20, 3.0), reach=0.2) == -1).all()


def _sheet(points: int, height: float) -> TriangleMesh:
    """A square of points × points vertices, facing up."""
    x, y = np.meshgrid(np.linspace(0, 1, points), np.linspace(0, 1, points), indexing="ij")
    corner = (np.arange(points - 1)[:, None] * points + np.arange(points - 1)).ravel()
    faces = [[corner, corner + points, corner + 1], [corner + 1, corner + points, corner + points + 1]]
    vertices = np.stack([x, y, np.full_like(x, height)], axis=-1).reshape(-1, 3)
    return TriangleMesh(
        vertices.astype(np.float32), np.concatenate([np.stack(f, axis=1) for f in faces]).astype(np.int32)
    )


def test_covered_people_are_measured_where_clothes_hide_their_bodies(shared_data):
    model = HumanModel(shared_data)
    source, target = (make_person(model, FIRST_HELD_OUT_SEED + number, "covered") for number in range(2))
    found = [
        truth_from_spoilt(source, target, model.mirror, np.random.default_rng(0), covered=covered)["source_vertex"]
        for covered in (False, True)
    ]
    body = len(source.skin.vertices)
    assert min(len(vertices) for vertices in found) > 1000
    assert (found[0] >= body).any()
    assert (found[1] < body).all()
    assert len(np.intersect1d(*found)) == 0
