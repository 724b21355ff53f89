# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing a map between surfaces takes noise away and leaves the rest alone."""

import numpy as np
import pytest

from surface_features.geometry.closest import closest_points
from surface_features.map_smoothing import smooth_map
from surface_features.mesh import TriangleMesh

from .shapes import cylinder, grid, icosphere, join, moved


def match_of(target: TriangleMesh, points: np.ndarray):
    face, bary, _ = closest_points(target, points.astype(np.float32))
    return face, bary


def reached(target: TriangleMesh, face, bary) -> np.ndarray:
    return np.einsum("vc,vcd->vd", bary, target.vertices[target.faces[face]])


def test_noise_is_averaged_out():
    sphere, coarse = icosphere(4), icosphere(3)
    noisy = sphere.vertices + np.random.default_rng(0).normal(0, 0.03, sphere.vertices.shape)
    face, bary = match_of(coarse, noisy)
    new_face, new_bary, trusted = smooth_map(sphere, coarse, face, bary)
    before = np.linalg.norm(reached(coarse, face, bary) - sphere.vertices, axis=1).mean()
    after = np.linalg.norm(reached(coarse, new_face, new_bary) - sphere.vertices, axis=1).mean()
    assert after < 0.6 * before
    assert trusted.all()


def test_a_linear_map_stays_as_it_is_however_uneven_the_mesh():
    rng = np.random.default_rng(1)
    sheet = grid(120, 120)
    inner = (np.abs(sheet.vertices[:, :2] - 0.5) < 0.49).all(axis=1)
    vertices = sheet.vertices.copy()
    vertices[inner, :2] += rng.uniform(-0.003, 0.003, (int(inner.sum()), 2))
    uneven = TriangleMesh(vertices, sheet.faces)
    target = grid(30, 30, 2.0, 0.7)
    face, bary = match_of(target, vertices * [2.0, 0.7, 1.0])
    new_face, new_bary, _ = smooth_map(uneven, target, face, bary)
    middle = (np.abs(vertices[:, :2] - 0.5) < 0.35).all(axis=1)
    moved_by = np.linalg.norm(reached(target, new_face, new_bary) - reached(target, face, bary), axis=1)[middle]
    assert moved_by.mean() < 7e-4  # the vertices were shifted by 3e-3


def test_nothing_is_pulled_across_a_tear():
    rod = cylinder(0.1, 2.0, rings=80)
    left, right = rod, moved(rod, (3, 0, 0))
    target = join(left, right)
    upper = rod.vertices[:, 2] > 1
    goal = rod.vertices + np.where(upper[:, None], np.float32([3, 0, 0]), 0)
    new_face, new_bary, trusted = smooth_map(rod, target, *match_of(target, goal))
    error = np.linalg.norm(reached(target, new_face, new_bary) - goal, axis=1)
    assert error[trusted].max() < 0.1
    assert trusted.mean() > 0.95


def test_a_coarse_mesh_is_left_alone():
    ball, fine = icosphere(1), icosphere(4)
    rng = np.random.default_rng(0)
    noisy = ball.vertices + rng.normal(0, 0.05, ball.vertices.shape)
    face, bary = match_of(fine, noisy)
    new_face, new_bary, _ = smooth_map(ball, fine, face, bary)
    assert np.allclose(reached(fine, new_face, new_bary), reached(fine, face, bary), atol=1e-3)


def test_broken_vertices_of_the_target_are_never_reached():
    ball = icosphere(3)
    vertices = np.concatenate([ball.vertices, np.full((3, 3), np.nan, np.float32)])
    faces = np.concatenate([ball.faces, [[len(vertices) - 3, len(vertices) - 2, len(vertices) - 1]]])
    broken = TriangleMesh(vertices, faces)
    new_face, new_bary, trusted = smooth_map(ball, broken, *match_of(ball, ball.vertices))
    assert new_face.max() < len(ball.faces)
    assert np.isfinite(new_bary).all()
    assert trusted.all()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_does_not_matter(scale):
    ball = moved(icosphere(3), (0, 0, 0), scale)
    new_face, new_bary, trusted = smooth_map(ball, ball, *match_of(ball, ball.vertices))
    assert trusted.all()
    assert np.abs(reached(ball, new_face, new_bary) - ball.vertices).max() < 5e-3 * scale
