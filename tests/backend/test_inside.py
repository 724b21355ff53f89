# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside and outside, and how deep, of shapes with known answers."""

import numpy as np

from surface_features.geometry.inside import winding_numbers
from surface_features.joint_depth import BodyDepth
from surface_features.symmetry import Plane, is_symmetric, mirror_twins

from .shapes import box, cylinder, icosphere, join, moved, torus


def test_winding_numbers_tell_inside_from_outside():
    sphere_points = np.array([(0, 0, 0), (0.5, 0, 0), (2, 0, 0)])
    assert np.allclose(winding_numbers(icosphere(), sphere_points), [1, 1, 0], atol=1e-6)
    assert np.allclose(winding_numbers(torus(), np.array([(0, 0, 0), (1, 0, 0)])), [0, 1], atol=1e-6)
    overlapping = join(icosphere(), icosphere(centre=(0.5, 0, 0)))
    assert np.allclose(winding_numbers(overlapping, np.array([(0.25, 0, 0)])), 2, atol=1e-6)


def test_an_open_pipe_still_has_an_inside():
    pipe = cylinder(capped=False)
    assert winding_numbers(pipe, np.array([(0, 0, 1)]))[0] > 0.9
    assert winding_numbers(pipe, np.array([(0.5, 0, 1)]))[0] < 0.1


def test_points_are_pulled_in_no_further_than_asked():
    body = BodyDepth(moved(cylinder(), (3, 0, 0), 2))
    points = np.array([(3.45, 0, 2), (3.1, 0, 2), (3.45, 0, 2)])
    settled = body.pull_in(points, np.array([0.4, 0.4, -1]))
    assert 0.1 < settled[0, 0] - 3 < 0.3
    assert abs(settled[0, 2] - 2) < 0.3
    assert np.allclose(settled[1:], points[1:])


def test_twins_are_found_by_place_and_controls_may_have_none():
    points = np.array([(0, 0, 0), (0, 0, 1), (1, 0, 1), (-1, 0, 1), (2, 0.3, 0), (-2, 0.3, 0), (0.7, 3, 0.2)])
    twins = mirror_twins(points)
    assert twins is not None
    assert twins.tolist() == [0, 1, 3, 2, 5, 4, -1]
    assert mirror_twins(np.random.default_rng(0).normal(size=(12, 3))) is None


def test_symmetric_surfaces_are_told_from_others():
    assert is_symmetric(box((1, 2, 3), 3), Plane(np.array([1.0, 0, 0]), 0.0))
    assert not is_symmetric(box((1, 2, 3), 3), Plane(np.array([1.0, 0, 0]), 0.1))
