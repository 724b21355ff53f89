# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of an object in a scene of its own: Blender's operators work on it, the artist's data stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

UV_NAME = "Surface Features"
ISLAND_MARGIN = 0.004
ANGLE_LIMIT = 1.15  # radians, Smart UV Project's own 66°


@contextmanager
def stand_in(obj: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """A copy of the object's own mesh, without modifiers and animation, selected and active in a temporary scene."""
    scene = bpy.data.scenes.new("Surface Features")
    mesh: Any = obj.data.copy()
    copy = bpy.data.objects.new(obj.name, mesh)
    copy.matrix_world = obj.matrix_world.copy()
    try:
        if mesh.shape_keys is not None:
            copy.shape_key_clear()
        scene.collection.objects.link(copy)
        layer = scene.view_layers[0]
        copy.select_set(True, view_layer=layer)
        layer.objects.active = copy
        with bpy.context.temp_override(
            scene=scene, view_layer=layer, object=copy, active_object=copy,
            selected_objects=[copy], selected_editable_objects=[copy],
        ):  # fmt: skip
            yield copy
    finally:
        bpy.data.objects.remove(copy)
        bpy.data.meshes.remove(mesh)
        bpy.data.scenes.remove(scene)


def unwrap(copy: bpy.types.Object) -> NDArray[np.float32]:
    """(L, 2) UV coordinates of every corner: a new UV map of a `stand_in`, by Smart UV Project, now the active one."""
    layer = copy.data.uv_layers.new(name=UV_NAME, do_init=False)
    copy.data.uv_layers.active = layer
    name = layer.name
    copy.data.polygons.foreach_set("hide", np.zeros(len(copy.data.polygons), np.bool_))
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        with bpy.context.temp_override(edit_object=copy, objects_in_mode=[copy], objects_in_mode_unique_data=[copy]):
            bpy.ops.mesh.select_all(action="SELECT")
            bpy.ops.uv.smart_project(angle_limit=ANGLE_LIMIT, island_margin=ISLAND_MARGIN)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    return read_loop_uv(copy, name)


def read_loop_uv(obj: bpy.types.Object, name: str) -> NDArray[np.float32]:
    """(L, 2) float32 of a UV map."""
    mesh = obj.data
    values = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers[name].data.foreach_get("uv", values)
    return values.reshape(-1, 2)
