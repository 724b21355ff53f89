# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the latest transferred pose or clip as a file."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..bridge.pose_report import save_pose_reports
from ..surface_features.errors import BadInputError


class SURFACE_FEATURES_OT_save_pose_report(bpy.types.Operator):
    bl_idname = "surface_features.save_pose_report"
    bl_label = "Save Pose Report"
    bl_description = (
        "Save what the latest Transfer Pose or Transfer Motion told: a page with pictures (.html), or figures for "
        "scripts (.json)"
    )

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", default="pose.html")  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            save_pose_reports(Path(bpy.path.abspath(self.filepath)))
        except BadInputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (SURFACE_FEATURES_OT_save_pose_report,)
