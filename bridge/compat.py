# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender's versions, and nothing else."""

from __future__ import annotations

from typing import Any

import bpy

SLOTTED_ACTIONS = bpy.app.version >= (4, 4, 0)


class ActionWriter:
    """A new action for an object and its curves; slots and channel bags from 4.4 on, plain curves before."""

    def __init__(self, obj: bpy.types.Object, name: str) -> None:
        self.action: Any = bpy.data.actions.new(name)
        self._slot: Any = None
        self._bag: Any = self.action
        if SLOTTED_ACTIONS:
            self._slot = self.action.slots.new(id_type="OBJECT", name=obj.name)
            strip = self.action.layers.new("Layer").strips.new(type="KEYFRAME")
            self._bag = strip.channelbag(self._slot, ensure=True)

    def curve(self, data_path: str, index: int, group: str) -> Any:
        """A new, empty curve."""
        curve = self._bag.fcurves.new(data_path, index=index)
        curve.group = self._bag.groups.get(group) or self._bag.groups.new(group)
        return curve

    def assign(self, obj: bpy.types.Object) -> None:
        """Let the object play the action."""
        data: Any = obj.animation_data_create()
        data.action = self.action
        if self._slot is not None:
            data.action_slot = self._slot


def action_curves(obj: bpy.types.Object) -> list[Any]:
    """The curves an object's action gives it."""
    data: Any = obj.animation_data
    if data is None or data.action is None:
        return []
    if not SLOTTED_ACTIONS:
        return list(data.action.fcurves)
    if data.action_slot is None:
        return []
    strips = [strip for layer in data.action.layers for strip in layer.strips]
    bags = [strip.channelbag(data.action_slot) for strip in strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def set_action(obj: bpy.types.Object, action: Any) -> None:
    """Let an object play an existing action, by the first slot that fits it."""
    data: Any = obj.animation_data_create()
    data.action = action
    if SLOTTED_ACTIONS and action is not None and data.action_slot is None:
        fitting = [slot for slot in action.slots if slot.target_id_type in ("OBJECT", "UNSPECIFIED")]
        if fitting:
            data.action_slot = fitting[0]
