# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the versions of Blender that are supported."""

from __future__ import annotations

import bpy


def is_selected(bone: bpy.types.PoseBone) -> bool:
    """Whether a bone is selected in Pose Mode; the flag moved from the bone to the pose bone in 5.0."""
    own = getattr(bone, "select", None)
    return bool(bone.bone.select if own is None else own)
