# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Motion: a clip of the active character becomes a new action on each of the other selected ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..bridge.character import Character, body_of, character_weights, only_deforming, shown_vertices
from ..bridge.compat import set_action
from ..bridge.job import JobPlan, Outcome
from ..bridge.pose import Bones, mute_constraints, read_bones_for_pose, shown_bones
from ..bridge.pose_report import keep_reports
from ..properties import JobSettings, get_settings, job_settings
from ..surface_features.bone_map import BoneMatch
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.pose_report import PoseQuality
from ..surface_features.settings import MotionSettings
from ..surface_features.wording import how_many
from .base import JobOperator
from .bone_map import rows_for, show_map
from .posing import (
    PoseOptions,
    PoseTarget,
    PosingProperties,
    check_unchanged,
    read_source,
    read_targets,
    request_arrays,
    request_params,
    source_and_others,
    warnings_of,
    written_objects,
)
from .transfer_pose import pose_writer

LEAST_CHANGE = 1e-5  # of the extent: a clip that moves less is none


@dataclass(frozen=True)
class ClipOptions:
    """start, end: frames, both 0 for the whole of the action, or the scene's range without one.

    action: name of the source armature's action to play; empty for what it plays now. step: frames between keys.
    bone_map: rows to use instead of a derived bone map.
    """

    start: int = 0
    end: int = 0
    action: str = ""
    step: int = 1
    motion: MotionSettings = field(default_factory=MotionSettings)
    bone_map: tuple[BoneMatch, ...] | None = None


def plan_transfer_motion(
    source: bpy.types.Object,
    others: Sequence[bpy.types.Object],
    settings: JobSettings,
    options: PoseOptions,
    clip: ClipOptions,
) -> JobPlan:
    """The job that gives the source's clip to the characters among the others. Raises `BadInputError`.

    A source with an armature gives its bones' turns; one without (shape keys, a cache) its moving surface.
    """
    character, meshes = read_source(source)
    targets, refusals = read_targets(source, others, options, need_bones=True)
    armature, _ = body_of(source)
    bones = _source_bones(armature, character, meshes)
    with _playing(armature, clip.action):
        frames = _frames(armature, clip)
        name = _clip_name(armature, character)
        moving = _read_clip(armature if bones is not None else None, meshes, frames)
    _refuse_still(moving, character)
    arrays = request_arrays(character, targets) | moving
    params = request_params(character, targets, settings, options) | {"motion": clip.motion.to_json()}
    if bones is not None:
        arrays |= bones.with_suffix("source")
        params["bone_maps"] = [rows_for(clip.bone_map, bones.names, target) for target in targets]
    request = JobRequest("transfer_motion", arrays, params)
    written_frames = frames[:: clip.step] + ([frames[-1]] if (len(frames) - 1) % clip.step else [])

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        check_unchanged(targets)
        chosen = [frames.index(frame) for frame in written_frames]
        writers = []
        for index, (obj, target) in enumerate(zip(objects, targets, strict=True)):
            turns, heads = results[0].arrays[f"turns_{index}"], results[0].arrays[f"heads_{index}"]
            if len(turns) != len(frames) or not (np.isfinite(turns).all() and np.isfinite(heads).all()):
                raise EngineError(f"{obj.name}: the engine's motion does not fit; nothing was changed. Run again.")
            writer = pose_writer(obj, target)
            for number in chosen:
                writer.add(turns[number], heads[number])
            writers.append(writer)
        for writer in writers:
            _keep_old_action(writer.armature)
            if options.mute_constraints:
                mute_constraints(writer.armature)
            writer.write_action(f"{name} {writer.armature.name}"[:63], written_frames)
        told = results[0].info["motions"]
        if bones is not None and "bone_map" in told[0]:
            show_map(
                bpy.context, armature_name(armature), objects[0].name, bones.names, targets[0], told[0]["bone_map"]
            )
        bpy.context.scene.frame_set(bpy.context.scene.frame_current)
        reports = [
            PoseQuality(
                f"{character.name}: {name}",
                target.character.name,
                "motion",
                facts["confidence"],
                frames=len(frames),
                source_sliding=facts["source_sliding"],
                sliding=facts["sliding"],
            )
            for target, facts in zip(targets, told, strict=True)
        ]
        keep_reports(reports, [results[0].arrays[f"strip_{index}"].tobytes() for index in range(len(targets))])
        return Outcome(_told(name, len(frames), targets, told))

    warnings = (*refusals, *warnings_of(targets, options))
    return JobPlan("Transfer Motion", (request,), written_objects(targets), finish, warnings)


class SURFACE_FEATURES_OT_transfer_motion(JobOperator, PosingProperties, bpy.types.Operator):
    bl_idname = "surface_features.transfer_motion"
    bl_label = "Transfer Motion"
    bl_description = (
        "Give the active character's clip to the armatures of the other selected ones, each as a new action. "
        "The source may move by an armature, by shape keys or by a cache"
    )
    bl_options = {"UNDO"}

    frame_start: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Start", description="First frame; 0 for the action's, or the scene's without one", options={"SKIP_SAVE"}
    )
    frame_end: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="End", description="Last frame; 0 for the action's, or the scene's without one", options={"SKIP_SAVE"}
    )
    action: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Action", description="Action of the source's armature; empty for what it plays", options={"SKIP_SAVE"}
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        pose = get_settings(context).pose
        armatures = {body_of(source)[0], *(body_of(obj)[0] for obj in others if obj.type in ("MESH", "ARMATURE"))}
        table = pose.bone_map
        fits = {table.source_armature, table.target_armature} <= {obj.name for obj in armatures if obj is not None}
        rows = tuple(BoneMatch(row.name, row.source, row.share) for row in table.rows)
        clip = ClipOptions(
            self.frame_start,
            self.frame_end,
            self.action,
            pose.key_step,
            MotionSettings(pose.smoothing, pose.keep_feet),
            rows if pose.use_bone_map and fits and rows else None,
        )
        return plan_transfer_motion(source, others, job_settings(context), self.pose_options(context), clip)


