# SPDX-License-Identifier: GPL-3.0-or-later
"""UV maps as arrays over the triangles that `bridge.mesh` makes."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.mesh import Float32, Int32
from .mesh import WholeMesh
from .stand_in import read_loop_uv, stand_in, unwrap


def usable_uv(obj: bpy.types.Object, name: str = "") -> str:
    """The name of a UV map with an area: the named one, else the one that is rendered; empty where there is none."""
    obj.update_from_editmode()
    layers = obj.data.uv_layers
    layer = layers.get(name) if name else next((one for one in layers if one.active_render), None)
    if layer is None or len(obj.data.loops) == 0:
        return ""
    spread = np.ptp(read_loop_uv(obj, layer.name), axis=0)
    return layer.name if np.isfinite(spread).all() and (spread > 0).all() else ""


def loop_uv(obj: bpy.types.Object, name: str) -> NDArray[np.float32]:
    """(L, 2) float32 UV coordinates of the artist's corners."""
    obj.update_from_editmode()
    return read_loop_uv(obj, name)


def new_loop_uv(obj: bpy.types.Object) -> NDArray[np.float32]:
    """(L, 2) UV coordinates of an automatic unwrap; the object stays as it is."""
    obj.update_from_editmode()
    with stand_in(obj) as copy:
        return unwrap(copy)


def own_corner_uv(obj: bpy.types.Object, loops: NDArray[np.float32]) -> Float32:
    """(U, 3, 2) UV coordinates of the corners of the artist's own triangles, which come first in a `WholeMesh`."""
    corners = loops[_triangle_loops(obj)]
    return corners[:, ::-1] if np.linalg.det(np.array(obj.matrix_world)[:3, :3]) < 0 else corners


def whole_corner_uv(obj: bpy.types.Object, loops: NDArray[np.float32], whole: WholeMesh) -> Float32:
    """(F, 3, 2) as `own_corner_uv`, continued over the reflections of Mirror modifiers, which share the UV map."""
    corners = own_corner_uv(obj, loops)
    while len(corners) < len(whole.mesh.faces):
        corners = np.concatenate([corners, corners[:, ::-1]])
    return corners


def triangle_slots(obj: bpy.types.Object, whole: WholeMesh) -> Int32:
    """(F,) int32 material slot of every triangle of the whole mesh."""
    slots = np.empty(len(obj.data.polygons), np.int32)
    obj.data.polygons.foreach_get("material_index", slots)
    polygon = np.empty(len(obj.data.loop_triangles), np.int32)
    obj.data.loop_triangles.foreach_get("polygon_index", polygon)
    own = slots[polygon]
    return np.tile(own, len(whole.mesh.faces) // max(len(own), 1))


def write_loop_uv(obj: bpy.types.Object, name: str, loops: NDArray[np.float32]) -> str:
    """A new UV map with these coordinates, made the active and rendered one; returns its name. Object Mode only."""
    layer = obj.data.uv_layers.new(name=name, do_init=False)
    layer.data.foreach_set("uv", np.ascontiguousarray(loops, np.float32).ravel())
    layer.active = True
    return layer.name


def _triangle_loops(obj: bpy.types.Object) -> NDArray[np.int32]:
    mesh = obj.data
    mesh.calc_loop_triangles()
    loops = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", loops)
    return loops.reshape(-1, 3)
