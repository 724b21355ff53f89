# SPDX-License-Identifier: GPL-3.0-or-later
"""Matching with features whose best answer is known."""

import numpy as np

from surface_features.correspondence import match_surfaces
from surface_features.features import Features
from surface_features.mesh import TriangleMesh

from .shapes import box, icosphere


def place_features(mesh: TriangleMesh, points: np.ndarray | None = None) -> Features:
    """Features that are the direction of a point seen from the middle of the shape, spread over a sphere."""
    points = mesh.vertices if points is None else points
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    return Features(unit.astype(np.float32), np.ones(len(unit), np.float32))


def test_matches_land_inside_faces_not_only_on_vertices():
    fine, coarse = icosphere(4), icosphere(2)
    match = match_surfaces(fine, place_features(fine), coarse, place_features(coarse))
    points = match.points(coarse)
    error = np.linalg.norm(points / np.linalg.norm(points, axis=1, keepdims=True) - fine.vertices, axis=1)
    spacing = np.linalg.norm(coarse.vertices[coarse.faces[:, 0]] - coarse.vertices[coarse.faces[:, 1]], axis=1).mean()
    assert error.max() < 0.25 * spacing
    assert (match.bary >= -1e-6).all()
    assert np.allclose(match.bary.sum(axis=1), 1, atol=1e-5)


def test_the_same_mesh_shuffled_matches_itself_exactly():
    mesh = icosphere(3)
    order = np.random.default_rng(1).permutation(len(mesh.vertices))
    shuffled = TriangleMesh(mesh.vertices[order], np.argsort(order)[mesh.faces])
    match = match_surfaces(mesh, place_features(mesh), shuffled, place_features(shuffled))
    assert np.allclose(match.points(shuffled), mesh.vertices, atol=1e-4)
    assert match.confidence.min() > 0.95


def test_what_the_other_surface_does_not_have_is_not_trusted():
    whole = icosphere(3)
    upper = whole.faces[(whole.vertices[whole.faces][..., 2] > 0.2).all(axis=1)]
    half = TriangleMesh(whole.vertices, upper)
    match = match_surfaces(whole, place_features(whole), half, place_features(half))
    height = whole.vertices[:, 2]
    assert match.confidence[height > 0.4].min() > 0.9
    assert match.confidence[height < -0.2].max() < 0.1


def test_loose_vertices_are_never_matched():
    mesh = box(subdivisions=2)
    loose = TriangleMesh(np.concatenate([mesh.vertices, mesh.vertices * 1.001]), mesh.faces)
    match = match_surfaces(mesh, place_features(mesh), loose, place_features(loose))
    assert loose.faces[match.face].max() < len(mesh.vertices)


def test_large_meshes_are_matched_through_a_thinned_candidate_set():
    mesh = icosphere(6)
    match = match_surfaces(mesh, place_features(mesh), mesh, place_features(mesh))
    assert len(mesh.vertices) > 25_000
    assert np.linalg.norm(match.points(mesh) - mesh.vertices, axis=1).mean() < 0.01
