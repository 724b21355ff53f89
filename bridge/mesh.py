# SPDX-License-Identifier: GPL-3.0-or-later
"""Mesh objects as arrays: world space, Z up, the artist's vertices first and in the artist's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.mesh import Int32, TriangleMesh
from .mirror import append_reflections, mirror_reflections


@dataclass(frozen=True, eq=False)
class WholeMesh:
    """An object's mesh together with what its Mirror modifiers add.

    mesh: the artist's `own_count` vertices, then the reflected ones; world space, Z up.
    own_count: how many vertices the artist has; results are cut back to them.
    origin: (V,) int32 the artist's vertex that each vertex is, or is the reflection of.
    swapped: (V,) bool True where the reflection swaps the names of left and right vertex groups.
    """

    mesh: TriangleMesh
    own_count: int
    origin: Int32
    swapped: NDArray[np.bool_]


def read_mesh(obj: bpy.types.Object) -> TriangleMesh:
    """The object's own geometry in world space, Z up: (V, 3) vertices, (F, 3) Blender's triangles of its polygons.

    Shape keys: the Basis. Modifiers: ignored. Faces keep their outside where the object's matrix mirrors. In Edit Mode
    the current state of editing is read.
    """
    vertices, faces = _read_local(obj)
    return _to_world(obj, vertices, faces)


def read_whole_mesh(obj: bpy.types.Object) -> WholeMesh:
    """As `read_mesh`, but with the other half that Mirror modifiers show in the viewport."""
    vertices, faces = _read_local(obj)
    own_count = len(vertices)
    vertices, faces, origin, swapped = append_reflections(vertices, faces, mirror_reflections(obj))
    return WholeMesh(_to_world(obj, vertices, faces), own_count, origin, swapped)


def join_wholes(first: WholeMesh, second: WholeMesh) -> WholeMesh:
    """Two meshes of one character as one; only the first one's `own_count` is kept, as of a mesh that is only read."""
    count = len(first.mesh.vertices)
    mesh = TriangleMesh(
        np.concatenate([first.mesh.vertices, second.mesh.vertices]),
        np.concatenate([first.mesh.faces, second.mesh.faces + count]),
        first.mesh.name,
    )
    origin = np.concatenate([first.origin, second.origin + count]).astype(np.int32)
    return WholeMesh(mesh, first.own_count, origin, np.concatenate([first.swapped, second.swapped]))


def vertex_count(obj: bpy.types.Object) -> int:
    """Number of the artist's vertices, in Edit Mode as of the last synchronisation."""
    return len(_mesh(obj).vertices)


def mesh_arrays(wholes: Sequence[WholeMesh], prefix: str = "") -> dict[str, np.ndarray]:
    """The meshes as a job's arrays: `<prefix>vertices_0`, `<prefix>faces_0`, `<prefix>vertices_1`…"""
    arrays: dict[str, np.ndarray] = {}
    for index, whole in enumerate(wholes):
        arrays[f"{prefix}vertices_{index}"] = whole.mesh.vertices
        arrays[f"{prefix}faces_{index}"] = whole.mesh.faces
    return arrays


def _mesh(obj: bpy.types.Object) -> bpy.types.Mesh:
    mesh = obj.data
    assert isinstance(mesh, bpy.types.Mesh), f"{obj.name} is no mesh object"
    return mesh


def _read_local(obj: bpy.types.Object) -> tuple[NDArray[np.float64], Int32]:
    obj.update_from_editmode()
    mesh = _mesh(obj)
    vertices = np.empty(len(mesh.vertices) * 3, np.float32)
    keys = mesh.shape_keys
    if keys is not None and len(keys.reference_key.data) == len(mesh.vertices):
        keys.reference_key.data.foreach_get("co", vertices)
    else:
        mesh.vertices.foreach_get("co", vertices)
    mesh.calc_loop_triangles()
    faces = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces)
    return vertices.reshape(-1, 3).astype(np.float64), faces.reshape(-1, 3)


def _to_world(obj: bpy.types.Object, vertices: NDArray[np.float64], faces: Int32) -> TriangleMesh:
    world_from_object = np.array(obj.matrix_world, np.float64)
    if np.linalg.det(world_from_object[:3, :3]) < 0:
        faces = faces[:, ::-1]
    world = vertices @ world_from_object[:3, :3].T + world_from_object[:3, 3]
    with np.errstate(over="ignore"):  # a coordinate beyond float32 becomes infinite, which preflight reports by name
        return TriangleMesh(world.astype(np.float32), faces, obj.name)
