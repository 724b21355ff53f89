# SPDX-License-Identifier: GPL-3.0-or-later
"""What to look at after a transfer: the worst vertices, a heat-map, the report as a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np

from ..bridge.colours import show_colours, write_colours
from ..bridge.report_file import write_report_file
from ..bridge.scene import check_editable, object_mode
from ..bridge.selection import select_vertices
from ..bridge.weight_report import read_doubt, read_picture, read_report, show_doubt
from ..surface_features.errors import BadInputError
from ..surface_features.heat import heat
from ..surface_features.quality_report import write_html
from ..surface_features.wording import how_many


class SURFACE_FEATURES_OT_select_worst_vertices(bpy.types.Operator):
    bl_idname = "surface_features.select_worst_vertices"
    bl_label = "Select Worst Vertices"
    bl_description = "Select the vertices of the active mesh whose transferred weights are most doubtful"
    bl_options = {"REGISTER", "UNDO"}

    share: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Share", description="Of all vertices", default=0.05, min=0.001, max=1.0, subtype="FACTOR"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            obj = _active_mesh(context)
            with object_mode(context):
                doubt = read_doubt(obj)
                count = max(1, round(self.share * len(doubt)))
                chosen = np.zeros(len(doubt), bool)
                chosen[np.argsort(-doubt, kind="stable")[:count]] = True
                select_vertices(obj, chosen)
        except BadInputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        vertices = how_many(count, "vertex", "vertices")
        self.report({"INFO"}, f"{obj.name}: {vertices} selected, doubt {doubt[chosen].min():.2f} and more.")
        return {"FINISHED"}


class SURFACE_FEATURES_OT_show_weight_heat(bpy.types.Operator):
    bl_idname = "surface_features.show_weight_heat"
    bl_label = "Show Weight Heat-Map"
    bl_description = "Colour the active mesh by how doubtful its weights are, or by one bone's weights"
    bl_options = {"REGISTER", "UNDO"}

    shown: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Show",
        description="What the colours mean",
        items=[
            ("DOUBT", "Doubt", "Blue: matched surely; red: look here"),
            ("GROUP", "Active Group", "The active vertex group's weights"),
        ],
        default="DOUBT",
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            obj = _active_mesh(context)
            check_editable(obj)
            with object_mode(context):
                if self.shown == "DOUBT":
                    show_doubt(obj, read_doubt(obj))
                else:
                    write_colours(obj, heat(_active_group_weights(obj)))
        except BadInputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if context.screen is not None:
            show_colours(context.screen)
        return {"FINISHED"}


class SURFACE_FEATURES_OT_save_weight_report(bpy.types.Operator):
    bl_idname = "surface_features.save_weight_report"
    bl_label = "Save Weight Report"
    bl_description = "Save the quality reports of the selected meshes: a page (.html), or figures for scripts (.json)"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", default="weights.html")  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            save_reports(Path(bpy.path.abspath(self.filepath)), context.view_layer.objects.selected)
        except BadInputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def save_reports(path: Path, objects: Iterable[bpy.types.Object]) -> None:
    """Write the meshes' reports as a page, or as JSON for a path that ends so. Raises `BadInputError`."""
    found = [(read_report(obj), read_picture(obj)) for obj in objects if obj.type == "MESH"]
    reports = [(report, picture) for report, picture in found if report is not None]
    if not reports:
        raise BadInputError(
            "No selected mesh has a report: run Transfer Weights, select its targets and run again.", fault="no_report"
        )
    write_report_file(path, [report.to_json() for report, _ in reports], write_html(*zip(*reports, strict=True)))


def _active_mesh(context: bpy.types.Context) -> bpy.types.Object:
    obj = context.view_layer.objects.active
    if obj is None or obj.type != "MESH":
        raise BadInputError(
            "The active object is not a mesh: click a target of a transfer and run again.", fault="no_mesh"
        )
    return obj


def _active_group_weights(obj: bpy.types.Object) -> np.ndarray:
    group = obj.vertex_groups.active
    if group is None:
        raise BadInputError(f"{obj.name}: it has no vertex group. Transfer weights to it first.", fault="no_group")
    weights = np.zeros(len(obj.data.vertices), np.float32)
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            if element.group == group.index:
                weights[vertex.index] = element.weight
    return weights


CLASSES = (
    SURFACE_FEATURES_OT_select_worst_vertices,
    SURFACE_FEATURES_OT_show_weight_heat,
    SURFACE_FEATURES_OT_save_weight_report,
)
