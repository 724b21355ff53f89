# SPDX-License-Identifier: GPL-3.0-or-later
"""Features of the real bundled model: what must not matter does not, what must matter does."""

from dataclasses import replace

import numpy as np
import pytest

from examples.characters import HumanoidSpec, build_humanoid, pose_character, rest_pose_a
from surface_features import upright
from surface_features.backbones.checkpoint import MODELS
from surface_features.cache import FeatureCache
from surface_features.errors import BadInputError
from surface_features.features import Features, compute_features, feature_colours
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings
from surface_features.upright import TURNS, find_up
from surface_features.views.render import Raycaster

from .shapes import box, cylinder, icosphere

pytestmark = pytest.mark.skipif(
    not (MODELS / "bundled" / "config.json").exists(), reason="the bundled model is not built yet"
)
SETTINGS = FeatureSettings(views=12, device="cpu")


@pytest.fixture(scope="module")
def character():
    return build_humanoid(HumanoidSpec(seed=5, resolution=60))


@pytest.fixture(scope="module")
def mesh(character) -> TriangleMesh:
    return TriangleMesh(character.vertices, character.faces, "Humanoid")


@pytest.fixture(scope="module")
def features(mesh) -> Features:
    return compute_features(mesh, SETTINGS)


def likeness(a: Features, b: Features) -> float:
    return float((a.values * b.values).sum(axis=1).mean())


def test_there_is_one_unit_feature_per_vertex(mesh, features):
    assert features.values.shape[0] == len(mesh.vertices)
    assert features.values.dtype == features.confidence.dtype == np.float32
    assert np.allclose(np.linalg.norm(features.values, axis=1), 1, atol=1e-4)
    assert features.confidence.min() >= 0
    assert features.confidence.max() <= 1


def test_vertex_order_does_not_matter(mesh, features):
    order = np.random.default_rng(0).permutation(len(mesh.vertices))
    shuffled = TriangleMesh(mesh.vertices[order], np.argsort(order)[mesh.faces])
    again = compute_features(shuffled, SETTINGS)
    assert (again.values * features.values[order]).sum(axis=1).mean() > 0.999


def test_a_large_mesh_is_lifted_onto_fewer_vertices(mesh, features, monkeypatch):
    monkeypatch.setattr("surface_features.features.MOST_LIFTED", len(mesh.vertices) // 3)
    fewer = compute_features(mesh, SETTINGS)
    assert fewer.values.shape == features.values.shape
    assert np.allclose(np.linalg.norm(fewer.values, axis=1), 1, atol=1e-4)
    same_place = mesh.vertices[(fewer.values @ features.values.T).argmax(axis=1)]
    off = np.linalg.norm(same_place - mesh.vertices, axis=1) / np.ptp(mesh.vertices[:, 2])
    assert off.mean() < 0.008
    assert (off > 0.05).mean() < 0.02


@pytest.mark.parametrize("scale", [1e-6, 100.0, 1e6])
def test_scale_and_place_do_not_matter(mesh, features, scale):
    moved = TriangleMesh(mesh.vertices * scale + np.float32([3, -7, 2]) * scale, mesh.faces)
    assert likeness(compute_features(moved, SETTINGS), features) > 0.99


def test_turning_about_the_up_axis_hardly_matters(mesh, features):
    turn = np.radians(77)
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]], np.float32)
    turned = TriangleMesh(mesh.vertices @ about_z.T, mesh.faces)
    assert likeness(compute_features(turned, FeatureSettings(device="cpu")), features) > 0.95


def test_triangulation_hardly_matters(mesh, features):
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    centre = len(mesh.vertices) + np.arange(len(mesh.faces))
    finer = np.concatenate([np.column_stack([mesh.faces[:, [i, (i + 1) % 3]], centre]) for i in range(3)])
    split = compute_features(TriangleMesh(np.concatenate([mesh.vertices, middle]), finer), SETTINGS)
    own = Features(split.values[: len(mesh.vertices)], split.confidence[: len(mesh.vertices)])
    assert likeness(own, features) > 0.98


