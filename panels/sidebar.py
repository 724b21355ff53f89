# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab *Surface Features*: what is selected, what can be done with it, how the job is going."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import bpy

from ..bridge.armature import find_armature
from ..bridge.job import status
from ..operators.embedding import has_candidate
from ..preferences import get_preferences
from ..properties import get_settings
from ..surface_features.wording import how_many

MOST_TARGETS = 8
_PIXELS_PER_LETTER = 7.5


if TYPE_CHECKING:
    _Base = bpy.types.Panel
else:
    _Base = object  # a panel without an identifier of its own must not look like one to Blender


class SidebarPanel(_Base):
    """Mixin of all panels of the tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Surface Features"


class SURFACE_FEATURES_PT_main(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_main"
    bl_label = "Surface Features"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        assert layout is not None
        _draw_selection(layout.box().column(align=True), context)
        _draw_job(layout, context)


class SURFACE_FEATURES_PT_features(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_features"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "Features"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("surface_features.check", icon="VIEWZOOM")
        column.operator("surface_features.compute_features", icon="MESH_DATA")
        column.operator("surface_features.show_features", icon="COLOR")
        column.separator()
        column.prop(get_settings(context), "views")


class SURFACE_FEATURES_PT_embedding(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_embedding"
    bl_parent_id = "SURFACE_FEATURES_PT_features"
    bl_label = "Embedding"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("surface_features.train_embedding", icon="NETWORK_DRIVE")
        if has_candidate() and not status.running:
            row = column.row(align=True)
            row.operator("surface_features.keep_embedding", icon="CHECKMARK")
            row.operator("surface_features.discard_embedding", icon="TRASH")
        used = get_preferences(context).embedding
        column.label(text={"auto": "In use: the backbone's own", "none": "In use: none"}.get(used, "In use: your own"))


class SURFACE_FEATURES_PT_transfer(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_transfer"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "Transfer"

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context)
        column = self.layout.column(align=True)
        column.scale_y = 1.3
        column.operator("surface_features.transfer_weights", icon="MOD_DATA_TRANSFER").replace = settings.replace
        column.operator("surface_features.rig", icon="OUTLINER_OB_ARMATURE").replace = settings.replace
        self.layout.prop(settings, "replace")


def _draw_selection(column: bpy.types.UILayout, context: bpy.types.Context) -> None:
    source = context.view_layer.objects.active
    if source is None or source.type != "MESH":
        column.label(text="Source: make a mesh active", icon="INFO")
        return
    column.label(text=f"Source: {source.name}", icon="OUTLINER_OB_MESH", translate=False)
    column.label(text=_vertices(source), icon="BLANK1", translate=False)
    armature = find_armature(source)
    if armature is None:
        column.label(text="No armature: cannot give weights", icon="ERROR")
    else:
        column.label(text=armature.name, icon="OUTLINER_OB_ARMATURE", translate=False)
    column.separator()
    targets = [obj for obj in context.view_layer.objects.selected if obj not in (source, armature)]
    if not targets:
        column.label(text="Targets: select more meshes", icon="INFO")
    for obj in targets[:MOST_TARGETS]:
        _draw_target(column, obj)
    if len(targets) > MOST_TARGETS:
        column.label(text=f"and {len(targets) - MOST_TARGETS} more", icon="BLANK1")


def _draw_target(column: bpy.types.UILayout, obj: bpy.types.Object) -> None:
    if obj.type != "MESH":
        column.label(text=f"{obj.name}: not a mesh, skipped", icon="ERROR", translate=False)
        return
    column.label(text=f"Target: {obj.name}", icon="MESH_DATA", translate=False)
    if not obj.is_editable or not obj.data.is_editable:
        column.label(text="Linked: make it local first", icon="ERROR")
        return
    armature = find_armature(obj)
    skin = f", {armature.name}" if armature is not None else ""
    column.label(text=_vertices(obj) + skin, icon="BLANK1", translate=False)


def _vertices(obj: bpy.types.Object) -> str:
    return how_many(len(obj.data.vertices), "vertex", "vertices")


def _draw_job(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if status.running:
        column = layout.column(align=True)
        column.progress(factor=status.fraction, text=f"{status.title} {status.fraction:.0%}")
        column.label(text="Cancelling" if status.cancel_requested else status.message, translate=False)
        column.operator("surface_features.cancel_job", icon="CANCEL")
        return
    if status.report:
        _draw_text(layout, context, status.report, is_problem=status.report_is_error)
    for warning in status.warnings:
        _draw_text(layout, context, warning, is_problem=True)


def _draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, *, is_problem: bool) -> None:
    """Text over as many lines as the sidebar's width needs: Blender's labels do not wrap."""
    width = context.region.width / context.preferences.system.ui_scale
    column = layout.column(align=True)
    first, *others = textwrap.wrap(text, max(int(width / _PIXELS_PER_LETTER) - 4, 12))
    column.label(text=first, icon="ERROR" if is_problem else "CHECKMARK", translate=False)
    for line in others:
        column.label(text=line, icon="BLANK1", translate=False)


CLASSES = (
    SURFACE_FEATURES_PT_main,
    SURFACE_FEATURES_PT_features,
    SURFACE_FEATURES_PT_embedding,
    SURFACE_FEATURES_PT_transfer,
)
