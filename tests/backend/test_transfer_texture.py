# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures between spheres whose correspondence is known: the right colour at every texel, the right way round."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features import features
from surface_features.correspondence import Correspondence
from surface_features.engine import JobRequest
from surface_features.errors import BadInputError
from surface_features.geometry.closest import closest_points
from surface_features.geometry.subdivide import subdivide
from surface_features.geometry.uv_raster import rasterise
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext
from surface_features.settings import TextureSettings
from surface_features.tasks import run_task
from surface_features.transfer.padding import nearest_covered
from surface_features.transfer.sampling import Picture
from surface_features.transfer.texture import Fill, Layer, Textured, transfer_texture

from .exact_features import direction_features
from .shapes import box, cylinder, grid, icosphere, moved

SIZE = 256


def sheet(columns: int = 10, rows: int = 10) -> tuple[TriangleMesh, np.ndarray]:
    """A flat sheet whose UV map is its own position."""
    mesh = grid(columns, rows)
    return mesh, mesh.corners[..., :2].copy()


def onto(source: TriangleMesh, target: TriangleMesh, confidence: float = 1.0) -> Correspondence:
    """The correspondence of two meshes that lie on one another."""
    face, bary, _ = closest_points(source, target.vertices)
    return Correspondence(face, bary, np.full(len(target.vertices), confidence, np.float32))


def colour_layer(picture: np.ndarray, **options) -> Layer:
    return Layer(
        "base_color", "colour", picture.shape[2], (Fill((0,) * picture.shape[2], Picture({1001: picture}, **options)),)
    )


def ramp(size: int = 64) -> np.ndarray:
    """Red to the right, green upwards: a picture that says where it was read."""
    step = ((np.arange(size) + 0.5) / size * 255).round().astype(np.uint8)
    return np.stack(
        [np.tile(step, (size, 1)), np.tile(step[:, None], (1, size)), np.full((size, size), 90, np.uint8)], 2
    )


def textured(mesh, uv, *layers) -> Textured:
    return Textured(mesh, (uv,), np.zeros(len(mesh.faces), np.int32), layers)


def settings(**options) -> TextureSettings:
    return TextureSettings(**({"size": SIZE, "margin": 4} | options))


