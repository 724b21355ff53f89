# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights arrive where they belong, whatever the two meshes and the matches look like."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.geometry.closest import closest_points
from surface_features.mesh import Float32, TriangleMesh
from surface_features.settings import WeightSettings
from surface_features.transfer.weights import transfer_weights

from .shapes import box, cylinder, join, moved, split_per_face

ALL = WeightSettings(max_influences=0, prune_below=0)


def arm_weights(mesh: TriangleMesh, bones: int = 3) -> Float32:
    """(V, bones) tents along Z: every bone is strongest at its own height, and rows sum to 1."""
    along = np.clip(mesh.vertices[:, 2] / 2, 0, 1)[:, None] * (bones - 1)
    return np.maximum(1 - np.abs(along - np.arange(bones)), 0).astype(np.float32)


def matched(source: TriangleMesh, target: TriangleMesh, confidence: float = 1.0) -> Correspondence:
    """The nearest point of the source for every target vertex."""
    face, bary, _ = closest_points(source, target.vertices)
    return Correspondence(face, bary, np.full(len(face), confidence, np.float32))


def assert_skin(weights: Float32, target: TriangleMesh, bones: int) -> None:
    assert weights.shape == (len(target.vertices), bones)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-6


SOURCE = cylinder()
TARGET = cylinder(segments=17, rings=61)


def test_weights_move_to_another_topology() -> None:
    weights = transfer_weights(SOURCE, arm_weights(SOURCE), TARGET, matched(SOURCE, TARGET), ALL)
    assert_skin(weights, TARGET, 3)
    assert np.abs(weights - arm_weights(TARGET)).max() < 0.02


def test_a_mesh_onto_itself_keeps_its_weights() -> None:
    weights = transfer_weights(SOURCE, arm_weights(SOURCE), SOURCE, matched(SOURCE, SOURCE), ALL)
    assert np.abs(weights - arm_weights(SOURCE)).max() < 1e-5


def test_unsure_matches_are_filled_from_around_them() -> None:
    match = matched(SOURCE, TARGET)
    wrong = np.abs(TARGET.vertices[:, 2] - 0.5) < 0.25
    match.face[wrong] = len(SOURCE.faces) - 1  # the far end
    match.confidence[wrong] = 0.1
    spoilt = replace(match, confidence=np.ones_like(match.confidence))
    truth = arm_weights(TARGET)
    filled = transfer_weights(SOURCE, arm_weights(SOURCE), TARGET, match, ALL)
    trusted = transfer_weights(SOURCE, arm_weights(SOURCE), TARGET, spoilt, ALL)
    assert_skin(filled, TARGET, 3)
    assert np.abs(filled - truth)[wrong].max() < 0.1
    assert np.abs(trusted - truth)[wrong].mean() > 0.3


def test_points_of_the_source_without_weight_are_filled_too() -> None:
    weights = arm_weights(SOURCE)
    weights[np.abs(SOURCE.vertices[:, 2] - 0.5) < 0.3] = 0
    moved_weights = transfer_weights(SOURCE, weights, TARGET, matched(SOURCE, TARGET), ALL)
    assert_skin(moved_weights, TARGET, 3)
    assert np.abs(moved_weights - arm_weights(TARGET)).max() < 0.1


def test_when_no_match_is_sure_all_are_used() -> None:
    match = matched(SOURCE, TARGET, confidence=0.1)
    weights = transfer_weights(SOURCE, arm_weights(SOURCE), TARGET, match, ALL)
    assert np.abs(weights - arm_weights(TARGET)).max() < 0.02


def test_facets_that_share_a_place_share_their_weights() -> None:
    split = split_per_face(TARGET)
    match = matched(SOURCE, split)
    generator = np.random.default_rng(0)
    unsure = generator.random(len(split.vertices)) < 0.5
    match.face[unsure] = generator.integers(len(SOURCE.faces), size=unsure.sum())
    match.confidence[unsure] = 0.2
    weights = transfer_weights(SOURCE, arm_weights(SOURCE), split, match)
    assert_skin(weights, split, 3)
    _, place = np.unique(split.vertices.round(5), axis=0, return_inverse=True)
    for bone in range(3):
        lowest, highest = np.full(place.max() + 1, 2.0), np.full(place.max() + 1, -1.0)
        np.minimum.at(lowest, place.ravel(), weights[:, bone])
        np.maximum.at(highest, place.ravel(), weights[:, bone])
        assert np.array_equal(lowest, highest)
    assert np.abs(weights - arm_weights(split)).mean() < 0.02


