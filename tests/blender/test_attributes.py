# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Attributes: every type and domain, names that are taken, and nothing replaced unasked."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .scenes import add_mesh, add_source, add_target, failure, fingerprint, hero, select

ALL = {"GROUPS", "COLOURS", "ATTRIBUTES", "MATERIALS", "UVS", "EDGES", "NORMALS"}


def transfer(**options: object) -> set[str]:
    return bpy.ops.surface_features.transfer_attributes(**options)


@pytest.fixture
def pair():
    """A character and its twin with the vertices in another order and the faces turned to another first corner."""
    character = hero()
    order = np.random.default_rng(0).permutation(len(character.vertices))
    faces = np.roll(np.argsort(order)[character.faces], 1, axis=1)
    source = add_source()
    target = add_mesh("Twin", character.vertices[order], faces)
    select(source, target)
    return source, target, order


def fill(attribute, values, field):
    attribute.data.foreach_set(field, np.ascontiguousarray(values).ravel())


def read(obj, name, field, width=1, dtype=np.float32):
    attribute = obj.data.attributes[name]
    flat = np.empty(width * len(attribute.data), dtype)
    attribute.data.foreach_get(field, flat)
    return flat.reshape(-1, width)


def border(mesh, label):
    """(E,) bool: edges between faces of different labels."""
    seen = {}
    for polygon in mesh.polygons:
        for key in polygon.edge_keys:
            seen.setdefault(key, set()).add(int(label[polygon.index]))
    return np.array([len(seen.get(edge.key, ())) > 1 for edge in mesh.edges])


