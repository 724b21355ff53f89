# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces made anew by Blender's voxel remesh, as scans are: one skin, and what touches is fused."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh

from .dressing import Labelled

NEIGHBOURS = 8  # old vertices looked at for one that faces the same way


def voxel_remesh(mesh: TriangleMesh, voxel: float, vertices: int) -> TriangleMesh:
    """The same surface with other vertices, edges and faces; collapsed to about so many vertices."""
    import bpy

    data = bpy.data.meshes.new("skin")
    data.from_pydata(mesh.vertices.tolist(), [], mesh.faces.tolist())
    obj = bpy.data.objects.new("skin", data)
    bpy.context.scene.collection.objects.link(obj)
    voxels = obj.modifiers.new("voxels", "REMESH")
    voxels.mode, voxels.voxel_size = "VOXEL", voxel
    made = evaluated_surface(obj)
    collapse = obj.modifiers.new("collapse", "DECIMATE")
    collapse.ratio = min(1.0, vertices / len(made[0]))
    found = TriangleMesh(*evaluated_surface(obj))
    bpy.data.objects.remove(obj)
    bpy.data.meshes.remove(data)
    return found


def remesh_labelled(mesh: Labelled, rng: np.random.Generator) -> Labelled:
    """Another mesh of the same surface; vertices take the label of the nearest old one that faces as they do."""
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    voxel = extent * float(rng.uniform(0.0025, 0.008))
    old = TriangleMesh(mesh.vertices, mesh.faces)
    new = voxel_remesh(old, voxel, int(rng.integers(2_000, 14_000)))
    return Labelled(new.vertices, new.faces, carry_labels(old, mesh.labels, new, 0.02 * extent))


def carry_labels(old: TriangleMesh, labels: np.ndarray, new: TriangleMesh, reach: float) -> np.ndarray:
    """(V,) labels of the new vertices: of the old surface's nearest point, −1 where that lies beyond `reach`.

    Where that point faces away, of the nearest old vertex that does not.
    """
    face, bary, distance = closest_points(old, new.vertices)
    best = old.faces[face, bary.argmax(axis=1)]
    away = np.flatnonzero(np.einsum("vc,vc->v", old.face_normals[face], new.vertex_normals) <= 0)
    if len(away):
        apart, near = cKDTree(old.vertices).query(new.vertices[away], k=NEIGHBOURS)
        facing = np.einsum("vkc,vc->vk", old.vertex_normals[near], new.vertex_normals[away]) > 0
        apart = np.where(facing, apart, np.inf)
        rows, nearest = np.arange(len(away)), apart.argmin(axis=1)
        best[away], distance[away] = near[rows, nearest], apart[rows, nearest]
    return np.where(distance < reach, labels[best], -1)


def evaluated_surface(obj: object) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of a Blender object after its modifiers."""
    import bpy

    data = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()  # type: ignore[attr-defined]
    data.calc_loop_triangles()
    vertices = np.empty(3 * len(data.vertices), np.float32)
    faces = np.empty(3 * len(data.loop_triangles), np.int32)
    data.vertices.foreach_get("co", vertices)
    data.loop_triangles.foreach_get("vertices", faces)
    return vertices.reshape(-1, 3), faces.reshape(-1, 3)
