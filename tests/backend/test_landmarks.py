# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks on surfaces whose distances are known."""

import numpy as np
import pytest

from surface_features.geometry.coarse import coarsen
from surface_features.geometry.landmarks import place_landmarks
from surface_features.geometry.site_distances import measure_sites
from surface_features.mesh import TriangleMesh

from .shapes import box, cylinder, grid, icosphere, join, moved


def test_they_cover_the_area_evenly_however_dense_the_vertices_are():
    fine, coarse = icosphere(5), moved(icosphere(3), (5, 0, 0))
    mesh = join(fine, coarse)
    landmarks = place_landmarks(mesh, 200, seed=0)
    on_fine = (landmarks.vertices < len(fine.vertices)).mean()
    assert on_fine == pytest.approx(0.5, abs=0.05)


def test_distances_run_along_the_surface():
    sphere = icosphere(4)
    landmarks = place_landmarks(sphere, 256, seed=0)
    points = sphere.vertices[landmarks.vertices]
    true = np.arccos(np.clip(points @ points.T, -1, 1)) / np.sqrt(4 * np.pi)
    far = true > 0.2
    ratio = landmarks.distances[far] / true[far]
    assert 1.0 <= ratio.mean() < 1.2
    assert ratio.max() < 1.5
    assert np.allclose(landmarks.distances, landmarks.distances.T)
    assert (np.diag(landmarks.distances) == 0).all()


def test_every_vertex_belongs_to_a_landmark_near_it():
    sphere = icosphere(4)
    landmarks = place_landmarks(sphere, 100, seed=0)
    gap = np.linalg.norm(sphere.vertices - sphere.vertices[landmarks.vertices[landmarks.nearest]], axis=1)
    assert gap.max() < 0.5
    assert (landmarks.nearest[landmarks.vertices] == np.arange(100)).all()


def test_details_get_more_landmarks_and_the_rest_keeps_its_own():
    sphere = icosphere(5)
    cap = np.flatnonzero(sphere.vertices[:, 2] > 0.9)
    even, finer = place_landmarks(sphere, 100, seed=0), place_landmarks(sphere, 100, seed=0, details=cap, more=60)
    assert np.array_equal(finer.vertices[:100], even.vertices)
    assert np.isin(finer.vertices[100:], cap).all()
    assert len(np.unique(finer.vertices)) == 160
    assert (finer.nearest[finer.vertices] == np.arange(160)).all()
    assert np.abs(finer.distances[:100, :100] - even.distances).mean() < 0.01


def test_details_without_an_area_get_none():
    landmarks = place_landmarks(icosphere(2), 20, seed=0, details=np.zeros(0, np.int64), more=10)
    assert len(landmarks.vertices) == 20


def test_pieces_are_bridged_where_they_are_closest():
    left, right = cylinder(0.2, 2.0), moved(cylinder(0.2, 2.0), (0, 0, 2.05))
    mesh = join(left, right)
    landmarks = place_landmarks(mesh, 150, seed=0)
    assert np.isfinite(landmarks.distances).all()
    height = mesh.vertices[landmarks.vertices, 2]
    low, high = height.argmin(), height.argmax()
    area = mesh.face_areas.sum()
    assert landmarks.distances[low, high] * np.sqrt(area) == pytest.approx(4.05, rel=0.25)


def test_a_sleeve_is_bridged_to_its_arm_and_not_to_the_one_beside_it():
    rod = moved(cylinder(0.1, 4.0, segments=24, rings=160), (0, 0, -2))
    turn = np.clip(rod.vertices[:, 2] / 0.15, -np.pi / 2, np.pi / 2)  # bent into two arms that hang side by side
    down = np.maximum(np.abs(rod.vertices[:, 2]) - 0.15 * np.pi / 2, 0)
    out = 0.15 + rod.vertices[:, 0]
    bent = np.stack([out * np.sin(turn), rod.vertices[:, 1], out * np.cos(turn) - down], axis=1).astype(np.float32)
    sleeve = moved(cylinder(0.13, 0.5, segments=24, rings=20), (0.15, 0, -1.45))
    mesh = join(TriangleMesh(bent, rod.faces), sleeve)
    landmarks = place_landmarks(mesh, 300, seed=0)
    place = mesh.vertices[landmarks.vertices]
    on_sleeve = landmarks.vertices >= len(bent)
    low = (np.abs(place[:, 2] + 1.2) < 0.3) & ~on_sleeve
    own, other = low & (place[:, 0] > 0), low & (place[:, 0] < 0)
    away = landmarks.distances[on_sleeve] * np.sqrt(mesh.face_areas.sum())
    assert away[:, own].min(axis=1).max() < 0.4
    assert away[:, other].min() > 1.5