def test_every_type_and_domain_arrives(pair) -> None:
    source, target, order = pair
    mesh, place = source.data, hero().vertices
    height = place[:, 2:3]
    part = (place[:, 2] > 1).astype(np.int32)
    polygons = np.array([face.vertices[:] for face in mesh.polygons])
    loops = polygons.ravel()
    new = mesh.attributes.new
    fill(new("number", "FLOAT", "POINT"), height, "value")
    fill(new("direction", "FLOAT_VECTOR", "POINT"), place, "vector")
    fill(new("part", "INT", "POINT"), part * 7, "value")
    fill(new("flag", "BOOLEAN", "FACE"), part[polygons[:, 0]].astype(bool), "value")
    fill(new("tiny", "INT8", "FACE"), part[polygons[:, 0]], "value")
    fill(new("corner", "FLOAT", "CORNER"), height[loops], "value")
    fill(new("turn", "QUATERNION", "POINT"), np.tile(np.float32([1, 0, 0, 0]), (len(place), 1)), "value")
    fill(mesh.color_attributes.new("paint", "BYTE_COLOR", "CORNER"), np.tile([1.0, 0, 0, 1], (len(loops), 1)), "color")
    fill(mesh.uv_layers.new(name="Map"), place[loops][:, [0, 2]], "uv")
    mesh.attributes.new("note", "STRING", "POINT")
    for name, colour in (("Skin", (1, 0, 0, 1)), ("Cloth", (0, 1, 0, 1))):
        material = bpy.data.materials.new(name)
        material.diffuse_color = colour
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", part[polygons[:, 0]])
    ring = border(mesh, part[polygons[:, 0]])
    mesh.edges.foreach_set("use_seam", ring)
    mesh.edges.foreach_set("use_edge_sharp", ring)
    fill(new("crease_edge", "FLOAT", "EDGE"), ring * np.float32(0.5), "value")
    mesh.normals_split_custom_set([(0.0, 0.0, 1.0)] * len(loops))

    assert transfer(what=ALL) == {"FINISHED"}

    np.testing.assert_allclose(read(target, "number", "value"), height[order], atol=0.02)
    np.testing.assert_allclose(read(target, "direction", "vector", 3), place[order], atol=0.02)
    agree = read(target, "part", "value", dtype=np.int32)[:, 0] == part[order] * 7
    assert agree.mean() > 0.98
    own = np.array([face.vertices[:] for face in target.data.polygons])
    assert (read(target, "flag", "value", dtype=bool)[:, 0] == part[polygons[:, 0]]).mean() > 0.95
    assert (read(target, "tiny", "value", dtype=np.int32)[:, 0] == part[polygons[:, 0]]).mean() > 0.95
    np.testing.assert_allclose(read(target, "corner", "value"), height[order][own.ravel()], atol=0.03)
    np.testing.assert_allclose(read(target, "turn", "value", 4)[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(read(target, "paint", "color", 4), np.tile([1, 0, 0, 1], (own.size, 1)), atol=0.01)
    uv = np.empty(2 * own.size, np.float32)
    target.data.uv_layers["Map"].uv.foreach_get("vector", uv)
    np.testing.assert_allclose(uv.reshape(-1, 2), place[order][own.ravel()][:, [0, 2]], atol=0.03)
    assert [slot.material.name for slot in target.material_slots] == ["Skin", "Cloth"]
    index = np.array([face.material_index for face in target.data.polygons])
    assert (index == part[polygons[:, 0]]).mean() > 0.95
    own_ring = border(target.data, part[polygons[:, 0]])
    seams = np.array([edge.use_seam for edge in target.data.edges])
    places = np.array([vertex.co for vertex in target.data.vertices])
    ends = np.array([edge.vertices[:] for edge in target.data.edges])
    middles = places[ends].mean(axis=1)
    away = np.linalg.norm(middles[seams][:, None] - middles[own_ring][None], axis=2)
    assert max(away.min(axis=0).max(), away.min(axis=1).max()) < 0.04
    assert set(np.bincount(ends[seams].ravel()).tolist()) == {0, 2}  # as closed as the source's
    assert np.array([edge.use_edge_sharp for edge in target.data.edges]).sum() == seams.sum()
    assert set(np.unique(read(target, "crease_edge", "value"))) == {0.0, 0.5}
    normals = np.array([corner.vector for corner in target.data.corner_normals])
    assert (normals[:, 2] > 0.95).mean() > 0.95
    assert {group.name for group in target.vertex_groups} == set(hero().joints)
    assert "note" not in target.data.attributes


def test_taken_names_get_a_number_unless_replace_is_ticked(pair) -> None:
    source, target, _ = pair
    for obj, value in ((source, 2.0), (target, 1.0)):
        fill(obj.data.attributes.new("wear", "FLOAT", "POINT"), np.full(len(obj.data.vertices), value, "f"), "value")
    target.vertex_groups.new(name=hero().joints[0])
    transfer(what={"GROUPS", "ATTRIBUTES"})
    assert read(target, "wear", "value").max() == 1
    assert read(target, "wear.001", "value").min() == pytest.approx(2)
    assert f"{hero().joints[0]}.001" in target.vertex_groups
    count = len(target.vertex_groups)
    transfer(what={"GROUPS", "ATTRIBUTES"}, replace=True)
    assert read(target, "wear", "value").min() == pytest.approx(2)
    assert len(target.vertex_groups) == count


def test_seams_and_materials_that_are_there_are_kept_unless_replace_is_ticked(pair) -> None:
    source, target, _ = pair
    source.data.materials.append(bpy.data.materials.new("New"))
    target.data.materials.append(bpy.data.materials.new("Old"))
    source.data.edges[5].use_seam = target.data.edges[0].use_seam = True
    before = fingerprint()
    message = failure(transfer, what={"MATERIALS", "EDGES"})
    assert "already has materials" in message
    assert "already has seams" in message
    assert fingerprint() == before
    assert [slot.material.name for slot in target.material_slots] == ["Old"]
    transfer(what={"MATERIALS"}, replace=True)
    assert [slot.material.name for slot in target.material_slots] == ["New"]


def test_names_choose_and_missing_ones_are_told(pair, capfd) -> None:
    _, target, _ = pair
    transfer(what={"GROUPS"}, names="head, tail")
    assert [group.name for group in target.vertex_groups] == ["head"]
    assert "“tail”" in capfd.readouterr().out
    assert "none of what is to be transferred" in failure(transfer, what={"GROUPS"}, names="tail")


def test_no_more_uv_maps_than_blender_keeps(pair, capfd) -> None:
    source, target, _ = pair
    for number in range(2):
        source.data.uv_layers.new(name=f"Map {number}")
    for number in range(7):
        target.data.uv_layers.new(name=f"Own {number}")
    transfer(what={"UVS"})
    assert [layer.name for layer in target.data.uv_layers][7:] == ["Map 0"]
    assert "“Map 1”" in capfd.readouterr().out


def test_a_half_with_a_mirror_takes_its_own_half(pair) -> None:
    source, _, _ = pair
    place = hero().vertices
    fill(source.data.attributes.new("height", "FLOAT", "POINT"), place[:, 2], "value")
    kept = place[:, 0] >= -1e-6
    index = np.cumsum(kept) - 1
    target = add_mesh("Half", place[kept], index[hero().faces[kept[hero().faces].all(axis=1)]])
    target.modifiers.new("Mirror", "MIRROR")
    select(source, target)
    transfer(what={"ATTRIBUTES"})
    assert np.abs(read(target, "height", "value")[:, 0] - place[kept, 2]).mean() < 0.02


def test_nothing_to_transfer_and_bare_targets() -> None:
    source, target = add_target("Bare"), add_target("Other")
    select(source, target)
    before = fingerprint()
    assert "none of what is to be transferred" in failure(transfer, what={"UVS"})
    assert fingerprint() == before
