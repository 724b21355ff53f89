# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin Points: one point of the source and one of a target that belong together; Transfer Weights heeds them."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ..bridge.pins import add_pin_pair, mark_pin, next_pair, remove_pins
from ..bridge.scene import object_mode
from ..bridge.selection import selected_vertices
from ..surface_features.errors import BadInputError
from ..surface_features.wording import how_many


class SURFACE_FEATURES_OT_pin_points(bpy.types.Operator):
    bl_idname = "surface_features.pin_points"
    bl_label = "Pin Points"
    bl_description = (
        "Tell that two points belong together: select one vertex of the source and one of a target (Edit Mode of "
        "both), or two empties on their surfaces and both meshes. Transfer Weights then matches anew around them"
    )
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        selected = list(context.view_layer.objects.selected)
        meshes = [obj for obj in selected if obj.type == "MESH"]
        empties = [obj for obj in selected if obj.type == "EMPTY"]
        try:
            if len(meshes) != 2:
                raise BadInputError(
                    f"{how_many(len(meshes), 'mesh is', 'meshes are')} selected. "
                    "Select two, the source and one target, and run again.",
                    fault="not_two_meshes",
                )
            if len(empties) == 2:
                _pin_empties(context, meshes, empties)
            else:
                points = [_picked_point(obj) for obj in meshes]
                with object_mode(context):
                    add_pin_pair(meshes[0], points[0], meshes[1], points[1])
        except BadInputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "Pinned. Run Transfer Weights again to match around it.")
        return {"FINISHED"}


class SURFACE_FEATURES_OT_clear_pins(bpy.types.Operator):
    bl_idname = "surface_features.clear_pins"
    bl_label = "Clear Pins"
    bl_description = "Remove the pins of the selected meshes"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        removed = remove_pins([obj for obj in context.view_layer.objects.selected if obj.type == "MESH"])
        self.report({"INFO"}, f"{removed} pins removed.")
        return {"FINISHED"}


def _picked_point(obj: bpy.types.Object) -> Vector:
    chosen = np.flatnonzero(selected_vertices(obj))
    if len(chosen) != 1:
        raise BadInputError(
            f"{obj.name}: {how_many(len(chosen), 'vertex is', 'vertices are')} selected. "
            "Select exactly one in Edit Mode and run again.",
            fault="not_one_vertex",
        )
    return obj.matrix_world @ obj.data.vertices[int(chosen[0])].co


def _pin_empties(context: bpy.types.Context, meshes: list[bpy.types.Object], empties: list[bpy.types.Object]) -> None:
    """Each empty pins the mesh it is nearer to, told by the two together."""
    away = [[_distance(obj, empty.matrix_world.translation) for obj in meshes] for empty in empties]
    straight = away[0][0] + away[1][1] <= away[0][1] + away[1][0]
    number = next_pair()
    with object_mode(context):
        for empty, obj in zip(empties, meshes if straight else meshes[::-1], strict=True):
            mark_pin(empty, obj, number)


def _distance(obj: bpy.types.Object, point: Vector) -> float:
    vertices = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", vertices)
    world = np.array(obj.matrix_world)
    places = vertices.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
    return float(np.linalg.norm(places - np.array(point), axis=1).min())


CLASSES = (SURFACE_FEATURES_OT_pin_points, SURFACE_FEATURES_OT_clear_pins)
