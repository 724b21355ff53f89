# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are read in their own order, and refused in one line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh

from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.features import Features
from surface_features.io import read_features, read_mesh, write_features, write_match
from surface_features.mesh import TriangleMesh

from .shapes import icosphere, torus

HOUSE = np.array(
    [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0.5, 1.5, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1)], np.float32
)  # a pentagon, a quad and a triangle
HOUSE_FACES = [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 5, 6), (0, 6, 1), (4, 5, 0)]


def assert_house(mesh: TriangleMesh, vertices: np.ndarray = HOUSE) -> None:
    assert np.array_equal(mesh.vertices, vertices.astype(np.float32))
    assert mesh.faces.tolist() == [list(face) for face in HOUSE_FACES]


def fault_of(path: Path) -> str:
    with pytest.raises(BadInputError) as caught:
        read_mesh(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return caught.value.fault


# OBJ


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_obj_keeps_order_with_seams_polygons_negative_indices_and_comments(tmp_path: Path, newline: str) -> None:
    lines = ["# a house", "mtllib house.mtl", "o Haus größer", ""]
    lines += [f"v {x} {y} {z} 0.5 0.5 0.5" for x, y, z in HOUSE[:5]]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vn 0 0 1", "s off", "usemtl wall"]
    lines += ["f 1/1/1 2/2/1 3/3/1 \\", "  4/1/1 5/2/1 # pentagon", "g floor"]
    lines += [f"v {x} {y} {z}" for x, y, z in HOUSE[5:]]
    lines += ["f 1//1 -2//1 -1//1 2//1", "l 1 2", "f 5/3 6/1 1/2"]
    path = tmp_path / "Häuschen.OBJ"
    path.write_bytes(newline.join(lines).encode())
    mesh = read_mesh(path)
    assert_house(mesh)
    assert mesh.name == "Häuschen"


def test_obj_with_a_vertex_on_no_face_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "loose.obj"
    path.write_text("v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 2 3 4\n")
    mesh = read_mesh(path)
    assert mesh.vertices[0].tolist() == [9, 9, 9]
    assert mesh.faces.tolist() == [[1, 2, 3]]


# PLY


def ply_header(format_name: str, corners: str = "vertex_indices") -> bytes:
    return (
        f"ply\nformat {format_name} 1.0\ncomment a house\nelement vertex 7\nproperty uchar red\nproperty float x\n"
        f"property float y\nproperty double z\nelement face 3\nproperty list uchar int {corners}\n"
        "property float quality\nelement edge 1\nproperty int vertex1\nproperty int vertex2\nend_header\n"
    ).encode()


POLYGONS = [(0, 1, 2, 3, 4), (0, 5, 6, 1), (4, 5, 0)]


def test_ply_ascii_keeps_order_and_polygons(tmp_path: Path) -> None:
    body = "".join(f"200 {x} {y} {z}\n" for x, y, z in HOUSE)
    body += "".join(f"{len(p)} {' '.join(map(str, p))} 0.5\n" for p in POLYGONS) + "0 1\n"
    path = tmp_path / "house.ply"
    path.write_bytes((ply_header("ascii", "vertex_index") + body.encode()).replace(b"\n", b"\r\n"))
    assert_house(read_mesh(path))


@pytest.mark.parametrize(("format_name", "order"), [("binary_little_endian", "<"), ("binary_big_endian", ">")])
def test_ply_binary_keeps_order_and_polygons(tmp_path: Path, format_name: str, order: str) -> None:
    body = b"".join(struct.pack(f"{order}Bffd", 200, *map(float, point)) for point in HOUSE)
    body += b"".join(struct.pack(f"{order}B{len(p)}if", len(p), *p, 0.5) for p in POLYGONS)
    path = tmp_path / "house.ply"
    path.write_bytes(ply_header(format_name) + body + struct.pack(f"{order}ii", 0, 1))
    assert_house(read_mesh(path))
    path.write_bytes(ply_header(format_name) + body[:-6])
    assert fault_of(path) == "unreadable_file"


# Other writers' files


@pytest.mark.parametrize("suffix", ["obj", "ply", "off", "glb"])
def test_files_of_another_writer_come_back_the_same(tmp_path: Path, suffix: str) -> None:
    mesh = torus(around=12, across=7)
    path = tmp_path / f"torus.{suffix}"
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)
    found = read_mesh(path)
    assert np.allclose(found.vertices, mesh.vertices, atol=1e-6)
    assert np.array_equal(found.faces, mesh.faces)


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
def test_stl_has_three_vertices_for_each_facet_in_order(tmp_path: Path, kind: str) -> None:
    mesh = icosphere(1)
    path = tmp_path / "sphere.stl"
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path, file_type=kind)
    found = read_mesh(path)
    assert np.allclose(found.vertices, mesh.corners.reshape(-1, 3), atol=1e-6)
    assert np.array_equal(found.faces, np.arange(3 * len(mesh.faces)).reshape(-1, 3))


