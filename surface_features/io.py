# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes from files, and results to files, for use without Blender."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .files import write_npz
from .mesh import TriangleMesh
from .polygon_files import read_obj, read_off, read_ply

if TYPE_CHECKING:
    from .correspondence import Correspondence
    from .features import Features

Geometry = tuple[NDArray, NDArray]


def read_mesh(path: Path | str) -> TriangleMesh:
    """Read a mesh in the file's own vertex order, unit and axes, named after the file.

    OBJ, OFF and PLY: vertices and polygons line by line; a polygon of n corners becomes n - 2 triangles. STL shares no
    vertices: three for each facet, in order. GLB: every primitive of every node in the scene, moved by its node, in the
    order of `trimesh.load(path, process=False).to_mesh()`; skins are not applied.
    Raises `BadInputError` with fault "missing_file", "unknown_format", "unreadable_file", "bad_index" or "no_faces".
    """
    path = Path(path)
    read = READERS.get(path.suffix.lower())
    if read is None:
        known = ", ".join(suffix[1:].upper() for suffix in READERS)
        raise BadInputError(f"{path}: “{path.suffix}” files cannot be read. Use {known}.", fault="unknown_format")
    if not path.is_file():
        raise BadInputError(f"{path}: there is no such file.", fault="missing_file")
    try:
        vertices, faces = read(path.read_bytes())
    except Exception as error:  # damaged bytes make a parser raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInputError(
            f"{path}: the file is damaged or not what its name says ({reason}).", fault="unreadable_file"
        ) from error
    if len(faces) == 0 or len(vertices) == 0:
        raise BadInputError(f"{path}: the file holds no faces. Export it with its surface.", fault="no_faces")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise BadInputError(f"{path}: faces refer to vertices that do not exist. Export it again.", fault="bad_index")
    return TriangleMesh(vertices.astype(np.float32), faces.astype(np.int32), path.stem)


def write_features(path: Path, features: Features) -> None:
    """Write `features` (V, D) float32 and `confidence` (V,) float32 as an .npz, whole or not at all."""
    write_npz(path, {"features": features.values, "confidence": features.confidence})


def read_features(path: Path) -> Features:
    """What `write_features` wrote. Raises `BadInputError` with fault "missing_file" or "unreadable_file"."""
    from .features import Features

    if not path.is_file():
        raise BadInputError(f"{path}: there is no such file.", fault="missing_file")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Features(stored["features"].astype(np.float32), stored["confidence"].astype(np.float32))
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path}: this is not a file of features.", fault="unreadable_file") from error


def write_match(path: Path, correspondence: Correspondence) -> None:
    """Write `target_face` (V,) int32, `target_bary` (V, 3) float32 and `confidence` (V,) float32 as an .npz."""
    arrays = {
        "target_face": correspondence.face,
        "target_bary": correspondence.bary,
        "confidence": correspondence.confidence,
    }
    write_npz(path, arrays)


def _read_stl(data: bytes) -> Geometry:
    from trimesh.exchange.stl import load_stl

    loaded = load_stl(io.BytesIO(data))
    parts = [loaded] if "vertices" in loaded else list(loaded["geometry"].values())  # ASCII may hold several solids
    return _join([(part["vertices"], part["faces"]) for part in parts])


def _read_glb(data: bytes) -> Geometry:
    import trimesh

    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False, skip_materials=True)
    parts = []
    for node in scene.graph.nodes_geometry:
        world_from_node, name = scene.graph[node]
        part = scene.geometry[name]
        if isinstance(part, trimesh.Trimesh):  # lines and points have no surface
            moved = part.vertices @ world_from_node[:3, :3].T + world_from_node[:3, 3]
            mirrored = np.linalg.det(world_from_node[:3, :3]) < 0
            parts.append((moved, part.faces[:, ::-1] if mirrored else part.faces))
    return _join(parts)


def _join(parts: list[Geometry]) -> Geometry:
    if not parts:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    faces = [np.asarray(faces, np.int64) + offset for (_, faces), offset in zip(parts, offsets, strict=True)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


READERS: dict[str, Callable[[bytes], Geometry]] = {
    ".obj": read_obj,
    ".ply": read_ply,
    ".off": read_off,
    ".stl": _read_stl,
    ".glb": _read_glb,
}
