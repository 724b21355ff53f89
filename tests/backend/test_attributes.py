# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes on surfaces of other topology, with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.correspondence import Correspondence
from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from surface_features.transfer.attributes import BLEND, VOTE, AttributeTransfer, continuous_charts
from surface_features.transfer.custom_normals import transfer_custom_normals
from surface_features.transfer.edge_paths import chains, transfer_edges
from surface_features.transfer.layout import Layout

from .shapes import grid, icosphere, split_per_face


def layout_of(mesh: TriangleMesh) -> Layout:
    """Every triangle a face of its own."""
    faces = len(mesh.faces)
    sides = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    return Layout(
        mesh,
        np.arange(len(mesh.vertices), dtype=np.int32),
        np.arange(3 * faces, dtype=np.int32).reshape(-1, 3),
        np.arange(faces, dtype=np.int32),
        mesh.faces.ravel(),
        np.unique(sides, axis=0).astype(np.int32),
        faces,
    )


def lying_on(mesh: TriangleMesh, other: TriangleMesh) -> Correspondence:
    face, bary, _ = closest_points(other, mesh.vertices)
    return Correspondence(face, bary, np.ones(len(face), np.float32))


COARSE, FINE = layout_of(grid(10, 10)), layout_of(grid(37, 29))
DOWN = AttributeTransfer(COARSE, FINE, lying_on(FINE.mesh, COARSE.mesh))
UP = AttributeTransfer(FINE, COARSE, lying_on(COARSE.mesh, FINE.mesh))


def test_smooth_values_are_exact_on_points_and_corners():
    values = COARSE.mesh.vertices[:, :2] * (3, -2) + 1
    np.testing.assert_allclose(DOWN.carry(values, "POINT", BLEND), FINE.mesh.vertices[:, :2] * (3, -2) + 1, atol=1e-4)
    corners = DOWN.carry(values[COARSE.corner_vertex], "CORNER", BLEND)
    np.testing.assert_allclose(corners, (FINE.mesh.vertices[:, :2] * (3, -2) + 1)[FINE.corner_vertex], atol=1e-4)


@pytest.mark.parametrize("transfer", [DOWN, UP])
def test_names_are_voted_never_mixed(transfer):
    source, target = transfer.source, transfer.target
    label = np.where(source.mesh.corners.mean(axis=1)[:, 0] < 0.5, 3, 90)[:, None]
    found = transfer.carry(label, "FACE", VOTE)
    assert set(np.unique(found)) == {3, 90}
    middle = target.mesh.corners.mean(axis=1)[:, 0]
    clear = np.abs(middle - 0.5) > 0.1
    assert (found[clear, 0] == np.where(middle < 0.5, 3, 90)[clear]).all()
    points = transfer.carry(np.where(source.mesh.vertices[:, :1] < 0.5, 3, 90), "POINT", VOTE)
    assert set(np.unique(points)) == {3, 90}


def test_uv_islands_stay_apart():
    """Two islands meet at x = ½, one of them moved far away: no face may stretch from one to the other."""
    uv = COARSE.mesh.vertices[COARSE.corner_vertex, :2].copy()
    right = np.repeat(COARSE.mesh.corners.mean(axis=1)[:, 0] > 0.5, 3)
    uv[right] += (10, 0)
    assert continuous_charts(COARSE, uv).max() == 1
    found = DOWN.carry(uv, "CORNER", BLEND).reshape(-1, 3, 2)
    assert np.ptp(found[:, :, 0], axis=1).max() < 0.1
    expected = FINE.mesh.vertices[FINE.corner_vertex, :2].reshape(-1, 3, 2)
    offset = found - expected
    offset[offset[:, :, 0] > 5] -= (10, 0)
    assert np.abs(offset).max() < 0.03  # the faces astride the seam give a little


def test_a_seam_is_one_unbroken_path_on_finer_and_coarser_meshes():
    ball, finer, coarser = icosphere(3), icosphere(4), icosphere(2)
    source = layout_of(ball)
    # the edges nearest to the equator form a closed ring: the border between the two halves
    upper = ball.corners.mean(axis=1)[:, 2] > 0
    sides = np.sort(ball.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 3, 2), axis=2)
    top = {tuple(side) for side in sides[upper].reshape(-1, 2).tolist()}
    low = {tuple(side) for side in sides[~upper].reshape(-1, 2).tolist()}
    marked = np.array([float(tuple(edge) in top and tuple(edge) in low) for edge in source.edges.tolist()])
    for mesh in (ball, finer, coarser):
        target = layout_of(mesh)
        found = transfer_edges(source, marked, target, lying_on(mesh, ball), lying_on(ball, mesh))
        edges = target.edges[found > 0]
        degree = np.bincount(edges.ravel())
        assert set(degree[degree > 0]) == {2}  # closed, without spurs or branches
        assert len(chains(edges)) == 1
        assert np.abs(mesh.vertices[edges].mean(axis=1)[:, 2]).max() < 0.3
    same = transfer_edges(source, marked, source, lying_on(ball, ball), lying_on(ball, ball))
    np.testing.assert_array_equal(same, marked)


def test_a_seam_crosses_a_mesh_whose_faces_are_split():
    source, split = layout_of(grid(10, 10)), split_per_face(grid(20, 20))
    target = layout_of(split)
    middle = np.isclose(source.mesh.vertices[source.edges][:, :, 0], 0.5).all(axis=1).astype(float)
    found = transfer_edges(source, middle, target, lying_on(split, source.mesh), lying_on(source.mesh, split))
    chosen = split.vertices[target.edges[found > 0]]
    np.testing.assert_allclose(chosen[:, :, 0], 0.5, atol=1e-5)
    assert np.ptp(chosen[:, :, 1]) == pytest.approx(1)


def test_values_that_all_edges_have_come_from_the_most_alike_edge():
    values = 1.0 + COARSE.mesh.vertices[COARSE.edges].mean(axis=1)[:, 1]
    found = transfer_edges(COARSE, values, FINE, DOWN.onto_source, UP.onto_source)
    np.testing.assert_allclose(found, 1 + FINE.mesh.vertices[FINE.edges].mean(axis=1)[:, 1], atol=0.12)


def test_custom_normals_turn_with_the_surface():
    """A flat sheet whose shading leans to +X, on a sheet that stands upright: it leans the same way there."""
    turn = np.float32([(0, 0, 1), (0, 1, 0), (-1, 0, 0)])  # a quarter turn about Y
    upright = TriangleMesh(FINE.mesh.vertices @ turn.T, FINE.mesh.faces)
    lean = np.float32([0.6, 0, 0.8])
    transfer = AttributeTransfer(COARSE, layout_of(upright), DOWN.onto_source)
    found = transfer_custom_normals(transfer, np.tile(lean, (len(COARSE.corner_vertex), 1)))
    np.testing.assert_allclose(found, np.tile(turn @ lean, (len(found), 1)), atol=1e-3)
