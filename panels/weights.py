# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels of *Transfer Weights*: its settings, pins, skinning models, and what it says of its own result."""

from __future__ import annotations

import bpy

from ..bridge.weight_report import read_report
from ..properties import get_settings
from .sidebar import SidebarPanel


class SURFACE_FEATURES_PT_weight_settings(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_weight_settings"
    bl_parent_id = "SURFACE_FEATURES_PT_transfer"
    bl_label = "Weights"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context)
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        own = settings.weights
        layout.prop(own, "mode")
        for holder, names in (
            (settings, ("max_influences", "min_confidence", "prune_below")),
            (own, ("whole_character", "side_guard", "swap_sides", "loose_parts", "symmetrise")),
            (own, ("selected_bones", "selected_vertices", "mix")),
        ):
            column = layout.column(align=True)
            for name in names:
                column.prop(holder, name)
        row = layout.row()
        row.enabled = own.selected_vertices
        row.prop(own, "soft_edge")


class SURFACE_FEATURES_PT_weight_pins(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_weight_pins"
    bl_parent_id = "SURFACE_FEATURES_PT_transfer"
    bl_label = "Pins"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        row = self.layout.row(align=True)
        row.operator("surface_features.pin_points", icon="PINNED")
        row.operator("surface_features.clear_pins", text="", icon="X")


class SURFACE_FEATURES_PT_skinning_model(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_skinning_model"
    bl_parent_id = "SURFACE_FEATURES_PT_transfer"
    bl_label = "Skinning Model"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context).weights
        column = self.layout.column(align=True)
        column.prop(settings, "skinning_model", text="")
        column.operator("surface_features.save_skinning_model", icon="FILE_TICK")
        column.operator("surface_features.apply_skinning_model", icon="IMPORT")


class SURFACE_FEATURES_PT_weight_quality(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_weight_quality"
    bl_parent_id = "SURFACE_FEATURES_PT_transfer"
    bl_label = "Quality"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return any(read_report(obj) is not None for obj in context.view_layer.objects.selected if obj.type == "MESH")

    def draw(self, context: bpy.types.Context) -> None:
        for obj in context.view_layer.objects.selected:
            report = read_report(obj) if obj.type == "MESH" else None
            if report is None:
                continue
            column = self.layout.box().column(align=True)
            column.label(text=obj.name, icon="OUTLINER_OB_MESH", translate=False)
            for line in report.lines():
                column.label(text=line, translate=False)
        column = self.layout.column(align=True)
        column.operator("surface_features.select_worst_vertices", icon="RESTRICT_SELECT_OFF")
        column.operator("surface_features.show_weight_heat", icon="COLOR")
        column.operator("surface_features.save_weight_report", icon="FILE_TEXT")


CLASSES = (
    SURFACE_FEATURES_PT_weight_settings,
    SURFACE_FEATURES_PT_weight_pins,
    SURFACE_FEATURES_PT_skinning_model,
    SURFACE_FEATURES_PT_weight_quality,
)
