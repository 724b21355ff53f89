# SPDX-License-Identifier: GPL-3.0-or-later
"""The bone map of two armatures: derived from where bones sit on the meshes, edited as a table, kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ..bridge.character import body_of, character_weights
from ..bridge.job import JobPlan, Outcome
from ..bridge.pose import read_bones_for_pose
from ..properties import JobSettings, get_settings, job_settings
from ..surface_features.bone_map import BoneMatch, from_json, to_json
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from ..surface_features.wording import how_many
from .base import JobOperator
from .posing import (
    PoseOptions,
    PoseTarget,
    read_source,
    read_targets,
    request_arrays,
    request_params,
    source_and_others,
)


def rows_for(rows: Sequence[BoneMatch] | None, source_names: Sequence[str], target: PoseTarget) -> list[int] | None:
    """Source bone number of each target bone by a bone map, −1 where it has none; None without a map.

    Raises `BadInputError` for rows that name bones which are not there.
    """
    if rows is None:
        return None
    assert target.bones is not None
    lost = [row.source for row in rows if row.source and row.source not in source_names]
    if lost:
        raise BadInputError(
            f"Bone map: the source has no bone “{lost[0]}”. Correct the table, or clear it, and run again.",
            fault="bad_bone_map",
        )
    chosen = {row.target: source_names.index(row.source) if row.source else -1 for row in rows}
    if not chosen.keys() & set(target.bones.names):
        raise BadInputError(
            f"Bone map: none of its target bones is one of {target.character.name}'s. Make a new one.",
            fault="bad_bone_map",
        )
    return [chosen.get(name, -1) for name in target.bones.names]


def show_map(
    context: bpy.types.Context,
    source_armature: str,
    target_armature: str,
    source_names: Sequence[str],
    target: PoseTarget,
    bones: Sequence[int],
    shares: Sequence[float] | None = None,
) -> None:
    """Fill the table with a derived bone map; one that is there for the same armatures stays when it was used."""
    table = get_settings(context).pose.bone_map
    assert target.bones is not None
    if shares is None and (table.source_armature, table.target_armature) == (source_armature, target_armature):
        return
    table.rows.clear()
    table.source_armature, table.target_armature = source_armature, target_armature
    weights = target.bones.arrays["weights"]
    for number, name in enumerate(target.bones.names):
        if not weights[:, number].any():
            continue
        row = table.rows.add()
        row.name = name
        row.source = source_names[bones[number]] if bones[number] >= 0 else ""
        row.share = shares[number] if shares is not None else 1.0


def plan_bone_map(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], settings: JobSettings, options: PoseOptions
) -> JobPlan:
    """The job that derives the bone map of two characters with armatures. Raises `BadInputError`."""
    armature, _ = body_of(source)
    if armature is None:
        raise BadInputError(f"{source.name}: it has no armature to take bones from.", fault="no_armature")
    character, meshes = read_source(source)
    targets, refusals = read_targets(source, others, options, need_bones=True)
    bones = read_bones_for_pose(armature, character_weights(character, armature, meshes), free_constrained=True)
    target = targets[0]
    arrays = request_arrays(character, [target]) | bones.with_suffix("source")
    request = JobRequest("bone_map", arrays, request_params(character, [target], settings, options))
    source_name, target_sent = armature.name, target.character.armature
    assert target_sent is not None

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        found = results[0].info["maps"][0]
        show_map(bpy.context, source_name, target_sent.name, bones.names, target, found["bones"], found["shares"])
        mapped = sum(number >= 0 for number in found["bones"])
        turning = how_many(mapped, "bone takes its turn", "bones take their turns")
        return Outcome(f"{target.character.name}: {turning} from {character.name}'s.")

    return JobPlan("Make Bone Map", (request,), (target_sent,), finish, tuple(refusals))


class SURFACE_FEATURES_OT_make_bone_map(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.make_bone_map"
    bl_label = "Make Bone Map"
    bl_description = "Find which bone of the active character moves what each bone of the selected one moves"
    bl_options = {"UNDO"}

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        force = get_settings(context).pose.force
        return plan_bone_map(source, others, job_settings(context), PoseOptions(force, mute_constraints=True))


class SURFACE_FEATURES_OT_save_bone_map(bpy.types.Operator):
    bl_idname = "surface_features.save_bone_map"
    bl_label = "Save Bone Map"
    bl_description = "Save the table as a JSON file"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(get_settings(context).pose.bone_map.rows) > 0

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or "bone_map.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        table = get_settings(context).pose.bone_map
        rows = [BoneMatch(row.name, row.source, round(row.share, 3)) for row in table.rows]
        try:
            Path(bpy.path.abspath(self.filepath)).write_text(to_json(rows), encoding="utf-8")
        except OSError as error:
            self.report({"ERROR"}, f"“{self.filepath}” cannot be written ({error.strerror}).")
            return {"CANCELLED"}
        return {"FINISHED"}


class SURFACE_FEATURES_OT_load_bone_map(bpy.types.Operator):
    bl_idname = "surface_features.load_bone_map"
    bl_label = "Load Bone Map"
    bl_description = "Load the table from a JSON file, for the active character and the selected one"
    bl_options = {"UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            source, others = source_and_others(context)
            rows = read_bone_map(Path(bpy.path.abspath(self.filepath)))
            armatures = [body_of(obj)[0] for obj in (source, *others) if obj.type in ("MESH", "ARMATURE")]
        except BadInputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        target = next((arm for arm in armatures[1:] if arm is not None and arm != armatures[0]), None)
        if not armatures or armatures[0] is None or target is None:
            self.report({"ERROR"}, "Select a target with an armature, then Shift-click the source with its own last.")
            return {"CANCELLED"}
        table = get_settings(context).pose.bone_map
        table.rows.clear()
        table.source_armature, table.target_armature = armatures[0].name, target.name
        for match in rows:
            row = table.rows.add()
            row.name, row.source, row.share = match.target, match.source, match.share
        return {"FINISHED"}


class SURFACE_FEATURES_OT_clear_bone_map(bpy.types.Operator):
    bl_idname = "surface_features.clear_bone_map"
    bl_label = "Clear Bone Map"
    bl_description = "Empty the table; Transfer Motion derives a new one"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        table = get_settings(context).pose.bone_map
        table.rows.clear()
        table.source_armature = table.target_armature = ""
        return {"FINISHED"}


def read_bone_map(path: Path) -> tuple[BoneMatch, ...]:
    """Raises `BadInputError` for what cannot be read or is no bone map."""
    try:
        return from_json(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not text")
        raise BadInputError(f"“{path}” cannot be read ({reason}).", fault="unreadable") from error


CLASSES = (
    SURFACE_FEATURES_OT_make_bone_map,
    SURFACE_FEATURES_OT_save_bone_map,
    SURFACE_FEATURES_OT_load_bone_map,
    SURFACE_FEATURES_OT_clear_bone_map,
)
