# SPDX-License-Identifier: GPL-3.0-or-later
"""From a rigged shape to another's weights: bent sources, loose parts, layers, locks, pins, models, reports."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surface_features import quality
from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.features import Features
from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from surface_features.quality import measure_quality
from surface_features.quality_report import WeightQuality, write_html
from surface_features.settings import WeightSettings
from surface_features.transfer.articulation import follow_bones
from surface_features.transfer.bone_sides import bone_sides
from surface_features.transfer.loose_parts import (
    bind_loose_parts,
    carry_between_layers,
    find_loose_parts,
    stiffen_sure_parts,
)
from surface_features.transfer.merging import merge_weights, soft_selection
from surface_features.transfer.model_file import load_skinning_model, save_skinning_model
from surface_features.transfer.pins import Pins, match_around_pins
from surface_features.transfer.regression import Lesson, apply_skinning, learn_skinning
from surface_features.transfer.weights import TransferredSkin

from .shapes import box, cylinder, grid, join, moved

ARM = cylinder(segments=16, rings=50)
BONES = ("Upper", "Lower")


def two_bones(mesh: TriangleMesh) -> np.ndarray:
    """(V, 2) weights that change over at half the height."""
    upper = np.clip((mesh.vertices[:, 2] - 0.9) / 0.2, 0, 1)
    return np.stack([1 - upper, upper], axis=1).astype(np.float32)


def bent(mesh: TriangleMesh, degrees: float) -> TriangleMesh:
    """The upper half of an arm turned about its middle."""
    turn, weights = np.radians(degrees), two_bones(mesh)[:, 1:]
    matrix = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    turned = (mesh.vertices - [0, 0, 1]) @ matrix.T + [0, 0, 1]
    return TriangleMesh(mesh.vertices * (1 - weights) + turned * weights, mesh.faces, "Bent")


def place_features(mesh: TriangleMesh, of: TriangleMesh) -> Features:
    """Unit features that tell the place on the straight arm; `of` has the same vertices as `mesh`."""
    x, y, z = of.vertices.T
    values = np.stack([np.cos(z * 1.4), np.sin(z * 1.4), x, y], axis=1).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return Features(values, np.ones(len(values), np.float32))


def blurred_match(target: TriangleMesh, straight: TriangleMesh, error: float) -> Correspondence:
    """The right match of every target vertex, off by a random length along the arm."""
    off = np.random.default_rng(0).normal(0, error, (len(target.vertices), 1)) * [0, 0, 1]
    face, bary, _ = closest_points(ARM, (straight.vertices + off).astype(np.float32))
    return Correspondence(face, bary, np.full(len(face), 0.7, np.float32))


def test_a_bent_source_makes_a_blurred_match_exact() -> None:
    straight = cylinder(segments=13, rings=43)
    target = bent(straight, 60)
    match = blurred_match(target, straight, 0.15)
    features = place_features(ARM, ARM), place_features(target, straight)
    found = follow_bones(ARM, features[0], two_bones(ARM), target, features[1], match)

    def error(of: Correspondence) -> float:
        return float(np.linalg.norm(of.points(ARM) - straight.vertices, axis=1).mean())

    assert error(match) > 0.08
    assert error(found) < 0.03


def test_a_source_with_a_corner_that_is_nowhere_is_bent_all_the_same() -> None:
    straight = cylinder(segments=13, rings=43)
    target = bent(straight, 60)
    vertices = ARM.vertices.copy()
    vertices[ARM.faces[0, 0]] = np.nan
    torn = TriangleMesh(vertices, ARM.faces, "Torn")
    match, features = blurred_match(target, straight, 0.15), place_features(ARM, ARM)
    found = follow_bones(torn, features, two_bones(ARM), target, place_features(target, straight), match)
    assert np.isfinite(found.bary).all()
    assert np.linalg.norm(found.points(ARM) - straight.vertices, axis=1).mean() < 0.03


def test_a_source_in_the_same_place_needs_no_bending() -> None:
    target = cylinder(segments=13, rings=43)
    match = blurred_match(target, target, 0.2)
    features = place_features(ARM, ARM), place_features(target, target)
    found = follow_bones(ARM, features[0], two_bones(ARM), target, features[1], match)
    weights = np.einsum("vc,vcj->vj", found.bary, two_bones(ARM)[ARM.faces[found.face]])
    assert np.abs(weights - two_bones(target)).mean() < 0.01


def test_a_source_that_lies_on_something_else_is_not_followed() -> None:
    target = cylinder(
        segments=13, rings=43
    )  # its elbow is higher up than the source's, which nothing but features tells
    meant = TriangleMesh(target.vertices - np.float32([0, 0, 0.4]), target.faces)
    kept = target.vertices[:, 2] > 0.6
    face, bary, _ = closest_points(ARM, meant.vertices)
    match = Correspondence(face, bary, np.full(len(face), 0.9, np.float32))
    features = place_features(ARM, ARM), place_features(target, meant)
    found = follow_bones(ARM, features[0], two_bones(ARM), target, features[1], match)
    off = np.abs(found.points(ARM) - meant.vertices)[kept, 2]
    assert off.mean() < 0.1


def test_a_button_moves_with_the_cloth_below_it_and_stays_stiff() -> None:
    button = moved(box((0.05, 0.05, 0.05)), (0.22, 0, 1.0))
    mesh = join(ARM, button)
    weights = np.concatenate([two_bones(ARM), np.random.default_rng(0).random((8, 2)).astype(np.float32)])
    parts = find_loose_parts(mesh, weights, np.ones(len(weights), np.float32))
    assert [len(rows) for rows in parts] == [8]
    bound = bind_loose_parts(mesh, weights, parts)
    assert (bound[-8:] == bound[-1]).all()
    assert abs(bound[-1, 1] - 0.5) < 0.15
    np.testing.assert_array_equal(bound[:-8], weights[:-8])


def test_a_loose_finger_follows_its_own_bone_where_it_is_surely_matched() -> None:
    finger = moved(box((0.05, 0.05, 0.05)), (0.22, 0, 1.0))
    mesh = join(ARM, finger)
    own = np.tile(np.float32([0.1, 0.9]), (8, 1)) + np.random.default_rng(0).normal(0, 0.02, (8, 2)).astype(np.float32)
    weights = np.concatenate([two_bones(ARM), own])
    for confidence, is_sure in ((0.9, True), (0.2, False)):
        trust = np.full(len(weights), confidence, np.float32)
        parts = find_loose_parts(mesh, weights, trust)
        stiff, settled, others = stiffen_sure_parts(weights, trust, parts)
        assert settled[-8:].all() == is_sure
        assert len(others) == (not is_sure)
        if is_sure:
            assert (stiff[-8:] == stiff[-1]).all()
            assert abs(stiff[-1, 1] - 0.9) < 0.03


def test_what_hides_under_clothes_takes_their_weights() -> None:
    sleeve = cylinder(radius=0.22, segments=20, rings=40)
    mesh = join(ARM, sleeve)
    known = np.arange(len(mesh.vertices)) >= len(ARM.vertices)
    weights = np.concatenate([np.zeros_like(two_bones(ARM)), two_bones(sleeve)])
    filled, now_known = carry_between_layers(mesh, weights, known)
    inside = np.flatnonzero(~known & now_known)
    assert len(inside) > 0.9 * len(ARM.vertices)
    assert np.abs(filled[inside] - two_bones(ARM)[inside]).mean() < 0.06


def test_locked_groups_stay_and_the_rest_shares_what_is_left() -> None:
    existing, new = np.float32([[0.4, 0.6, 0]]), np.float32([[0, 0.3, 0.7]])
    locked, everything = np.array([True, False, False]), np.ones(3, bool)
    merged = merge_weights(existing, new, locked, everything, np.ones(1, np.float32))
    np.testing.assert_allclose(merged, [[0.4, 0.18, 0.42]], atol=1e-6)


def test_mix_and_untouched_rows() -> None:
    existing, new = np.float32([[1, 0], [1, 0], [0, 0]]), np.float32([[0, 1], [0, 1], [0, 1]])
    merged = merge_weights(existing, new, np.zeros(2, bool), np.ones(2, bool), np.float32([0.25, 0, 0.25]))
    np.testing.assert_allclose(merged, [[0.75, 0.25], [1, 0], [0, 1]], atol=1e-6)


def test_groups_that_were_not_chosen_only_make_room() -> None:
    existing, new = np.float32([[0.5, 0.25, 0.25]]), np.float32([[0.8, 0.2, 0]])
    chosen = np.array([True, False, False])
    merged = merge_weights(existing, new, np.zeros(3, bool), chosen, np.ones(1, np.float32))
    np.testing.assert_allclose(merged, [[0.8, 0.1, 0.1]], atol=1e-6)


def test_a_selection_fades_inside_its_rim() -> None:
    sheet = grid(20, 20)
    inside = (np.abs(sheet.vertices[:, :2] - 0.5) < 0.41).all(axis=1)
    share = soft_selection(sheet, inside, 0.3)
    assert share[~inside].max() == 0
    assert share[np.argmin(np.abs(sheet.vertices - 0.5)[:, :2].sum(axis=1))] == 1
    assert 0 < share[inside].min() < 0.2


def test_a_pin_moves_the_match_around_it_and_nothing_far_away() -> None:
    features = place_features(ARM, ARM)
    face, bary, _ = closest_points(ARM, np.clip(ARM.vertices + np.float32([0, 0, 0.1]), -1, 2))
    match = Correspondence(face, bary, np.ones(len(face), np.float32))
    point = np.float32([[0.2, 0, 1.0]])
    found = match_around_pins(ARM, features, ARM, features, match, Pins(point, point))
    away = np.linalg.norm(ARM.vertices - point, axis=1)
    off = np.linalg.norm(found.points(ARM) - ARM.vertices, axis=1)
    assert off[away < 0.05].max() < 0.04
    far = away > 0.5
    np.testing.assert_array_equal(found.face[far], match.face[far])


def lesson(features_of=place_features) -> Lesson:
    return Lesson(ARM, features_of(ARM, ARM), two_bones(ARM), BONES)


def test_a_model_learned_on_one_shape_skins_another_from_its_file(tmp_path) -> None:
    path = tmp_path / "arm.safetensors"
    save_skinning_model(path, learn_skinning([lesson()], "backbone"))
    model = load_skinning_model(path)
    assert (model.bones, model.backbone) == (BONES, "backbone")
    straight = cylinder(segments=11, rings=37)
    target = bent(straight, 80)
    skin = apply_skinning(model, target, place_features(target, straight))
    assert np.abs(skin.weights.sum(axis=1) - 1).max() < 1e-5
    right = skin.weights.argmax(axis=1) == two_bones(straight).argmax(axis=1)
    assert right.mean() > 0.95


def test_files_that_are_no_skinning_model_are_refused(tmp_path) -> None:
    path = tmp_path / "other.safetensors"
    for content in (None, b"", b"not one at all"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BadInputError, match=r"other\.safetensors") as caught:
            load_skinning_model(path)
        assert caught.value.fault == "bad_skinning_model"


def skin_of(weights: np.ndarray, side: np.ndarray) -> TransferredSkin:
    count = len(weights)
    no = np.zeros(count, bool)
    return TransferredSkin(weights, np.full(count, 0.8, np.float32), side.astype(np.int8), no, no)


def test_the_report_counts_what_is_wrong() -> None:
    mesh = join(moved(cylinder(), (-1, 0, 0)), moved(cylinder(), (1, 0, 0)))
    left = mesh.vertices[:, 0] > 0
    weights = np.zeros((len(left), 2), np.float32)
    weights[left, 0] = weights[~left, 1] = 1
    names = ("Arm.L", "Arm.R")
    side = np.where(left, 1, -1)
    good, doubt = measure_quality(mesh, skin_of(weights, side), names, bone_sides(names).side, 0.01)
    assert (good.side_violations, good.unweighted, good.islands) == (0, 0, {})
    stray = np.flatnonzero(left & (np.abs(mesh.vertices[:, 2] - 1) < 0.11))
    weights[stray] = [0, 1]
    weights[0] = 0
    bad, worse = measure_quality(mesh, skin_of(weights, side), names, bone_sides(names).side, 0.01)
    assert (bad.side_violations, bad.unweighted) == (len(stray), 1)
    assert bad.worst_sum == 1
    assert bad.torn_edges > good.torn_edges
    assert worse[stray].min() > doubt[stray].max()
    assert bad.islands["Arm.L"] == 1
    assert WeightQuality.from_json(json.loads(json.dumps(bad.to_json()))) == bad
    page = write_html([bad, good], [b"PNG", b""])
    assert page.count("<img") == 1
    assert "Joined" in page
    assert "http" not in page


def test_a_large_mesh_is_judged_as_a_small_one(monkeypatch) -> None:
    mesh = join(moved(cylinder(), (-1, 0, 0)), moved(cylinder(), (1, 0, 0)))
    up = np.clip(mesh.vertices[:, 2] / mesh.vertices[:, 2].max(), 0, 1)
    weights = np.stack([1 - up, up], axis=1).astype(np.float32)
    skin = skin_of(weights, np.zeros(len(weights)))
    whole, doubt = measure_quality(mesh, skin, ("Hips", "Chest"), np.zeros(2, np.int8), 0.01)
    monkeypatch.setattr(quality, "MOST_POSED", len(mesh.vertices) // 2)
    fewer, coarse_doubt = measure_quality(mesh, skin, ("Hips", "Chest"), np.zeros(2, np.int8), 0.01)
    assert coarse_doubt.shape == doubt.shape
    assert np.abs(coarse_doubt - doubt).mean() < 0.05
    assert fewer.volume_change == pytest.approx(whole.volume_change, abs=0.1)


def test_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(BadInputError, match="dance"):
        WeightSettings(mode="dance")
