# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators translate: context → arrays → job → result → one undo step."""

from __future__ import annotations

import bpy

from . import (
    bone_map,
    check,
    command,
    embedding,
    features,
    jobs,
    picture,
    pins,
    pose_report,
    rig,
    segment_parts,
    skinning_model,
    transfer_attributes,
    transfer_keypoints,
    transfer_motion,
    transfer_pose,
    transfer_shape_keys,
    transfer_texture,
    transfer_weights,
    weight_quality,
)

CLASSES = (
    *check.CLASSES,
    *features.CLASSES,
    *transfer_weights.CLASSES,
    *rig.CLASSES,
    *segment_parts.CLASSES,
    *skinning_model.CLASSES,
    *pins.CLASSES,
    *weight_quality.CLASSES,
    *transfer_texture.CLASSES,
    *transfer_pose.CLASSES,
    *transfer_motion.CLASSES,
    *pose_report.CLASSES,
    *bone_map.CLASSES,
    *transfer_attributes.CLASSES,
    *transfer_shape_keys.CLASSES,
    *transfer_keypoints.CLASSES,
    *picture.CLASSES,
    *embedding.CLASSES,
    *jobs.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    command.register()


def unregister() -> None:
    command.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
