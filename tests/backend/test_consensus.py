# SPDX-License-Identifier: GPL-3.0-or-later
"""Matching with features that are wrong in one place, on surfaces that know better."""

import numpy as np
import pytest
import torch

from surface_features import consensus
from surface_features.consensus import _discounts, allowed_matches, survey
from surface_features.correspondence import match_surfaces
from surface_features.features import Features
from surface_features.mesh import TriangleMesh

from .shapes import box, grid, icosphere, moved


def strip(width: float = 10.0) -> TriangleMesh:
    return grid(100, 10, width, 1.0)


def twin_features(mesh: TriangleMesh, wrong_from: float = 2.0) -> Features:
    """How far from the strip's middle, how far across, and on which side; beyond `wrong_from` (0…1) the other side."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    x, y, _ = ((mesh.vertices - low) / np.maximum(high - low, 1e-9) * 2 - 1).T
    side = np.clip(4 * x, -1, 1) * np.where(np.abs(x) > wrong_from, -1, 1)
    away = np.abs(x)[:, None] * np.pi * np.array([0.5, 1.0, 2.0])
    values = np.column_stack([np.cos(away), np.sin(away), 0.5 * y, 0.3 * side])
    return Features(np.float32(values / np.linalg.norm(values, axis=1, keepdims=True)), np.ones(len(x), np.float32))


def share_flipped(source: TriangleMesh, target: TriangleMesh, wrong_from: float) -> float:
    """Share of the vertices off the middle that land on the other half of the target."""
    match = match_surfaces(source, twin_features(source, wrong_from), target, twin_features(target))
    middle = [(mesh.vertices[:, 0].min() + mesh.vertices[:, 0].max()) / 2 for mesh in (source, target)]
    own, found = source.vertices[:, 0] - middle[0], match.points(target)[:, 0] - middle[1]
    return float((own * found < 0)[np.abs(own) > 0.2 * np.abs(own).max()].mean())


def test_an_end_that_looks_like_the_other_end_goes_where_it_hangs(monkeypatch):
    assert share_flipped(strip(), strip(), wrong_from=0.75) == 0
    monkeypatch.setattr(consensus, "WEIGHT", 0.0)
    assert share_flipped(strip(), strip(), wrong_from=0.75) > 0.2


@pytest.mark.parametrize("width", [6.0, 14.0])
def test_other_proportions_do_not_hinder_it(width):
    assert share_flipped(strip(), strip(width), wrong_from=0.75) < 0.02


def test_part_of_a_surface_finds_its_place_on_the_whole():
    whole = strip()
    part = TriangleMesh(whole.vertices, whole.faces[(whole.corners[..., 0] < 4.0).all(axis=1)])
    match = match_surfaces(part, twin_features(part), whole, twin_features(whole))
    kept = np.unique(part.faces)
    error = np.abs(match.points(whole) - part.vertices)[kept, 0]
    assert np.quantile(error, 0.95) < 0.3


def test_every_landmark_may_go_somewhere_both_ways():
    ball, cube = icosphere(3), moved(box(subdivisions=3), (5, 0, 0), 1e-3)
    rng = np.random.default_rng(0)
    sides = [survey(mesh, np.float32(rng.normal(size=(len(mesh.vertices), 8)))) for mesh in (ball, cube)]
    forward, backward = allowed_matches(*sides)
    assert forward.shape == backward.T.shape
    assert forward.any(axis=1).all()
    assert backward.any(axis=1).all()


def test_a_single_triangle_matches_itself():
    triangle = TriangleMesh(np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    features = Features(np.eye(3, dtype=np.float32), np.ones(3, np.float32))
    match = match_surfaces(triangle, features, triangle, features)
    assert np.allclose(match.points(triangle), triangle.vertices, atol=1e-5)


def test_what_two_landmarks_want_goes_to_the_one_that_has_nothing_else():
    score = torch.tensor([[0.9, 0.1, 0.0], [0.8, 0.7, 0.0], [0.0, 0.1, 0.6]])
    of_source, of_target = _discounts(score, torch.zeros(3, 3), torch.zeros(3, 3), longer=1.0)
    assert (score.argmax(dim=1) == torch.tensor([0, 0, 2])).all()
    assert ((score + of_target).argmax(dim=1) == torch.tensor([0, 1, 2])).all()
    assert ((score + of_source).argmax(dim=0) == torch.tensor([0, 1, 2])).all()


def test_a_landmark_without_a_counterpart_takes_nobody_elses():
    score = torch.eye(5)[:, :4] + 0.1  # the last looks like nothing there
    _, of_target = _discounts(score, torch.zeros(5, 5), torch.zeros(4, 4), longer=1.0)
    assert ((score + of_target).argmax(dim=1)[:4] == torch.arange(4)).all()


def test_a_part_is_not_spread_over_what_it_lacks(monkeypatch):
    truth = torch.arange(12) // 6  # a part's twelve landmarks lie around two of the whole's
    score = torch.full((12, 12), 0.6)
    score[torch.arange(12), truth] = 0.7
    score[:3, 5] = 0.68  # looks much the same, and the part does not have it
    apart = torch.cdist(torch.arange(12.0)[:, None], torch.arange(12.0)[:, None])
    matches = []
    for whole in ((0.5, 0.8), (-2.0, -1.0)):  # the latter takes anything for a whole
        monkeypatch.setattr(consensus, "WHOLE", whole)
        _, of_target = _discounts(score, apart, apart, longer=6**-0.5)
        matches.append((score + of_target).argmax(dim=1))
    assert torch.equal(matches[0], truth)
    assert not torch.equal(matches[1], truth)
