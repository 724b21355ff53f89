# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects across the time a job takes: remembered without references, found again, and only written in Object Mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy

from ..surface_features.errors import BadInputError


@dataclass(frozen=True)
class SentObject:
    """What is remembered of an object that was sent to the engine. No reference: undo would make it dangle.

    size: number of vertices, or of an armature's bones.
    written: the result will be written to this object.
    """

    name: str
    session_uid: int
    size: int
    written: bool

    @classmethod
    def remember(cls, obj: bpy.types.Object, *, written: bool) -> SentObject:
        return cls(obj.name, obj.session_uid, _size(obj), written)


def find_again(sent: SentObject) -> bpy.types.Object:
    """The object that was sent. Raises `BadInputError` when it is gone or is no longer what was sent."""
    obj = next((obj for obj in bpy.data.objects if obj.session_uid == sent.session_uid), None)
    if obj is None:
        raise BadInputError(
            f"{sent.name}: deleted while the job ran; nothing was changed. Run again without it.", fault="object_gone"
        )
    if _size(obj) != sent.size:
        raise BadInputError(
            f"{sent.name}: edited while the job ran ({sent.size} elements before, {_size(obj)} now); "
            "nothing was changed. Run again.",
            fault="object_changed",
        )
    if sent.written:
        check_editable(obj)
        if obj.mode == "EDIT":
            raise BadInputError(
                f"{sent.name}: in Edit Mode in another scene or window; nothing was changed. Leave it and run again.",
                fault="edit_mode",
            )
    return obj


def check_editable(obj: bpy.types.Object) -> None:
    """Raises `BadInputError` for linked data, which Blender would not let anyone write to."""
    if not obj.is_editable or not obj.data.is_editable:
        raise BadInputError(
            f"{obj.name}: linked from another file and cannot be changed. "
            "Make it local (Object ▸ Relations ▸ Make Local) and run again.",
            fault="linked",
        )


@contextmanager
def object_mode(context: bpy.types.Context) -> Iterator[bool]:
    """Object Mode for the time of writing; whoever was in another mode is back in it afterwards.

    Yields whether Edit Mode was left: its undo steps hold nothing but the edited geometry.
    """
    active = context.view_layer.objects.active
    mode = active.mode if active is not None else "OBJECT"
    if active is None or mode == "OBJECT":
        yield False
        return
    active_uid = active.session_uid
    in_mode = {obj.session_uid for obj in context.view_layer.objects if obj.mode == mode}
    bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield mode == "EDIT"
    finally:
        _enter_mode(context, mode, active_uid, in_mode)


def _enter_mode(context: bpy.types.Context, mode: str, active_uid: int, members: set[int]) -> None:
    objects = {obj.session_uid: obj for obj in context.view_layer.objects}
    if active_uid not in objects:
        return
    # Blender takes every selected object along into a mode
    bystanders = [obj for uid, obj in objects.items() if uid not in members and obj.select_get()]
    for obj in bystanders:
        obj.select_set(False)
    context.view_layer.objects.active = objects[active_uid]
    bpy.ops.object.mode_set(mode=mode)  # type: ignore[arg-type]  # the stub wants the names spelled out
    for obj in bystanders:
        obj.select_set(True)


def _size(obj: bpy.types.Object) -> int:
    if obj.type == "ARMATURE":
        return len(obj.data.bones)
    obj.update_from_editmode()
    return len(obj.data.vertices)
