# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifting pictures whose features are known functions of the place."""

import numpy as np
from scipy import sparse

from surface_features.lifting import Lifted, LiftedLooks, fill_unseen, lift, read_cells, smooth_along_surface
from surface_features.mesh import TriangleMesh
from surface_features.views.cameras import Cameras, place_cameras
from surface_features.views.render import Raycaster, render_views

from .shapes import cylinder, icosphere, join


def position_cells(mesh: TriangleMesh, views, grid: int) -> np.ndarray:
    """Cells that say where they look: unit vectors towards the seen point; noise on the background."""
    step = views.depth.shape[1] // grid
    cells = (slice(None), slice(step // 2, None, step), slice(step // 2, None, step))
    face, bary = views.face_ids[cells], views.bary[cells]
    point = np.einsum("nijc,nijcd->nijd", bary, mesh.vertices[mesh.faces[face]])
    point[face < 0] = np.random.default_rng(0).normal(size=(int((face < 0).sum()), 3))
    return point / np.linalg.norm(point, axis=-1, keepdims=True)


def lifted(mesh: TriangleMesh, views: int = 24):
    cameras = place_cameras(mesh.vertices, views)
    raycaster = Raycaster(mesh)
    pictures = render_views(raycaster, cameras, 128)
    reading = read_cells(mesh, raycaster, cameras, pictures, 32, 0.125)
    return lift(mesh, reading, position_cells(mesh, pictures, 32))


def test_vertices_get_what_their_pixels_show():
    mesh = icosphere(4, centre=(0, 0, 0))
    result = lifted(mesh)
    cosine = (result.values * mesh.vertices).sum(axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 1.5
    assert cosine.min() > 0.995
    assert result.confidence.min() > 0.9


def test_an_arm_in_front_of_a_body_reads_nothing_of_the_body():
    body = cylinder(0.3, 2.0)
    arm = cylinder(0.06, 1.2)
    arm = TriangleMesh(arm.vertices + np.float32([0.0, -0.45, 0.4]), arm.faces)
    mesh = join(body, arm)
    is_arm = np.arange(len(mesh.vertices)) >= len(body.vertices)
    colours = np.where(is_arm[:, None], np.float32([1, 0, 0]), np.float32([0, 1, 0]))
    cameras = place_cameras(mesh.vertices, 24)
    raycaster = Raycaster(mesh)
    views = render_views(raycaster, cameras, 128)
    picked = views.face_ids[:, 2::4, 2::4]
    cells = np.where((picked >= 0)[..., None], colours[mesh.faces[picked, 0]], np.float32([0, 0, 1]))
    result = lift(mesh, read_cells(mesh, raycaster, cameras, views, 32, 0.125), cells.astype(np.float32))
    side = is_arm & (np.abs(mesh.vertices[:, 2] - 1.0) < 0.5)
    assert result.values[side, 0].min() > 0.9


def test_what_no_camera_sees_takes_its_neighbours_value():
    mesh = cylinder(rings=20)
    values = np.tile(np.float32([0.6, 0.8]), (len(mesh.vertices), 1))
    seen = mesh.vertices[:, 2] < 1.0
    values[~seen] = np.nan
    filled = fill_unseen(mesh, np.nan_to_num(values), seen)
    assert np.allclose(filled, [0.6, 0.8], atol=1e-5)


def test_a_hidden_piece_takes_the_nearest_surface_and_no_confidence():
    outside, inside = icosphere(4), icosphere(2, radius=0.3)
    result = lifted(join(outside, inside))
    hidden = slice(len(outside.vertices), None)
    assert (result.confidence[hidden] == 0).all()
    direction = inside.vertices / np.linalg.norm(inside.vertices, axis=1, keepdims=True)
    assert (result.values[hidden] * direction).sum(axis=1).mean() > 0.9


def test_single_vertices_that_disagree_are_outvoted_by_their_neighbours():
    mesh = icosphere(5)
    values = mesh.vertices.copy()
    wrong = np.random.default_rng(0).random(len(values)) < 0.1
    values[wrong] *= -1
    confidence = np.where(wrong, 0.2, 1.0).astype(np.float32)
    smooth = smooth_along_surface(mesh, values, confidence)
    assert (smooth * mesh.vertices).sum(axis=1).min() > 0.95


def test_coarse_meshes_are_not_smoothed():
    mesh = icosphere(1)
    values = mesh.vertices.copy()
    assert np.array_equal(smooth_along_surface(mesh, values, np.ones(len(values), np.float32)), values)


def test_what_a_detail_does_not_show_stays_as_it_was():
    mesh = icosphere(4)
    whole = lifted(mesh)
    other = Lifted(-whole.values, np.full(len(mesh.vertices), 0.5, np.float32))
    cameras = place_cameras(mesh.vertices, 12)
    front = np.flatnonzero(cameras.rotations[:, 2, 0] > 0)
    some = Cameras(cameras.rotations[front], cameras.centres[front], cameras.half_sizes[front])
    raycaster = Raycaster(mesh)
    pictures = render_views(raycaster, some, 128)
    cells = position_cells(mesh, pictures, 32)
    result = lift(mesh, read_cells(mesh, raycaster, some, pictures, 32, 0.125), cells, other)
    ahead, behind = mesh.vertices[:, 0] > 0.5, mesh.vertices[:, 0] < -0.8
    assert ((result.values * whole.values).sum(axis=1)[ahead] > 0.9).all()
    assert np.allclose(np.linalg.norm(result.values, axis=1), 1, atol=1e-5)
    unseen = behind & (result.confidence == 0.5)
    assert unseen.any()
    assert np.allclose(result.values[unseen], other.values[unseen], atol=1e-6)


def test_looks_lie_side_by_side_and_last_what_is_covered():
    mesh = icosphere(2)
    count = len(mesh.vertices)
    covered = np.arange(count) < 40
    cells = np.repeat(np.eye(3, dtype=np.float32)[:, None, None], 1, axis=1)  # three pictures of one cell each

    def reads(cell: int, rows: np.ndarray) -> sparse.csr_array:
        return sparse.csr_array(np.float32(np.arange(3) == cell) * np.float32(rows)[:, None])

    looks = LiftedLooks(mesh)
    looks.add(reads(0, np.ones(count)), cells)
    looks.add(reads(1, np.ones(count)), cells, reads(2, covered))
    plain, found = (looks.side_by_side(beneath=beneath).values for beneath in (False, True))
    assert plain.shape == (count, 6)
    assert np.allclose(np.linalg.norm(plain, axis=1), 1)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert np.allclose(found[covered, -3:], np.array([0, 0, 1]) / 3**0.5)
    assert np.allclose(found[~covered, -3:], np.array([0.5, 0.5, 0]) ** 0.5 / 3**0.5)
