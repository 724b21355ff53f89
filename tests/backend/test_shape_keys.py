# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys on surfaces of other topology and size, with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from surface_features.registration import register_region
from surface_features.transfer.shape_keys import ShapeKeyTransfer, effective_scale

from .shapes import icosphere, moved

COARSE, FINE = icosphere(3), icosphere(5)


def lying_on(mesh: TriangleMesh, other: TriangleMesh) -> Correspondence:
    face, bary, _ = closest_points(other, mesh.vertices)
    return Correspondence(face, bary, np.ones(len(face), np.float32))


def bump(mesh: TriangleMesh) -> np.ndarray:
    """The top is pulled up and to the side; nothing below z = ½ of the radius moves."""
    height = mesh.vertices[:, 2:3] / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    return np.clip(height - 0.5, 0, None) ** 2 * np.array([0.5, 0, 2.0])


def test_a_coarse_key_is_smooth_on_a_fine_mesh_and_still_parts_stay():
    carried = ShapeKeyTransfer(COARSE, FINE, lying_on(FINE, COARSE)).carry(bump(COARSE))
    truth = bump(FINE)
    assert np.linalg.norm(carried - truth, axis=1).sum() < 0.06 * np.linalg.norm(truth, axis=1).sum()
    assert not carried[FINE.vertices[:, 2] < 0.35].any()
    # no facets of the coarse mesh: normals of neighbouring faces differ as little as the true shape's
    sides = np.sort(FINE.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    order = np.lexsort((sides[:, 1], sides[:, 0])) // 3
    pairs = order.reshape(-1, 2)

    def roughness(displacement):
        normals = TriangleMesh(FINE.vertices + displacement, FINE.faces).face_normals
        return np.degrees(np.arccos(np.clip((normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1), -1, 1))).max()

    assert roughness(carried) < 1.5 * roughness(truth)


def test_a_turned_target_moves_its_own_way():
    turn = np.float32([(0, -1, 0), (1, 0, 0), (0, 0, 1)])
    target = TriangleMesh(FINE.vertices @ turn.T, FINE.faces)
    carried = ShapeKeyTransfer(COARSE, target, lying_on(FINE, COARSE)).carry(bump(COARSE))
    truth = bump(FINE) @ turn.T
    assert np.linalg.norm(carried - truth, axis=1).sum() < 0.1 * np.linalg.norm(truth, axis=1).sum()


@pytest.mark.parametrize(("size", "proportional", "factor"), [(1.2, False, 1.0), (1.2, True, 1.2), (100, False, 100)])
def test_size_counts_where_it_differs_clearly(size, proportional, factor):
    target = moved(FINE, scale=size)
    transfer = ShapeKeyTransfer(COARSE, target, lying_on(FINE, COARSE), proportional=proportional)
    carried = transfer.carry(bump(COARSE))
    assert np.linalg.norm(carried, axis=1).max() == pytest.approx(
        factor * np.linalg.norm(bump(FINE), axis=1).max(), rel=0.05
    )


def test_scale_sets_in_without_a_jump():
    sizes = np.geomspace(0.2, 5, 200)
    scales = np.array([effective_scale(size) for size in sizes])
    assert (np.diff(scales) >= 0).all()
    assert np.abs(np.diff(np.log(scales))).max() < 0.1
    assert effective_scale(1.3) == 1.0
    assert effective_scale(3.0) == pytest.approx(3.0)


def test_registration_puts_a_slipped_match_back():
    """Two like surfaces full of bumps; the match is turned about their middle, and only the shape tells."""

    def bumpy(ball):
        x, y, z = (8 * ball.vertices).T
        bumps = 0.05 * (np.sin(x + 1) * np.cos(1.3 * y) + np.sin(1.7 * z + y) * np.cos(0.7 * x))
        return TriangleMesh(ball.vertices * (1 + bumps)[:, None].astype(np.float32), ball.faces)

    goal, mesh = bumpy(icosphere(4)), bumpy(icosphere(5))
    c, s = np.cos(0.04), np.sin(0.04)
    wrong = lying_on(TriangleMesh(mesh.vertices @ np.float32([(c, -s, 0), (s, c, 0), (0, 0, 1)]), mesh.faces), goal)
    found = register_region(mesh, goal, wrong, goal.vertices[:, 2] > 0.5)
    inside = mesh.vertices[:, 2] > 0.6
    before = np.linalg.norm(wrong.points(goal) - mesh.vertices, axis=1)[inside].mean()
    after = np.linalg.norm(found.points(goal) - mesh.vertices, axis=1)[inside].mean()
    assert after < 0.25 * before


def test_a_key_without_valid_positions_is_refused():
    key = bump(COARSE)
    key[0] = np.nan
    with pytest.raises(BadInputError) as refused:
        ShapeKeyTransfer(COARSE, FINE, lying_on(FINE, COARSE)).carry(key)
    assert refused.value.fault == "non_finite"
