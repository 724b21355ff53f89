# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Transfer Pose* and *Transfer Motion*, and the bone map between two armatures."""

from __future__ import annotations

import bpy


class BoneMapRow(bpy.types.PropertyGroup):
    """One row of the bone map: a target bone's `name`, and the source bone it takes its turns from."""

    source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Source Bone", description="Bone of the source; empty: the target bone follows its parent"
    )
    share: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Share", description="How much of the bone's surface the source bone moves", min=0.0, max=1.0
    )


class BoneMapSettings(bpy.types.PropertyGroup):
    """The bone map between two armatures."""

    source_armature: bpy.props.StringProperty()  # type: ignore[valid-type]
    target_armature: bpy.props.StringProperty()  # type: ignore[valid-type]
    rows: bpy.props.CollectionProperty(type=BoneMapRow)  # type: ignore[valid-type]
    active: bpy.props.IntProperty()  # type: ignore[valid-type]


class PoseTransferSettings(bpy.types.PropertyGroup):
    """What *Transfer Pose* and *Transfer Motion* are told by the sidebar."""

    force: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Do It Anyway", description="Transfer between bodies that hardly match, too"
    )
    mute_constraints: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Mute Constraints",
        description="Mute constraints on the target's bones that would keep them from the transferred pose",
    )
    smoothing: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smoothing", description="Frames over which a clip is smoothed, without lag", min=0.0, soft_max=5.0
    )
    keep_feet: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Feet", description="Feet that stand on the floor stay where they stand", default=True
    )
    key_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Key Every",
        description="Frames from one key to the next; 1 keys every frame",
        default=1,
        min=1,
        soft_max=10,
    )
    use_bone_map: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Use Bone Map", description="Take the table below, where it is of these two armatures", default=True
    )
    bone_map: bpy.props.PointerProperty(type=BoneMapSettings)  # type: ignore[valid-type]


CLASSES = (BoneMapRow, BoneMapSettings, PoseTransferSettings)
