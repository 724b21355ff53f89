# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints as Blender has them: empties on or in a mesh, or selected vertices; and new empties on other meshes."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector
from mathutils.bvhtree import BVHTree

from ..surface_features.mesh import Float32
from .mesh import WholeMesh, read_mesh

NEAR = 0.05  # of the mesh's largest extent: empties that are no children belong to it when they are as near as this
CONFIDENCE, KEYPOINT = "confidence", "keypoint"  # custom properties of the empties that are made


@dataclass(frozen=True, eq=False)
class Keypoints:
    """names: K names. points: (K, 3) float32 world space. display: how each is drawn (type, size)."""

    names: tuple[str, ...]
    points: Float32
    display: tuple[tuple[str, float], ...]


def read_empties(obj: bpy.types.Object, whole: WholeMesh) -> Keypoints:
    """The empties among the object's descendants; where there are none, those of the scene that lie at its surface.

    Empties that are children of something else are not taken: they belong to that. So are empties that were hidden.
    """
    found = [child for child in obj.children_recursive if _is_keypoint(child)]
    if not found:
        scene = bpy.context.view_layer.objects
        found = [one for one in scene if _is_keypoint(one) and one.parent is None and _is_near(whole, one)]
    found.sort(key=lambda one: one.name)
    points = np.array([one.matrix_world.translation for one in found], np.float32).reshape(-1, 3)
    names = tuple(str(one.get(KEYPOINT, one.name)) for one in found)
    return Keypoints(names, points, tuple((one.empty_display_type, one.empty_display_size) for one in found))


def read_selected_vertices(obj: bpy.types.Object) -> Keypoints:
    """The vertices selected in Edit Mode, by number."""
    obj.update_from_editmode()
    vertices = read_mesh(obj).vertices
    chosen = np.flatnonzero([vertex.select for vertex in obj.data.vertices])
    size = 0.01 * float(np.ptp(vertices, axis=0).max()) if len(vertices) else 1.0
    names = tuple(f"Vertex {index}" for index in chosen.tolist())
    return Keypoints(names, vertices[chosen], (("SPHERE", size),) * len(chosen))


def write_keypoints(
    obj: bpy.types.Object, keypoints: Keypoints, points: Float32, confidence: Float32, *, replace: bool
) -> list[bpy.types.Object]:
    """Empties at the points (K, 3) of world space, children of the object, with their confidence as a property.

    replace: empties that an earlier run made for the same keypoints are moved instead of new ones being made.
    """
    present = {child.get(KEYPOINT): child for child in obj.children if _is_keypoint(child)} if replace else {}
    made = []
    for name, point, sure, (kind, size) in zip(
        keypoints.names, points.tolist(), confidence.tolist(), keypoints.display, strict=True
    ):
        empty = present.get(name)
        if empty is None:
            empty = bpy.data.objects.new(f"{obj.name} {name}", None)
            empty.empty_display_type = kind  # type: ignore[assignment]  # the stub wants the names spelled out
            empty.empty_display_size = size
            for collection in obj.users_collection or [bpy.context.scene.collection]:
                collection.objects.link(empty)
            empty.parent = obj
        empty.matrix_parent_inverse = obj.matrix_world.inverted_safe()
        empty.matrix_basis = Matrix.Translation(Vector(point))
        empty[KEYPOINT], empty[CONFIDENCE] = name, sure
        empty.id_properties_ui(CONFIDENCE).update(min=0.0, max=1.0, description="How sure this place is")
        made.append(empty)
    return made


def _is_keypoint(obj: bpy.types.Object) -> bool:
    return obj.type == "EMPTY" and obj.empty_display_type != "IMAGE" and obj.instance_type == "NONE"


def _is_near(whole: WholeMesh, empty: bpy.types.Object) -> bool:
    vertices, faces = whole.mesh.vertices, whole.mesh.faces
    if len(faces) == 0 or not np.isfinite(vertices).all():
        return False
    place = empty.matrix_world.translation
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    reach = NEAR * float((high - low).max())
    if (np.array(place) < low - reach).any() or (np.array(place) > high + reach).any():
        return False
    tree = BVHTree.FromPolygons(vertices.tolist(), faces.tolist(), all_triangles=True)
    found, normal, _, distance = tree.find_nearest(place)
    if found is None:
        return False
    return bool(distance <= reach or (place - found).dot(normal) < 0)
