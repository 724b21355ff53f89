# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry against answers that are known in closed form."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from surface_features.geometry import laplacian as laplacian_module
from surface_features.geometry.closest import closest_points
from surface_features.geometry.components import face_components, vertex_components, weld
from surface_features.geometry.geodesic import GeodesicSolver, geodesic_to_point
from surface_features.geometry.laplacian import inpaint, robust_laplacian
from surface_features.geometry.reflection import find_mirror_plane, find_twins
from surface_features.geometry.sampling import farthest_points
from surface_features.io import read_mesh
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight

from .shapes import box, cylinder, grid, icosphere, join, moved, split_per_face, torus

DATA = Path(os.environ.get("SURFACE_FEATURES_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def tent() -> TriangleMesh:
    """Three walls that meet at one edge, each finely divided: no part of it is manifold."""
    walls = []
    for angle in (0.0, 2.0, 4.0):
        wall = grid(8, 8)
        x, y, _ = wall.vertices.T
        walls.append(TriangleMesh(np.stack([x * np.cos(angle), x * np.sin(angle), y], 1), wall.faces))
    return preflight(join(*walls)).proxy


# Components and welding


def test_components_are_numbered_by_what_hangs_together() -> None:
    two = join(icosphere(1), moved(box(), (5, 0, 0)))
    part = vertex_components(two.faces, len(two.vertices) + 1)  # and one loose vertex
    assert len(set(part[:42])) == 1
    assert len(set(part[42:50])) == 1
    assert len(set(part)) == 3
    assert np.array_equal(face_components(two.faces, 51), part[two.faces[:, 0]])


def test_weld_merges_chains_and_keeps_order() -> None:
    points = np.array([(0.5, 0, 0), (0, 0, 0), (0.5 + 0.8e-6, 0, 0), (0.5 - 0.8e-6, 0, 0), (1, 0, 0), (0, 0, 0)])
    group, first = weld(points, 1e-6)
    assert group.tolist() == [0, 1, 0, 0, 2, 1]
    assert first.tolist() == [0, 1, 4]


def test_a_mesh_has_every_edge_once_and_shares_its_area_among_its_vertices() -> None:
    ball = icosphere(2)
    assert len(ball.edges) == len(ball.vertices) + len(ball.faces) - 2  # Euler
    assert (ball.edges[:, 0] < ball.edges[:, 1]).all()
    length = np.linalg.norm(np.diff(ball.vertices[ball.edges], axis=1)[:, 0], axis=1)
    assert 0 < length.min() <= length.max() < 0.4
    assert ball.vertex_areas.sum() == pytest.approx(ball.face_areas.sum(dtype=np.float64))


def test_mirrored_vertices_are_twins_wherever_the_plane_lies() -> None:
    half = moved(icosphere(2), (0.8, 0, 0))
    mirrored = TriangleMesh(half.vertices * np.float32([-1, 1, 1]), half.faces[:, ::-1])
    pair = moved(join(half, mirrored), (3, 0, 0))
    plane = find_mirror_plane(pair, 0)
    assert plane.symmetric
    assert plane.across * 3.6 == pytest.approx(pair.vertices[:, 0] - 3, abs=1e-3)
    twin, off = find_twins(pair, 0)
    count = len(half.vertices)
    assert (twin[:count] == np.arange(count) + count).all()
    assert off.max() < 1e-5


# Geodesics


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_geodesics_on_a_sphere_are_great_circles(scale: float) -> None:
    sphere = icosphere(4, radius=scale)
    distances = GeodesicSolver(sphere).from_vertex(7) / scale
    unit = sphere.vertices.astype(np.float64) / scale
    truth = np.arccos(np.clip(unit @ unit[7], -1, 1))
    assert distances[7] == 0
    assert np.abs(distances - truth).max() < 0.04  # of π
    assert np.abs(distances - truth).mean() < 0.02


def test_geodesics_go_round_a_cylinder_not_through_it() -> None:
    tube = cylinder(radius=0.5, height=2, segments=32, rings=32, capped=False)
    distances = GeodesicSolver(tube).from_vertex(16 * 32)
    opposite = 16 * 32 + 16
    assert distances[opposite] == pytest.approx(np.pi / 2, rel=0.05)
    assert distances[32 * 32] == pytest.approx(1.0, rel=0.03)


def test_geodesics_from_several_vertices_are_the_nearest_of_them() -> None:
    sheet = grid(30, 30)
    solver = GeodesicSolver(sheet)
    distances = solver.from_vertices([0, 30])
    truth = np.minimum(
        np.linalg.norm(sheet.vertices, axis=1), np.linalg.norm(sheet.vertices - sheet.vertices[30], axis=1)
    )
    assert np.abs(distances - truth).max() < 0.05


def test_other_parts_are_infinitely_far() -> None:
    two = join(icosphere(2), moved(icosphere(2), (1.5, 0, 0)))
    distances = GeodesicSolver(two).from_vertex(0)
    assert np.isfinite(distances[:162]).all()
    assert np.isinf(distances[162:]).all()
    assert np.isfinite(GeodesicSolver(two).from_vertices([0, 200])).all()


def test_parts_too_small_for_the_heat_method_are_walked_along_edges() -> None:
    triangle = TriangleMesh([(0, 0, 0), (3, 0, 0), (0, 4, 0)], [(0, 1, 2)])
    assert GeodesicSolver(triangle).from_vertex(1).tolist() == [3, 0, 5]
    loose = TriangleMesh([(0, 0, 0), (3, 0, 0), (0, 4, 0), (9, 9, 9)], [(0, 1, 2)])
    assert GeodesicSolver(loose).from_vertex(3).tolist() == [np.inf, np.inf, np.inf, 0]


def test_geodesics_pass_non_manifold_edges() -> None:
    mesh = tent()
    distances = GeodesicSolver(mesh).from_vertex(int(mesh.vertices[:, 0].argmax()))
    assert np.isfinite(distances).all()
    straight = np.linalg.norm(mesh.vertices - mesh.vertices[mesh.vertices[:, 0].argmax()], axis=1)
    assert (distances >= straight * 0.999).all()
    assert distances.max() < 1.5 * straight.max()


def test_distance_to_and_from_points_inside_faces() -> None:
    sheet = grid(30, 30)
    solver = GeodesicSolver(sheet)
    face, bary = 905, np.array([0.2, 0.3, 0.5], np.float32)
    point = bary @ sheet.vertices[sheet.faces[face]]
    truth = np.linalg.norm(sheet.vertices - point, axis=1)
    assert np.abs(solver.from_point(face, bary) - truth).max() < 0.04
    fields = np.stack([solver.from_vertex(0), solver.from_vertex(500)])
    read = geodesic_to_point(fields, sheet, np.array([face]), bary[None])
    assert np.allclose(read[:, 0], truth[[0, 500]], atol=0.03)


def test_distance_to_a_corner_is_not_spoilt_by_unreached_parts() -> None:
    two = join(box(subdivisions=2), moved(box(), (3, 0, 0)))
    field = GeodesicSolver(two).from_vertex(0)
    read = geodesic_to_point(field, two, np.array([0, len(two.faces) - 1]), np.array([[1, 0, 0], [0, 1, 0]]))
    assert np.isfinite(read[0])
    assert np.isinf(read[1])


# Laplacian and inpainting


def test_laplacian_of_linear_and_quadratic_functions() -> None:
    sheet = grid(20, 20)
    stiffness, mass = robust_laplacian(sheet)
    x, y, _ = sheet.vertices.astype(np.float64).T
    inner = (x > 0.01) & (x < 0.99) & (y > 0.01) & (y < 0.99)
    assert np.abs(stiffness @ (2 * x - y))[inner].max() < 1e-6
    assert np.allclose((stiffness @ (x**2) / mass.diagonal())[inner], 2, rtol=1e-4)
    assert mass.sum() == pytest.approx(1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_inpainting_continues_a_slope_and_keeps_what_is_known(scale: float, offset: float) -> None:
    sheet = grid(20, 20)
    x = sheet.vertices[:, 0]
    values = np.stack([x, 1 - x, np.ones_like(x)], axis=1)
    known = (np.abs(x - 0.5) > 0.2) | (sheet.vertices[:, 1] < 0.04)
    spoilt = np.where(known[:, None], values, np.nan)
    filled = inpaint(moved(sheet, (offset * scale, 0, 0), scale), spoilt, known)
    assert np.array_equal(filled[known], values[known])
    assert np.abs(filled - values).max() < 0.01
    assert np.abs(filled[:, 2] - 1).max() < 1e-6
    assert np.abs(filled[:, 0] + filled[:, 1] - 1).max() < 1e-5


def test_inpainting_does_not_depend_on_scale_or_vertex_order() -> None:
    mesh = icosphere(3)
    generator = np.random.default_rng(0)
    known = generator.random(len(mesh.vertices)) < 0.2
    values = generator.random((len(mesh.vertices), 3)).astype(np.float32)
    filled = inpaint(mesh, values, known)
    assert np.allclose(filled, inpaint(moved(mesh, scale=1e5), values, known), atol=1e-4)
    order = generator.permutation(len(mesh.vertices))
    shuffled = TriangleMesh(mesh.vertices[order], np.argsort(order)[mesh.faces])
    assert np.allclose(filled[order], inpaint(shuffled, values[order], known[order]), atol=1e-4)


def test_parts_without_known_vertices_take_the_nearest_in_space() -> None:
    mesh = join(icosphere(2), moved(icosphere(1), (2.5, 0, 0)), moved(box(), (9, 0, 0)))
    values = np.zeros(len(mesh.vertices), np.float32)
    values[:162] = mesh.vertices[:162, 0]
    known = np.arange(len(mesh.vertices)) < 162
    filled = inpaint(mesh, values, known)
    assert filled.shape == values.shape
    assert filled[162:].min() > 0.8  # the nearest places are all at x = 1


def test_inpainting_survives_slivers_and_non_manifold_edges() -> None:
    mesh = tent()
    squashed = TriangleMesh(mesh.vertices * np.array([1, 1e-4, 1], np.float32), mesh.faces)
    for surface in (mesh, squashed):
        known = np.zeros(len(surface.vertices), bool)
        known[::7] = True
        filled = inpaint(surface, surface.vertices[:, 2:], known)
        assert np.abs(filled[:, 0] - surface.vertices[:, 2]).max() < 0.5


def test_inpainting_falls_back_when_nothing_can_be_factorised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laplacian_module, "_solve_columns", lambda matrix, right: None)
    sheet = grid(10, 10)
    known = sheet.vertices[:, 0] < 0.5
    filled = inpaint(sheet, sheet.vertices[:, 1], known)
    assert np.allclose(filled, sheet.vertices[:, 1])


def test_inpainting_little_of_a_mesh_reads_only_its_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = icosphere(5)
    known = mesh.vertices[:, 2] < 0.8
    values = np.random.default_rng(0).random((len(mesh.vertices), 3)).astype(np.float32)
    seen = []
    assemble = laplacian_module._assemble
    monkeypatch.setattr(laplacian_module, "_assemble", lambda m, patch: seen.append(len(patch)) or assemble(m, patch))
    filled = inpaint(mesh, values, known)
    monkeypatch.setattr(laplacian_module, "PATCH", 0.0)
    whole = inpaint(mesh, values, known)
    assert seen[0] < 0.3 * len(mesh.faces)
    assert seen[1:] == [len(mesh.faces)]
    assert np.allclose(filled, whole, atol=1e-5)


def test_inpainting_needs_something_known() -> None:
    with pytest.raises(ValueError, match="at least one known vertex"):
        inpaint(box(), np.zeros(8), np.zeros(8, bool))


def test_inpainting_a_large_mesh_takes_seconds() -> None:
    mesh = torus(around=300, across=150)
    known = mesh.vertices[:, 0] > -0.5
    values = np.random.default_rng(0).random((len(mesh.vertices), 50)).astype(np.float32)
    start = time.perf_counter()
    assert np.isfinite(inpaint(mesh, values, known)).all()
    assert time.perf_counter() - start < 10


# Sampling and closest points


def test_farthest_points_spread_evenly_and_repeat_with_the_seed() -> None:
    sphere = icosphere(4)
    chosen = farthest_points(sphere, 100, seed=3)
    assert len(set(chosen.tolist())) == 100
    assert np.array_equal(chosen, farthest_points(sphere.vertices, 100, seed=3))
    assert chosen[0] != farthest_points(sphere, 100, seed=4)[0]
    spacing = np.linalg.norm(sphere.vertices[chosen, None] - sphere.vertices[None, chosen], axis=2)
    np.fill_diagonal(spacing, np.inf)
    assert spacing.min() > 0.25  # an ideal packing of 100 points on the unit sphere reaches 0.37


def test_farthest_points_stop_at_what_there_is() -> None:
    assert sorted(farthest_points(box(), 50, seed=0).tolist()) == list(range(8))
    assert len(farthest_points(split_per_face(box()), 50, seed=0)) == 8


def test_closest_points_on_a_box_are_exact() -> None:
    solid = box((1, 2, 4), subdivisions=2)
    queries = np.random.default_rng(0).uniform(-3, 3, (500, 3)).astype(np.float32)
    face, bary, distance = closest_points(solid, queries)
    half = np.array([0.5, 1, 2])
    outside = np.maximum(np.abs(queries) - half, 0)
    is_outside = outside.any(axis=1)
    truth = np.where(is_outside, np.linalg.norm(outside, axis=1), (half - np.abs(queries)).min(axis=1))
    assert np.allclose(distance, truth, atol=1e-5)
    points = np.einsum("nc,nci->ni", bary, solid.corners[face])
    assert np.allclose(np.linalg.norm(points - queries, axis=1), truth, atol=1e-5)
    assert bary.min() >= 0
    assert np.allclose(bary.sum(axis=1), 1, atol=1e-6)


def test_closest_points_cope_with_triangles_of_any_size() -> None:
    # A huge floor under a tiny ball: the floor's centre is far from points that lie on it.
    mesh = join(moved(icosphere(3), (0, 0, 0.05), 0.02), moved(grid(1, 1), (-50, -50, 0), 100))
    queries = np.array([(30, -20, 1.5), (0, 0, 0.05), (0.001, 0, 0.2), (0.04, 0, 0.001)], np.float32)
    _, _, distance = closest_points(mesh, queries)
    assert np.allclose(distance, [1.5, 0.02, 0.13, 0.001], atol=2e-4)


def test_closest_points_accept_degenerate_faces() -> None:
    mesh = TriangleMesh([(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 0, 0)], [(0, 1, 2), (0, 3, 0)])
    _, bary, distance = closest_points(mesh, np.array([(0.5, 1, 0), (-1, 0, 0)]))
    assert np.allclose(distance, 1)
    assert np.allclose(bary.sum(axis=1), 1)


# Real meshes


@pytest.mark.skipif(not DATA.is_dir(), reason="no shared data: set SURFACE_FEATURES_DATA to its folder")
@pytest.mark.parametrize("file", ["quaternius/animals/Fox.glb", "quaternius/men/Swat.glb"])
def test_game_characters_in_pieces_are_measured_everywhere(file: str) -> None:
    found = sorted(DATA.glob(file.replace("quaternius/", "quaternius/**/")))
    mesh = read_mesh(found[0])
    result = preflight(mesh)
    assert len(result.proxy.vertices) < len(mesh.vertices) / 3  # split per facet
    part = vertex_components(result.proxy.faces, len(result.proxy.vertices))
    first = np.unique(part, return_index=True)[1]
    distances = GeodesicSolver(result.proxy).from_vertices(first)
    straight_limit = 3**0.5
    assert np.isfinite(distances).all()
    assert distances.max() < 2 * straight_limit
