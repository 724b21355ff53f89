# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of poses and clips, and the table of the bone map."""

from __future__ import annotations

import bpy

from ..bridge.pose_report import latest_reports
from ..properties import get_settings
from .sidebar import SidebarPanel


class SURFACE_FEATURES_UL_bone_map(bpy.types.UIList):
    bl_idname = "SURFACE_FEATURES_UL_bone_map"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: object,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: object,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        row = layout.row(align=True)
        row.label(text=item.name, icon="BONE_DATA", translate=False)
        armature = bpy.data.objects.get(get_settings(context).pose.bone_map.source_armature)
        if armature is not None and armature.type == "ARMATURE":
            row.prop_search(item, "source", armature.data, "bones", text="")
        else:
            row.prop(item, "source", text="")


class SURFACE_FEATURES_PT_pose(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_pose"
    bl_parent_id = "SURFACE_FEATURES_PT_main"
    bl_label = "Pose and Motion"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, get_settings(context).pose
        column = layout.column(align=True)
        column.scale_y = 1.3
        column.operator("surface_features.transfer_pose", icon="ARMATURE_DATA")
        column.operator("surface_features.transfer_motion", icon="ACTION")
        column = layout.column(align=True)
        for name in ("force", "mute_constraints", "keep_feet"):
            column.prop(settings, name)
        column = layout.column(align=True)
        column.prop(settings, "smoothing")
        column.prop(settings, "key_step")
        if latest_reports():
            layout.operator("surface_features.save_pose_report", icon="FILE_TEXT")


class SURFACE_FEATURES_PT_bone_map(SidebarPanel, bpy.types.Panel):
    bl_idname = "SURFACE_FEATURES_PT_bone_map"
    bl_parent_id = "SURFACE_FEATURES_PT_pose"
    bl_label = "Bone Map"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, get_settings(context).pose
        table = settings.bone_map
        layout.operator("surface_features.make_bone_map", icon="BONE_DATA")
        if len(table.rows):
            layout.label(text=f"{table.target_armature} from {table.source_armature}", translate=False)
            layout.template_list("SURFACE_FEATURES_UL_bone_map", "", table, "rows", table, "active")
            layout.prop(settings, "use_bone_map")
        row = layout.row(align=True)
        row.operator("surface_features.load_bone_map", text="Load", icon="FILE_FOLDER")
        row.operator("surface_features.save_bone_map", text="Save", icon="FILE_TICK")
        row.operator("surface_features.clear_bone_map", text="Clear", icon="X")


CLASSES = (SURFACE_FEATURES_UL_bone_map, SURFACE_FEATURES_PT_pose, SURFACE_FEATURES_PT_bone_map)