def test_influences_are_limited_and_small_ones_pruned() -> None:
    weights = np.tile(np.array([0.5, 0.3, 0.1, 0.095, 0.005], np.float32), (len(SOURCE.vertices), 1))
    match = matched(SOURCE, TARGET)
    two = transfer_weights(SOURCE, weights, TARGET, match, WeightSettings(max_influences=2))
    assert np.allclose(two, [0.625, 0.375, 0, 0, 0], atol=1e-5)
    pruned = transfer_weights(SOURCE, weights, TARGET, match, WeightSettings(max_influences=0, prune_below=0.01))
    assert np.allclose(pruned, np.array([0.5, 0.3, 0.1, 0.095, 0]) / 0.995, atol=1e-5)
    one = transfer_weights(SOURCE, weights, TARGET, match, WeightSettings(max_influences=1, prune_below=0.9))
    assert np.array_equal(one, np.tile(np.eye(5, dtype=np.float32)[0], (len(TARGET.vertices), 1)))


def test_negative_and_unnormalised_weights_are_put_right() -> None:
    weights = arm_weights(SOURCE) * 7
    weights[:, 1] -= 1e-3
    moved_weights = transfer_weights(SOURCE, weights, TARGET, matched(SOURCE, TARGET))
    assert_skin(moved_weights, TARGET, 3)
    assert np.abs(moved_weights - arm_weights(TARGET)).max() < 0.03


def test_loose_vertices_and_unmatched_parts_get_weights() -> None:
    target = join(TARGET, moved(box((0.1, 0.1, 0.1)), (0.5, 0, 2)))
    target = TriangleMesh(np.concatenate([target.vertices, [(0.6, 0, 0)]]), target.faces)
    match = matched(SOURCE, target)
    match.confidence[len(TARGET.vertices) :] = 0
    weights = transfer_weights(SOURCE, arm_weights(SOURCE), target, match)
    assert_skin(weights, target, 3)
    assert (weights[len(TARGET.vertices) : -1].argmax(axis=1) == 2).all()  # the box floats beside the top
    assert weights[-1].argmax() == 0  # the loose vertex beside the bottom


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_size_of_the_target_does_not_matter(scale: float) -> None:
    match = matched(SOURCE, TARGET)
    match.confidence[TARGET.vertices[:, 2] < 0.5] = 0
    usual = transfer_weights(SOURCE, arm_weights(SOURCE), TARGET, match)
    scaled = transfer_weights(SOURCE, arm_weights(SOURCE), moved(TARGET, scale=scale), match)
    assert np.abs(usual - scaled).max() < 1e-2


def broken(**changes: object) -> dict[str, object]:
    weights = arm_weights(SOURCE)
    given = {"source_weights": weights, "onto_source": matched(SOURCE, TARGET), **changes}
    return {"source": SOURCE, "target": TARGET, **given}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"source_weights": np.zeros((len(SOURCE.vertices), 3))}, "no_weights"),
        ({"source_weights": -arm_weights(SOURCE)}, "no_weights"),
        ({"source_weights": np.zeros((len(SOURCE.vertices), 0))}, "no_weights"),
        ({"source_weights": np.full((len(SOURCE.vertices), 3), np.nan)}, "non_finite_weights"),
        ({"source_weights": arm_weights(TARGET)}, "bad_correspondence"),
        ({"onto_source": matched(SOURCE, SOURCE)}, "bad_correspondence"),
        ({"source": box()}, "bad_correspondence"),
        ({"target": TriangleMesh(TARGET.vertices, [])}, "no_faces"),
    ],
)
def test_what_cannot_be_transferred_is_refused_by_name(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(BadInputError) as caught:
        transfer_weights(**broken(**changes))
    assert caught.value.fault == fault


def test_weights_the_target_never_meets_are_refused() -> None:
    source = join(SOURCE, moved(SOURCE, (9, 0, 0)))
    weights = np.zeros((len(source.vertices), 3), np.float32)
    weights[len(SOURCE.vertices) :] = arm_weights(SOURCE)
    with pytest.raises(BadInputError, match="Joined: no part") as caught:
        transfer_weights(source, weights, TARGET, matched(SOURCE, TARGET))
    assert caught.value.fault == "no_weights"


def test_a_large_target_takes_seconds() -> None:
    target = cylinder(segments=100, rings=300)
    match = matched(SOURCE, target)
    match.confidence[target.vertices[:, 0] > 0.1] = 0.2
    start = time.perf_counter()
    assert_skin(transfer_weights(SOURCE, arm_weights(SOURCE, 40), target, match), target, 40)
    assert time.perf_counter() - start < 10
