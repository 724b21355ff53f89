# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of shapes whose pictures are known."""

import io

import numpy as np
from PIL import Image

from surface_features.mesh import TriangleMesh
from surface_features.views.cameras import close_ups, fibonacci_directions, look_from, place_cameras
from surface_features.views.details import SPOTS, VIEWS, detail_views, find_spots, spot_vertices
from surface_features.views.render import Raycaster, render_views
from surface_features.views.strip import SIZE, draw_around, draw_strip

from .shapes import box, cross, icosphere


def test_cameras_stand_all_around_and_mostly_at_the_height_of_the_horizon():
    directions = fibonacci_directions(24)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-5)
    assert np.linalg.norm(directions.mean(axis=0)) < 0.05
    heights = np.abs(directions[:, 2])
    assert (heights < 0.5).mean() > 0.6
    assert heights.max() > 0.7


def test_cameras_keep_z_up_in_the_picture_and_look_at_the_origin():
    for rotation, direction in zip(look_from(fibonacci_directions(9)), fibonacci_directions(9), strict=True):
        assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
        assert np.linalg.det(rotation) > 0
        assert np.allclose(rotation @ direction, [0, 0, 1], atol=1e-5)
        assert (rotation @ np.float32([0, 0, 1]))[1] > 0


def test_every_camera_sees_the_whole_mesh():
    mesh = box((0.3, 0.7, 2.0))
    cameras = place_cameras(mesh.vertices, 24)
    for index in range(24):
        assert np.abs(cameras.project(mesh.vertices, index)[:, :2]).max() <= 1


def test_close_ups_show_every_vertex_larger_and_with_its_depth():
    mesh = box((0.3, 4.0, 1.0))
    cameras = place_cameras(mesh.vertices, 12)
    closer = close_ups(mesh.vertices, cameras, 1.8)
    assert np.allclose(closer.half_sizes, cameras.half_sizes[0] / 1.8)
    assert len(closer) < 4 * len(cameras)  # empty corners are not looked at
    shown = [np.abs(closer.project(mesh.vertices, index)) < 1 for index in range(len(closer))]
    inside = np.array([place[:, :2].all(axis=1) for place in shown])
    assert inside.any(axis=1).all()
    assert (inside.sum(axis=0) >= len(cameras)).all()
    assert np.mean([place[seen, 2].mean() for place, seen in zip(shown, inside, strict=True)]) > 0.8


def test_details_are_the_ends_of_limbs_each_seen_well():
    mesh = cross()
    ends = np.float32([(x, 0, 0) for x in (-1, 1)] + [(0, 0, z) for z in (-1, 1)])
    spots = find_spots(mesh, 5.0, count=4)
    gap = np.linalg.norm(np.stack([spot.centre for spot in spots])[:, None] - ends[None], axis=2)
    assert sorted(gap.argmin(axis=1)) == [0, 1, 2, 3]
    assert gap.min(axis=1).max() < 0.25
    cameras = place_cameras(mesh.vertices, 24)
    raycaster = Raycaster(mesh)
    details = detail_views(mesh, find_spots(mesh, 6.0), raycaster, cameras, 6.0)
    assert len(details) == SPOTS * VIEWS
    assert np.allclose(details.half_sizes, cameras.half_sizes[0] / 6)
    normals = mesh.vertex_normals[spots[0].vertices]
    views = [index for index in range(len(details)) if np.linalg.norm(details.centres[index] - spots[0].centre) < 0.1]
    shown = (normals @ details.rotations[views, 2].T).max(axis=1)
    assert (shown > 0.3).mean() > 0.9  # from all around


def test_a_mesh_of_few_vertices_has_few_details():
    triangle = TriangleMesh(np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    assert 1 <= len(find_spots(triangle, 5.0)) <= 3
    assert set(spot_vertices(find_spots(triangle, 5.0))) <= {0, 1, 2}
    assert len(spot_vertices([])) == 0


def test_a_sphere_is_a_disc_with_round_normals():
    mesh = icosphere(4)
    views = render_views(Raycaster(mesh), place_cameras(mesh.vertices, 3, margin=1.0), 64)
    seen = views.face_ids >= 0
    assert np.allclose(seen.mean(axis=(1, 2)), np.pi / 4, atol=0.01)
    assert np.allclose(np.linalg.norm(views.normals[seen], axis=-1), 1, atol=1e-4)
    step = (np.arange(64) + 0.5) / 32 - 1
    x, y = np.meshgrid(step, -step)
    assert np.abs(views.normals[0, ..., 0] - x)[seen[0]].mean() < 0.05
    assert np.abs(views.normals[0, ..., 1] - y)[seen[0]].mean() < 0.05
    assert views.depth[0, 32, 32] > 0.98


def test_hit_points_lie_where_the_pixel_looks():
    mesh = icosphere(3)
    cameras = place_cameras(mesh.vertices, 2)
    views = render_views(Raycaster(mesh), cameras, 32)
    row, column = 10, 20
    corners = mesh.vertices[mesh.faces[views.face_ids[1, row, column]]]
    point = views.bary[1, row, column] @ corners
    place = cameras.project(point[None], 1)[0]
    assert np.allclose(place[:2], [(column + 0.5) / 16 - 1, 1 - (row + 0.5) / 16], atol=1e-4)


def test_normals_face_the_camera_even_on_inside_out_meshes():
    mesh = box()
    flipped = TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])
    cameras = place_cameras(mesh.vertices, 4)
    right, wrong = (render_views(Raycaster(m), cameras, 32) for m in (mesh, flipped))
    assert (right.normals[..., 2] >= 0).all()
    assert np.allclose(right.normals, wrong.normals, atol=1e-5)


def test_visibility_knows_front_from_back():
    mesh = icosphere(3)
    direction = np.float32([0, -1, 0])
    visible = Raycaster(mesh).visible(mesh.vertices, direction, 1e-3)
    facing = mesh.vertices @ direction
    assert visible[facing > 0.1].all()
    assert not visible[facing < -0.1].any()


def read_png(file: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file.tobytes())).convert("RGB"))


def test_a_strip_shows_every_state_of_every_body():
    ball = icosphere(3)
    stretched = TriangleMesh(ball.vertices * np.float32([1, 1, 2]), ball.faces)
    picture = read_png(draw_strip([[ball, stretched], [ball]]))
    assert picture.shape == (2 * SIZE, 2 * SIZE, 3)
    shown = picture.min(axis=2) < 200
    quarters = [shown[y : y + SIZE, x : x + SIZE].mean() for y in (0, SIZE) for x in (0, SIZE)]
    assert quarters[3] == 0
    assert quarters[1] > 1.5 * quarters[0] > 0.05  # one scale for all states of a body
    assert quarters[2] > quarters[0]


def test_colours_are_shown_from_ahead_and_from_behind():
    ball = icosphere(3)
    ball.vertices[-1] = np.nan  # one bad vertex must not spoil the picture
    red, blue = np.array([0.9, 0, 0]), np.array([0, 0, 0.9])
    colours = np.where(ball.vertices[:, 1:2] < 0, red, blue).astype(np.float32)  # ahead is −Y
    picture = read_png(draw_around(ball, colours)).astype(int)
    assert picture.shape == (SIZE, 2 * SIZE, 3)
    middle = slice(SIZE // 3, -SIZE // 3)
    ahead, behind = picture[middle, :SIZE][:, middle], picture[middle, SIZE:][:, middle]
    assert ahead[..., 0].mean() > 2 * ahead[..., 2].mean()
    assert behind[..., 2].mean() > 2 * behind[..., 0].mean()
