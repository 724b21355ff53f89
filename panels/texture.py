# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels of Transfer Texture and of pictures."""

from __future__ import annotations

import bpy

from ..properties import get_settings, texture_options
from .sidebar import SidebarPanel


class SURFACE_FEATURES_PT_texture(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_texture"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "Texture"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = get_settings(context)
        texture = settings.texture
        layout = self.layout
        column = layout.column()
        column.scale_y = 1.3
        column.operator("surface_features.transfer_texture", icon="TEXTURE").replace = settings.replace
        layout.prop(texture, "channels")
        column = layout.column()
        column.use_property_split = True
        for name in ("size", "margin", "min_confidence", "new_uvs", "save"):
            column.prop(texture, name)
        options = texture_options(texture)
        # The number of images is only known with the source's materials: the most there can be.
        most = options.memory_mb(len(options.channels) + 1)
        column.label(text=f"Up to {most:,.0f} MB for each target", icon="MEMORY")


class SURFACE_FEATURES_PT_picture(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_picture"
    bl_parent_id = "SURFACE_FEATURES_PT_texture"
    bl_label = "From a Picture"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        texture = get_settings(context).texture
        layout = self.layout
        layout.template_ID(texture, "picture", open="image.open")
        layout.template_ID(texture, "geometry", open="image.open")
        layout.operator("surface_features.texture_from_picture", icon="IMAGE_DATA")
        layout.prop(texture, "keypoints")
        column = layout.column(align=True)
        column.operator("surface_features.keypoints_from_picture", icon="EMPTY_DATA")
        column.operator("surface_features.keypoints_to_picture", icon="IMAGE_REFERENCE")


CLASSES = (SURFACE_FEATURES_PT_texture, SURFACE_FEATURES_PT_picture)
