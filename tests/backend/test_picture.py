# SPDX-License-Identifier: GPL-3.0-or-later
"""From a picture to a mesh and back: a character photographed from the front, with its normals and depth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from examples.characters import HumanoidSpec, build_humanoid, pose_character, rest_pose_a
from surface_features.backbones import load_backbone
from surface_features.engine import JobRequest
from surface_features.errors import BadInputError
from surface_features.mesh import TriangleMesh
from surface_features.picture import SubjectPicture, find_subject, picture_features
from surface_features.progress import JobContext
from surface_features.tasks import run_task
from surface_features.views.cameras import Cameras, look_from
from surface_features.views.render import Raycaster

from .test_backbones import save_tiny

SIZE = 256
FRONT = look_from(np.float32([[0, -1, 0]]))[0]
SETTINGS = {"views": 8, "device": "cpu"}


@cache
def subject() -> TriangleMesh:
    character = build_humanoid(HumanoidSpec(resolution=44, fingers="mitten"))
    return TriangleMesh(character.vertices, character.faces, "Hero")


@cache
def other() -> TriangleMesh:
    character = pose_character(
        build_humanoid(HumanoidSpec(height=1.6, resolution=40, fingers="mitten", seed=3)), rest_pose_a(25.0)
    )
    return TriangleMesh(character.vertices, character.faces, "Other")


@cache
def photograph() -> SubjectPicture:
    """Red on the body's right, green on its left, seen from the front; a fifth of margin around it."""
    mesh = subject()
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    half = 0.6 * float((high - low).max())
    centre = (low + high) / 2
    view = Raycaster(mesh).view(Cameras(FRONT[None], centre[None], np.float32([half])), 0, SIZE)
    hit = view.face_ids[0] >= 0
    geometry = np.concatenate([view.normals[0] / 2 + 0.5, view.depth[0][..., None]], axis=2) * hit[..., None]
    colours = np.zeros((SIZE, SIZE, 4), np.float32)
    x = np.einsum("nc,nc->n", view.bary[0][hit], mesh.corners[view.face_ids[0][hit]][..., 0])
    colours[hit] = np.where(x[:, None] < centre[0], np.float32([1, 0, 0, 1]), np.float32([0, 1, 0, 1]))
    return SubjectPicture(colours, geometry.astype(np.float32), "Photo")


def arrays_of(mesh: TriangleMesh, picture: SubjectPicture) -> dict[str, np.ndarray]:
    arrays = {"target_vertices": mesh.vertices, "target_faces": mesh.faces, "picture": picture.colours}
    return arrays if picture.geometry is None else arrays | {"geometry": picture.geometry}


def run(task: str, arrays: dict[str, np.ndarray], **params):
    params = {"feature_settings": SETTINGS, "target_name": "Other", "picture_name": "Photo"} | params
    return run_task(JobRequest(task, arrays, params), JobContext())


def place_of(points: np.ndarray) -> np.ndarray:
    """Where the subject's points are in the photograph, 0…1."""
    low, high = subject().vertices.min(axis=0), subject().vertices.max(axis=0)
    local = (points - (low + high) / 2) @ FRONT.T / (0.6 * float((high - low).max()))
    return np.stack([(local[:, 0] + 1) / 2, (1 - local[:, 1]) / 2], axis=1)


def test_points_go_to_the_mesh_and_back():
    mesh = subject()
    front = mesh.vertices[:, 1] < np.median(mesh.vertices[:, 1])
    height = float(np.ptp(mesh.vertices[:, 2]))
    top = mesh.vertices[np.argmax(np.where(front, mesh.vertices[:, 2], -9))]
    hand = mesh.vertices[np.argmax(mesh.vertices[:, 0])]  # of the left arm
    wanted = np.stack([top, hand])
    found = run("picture_points", arrays_of(mesh, photograph()) | {
        "picture_places": place_of(wanted).astype(np.float32), "mesh_points": wanted,
    }).arrays  # fmt: skip
    assert np.linalg.norm(found["points"] - wanted, axis=1).max() < 0.1 * height
    assert np.abs(found["places"] - place_of(wanted)).max() < 0.05
    assert found["point_confidence"].shape == found["place_confidence"].shape == (2,)


