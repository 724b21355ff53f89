# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's part for what lies on a surface: attributes, shape keys, keypoints."""

from __future__ import annotations

import bpy

from ..properties import get_settings
from .sidebar import SidebarPanel


class SURFACE_FEATURES_PT_surface_transfers(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_surface_transfers"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "On the Surface"

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context)
        column = self.layout.column(align=True)
        column.operator("surface_features.transfer_attributes", icon="GROUP_VCOL").replace = settings.replace
        column.operator("surface_features.transfer_shape_keys", icon="SHAPEKEY_DATA").replace = settings.replace
        source = context.view_layer.objects.active
        editing = source is not None and source.mode == "EDIT"
        column.operator("surface_features.transfer_keypoints", icon="EMPTY_AXIS").vertices = editing


class SURFACE_FEATURES_PT_attribute_settings(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_attribute_settings"
    bl_parent_id = "SURFACE_FEATURES_PT_surface_transfers"
    bl_label = "Attributes"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.column().prop(get_settings(context), "attribute_kinds")


CLASSES = (SURFACE_FEATURES_PT_surface_transfers, SURFACE_FEATURES_PT_attribute_settings)