def test_a_y_up_file_gives_the_features_of_the_z_up_mesh(mesh, features):
    y_up = np.stack([mesh.vertices[:, 0], mesh.vertices[:, 2], -mesh.vertices[:, 1]], axis=1)
    again = compute_features(TriangleMesh(y_up, mesh.faces), replace(SETTINGS, up="Y"))
    assert likeness(again, features) > 0.999


@pytest.mark.parametrize("up", ["Y", "-Z", "-X"])
def test_a_body_that_does_not_stand_is_seen_standing(mesh, features, up):
    lying = TriangleMesh((mesh.vertices @ TURNS[up]).astype(np.float32), mesh.faces, "Sleeper")
    context = JobContext()
    assert likeness(compute_features(lying, SETTINGS, context), features) > 0.99
    assert context.warnings == [f"Sleeper does not stand along Z: it was looked at with {up} up."]


@pytest.mark.parametrize("shape", [box(), cylinder(), icosphere(3)], ids=["brick", "pillar", "pebble"])
def test_a_shape_like_nothing_known_is_taken_as_it_stands(shape):
    for turn in TURNS.values():
        turned = TriangleMesh((shape.vertices * [1, 2, 3] @ turn).astype(np.float32), shape.faces)
        assert find_up(Raycaster(turned), turned, "cpu") == "Z"


def test_a_glance_alone_turns_nothing(mesh, monkeypatch):
    """A rucksack can make a standing figure look, from a few sides, like one upside down."""
    told = {upright.GLANCE: {"Z": 0.39, "-Z": 0.43, "Y": 0.3}, upright.LOOK: {"Z": 0.55, "-Z": 0.52}}
    asked = []

    def alike(raycaster, surface, ups, views, device):
        asked.append(list(ups))
        return dict.fromkeys(TURNS, 0.0) | told[views]

    monkeypatch.setattr(upright, "_alike", alike)
    assert find_up(Raycaster(mesh), mesh, "cpu") == "Z"
    assert asked == [list(TURNS), ["Z", "-Z"]]


def test_left_is_not_right(character, features):
    centre = {name: features.values[character.bone == i].mean(axis=0) for i, name in enumerate(character.joints)}
    posed = pose_character(character, rest_pose_a())
    other = compute_features(TriangleMesh(posed.vertices, posed.faces), SETTINGS).values
    for left, right in (("hand.L", "hand.R"), ("foot.L", "foot.R"), ("lowerarm.L", "lowerarm.R")):
        own = other[character.bone == character.joints.index(left)]
        assert (own @ centre[left] > own @ centre[right]).mean() > 0.9


def test_loose_and_doubled_vertices_get_features_too(mesh, features):
    messy = TriangleMesh(
        np.concatenate([mesh.vertices[mesh.faces.reshape(-1)], mesh.vertices[:3] + 0.001]),
        np.arange(mesh.faces.size).reshape(-1, 3),
    )
    again = compute_features(messy, SETTINGS)
    assert again.values.shape[0] == mesh.faces.size + 3
    assert (again.values[:-3] * features.values[mesh.faces.reshape(-1)]).sum(axis=1).mean() > 0.99
    assert np.allclose(np.linalg.norm(again.values, axis=1), 1, atol=1e-4)


def test_an_empty_mesh_is_refused_by_name():
    with pytest.raises(BadInputError) as caught:
        compute_features(TriangleMesh(np.zeros((3, 3), np.float32), np.zeros((0, 3), np.int32), "Ghost"), SETTINGS)
    assert caught.value.fault == "no_faces"
    assert "Ghost" in str(caught.value)


def test_colours_mean_the_same_on_every_mesh(mesh, features):
    alone, together = feature_colours([features], "bundled"), feature_colours([features, features], "bundled")
    assert alone[0].shape == (len(mesh.vertices), 3)
    assert np.array_equal(alone[0], together[1])
    assert alone[0].std(axis=0).min() > 0.05


def test_the_second_time_comes_from_the_cache(mesh, features, tmp_path):
    cache = FeatureCache(tmp_path, 10**8)
    first = compute_features(mesh, SETTINGS, cache=cache)
    context = JobContext()
    again = compute_features(mesh, SETTINGS, context, cache)
    assert np.array_equal(first.values, again.values)
    assert "backbone" not in context.timings
    other = compute_features(mesh, replace(SETTINGS, views=6), context, cache)
    assert not np.array_equal(other.values, first.values)