def test_another_body_is_painted_on_its_own_sides():
    mesh = other()
    uv = np.stack([mesh.corners[..., 0], mesh.corners[..., 2]], axis=2)
    low, high = uv.min(axis=(0, 1)), uv.max(axis=(0, 1))
    front = np.flatnonzero(mesh.face_normals[:, 1] < -0.5)
    faces = np.concatenate([mesh.faces[front], np.delete(mesh.faces, front, axis=0)])
    arrays = arrays_of(TriangleMesh(mesh.vertices, faces), photograph())
    arrays["target_uv"] = ((uv - low) / (high - low))[front].astype(np.float32)
    result = run("paint_from_picture", arrays, texture_settings={"size": 256})
    image, confidence = result.arrays["base_color_0_1001"].astype(int), result.arrays["confidence_0_1001"]
    sure = confidence > 80
    assert sure.sum() > 0.4 * (confidence > 0).sum()
    middle = int((0 - low[0]) / (high[0] - low[0]) * 256)
    is_red = image[..., 0] > image[..., 1]
    column = np.tile(np.arange(256), (256, 1))
    clear = sure & (np.abs(column - middle) > 8)
    assert (is_red == (column < middle))[clear].mean() > 0.93
    assert 0.2 < result.info["seen"] < 0.8  # the front, and not the back


def test_a_photograph_needs_a_backbone_that_reads_colours(tmp_path):
    photo = SubjectPicture(photograph().colours, None, "Photo")
    with pytest.raises(BadInputError, match="DINOv2") as caught:
        picture_features(photo, load_backbone("bundled", "cpu"), JobContext())
    assert caught.value.fault == "needs_rgb_backbone"
    save_tiny("dinov2", tmp_path)
    pixels = picture_features(photo, load_backbone(str(tmp_path), "cpu"), JobContext())
    assert pixels.values.shape == (len(pixels.places), 32)
    np.testing.assert_allclose(np.linalg.norm(pixels.values, axis=1), 1, atol=1e-4)
    inside = photograph().colours[..., 3][tuple((pixels.places[:, ::-1] * SIZE).astype(int).T)]
    assert (inside > 0).mean() > 0.99
    with pytest.raises(BadInputError, match="nothing in it is like"):  # the network is not trained
        run("picture_points", arrays_of(subject(), photo), feature_settings=SETTINGS | {"backbone": str(tmp_path)})


def test_a_picture_without_the_subject_is_refused():
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE * 2 - 1
    height = np.sqrt(np.clip(0.36 - x**2 - y**2, 0, None))
    ball = (
        np.stack([x / 1.2 + 0.5, -y / 1.2 + 0.5, height / 1.2 + 0.5, 0.5 + height / 2], axis=2)
        * (height > 0)[..., None]
    )
    picture = SubjectPicture(np.ones((SIZE, SIZE, 4), np.float32), ball.astype(np.float32), "Ball")
    with pytest.raises(BadInputError, match="nothing in it is like Other") as caught:
        run("picture_points", arrays_of(other(), picture), picture_name="Ball")
    assert caught.value.fault == "no_subject"


def test_the_subject_is_found_by_alpha_or_a_plain_background():
    colours = np.ones((60, 80, 4), np.float32)
    colours[20:50, 30:60, :3] = (0.8, 0.2, 0.1)
    colours[30:40, 40:50, :3] = 1.0  # a white patch on the subject
    mask = find_subject(SubjectPicture(colours))
    assert mask[25:45, 35:55].all()
    assert not mask[:18].any()
    cut = colours.copy()
    cut[..., 3] = 0
    cut[10:20, 10:20, 3] = 1
    assert find_subject(SubjectPicture(cut)).sum() == 100
    noise = colours.copy()
    noise[..., :3] = np.random.default_rng(0).random((60, 80, 3))
    with pytest.raises(BadInputError, match="not plain"):
        find_subject(SubjectPicture(noise))
    with pytest.raises(BadInputError, match="no subject"):
        find_subject(SubjectPicture(np.ones((60, 80, 4), np.float32)))
