# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's part for parts of meshes."""

from __future__ import annotations

import bpy

from ..properties import get_settings
from .sidebar import SidebarPanel


class SURFACE_FEATURES_PT_parts(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_parts"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "Parts"

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context)
        parts, layout = settings.parts, self.layout
        layout.use_property_split = True
        layout.operator("surface_features.segment_parts", icon="MOD_MASK").replace = settings.replace
        column = layout.column()
        column.prop(parts, "method")
        if parts.method == "CLUSTERS":
            column.prop(parts, "count")
        elif parts.method == "EXAMPLES":
            _draw_labels(column, parts)
            column.prop(parts, "several")
        else:
            column.prop(parts, "path")
        column.prop(parts, "smoothness")
        column.prop(parts, "outputs")


class SURFACE_FEATURES_PT_parts_model(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_parts_model"
    bl_parent_id = "SURFACE_FEATURES_PT_parts"
    bl_label = "Parts Model"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        parts, layout = get_settings(context).parts, self.layout
        layout.use_property_split = True
        column = layout.column()
        _draw_labels(column, parts)
        column.prop(parts, "path")
        column.operator("surface_features.train_parts", icon="NETWORK_DRIVE")


def _draw_labels(column: bpy.types.UILayout, parts: bpy.types.PropertyGroup) -> None:
    column.prop(parts, "labels")
    if parts.labels == "ATTRIBUTE":
        column.prop(parts, "attribute")


CLASSES = (SURFACE_FEATURES_PT_parts, SURFACE_FEATURES_PT_parts_model)