def test_off_with_comments_colours_and_polygons(tmp_path: Path) -> None:
    path = tmp_path / "house.off"
    rows = [f"{x} {y} {z} 255 0 0" for x, y, z in HOUSE] + [f"{len(p)} {' '.join(map(str, p))} 9 9 9" for p in POLYGONS]
    path.write_text("COFF # colours\n\n7 3 0\n" + "\n".join(rows) + "\n# the end\n")
    assert_house(read_mesh(path))


def test_glb_joins_every_node_where_it_stands_with_its_winding(tmp_path: Path) -> None:
    part = icosphere(1)
    geometry = trimesh.Trimesh(part.vertices, part.faces, process=False)
    placed = trimesh.transformations.translation_matrix((5, 0, 0)) @ np.diag((2.0, 2.0, 2.0, 1.0))
    mirrored = np.diag((-1.0, 1.0, 1.0, 1.0))
    scene = trimesh.Scene()
    scene.add_geometry(geometry, geom_name="ball", node_name="here", transform=mirrored)
    scene.add_geometry(geometry, geom_name="ball", node_name="there", transform=placed)
    path = tmp_path / "two.glb"
    path.write_bytes(scene.export(file_type="glb"))
    mesh = read_mesh(path)
    count = len(part.vertices)
    assert len(mesh.vertices) == 2 * count
    expected = {0: part.vertices * (-1, 1, 1), 1: part.vertices * 2 + (5, 0, 0)}
    first = 0 if mesh.vertices[:count, 0].max() < 2 else 1
    assert np.allclose(mesh.vertices[:count], expected[first], atol=1e-6)
    assert np.allclose(mesh.vertices[count:], expected[1 - first], atol=1e-6)
    assert np.array_equal(mesh.vertices, np.asarray(trimesh.load_scene(path, process=False).to_mesh().vertices, "f4"))
    middle = np.repeat([expected[first].mean(0), expected[1 - first].mean(0)], len(part.faces), axis=0)
    assert np.einsum("fi,fi->f", mesh.face_normals, mesh.corners.mean(axis=1) - middle).min() > 0


# Refusals

PLY_POINTS = (
    b"ply\nformat %s 1.0\nelement vertex %s\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("mesh.fbx", b"", "unknown_format"),
        ("mesh", b"", "unknown_format"),
        ("empty.obj", b"", "no_faces"),
        ("points.obj", b"v 0 0 0\nv 1 0 0\n", "no_faces"),
        ("words.obj", b"v a b c\nf 1 2 3\n", "unreadable_file"),
        ("short.obj", b"v 0 0\nf 1 1 1\n", "unreadable_file"),
        ("zero.obj", b"v 0 0 0\nf 0 0 0\n", "unreadable_file"),
        ("beyond.obj", b"v 0 0 0\nv 1 0 0\nf 1 2 3\n", "bad_index"),
        ("before.obj", b"v 0 0 0\nv 1 0 0\nf 1 2 -9\n", "bad_index"),
        ("empty.ply", b"", "unreadable_file"),
        ("endless.ply", b"ply\nformat ascii 1.0\nelement vertex 3\n", "unreadable_file"),
        ("huge.ply", PLY_POINTS % (b"binary_little_endian", b"999999999999"), "unreadable_file"),
        ("cloud.ply", PLY_POINTS % (b"ascii", b"1") + b"0 0 0\n", "no_faces"),
        ("empty.off", b"", "unreadable_file"),
        ("short.off", b"OFF\n3 1 0\n0 0 0\n", "unreadable_file"),
        ("empty.stl", b"", "no_faces"),
        ("noise.stl", bytes(range(256)) * 4, "no_faces"),
        ("empty.glb", b"", "unreadable_file"),
        ("noise.glb", b"glTF" + bytes(100), "unreadable_file"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert fault_of(path) == fault


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "nowhere.obj") == "missing_file"
    (tmp_path / "folder.obj").mkdir()
    assert fault_of(tmp_path / "folder.obj") == "missing_file"


# Results


def test_features_come_back_as_written(tmp_path: Path) -> None:
    features = Features(np.eye(5, 64, dtype=np.float32), np.linspace(0, 1, 5, dtype=np.float32))
    path = tmp_path / "häuschen.npz"
    write_features(path, features)
    with np.load(path, allow_pickle=False) as stored:
        assert {name: (stored[name].dtype.str, stored[name].shape) for name in stored.files} == {
            "features": ("<f4", (5, 64)),
            "confidence": ("<f4", (5,)),
        }
    found = read_features(path)
    assert np.array_equal(found.values, features.values)
    assert np.array_equal(found.confidence, features.confidence)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_matches_have_the_fixed_fields(tmp_path: Path) -> None:
    match = Correspondence(np.array([3, 1], np.int32), np.eye(2, 3, dtype=np.float32), np.ones(2, np.float32))
    write_match(tmp_path / "map.npz", match)
    with np.load(tmp_path / "map.npz", allow_pickle=False) as stored:
        assert sorted(stored.files) == ["confidence", "target_bary", "target_face"]
        assert stored["target_face"].dtype == np.int32
        assert stored["target_bary"].shape == (2, 3)


def test_what_is_no_file_of_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(BadInputError, match=r"other\.npz"):
        read_features(path)
    with pytest.raises(BadInputError, match="no such file"):
        read_features(tmp_path / "nowhere.npz")
