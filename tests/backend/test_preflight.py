# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist's broken meshes become, and which are refused."""

from __future__ import annotations

import time

import numpy as np
import pytest

from surface_features.errors import BadInputError
from surface_features.mesh import TriangleMesh
from surface_features.preflight import Preflight, preflight

from .shapes import box, cylinder, grid, icosphere, join, moved, split_per_face, torus


def faults(result: Preflight) -> dict[str, int]:
    return {finding.fault: finding.count for finding in result.findings}


def volume(mesh: TriangleMesh) -> float:
    a, b, c = mesh.corners.astype(np.float64).transpose(1, 0, 2)
    return float(np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6)


def assert_sound(result: Preflight, mesh: TriangleMesh) -> None:
    """The promises every proxy keeps."""
    proxy = result.proxy
    assert np.isfinite(proxy.vertices).all()
    assert np.ptp(proxy.vertices, axis=0).max() == pytest.approx(1, abs=1e-5)
    assert len(np.unique(proxy.faces)) == len(proxy.vertices)
    assert proxy.face_areas.min() > 0
    assert result.proxy_vertex.shape == (len(mesh.vertices),)
    assert result.proxy_vertex.min() >= 0
    assert result.proxy_vertex.max() < len(proxy.vertices)
    assert result.proxy_face.shape == (len(proxy.faces),)
    back = np.sort(result.proxy_vertex[mesh.faces[result.proxy_face]], axis=1)
    assert np.array_equal(back, np.sort(proxy.faces, axis=1))
    assert np.array_equal(result.proxy_vertex[result.artist_vertex], np.arange(len(proxy.vertices)))


@pytest.mark.parametrize("mesh", [icosphere(2), box(), grid(), cylinder(), cylinder(capped=False), torus()])
def test_clean_meshes_pass_without_findings(mesh: TriangleMesh) -> None:
    result = preflight(mesh)
    assert_sound(result, mesh)
    assert result.findings == ()
    assert np.array_equal(result.proxy_vertex, np.arange(len(mesh.vertices)))


def test_proxy_is_the_artist_mesh_centred_and_scaled() -> None:
    mesh = moved(box((2, 4, 1)), (10, -3, 7), 2.0)
    result = preflight(mesh)
    assert result.scale == pytest.approx(1 / 8)
    expected = (mesh.vertices - result.centre) * result.scale
    assert np.allclose(result.proxy.vertices[result.proxy_vertex], expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_extreme_scale_gives_the_same_proxy(scale: float) -> None:
    usual, extreme = preflight(torus()), preflight(moved(torus(), scale=scale))
    assert np.allclose(usual.proxy.vertices, extreme.proxy.vertices, atol=1e-6)
    assert "extreme_scale" in faults(extreme)


def test_facet_split_meshes_are_welded_and_results_come_back_to_every_vertex() -> None:
    whole = icosphere(2)
    mesh = split_per_face(whole)
    result = preflight(mesh)
    assert_sound(result, mesh)
    assert len(result.proxy.vertices) == len(whole.vertices)
    assert faults(result) == {"duplicate_vertices": len(mesh.vertices) - len(whole.vertices)}
    positions = result.proxy.vertices[result.proxy_vertex] / result.scale + result.centre
    assert np.allclose(positions, mesh.vertices, atol=1e-5)


def test_rounding_noise_between_facets_does_not_stop_the_weld() -> None:
    mesh = split_per_face(icosphere(2))
    noise = np.random.default_rng(0).uniform(-1e-7, 1e-7, mesh.vertices.shape)
    noisy = TriangleMesh(mesh.vertices + noise.astype(np.float32), mesh.faces)
    assert len(preflight(noisy).proxy.vertices) == len(icosphere(2).vertices)


def test_one_bad_vertex_is_placed_between_its_neighbours() -> None:
    mesh = grid()
    vertices = mesh.vertices.copy()
    inner = 5 * 11 + 5
    vertices[inner] = (np.nan, np.inf, 0)
    result = preflight(TriangleMesh(vertices, mesh.faces))
    assert faults(result) == {"non_finite": 1}
    position = result.proxy.vertices[result.proxy_vertex[inner]] / result.scale + result.centre
    assert np.allclose(position, mesh.vertices[inner], atol=1e-3)


def test_a_hole_of_bad_vertices_is_filled_from_its_rim() -> None:
    mesh = icosphere(3)
    vertices = mesh.vertices.copy()
    vertices[np.argsort(-vertices[:, 2])[:30]] = np.nan
    result = preflight(TriangleMesh(vertices, mesh.faces))
    assert faults(result)["non_finite"] == 30
    assert np.isfinite(result.proxy.vertices).all()


def test_loose_vertices_get_the_nearest_place_and_do_not_change_the_size() -> None:
    mesh = box(subdivisions=2)
    far = np.array([[50, 50, 50], [-50, -50, -50], [np.nan, 0, 0]], np.float32)
    loose = TriangleMesh(np.concatenate([mesh.vertices, far]), mesh.faces)
    result = preflight(loose)
    assert_sound(result, loose)
    assert faults(result) == {"non_finite": 1, "loose_vertices": 3}
    assert result.scale == pytest.approx(1)
    assert np.allclose(result.proxy.vertices[result.proxy_vertex[-3]], 0.5)


def test_degenerate_and_duplicate_faces_are_left_out() -> None:
    mesh = box(subdivisions=1)
    extra = [mesh.faces[3], mesh.faces[5][[1, 2, 0]], (0, 0, 1), (2, 2, 2)]
    doubled = TriangleMesh(mesh.vertices, np.concatenate([mesh.faces, extra]))
    result = preflight(doubled)
    assert_sound(result, doubled)
    assert faults(result) == {"degenerate_faces": 2, "duplicate_faces": 2}
    assert len(result.proxy.faces) == len(mesh.faces)


@pytest.mark.parametrize("mesh", [icosphere(2), torus(), cylinder(capped=False), split_per_face(icosphere(2))])
def test_winding_is_mended_whatever_it_was(mesh: TriangleMesh) -> None:
    outward = preflight(mesh).proxy
    flip = np.random.default_rng(1).random(len(mesh.faces)) < 0.4
    mixed = TriangleMesh(mesh.vertices, np.where(flip[:, None], mesh.faces[:, ::-1], mesh.faces))
    inward = TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])
    for messy, count in ((mixed, flip.sum()), (inward, len(mesh.faces))):
        result = preflight(messy)
        assert_sound(result, messy)
        assert faults(result)["flipped_normals"] == count
        assert volume(result.proxy) == pytest.approx(volume(outward), rel=1e-4)