def test_pairs_of_pieces_far_from_each_other_are_connected_too():
    couple = join(icosphere(2), moved(icosphere(2), (2.1, 0, 0)))
    landmarks = place_landmarks(join(couple, moved(couple, (50, 0, 0))), 100, seed=0)
    assert np.isfinite(landmarks.distances).all()


def test_a_speck_without_a_landmark_takes_the_nearest_one():
    body = icosphere(4)
    mesh = join(body, moved(box((1, 1, 1)), (1.2, 0, 0), 1e-3))
    landmarks = place_landmarks(mesh, 20, seed=0)
    speck = landmarks.nearest[len(body.vertices) :]
    place = mesh.vertices[landmarks.vertices[speck]]
    assert (np.linalg.norm(place - np.float32([1.2, 0, 0]), axis=1) < 0.9).all()


def test_a_small_mesh_has_as_many_landmarks_as_vertices():
    landmarks = place_landmarks(box(), 64, seed=0)
    assert sorted(landmarks.vertices) == list(range(8))
    triangle = TriangleMesh(np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    assert len(place_landmarks(triangle, 64, seed=0).vertices) == 3


def test_vertex_order_does_not_matter():
    mesh = grid(120, 120)
    order = np.random.default_rng(0).permutation(len(mesh.vertices))
    shuffled = TriangleMesh(mesh.vertices[order], np.argsort(order)[mesh.faces])
    a, b = place_landmarks(mesh, 60, seed=0), place_landmarks(shuffled, 60, seed=0)
    assert np.array_equal(mesh.vertices[a.vertices], shuffled.vertices[b.vertices])


def test_a_coarse_mesh_keeps_sheets_apart_and_fields_smooth():
    sheets = join(grid(60, 60), moved(grid(60, 60), (0, 0, 0.004)))
    coarse = coarsen(sheets, 200)
    assert len(coarse.mesh.vertices) < 800
    above = coarse.of_vertex >= 0
    above[: 61 * 61] = False
    assert not set(coarse.of_vertex[above]) & set(coarse.of_vertex[~above])
    field = coarse.mesh.vertices[None, :, 0]
    found = coarse.at(field, np.arange(len(sheets.vertices)))
    assert np.abs(found[0] - sheets.vertices[:, 0]).mean() < 0.002


def test_a_piece_that_would_lose_its_faces_stays_as_it_is():
    strip = grid(1, 40, width=0.001, depth=1.0)
    coarse = coarsen(join(grid(60, 60), moved(strip, (0, 0, 0.2))), 200)
    vertices = coarse.of_vertex[61 * 61 :]
    assert len(set(vertices)) == len(strip.vertices)
    assert set(vertices) <= set(coarse.mesh.faces.reshape(-1))


def test_distances_from_sites_are_true_on_one_piece_and_bridged_between_two():
    sphere = icosphere(5)
    landmarks = place_landmarks(sphere, 64, seed=0)
    sites = measure_sites(sphere, landmarks, 8)
    found = sites.coarse.at(sites.values, np.arange(len(sphere.vertices)))
    cosine = np.clip(sphere.vertices[landmarks.vertices[:8]] @ sphere.vertices.T, -1, 1)
    true = np.arccos(cosine) / np.sqrt(4 * np.pi)
    assert np.abs(found - true).mean() < 0.03 * true.mean()
    two = join(icosphere(4), moved(icosphere(2), (2.2, 0, 0)))
    landmarks = place_landmarks(two, 64, seed=0)
    sites = measure_sites(two, landmarks, 8)
    assert np.isfinite(sites.values).all()
    assert sites.values.max() > 0.5
