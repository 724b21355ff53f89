# SPDX-License-Identifier: GPL-3.0-or-later
"""Texture and keypoints from a picture, and keypoints to it: a render of one character, on another."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest

from surface_features.mesh import TriangleMesh
from surface_features.views.cameras import Cameras, look_from
from surface_features.views.render import Raycaster

from .scenes import add_target, failure, fingerprint, hero, select
from .test_transfer_texture import new_material, share_on_the_right_side, shown_image

SIZE = 256


def add_image(name: str, pixels: np.ndarray, **options) -> bpy.types.Image:
    """pixels (H, W, 4), row 0 at the top."""
    image = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True, **options)
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    image.update()
    return image


@pytest.fixture
def photograph() -> np.ndarray:
    """The hero from the front, red on the body's right, green on its left; returns (V, 2) pixels of its vertices."""
    pytest.importorskip("embreex", reason="the picture is rendered by this Python, not by the engine's")
    mesh = TriangleMesh(hero().vertices, hero().faces)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    centre, half = (low + high) / 2, 0.6 * float((high - low).max())
    rotation = look_from(np.float32([[0, -1, 0]]))
    view = Raycaster(mesh).view(Cameras(rotation, centre[None], np.float32([half])), 0, SIZE)
    hit = view.face_ids[0] >= 0
    geometry = np.concatenate([view.normals[0] / 2 + 0.5, view.depth[0][..., None]], axis=2) * hit[..., None]
    colours = np.zeros((SIZE, SIZE, 4), np.float32)
    x = np.einsum("nc,nc->n", view.bary[0][hit], mesh.corners[view.face_ids[0][hit]][..., 0])
    colours[hit] = np.where(x[:, None] < centre[0], np.float32([1, 0, 0, 1]), np.float32([0, 1, 0, 1]))
    texture = bpy.context.scene.surface_features.texture
    texture.size = "256"
    texture.picture = add_image("Photo", colours)
    texture.geometry = add_image("Geometry", geometry, float_buffer=True, is_data=True)
    local = (mesh.vertices - centre) @ rotation[0].T / half
    return np.stack([(local[:, 0] + 1) / 2, (1 - local[:, 1]) / 2], axis=1) * SIZE


def test_a_mesh_is_painted_from_a_picture(photograph) -> None:
    target = add_target()
    select(target)
    assert bpy.ops.surface_features.texture_from_picture() == {"FINISHED"}
    assert share_on_the_right_side(target, shown_image(new_material(target))) > 0.85


def test_keypoints_come_from_a_picture_and_go_back(photograph, tmp_path) -> None:
    target = add_target("Twin", hero())
    hand = int(hero().vertices[:, 0].argmax())
    file = tmp_path / "points.json"
    file.write_text(json.dumps({"hand.L": photograph[hand].tolist()}))
    select(target)
    assert bpy.ops.surface_features.keypoints_from_picture(filepath=str(file)) == {"FINISHED"}
    empty = bpy.data.objects["hand.L"]
    bpy.context.view_layer.update()
    height = float(np.ptp(hero().vertices[:, 2]))
    assert np.linalg.norm(np.array(empty.matrix_world.translation) - hero().vertices[hand]) < 0.1 * height
    assert 0 <= empty["confidence"] <= 1
    assert empty.parent == target
    select(target, empty)
    assert bpy.ops.surface_features.keypoints_to_picture() == {"FINISHED"}
    found = json.loads(bpy.data.texts["Photo keypoints.json"].as_string())["hand.L"]
    assert np.hypot(found["x"] - photograph[hand][0], found["y"] - photograph[hand][1]) < 0.08 * SIZE


def test_the_command_saves_a_painted_copy(photograph, extension, tmp_path) -> None:
    add_target()
    texture = bpy.context.scene.surface_features.texture
    for image, name, kind in ((texture.picture, "photo.png", "PNG"), (texture.geometry, "geometry.exr", "OPEN_EXR")):
        image.filepath_raw, image.file_format = str(tmp_path / name), kind
        image.save()
    path, out = tmp_path / "scene.blend", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    arguments = ["picture", str(path), "--image", str(tmp_path / "photo.png"), "--target", "Stout", "--out", str(out)]
    main = extension("operators.command").main
    assert main([*arguments, "--size", "256"]) == 3  # the bundled backbone needs the geometry
    assert not out.exists()
    assert main([*arguments, "--size", "256", "--geometry", str(tmp_path / "geometry.exr")]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    target = bpy.data.objects["Stout"]
    assert share_on_the_right_side(target, shown_image(new_material(target))) > 0.85


def test_bad_pictures_and_keypoints_are_one_sentence(photograph, tmp_path) -> None:
    texture = bpy.context.scene.surface_features.texture
    select(add_target())
    before = fingerprint(), len(bpy.data.images), len(bpy.data.materials)
    texture.geometry = None
    assert "DINOv2" in failure(bpy.ops.surface_features.texture_from_picture)
    file = tmp_path / "points.json"
    file.write_text("[1, 2]")
    assert "no list of keypoints" in failure(bpy.ops.surface_features.keypoints_from_picture, filepath=str(file))
    file.write_text('{"nose": [9999, 3]}')
    assert "“nose” lies outside" in failure(bpy.ops.surface_features.keypoints_from_picture, filepath=str(file))
    assert "no empty is selected" in failure(bpy.ops.surface_features.keypoints_to_picture)
    texture.picture = None
    assert "No picture is chosen" in failure(bpy.ops.surface_features.texture_from_picture)
    assert (fingerprint(), len(bpy.data.images), len(bpy.data.materials)) == before