def test_a_flat_sheet_keeps_the_side_its_artist_chose() -> None:
    down = TriangleMesh(grid().vertices, grid().faces[:, ::-1])
    assert preflight(down).proxy.face_normals[:, 2].max() == -1


def test_each_part_is_turned_by_itself() -> None:
    inside_out = TriangleMesh(icosphere(2).vertices, icosphere(2).faces[:, ::-1])
    result = preflight(join(icosphere(2), moved(inside_out, (4, 0, 0))))
    assert faults(result) == {"flipped_normals": 320, "components": 2}
    normals, vertices = result.proxy.vertex_normals, result.proxy.vertices
    for part in (vertices[:, 0] < 0, vertices[:, 0] > 0):
        assert np.einsum("vi,vi->v", normals[part], vertices[part] - vertices[part].mean(0)).min() > 0


def test_non_manifold_edges_and_one_sided_strips_are_accepted() -> None:
    # Three walls meeting at one edge.
    vertices = np.array([(0, 0, 0), (0, 0, 1), (1, 0, 0), (-1, 1, 0), (-1, -1, 0)], np.float32)
    walls = TriangleMesh(vertices, [(0, 1, 2), (0, 1, 3), (0, 1, 4)])
    assert faults(preflight(walls))["non_manifold_edges"] == 1
    # A Möbius strip of 12 quads.
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)[:, None]
    side = np.array([-0.3, 0.3])
    radius = 1 + side * np.cos(turn / 2)
    strip = np.stack([radius * np.cos(turn), radius * np.sin(turn), side * np.sin(turn / 2)], -1).reshape(-1, 3)
    quads = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(11)] + [(22, 23, 0, 1)]
    mesh = TriangleMesh.from_polygons(strip, quads)
    assert_sound(preflight(mesh), mesh)


def test_a_single_triangle_is_a_surface() -> None:
    mesh = TriangleMesh(np.eye(3), [(0, 1, 2)], "Leaf")
    result = preflight(mesh)
    assert_sound(result, mesh)
    assert result.findings == ()


@pytest.mark.parametrize(
    ("vertices", "faces", "fault"),
    [
        (np.zeros((0, 3)), [], "no_faces"),
        (np.eye(3), [], "no_faces"),
        (np.eye(3), [(0, 1, 7)], "bad_index"),
        (np.eye(3), [(0, 1, -1)], "bad_index"),
        (np.zeros((3, 3)), [(0, 1, 2)], "no_area"),
        ([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(0, 1, 2)], "no_area"),
        ([(0, 0, 0), (np.nan, 0, 0), (0, np.nan, 0)], [(0, 1, 2)], "non_finite"),
        (np.full((3, 3), np.nan), [(0, 1, 2)], "non_finite"),
    ],
)
def test_what_cannot_be_mended_is_refused_by_name(vertices: object, faces: object, fault: str) -> None:
    mesh = TriangleMesh(np.asarray(vertices, np.float32), np.asarray(faces, np.int32), "Jäcket")
    with pytest.raises(BadInputError, match="Jäcket: ") as caught:
        preflight(mesh)
    assert caught.value.fault == fault
    assert "\n" not in str(caught.value)


def test_a_bad_part_nobody_can_place_is_refused() -> None:
    lost = TriangleMesh(np.full((3, 3), np.nan), [(0, 1, 2)])
    with pytest.raises(BadInputError) as caught:
        preflight(join(icosphere(3), lost))
    assert caught.value.fault == "non_finite"


def test_vertex_order_does_not_matter() -> None:
    mesh = split_per_face(torus(around=12, across=8))
    order = np.random.default_rng(2).permutation(len(mesh.vertices))
    rank = np.argsort(order)
    shuffled = TriangleMesh(mesh.vertices[order], rank[mesh.faces])
    first, second = preflight(mesh), preflight(shuffled)
    places = first.proxy.vertices[first.proxy_vertex][order]
    assert np.allclose(places, second.proxy.vertices[second.proxy_vertex], atol=1e-6)


def test_a_hundred_thousand_vertices_take_under_a_second() -> None:
    mesh = torus(around=400, across=250)
    preflight(icosphere(1))  # imports are not part of the measurement
    start = time.perf_counter()
    preflight(mesh)
    assert time.perf_counter() - start < 1.5  # 0.2 s on an idle machine
