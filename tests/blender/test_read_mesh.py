# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes as they are sent to the engine."""

from __future__ import annotations

import math

import bmesh
import bpy
import numpy as np
import pytest

from .scenes import add_mesh, select

CUBE = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def volume(mesh) -> float:
    """Signed: positive where the faces look outward."""
    a, b, c = mesh.corners.astype(np.float64).transpose(1, 0, 2)
    return float(np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6)


@pytest.fixture
def read(extension):
    return extension("bridge.mesh").read_mesh


@pytest.fixture
def read_whole(extension):
    return extension("bridge.mesh").read_whole_mesh


def test_vertices_are_in_world_space_in_the_artists_order(read) -> None:
    obj = add_mesh("Würfel", CUBE, CUBE_QUADS)
    obj.location, obj.rotation_euler, obj.scale = (1, 2, 3), (0, 0, math.pi / 2), (2, 1, 0.5)
    bpy.context.view_layer.update()
    mesh = read(obj)
    x, y, z = CUBE.T
    np.testing.assert_allclose(mesh.vertices, np.column_stack([1 - y, 2 + 2 * x, 3 + z / 2]), atol=1e-5)
    assert mesh.name == "Würfel"
    assert volume(mesh) == pytest.approx(8.0, rel=1e-5)


@pytest.mark.parametrize("scale", [(-1, 1, 1), (-2, -1, -1), (1, -0.5, 1)])
def test_faces_look_outward_where_the_scale_mirrors(read, scale: tuple[float, float, float]) -> None:
    obj = add_mesh("Cube", CUBE, CUBE_QUADS)
    obj.scale = scale
    bpy.context.view_layer.update()
    assert volume(read(obj)) == pytest.approx(8 * abs(np.prod(scale)), rel=1e-5)


def test_concave_polygon_keeps_its_area(read) -> None:
    star = np.array([(0, 0, 0), (4, 0, 0), (4, 4, 0), (2, 1, 0), (0, 4, 0)], float)
    mesh = read(add_mesh("Arrow", star, [[0, 1, 2, 3, 4]]))
    assert len(mesh.faces) == 3
    assert mesh.face_areas.sum() == pytest.approx(10.0)


def test_shape_keys_are_read_as_their_basis(read) -> None:
    obj = add_mesh("Cube", CUBE, CUBE_QUADS)
    obj.shape_key_add(name="Basis")
    obj.shape_key_add(name="Big").data.foreach_set("co", (CUBE * 5).ravel())
    obj.data.shape_keys.key_blocks["Big"].value = 1.0
    obj.active_shape_key_index = 1
    np.testing.assert_allclose(read(obj).vertices, CUBE)


def test_modifiers_that_make_vertices_are_ignored(read_whole) -> None:
    obj = add_mesh("Cube", CUBE, CUBE_QUADS)
    obj.modifiers.new("Subdivision", "SUBSURF").levels = 2
    assert len(read_whole(obj).mesh.vertices) == 8


def test_edit_mode_is_read_as_it_is_now(read) -> None:
    obj = add_mesh("Cube", CUBE, CUBE_QUADS)
    select(obj)
    bpy.ops.object.mode_set(mode="EDIT")
    edited = bmesh.from_edit_mesh(obj.data)
    bmesh.ops.scale(edited, vec=(2, 2, 2), verts=edited.verts)
    edited.verts.new((9, 9, 9))
    mesh = read(obj)
    assert len(mesh.vertices) == 9
    assert np.abs(mesh.vertices[:8]).max() == 2
    assert obj.mode == "EDIT"


def half_cube():
    """A cube of which only x ≥ 0 is modelled, open at x = 0."""
    vertices = CUBE.copy()
    vertices[:4, 0] = 0
    return add_mesh("Half", vertices, [quad for quad in CUBE_QUADS if quad != (0, 1, 3, 2)])


def test_mirror_modifier_completes_a_half(read_whole) -> None:
    obj = half_cube()
    obj.modifiers.new("Mirror", "MIRROR")
    whole = read_whole(obj)
    assert whole.own_count == 8
    assert len(whole.mesh.vertices) == 12  # the four on the plane are not doubled
    assert volume(whole.mesh) == pytest.approx(8.0)
    np.testing.assert_array_equal(whole.origin, [*range(8), 4, 5, 6, 7])
    assert whole.swapped.tolist() == [False] * 8 + [True] * 4


def test_mirror_about_another_object_and_two_axes(read_whole) -> None:
    obj = add_mesh("Cube", CUBE, CUBE_QUADS)
    centre = bpy.data.objects.new("Centre", None)
    bpy.context.scene.collection.objects.link(centre)
    centre.location = (4, 4, 0)
    modifier = obj.modifiers.new("Mirror", "MIRROR")
    modifier.mirror_object, modifier.use_axis = centre, (True, True, False)
    bpy.context.view_layer.update()
    whole = read_whole(obj)
    centres = sorted(tuple(part.mean(axis=0).round(5)) for part in np.split(whole.mesh.vertices, 4))
    assert centres == [(0, 0, 0), (0, 8, 0), (8, 0, 0), (8, 8, 0)]
    assert volume(whole.mesh) == pytest.approx(32.0)


def test_hidden_mirror_is_ignored(read_whole) -> None:
    obj = half_cube()
    obj.modifiers.new("Mirror", "MIRROR").show_viewport = False
    assert len(read_whole(obj).mesh.vertices) == 8


def test_mirrored_half_has_the_other_sides_weights(extension) -> None:
    obj = half_cube()
    obj.modifiers.new("Mirror", "MIRROR")
    obj.vertex_groups.new(name="Arm.L").add([4, 5, 6, 7], 1.0, "REPLACE")
    obj.vertex_groups.new(name="Arm.R")
    obj.vertex_groups.new(name="Spine").add([0, 1, 2, 3], 1.0, "REPLACE")
    names = ("Arm.L", "Arm.R", "Spine")
    weights = extension("bridge.weights")
    whole = extension("bridge.mesh").read_whole_mesh(obj)
    on_whole = weights.weights_on_whole(whole, weights.read_weights(obj, names), names)
    assert on_whole.argmax(axis=1).tolist() == [2] * 4 + [0] * 4 + [1] * 4
