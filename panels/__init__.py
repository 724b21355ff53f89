# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab. Panels only draw."""

from __future__ import annotations

import bpy

from . import parts, pose, rig, sidebar, surface_transfers, texture, weights

CLASSES = (
    *sidebar.CLASSES,
    *weights.CLASSES,
    *rig.CLASSES,
    *pose.CLASSES,
    *texture.CLASSES,
    *surface_transfers.CLASSES,
    *parts.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
