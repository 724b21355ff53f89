# SPDX-License-Identifier: GPL-3.0-or-later
"""What *Rig* makes: from a source, or a new skeleton of which kind and with which names."""

from __future__ import annotations

import bpy

from ..properties import get_settings
from .sidebar import SidebarPanel


class SURFACE_FEATURES_PT_rig_settings(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_rig_settings"
    bl_parent_id = "SURFACE_FEATURES_PT_transfer"
    bl_label = "Rig"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context)
        layout = self.layout
        layout.use_property_split = True
        layout.prop(settings, "rig_from")
        column = layout.column()
        column.active = settings.rig_from != "SOURCE"
        column.prop(settings, "skeleton")
        column.prop(settings, "together")


CLASSES = (SURFACE_FEATURES_PT_rig_settings,)