def test_texels_are_covered_once_and_know_where_they_are():
    uv = sheet(7, 5)[1]
    uv = uv * 0.8 + 0.1
    count = np.zeros(SIZE * SIZE, int)
    for texels in rasterise(uv, SIZE):
        np.add.at(count, texels.place, 1)
        at = np.einsum("tc,tcd->td", texels.bary, uv[texels.face]) * SIZE
        np.testing.assert_allclose(at[:, 0], texels.place % SIZE + 0.5, atol=0.01)
        np.testing.assert_allclose(at[:, 1], texels.place // SIZE + 0.5, atol=0.01)
    assert (count > 0).mean() == pytest.approx(0.64, abs=0.01)
    assert (count > 1).mean() < 0.02  # only centres that lie exactly on an edge


def test_subdividing_leaves_no_cracks_and_knows_its_parents():
    mesh = box((1, 2, 3))
    fine = subdivide(mesh, 0.4, 10_000)
    sides = np.sort(np.stack([fine.mesh.faces, np.roll(fine.mesh.faces, -1, axis=1)], axis=2), axis=2).reshape(-1, 2)
    assert set(np.unique(sides, axis=0, return_counts=True)[1]) == {2}
    assert np.linalg.norm(fine.mesh.corners - np.roll(fine.mesh.corners, -1, axis=1), axis=2).max() <= 0.4
    at_parent = np.einsum("fic,fcd->fid", fine.corners, mesh.corners[fine.parent])
    np.testing.assert_allclose(at_parent, fine.mesh.corners, atol=1e-6)
    assert (np.einsum("fd,fd->f", fine.mesh.face_normals, mesh.face_normals[fine.parent]) > 0.99).all()


@pytest.mark.parametrize(("columns", "rows"), [(3, 3), (40, 30)])
def test_every_texel_shows_its_own_point_whatever_the_topology(columns, rows):
    source, source_uv = sheet(12, 12)
    target, target_uv = sheet(columns, rows)
    made = transfer_texture(
        textured(source, source_uv, colour_layer(ramp())), target, target_uv, onto(source, target), settings()
    )
    image = made.images["base_color"][1001].astype(int)
    wanted = (np.arange(SIZE) + 0.5) / SIZE * 255
    inner = slice(8, -8)  # the picture repeats at its edges
    assert np.abs(image[inner, inner, 0] - wanted[None, inner]).max() <= 2
    assert np.abs(image[inner, inner, 1] - wanted[inner, None]).max() <= 2
    assert made.sure == 1.0
    assert made.overlap < 0.01


def test_a_coarse_target_bulges_to_the_sources_surface():
    source, target = icosphere(4), icosphere(2)
    uv = np.stack([source.corners[..., 0] / 2 + 0.5, source.corners[..., 2] / 2 + 0.5], axis=2)
    flat = np.stack([target.corners[..., 0] / 2 + 0.5, target.corners[..., 2] / 2 + 0.5], axis=2)
    front = target.face_normals[:, 1] < 0
    target = TriangleMesh(target.vertices, target.faces[front])
    made = transfer_texture(
        textured(source, uv, colour_layer(ramp(128))), target, flat[front], onto(source, target), settings(size=256)
    )
    image = made.images["base_color"][1001].astype(float) / 255
    middle = (np.arange(256) + 0.5) / 256
    inside = (middle[None] - 0.5) ** 2 + (middle[:, None] - 0.5) ** 2 < 0.35**2
    # Flat faces of the target lie up to 3 % inside the sphere; the ray along the normal moves outwards with it.
    assert np.abs(image[..., 0] - middle[None])[inside].max() < 0.02


def test_uncertain_texels_are_filled_from_around_and_marked():
    source, uv = sheet(20, 20)
    match = onto(source, source)
    lost = np.linalg.norm(source.vertices[:, :2] - 0.5, axis=1) < 0.2
    match = Correspondence(
        np.where(lost, 0, match.face).astype(np.int32), match.bary, np.where(lost, 0, 1).astype(np.float32)
    )
    made = transfer_texture(textured(source, uv, colour_layer(ramp())), source, uv, match, settings())
    image, confidence = made.images["base_color"][1001].astype(int), made.confidence[1001]
    assert abs(image[SIZE // 2, SIZE // 2, 0] - 127) < 12  # wrongly matched to the dark corner, filled from around
    assert confidence[SIZE // 2, SIZE // 2] < 10
    assert confidence[10, 10] > 250
    assert 0.8 < made.sure < 0.95


def test_islands_are_padded_so_that_seams_do_not_show():
    source, uv = sheet(4, 4)
    made = transfer_texture(
        textured(source, uv, colour_layer(np.full((8, 8, 3), 200, np.uint8))), source, uv * 0.5 + 0.25,
        onto(source, source), settings(margin=6),
    )  # fmt: skip
    covered = made.confidence[1001] > 0
    assert covered[SIZE // 2, SIZE // 2]
    assert not covered[SIZE // 2, SIZE // 4 - 6]
    assert (made.images["base_color"][1001] == 200).all()
    place, origin = nearest_covered(covered, 6)
    assert len(np.unique(place)) == len(place)
    assert covered.reshape(-1)[origin].all()
    assert not covered.reshape(-1)[place].any()


def test_materials_constants_and_udim_tiles_come_from_their_faces():
    source, uv = sheet(10, 10)
    right = (source.corners[..., 0].mean(axis=1) > 0.5).astype(np.int32)
    tiled = Picture({1001: np.full((4, 4, 3), 50, np.uint8), 1002: np.full((2, 6, 3), 250, np.uint8)}, tiled=True)
    layer = Layer("base_color", "colour", 3, (Fill((0, 0, 0), tiled), Fill((0.5, 1.0, 0.0))))
    source_uv = uv.copy()
    upper = source.corners[..., 1].mean(axis=1) > 0.5
    source_uv[upper, :, 0] += 1.0
    made = transfer_texture(
        Textured(source, (source_uv,), right, (layer,)), source, uv, onto(source, source), settings()
    ).images["base_color"][1001]
    assert tuple(made[64, 64]) == (50, 50, 50)
    assert tuple(made[192, 64]) == (250, 250, 250)
    assert tuple(made[64, 192]) == tuple(made[192, 192]) == (128, 255, 0)


def test_a_target_on_several_udim_tiles_gets_one_image_for_each():
    source, uv = sheet(10, 10)
    target_uv = uv.copy()
    moved_faces = source.corners[..., 0].mean(axis=1) > 0.5
    target_uv[moved_faces, :, 1] += 1.0
    made = transfer_texture(
        textured(source, uv, colour_layer(ramp())), source, target_uv, onto(source, source), settings()
    )
    assert set(made.images["base_color"]) == {1001, 1011} == set(made.confidence)
    assert made.confidence[1001][:, : SIZE // 2 - 2].all()
    assert made.confidence[1011][:, SIZE // 2 + 2 :].all()
    assert not made.confidence[1011][:, : SIZE // 2 - 2].any()


def test_deep_and_one_pixel_pictures_keep_their_values():
    source, uv = sheet(4, 4)
    deep = np.full((1, 1, 1), 0.123456, np.float32)
    made = transfer_texture(
        textured(source, uv, Layer("roughness", "colour", 1, (Fill((0.5,), Picture({1001: deep})),))),
        source, uv, onto(source, source), settings(),
    )  # fmt: skip
    assert made.images["roughness"][1001].dtype == np.float32
    np.testing.assert_allclose(made.images["roughness"][1001], 0.123456, rtol=1e-5)


def test_a_finer_picture_is_averaged_and_not_skipped_over():
    source, uv = sheet(4, 4)
    stripes = np.zeros((4096, 8, 3), np.uint8)
    stripes[::2] = 255
    made = transfer_texture(
        textured(source, uv, colour_layer(np.repeat(stripes, 128, axis=1))),
        source,
        uv,
        onto(source, source),
        settings(),
    )
    assert np.abs(made.images["base_color"][1001].astype(int) - 128).max() < 20


@pytest.mark.parametrize("quarter_turns", [0, 1, 2])
@pytest.mark.parametrize("mirrored", [False, True])
def test_normal_maps_keep_their_slope_in_another_tangent_space(quarter_turns, mirrored):
    """A slope towards +X of the sheet, wherever U and V point on the target."""
    source, uv = sheet(6, 6)
    slope = np.full((4, 4, 3), (230, 128, 215), np.uint8)
    layer = Layer("normal", "normal", 3, (Fill((0.5, 0.5, 1.0), Picture({1001: slope})),))
    target_uv = uv - 0.5
    for _ in range(quarter_turns):
        target_uv = np.stack([-target_uv[..., 1], target_uv[..., 0]], axis=2)
    if mirrored:
        target_uv = target_uv * (-1, 1)
    target_uv = (target_uv + 0.5).astype(np.float32)
    made = transfer_texture(textured(source, uv, layer), source, target_uv, onto(source, source), settings()).images[
        "normal"
    ][1001]
    x, y, z = made[SIZE // 2, SIZE // 2].astype(float) / 127.5 - 1
    tangent = {0: (1, 0), 1: (0, 1), 2: (-1, 0)}[quarter_turns]  # where the sheet's +X points in the target's UV map
    wanted = np.array([tangent[0] * (-1 if mirrored else 1), tangent[1]]) * 0.8
    np.testing.assert_allclose((x, y), wanted, atol=0.02)
    assert z == pytest.approx(0.69, abs=0.02)


def test_normals_turn_with_a_posed_limb():
    source = cylinder(0.2, 2.0, 32, 20, capped=False)
    around = np.arctan2(source.corners[..., 1], source.corners[..., 0]) / (2 * np.pi)
    around -= np.round(around - around[:, :1])  # faces over the seam stay whole
    uv = np.stack([around + 0.5, source.corners[..., 2] / 2], axis=2).astype(np.float32)
    bent = TriangleMesh(source.vertices[:, [2, 0, 1]], source.faces)  # lying along X
    layer = Layer(
        "normal", "normal", 3, (Fill((0.5, 0.5, 1), Picture({1001: np.full((4, 4, 3), (128, 220, 217), np.uint8)})),)
    )
    match = Correspondence(*_own_points(source), np.ones(len(source.vertices), np.float32))
    made = transfer_texture(textured(source, uv, layer), bent, uv, match, settings()).images["normal"][1001]
    np.testing.assert_allclose(made[64:192, 64:192].reshape(-1, 3).astype(int).mean(axis=0), (128, 220, 217), atol=2)


def _own_points(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """Every vertex as a point of one of its own faces."""
    face = np.zeros(len(mesh.vertices), np.int32)
    bary = np.zeros((len(mesh.vertices), 3), np.float32)
    for corner in range(3):
        face[mesh.faces[:, corner]] = np.arange(len(mesh.faces))
    bary[np.arange(len(face)), (mesh.faces[face] == np.arange(len(face))[:, None]).argmax(axis=1)] = 1
    return face, bary


def test_a_map_without_area_and_bad_settings_are_refused():
    source, uv = sheet(2, 2)
    layer = colour_layer(ramp())
    with pytest.raises(BadInputError, match="no area") as caught:
        transfer_texture(textured(source, uv, layer), source, uv * 0, onto(source, source), settings())
    assert caught.value.fault == "no_uv_area"
    for options in ({"size": 128}, {"size": 16384}, {"margin": -1}):
        with pytest.raises(BadInputError):
            TextureSettings(**options)


def test_overlapping_islands_are_told():
    source, uv = sheet(10, 10)
    halves = uv.copy()
    halves[..., 0] %= 0.5001
    made = transfer_texture(
        textured(source, uv, colour_layer(ramp())), source, halves, onto(source, source), settings()
    )
    assert made.overlap > 0.3


def test_the_task_paints_every_target(monkeypatch):
    monkeypatch.setattr(features, "compute_features", direction_features)
    source, target = icosphere(3), moved(icosphere(3), (5, 0, 0), 2.0)
    uv = np.stack([source.corners[..., 0], source.corners[..., 2]], axis=2) * 0.49 + 0.5
    arrays = {"source_vertices": source.vertices, "source_faces": source.faces, "source_uv_0": uv,
              "source_slots": np.zeros(len(source.faces), np.int32), "image_0": ramp(128)}  # fmt: skip
    front = np.flatnonzero(source.face_normals[:, 1] < 0)
    for index, mesh in enumerate((target, source)):
        faces = np.concatenate([mesh.faces[front], np.delete(mesh.faces, front, axis=0)])
        arrays |= {f"target_vertices_{index}": mesh.vertices, f"target_faces_{index}": faces,
                   f"target_uv_{index}": uv[front]}  # fmt: skip
    fill = {"constant": [0, 0, 0], "uv": 0, "tiles": {"1001": 0}}
    params = {"source_name": "Ball", "target_names": ["Big", "Twin"], "uv_count": 1,
              "texture_settings": {"size": SIZE},
              "layers": [{"name": "base_color", "kind": "colour", "channels": 3, "fills": [fill]}]}  # fmt: skip
    result = run_task(JobRequest("transfer_texture", arrays, params), JobContext())
    assert set(result.arrays) == {f"{name}_{i}_1001" for name in ("base_color", "confidence") for i in (0, 1)}
    assert result.info["tiles"] == [[1001], [1001]]
    middle = (np.arange(SIZE) + 0.5) / SIZE
    inside = (middle[None] - 0.5) ** 2 + (middle[:, None] - 0.5) ** 2 < 0.4**2
    for index in (0, 1):
        red = result.arrays[f"base_color_{index}_1001"][..., 0].astype(float) / 255
        assert np.abs(red - middle[None])[inside].mean() < 0.01
