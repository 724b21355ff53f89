# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's part for what lies on a surface: keypoints."""

from __future__ import annotations

import bpy

from .sidebar import SidebarPanel


class SURFACE_FEATURES_PT_surface_transfers(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_surface_transfers"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "On the Surface"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        source = context.view_layer.objects.active
        editing = source is not None and source.mode == "EDIT"
        column.operator("surface_features.transfer_keypoints", icon="EMPTY_AXIS").vertices = editing


CLASSES = (SURFACE_FEATURES_PT_surface_transfers,)