def armature_name(armature: bpy.types.Object | None) -> str:
    return armature.name if armature is not None else ""


def _source_bones(
    armature: bpy.types.Object | None, character: Character, meshes: Sequence[bpy.types.Object]
) -> Bones | None:
    """The source's bones, if it has any that move it."""
    if armature is None:
        return None
    weights = character_weights(character, armature, meshes)
    return read_bones_for_pose(armature, weights, free_constrained=True) if weights.any() else None


@contextmanager
def _playing(armature: bpy.types.Object | None, name: str) -> Iterator[None]:
    """For a while, the source plays the named action, and the scene's frame may change."""
    scene = bpy.context.scene
    frame, subframe = scene.frame_current, scene.frame_subframe
    action = bpy.data.actions.get(name) if name else None
    if name and (armature is None or action is None):
        raise BadInputError(
            f"“{name}”: there is no such action, or no armature to play it. Choose another.", fault="no_action"
        )
    data = armature.animation_data if armature is not None else None
    before = (data.action, getattr(data, "action_slot", None)) if data is not None else (None, None)
    muted: list[str] = (
        [track.name for track in data.nla_tracks if not track.mute] if data is not None and action else []
    )
    pose_position = armature.data.pose_position if armature is not None else ""
    try:
        if armature is not None:
            armature.data.pose_position = "POSE"
        if action is not None and armature is not None:
            for track in muted:
                data.nla_tracks[track].mute = True
            set_action(armature, action)
        yield
    finally:
        if action is not None and armature is not None:
            armature.animation_data.action = before[0]
            if before[1] is not None:
                armature.animation_data.action_slot = before[1]
            for track in muted:
                armature.animation_data.nla_tracks[track].mute = False
        if armature is not None:
            armature.data.pose_position = pose_position
        scene.frame_set(frame, subframe=subframe)


def _frames(armature: bpy.types.Object | None, clip: ClipOptions) -> list[int]:
    start, end = clip.start, clip.end
    if start == end == 0:
        action = armature.animation_data.action if armature is not None and armature.animation_data else None
        scene = bpy.context.scene
        limits = action.frame_range if action is not None else (scene.frame_start, scene.frame_end)
        start, end = int(np.floor(limits[0])), int(np.ceil(limits[1]))
    if end <= start:
        raise BadInputError(f"Frames {start} to {end} are no clip: choose an end after the start.", fault="no_frames")
    return list(range(start, end + 1))


def _clip_name(armature: bpy.types.Object | None, character: Character) -> str:
    action = armature.animation_data.action if armature is not None and armature.animation_data else None
    return action.name if action is not None else character.name


def _read_clip(
    armature: bpy.types.Object | None, meshes: Sequence[bpy.types.Object], frames: Sequence[int]
) -> dict[str, np.ndarray]:
    """Every frame of the source: its bones, or its vertices where it has none."""
    scene = bpy.context.scene
    if armature is not None:
        rest = armature.matrix_world.copy()
        read = []
        for frame in frames:
            scene.frame_set(frame)
            read.append(shown_bones(armature, rest))
        turns, heads = zip(*read, strict=True)
        return {"source_turns": np.stack(turns), "source_heads": np.stack(heads)}
    shown = []
    with only_deforming(meshes):
        for frame in frames:
            scene.frame_set(frame)
            shown.append(shown_vertices(meshes))
    return {"source_frames": np.stack(shown)}


def _refuse_still(moving: dict[str, np.ndarray], character: Character) -> None:
    extent = float(np.ptp(character.mesh.vertices, axis=0).max())
    size = {"source_turns": 1.0}
    change = max(float(np.ptp(array, axis=0).max()) / size.get(name, extent) for name, array in moving.items())
    if change < LEAST_CHANGE:
        raise BadInputError(
            f"{character.name}: it does not move in these frames. Choose an action or other frames and run again.",
            fault="no_motion",
        )


def _keep_old_action(armature: bpy.types.Object) -> None:
    """What the target played before is not lost with its last user."""
    data = armature.animation_data
    if data is not None and data.action is not None and data.action.users <= 1:
        data.action.use_fake_user = True


def _told(name: str, count: int, targets: Sequence[PoseTarget], told: Sequence[dict]) -> str:
    sentences = [
        f"{target.character.name}: {how_many(count, 'frame')} of {name}, {facts['confidence']:.0%} sure; feet slide "
        f"{facts['sliding']:.2%} of the leg per frame (the source's {facts['source_sliding']:.2%})."
        for target, facts in zip(targets, told, strict=True)
    ]
    return " ".join(sentences)


CLASSES = (SURFACE_FEATURES_OT_transfer_motion,)
