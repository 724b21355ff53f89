# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Pose: how the active character stands, on the other selected ones; as bone rotations or as a shape key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from ..bridge.character import only_deforming, shown_vertices
from ..bridge.job import JobPlan, Outcome
from ..bridge.pose import PoseWriter, mute_constraints
from ..bridge.pose_report import keep_reports
from ..properties import JobSettings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.mesh import Float32
from ..surface_features.pose_report import PoseQuality
from ..surface_features.wording import how_many
from .base import JobOperator
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

LEAST_CHANGE = 1e-4  # of the extent: a source that moved less stands in its rest pose


def plan_transfer_pose(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], settings: JobSettings, options: PoseOptions
) -> JobPlan:
    """The job that lets the characters among the others stand as the source does. Raises `BadInputError`.

    A source whose shown state differs from its rest (armature, shape keys, lattices…) gives the difference; one that
    only stands there, like a scan, gives its stance, and then targets need an armature.
    """
    character, meshes = read_source(source)
    with only_deforming(meshes):
        posed = shown_vertices(meshes)
    extent = float(np.ptp(character.mesh.vertices, axis=0).max())
    standing = bool(np.abs(posed - character.mesh.vertices).max() < LEAST_CHANGE * extent)
    targets, refusals = read_targets(source, others, options, need_bones=standing)
    request = JobRequest(
        "transfer_pose",
        request_arrays(character, targets) | {"source_posed": posed},
        request_params(character, targets, settings, options) | {"standing": standing},
    )

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        check_unchanged(targets)
        arrays, told = results[0].arrays, results[0].info["poses"]
        for index, target in enumerate(targets):
            _check(arrays[f"posed_{index}"], target)
        for index, (obj, target) in enumerate(zip(objects, targets, strict=True)):
            if target.bones is None:
                _add_shape_key(obj, character.name, arrays[f"posed_{index}"])
            else:
                _pose_bones(obj, target, arrays[f"turns_{index}"], arrays[f"heads_{index}"], options)
        reports = [_quality(character.name, target, facts) for target, facts in zip(targets, told, strict=True)]
        keep_reports(reports, [arrays[f"strip_{index}"].tobytes() for index in range(len(targets))])
        return Outcome(_told(character.name, targets, told), tuple(_limits_told(targets, told)))

    warnings = (*refusals, *warnings_of(targets, options))
    return JobPlan("Transfer Pose", (request,), written_objects(targets), finish, warnings)


class SURFACE_FEATURES_OT_transfer_pose(JobOperator, PosingProperties, bpy.types.Operator):
    bl_idname = "surface_features.transfer_pose"
    bl_label = "Transfer Pose"
    bl_description = (
        "Let the other selected characters stand as the active one does: by rotations of their bones where they have "
        "an armature, else by a new shape key"
    )
    bl_options = {"UNDO"}

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        return plan_transfer_pose(source, others, job_settings(context), self.pose_options(context))


def _check(posed: Float32, target: PoseTarget) -> None:
    if posed.shape != target.character.mesh.vertices.shape or not np.isfinite(posed).all():
        raise EngineError(f"{target.character.name}: the engine's pose does not fit; nothing was changed. Run again.")


def _add_shape_key(obj: bpy.types.Object, source_name: str, posed: Float32) -> None:
    """A new shape key at full value, the mesh's other keys as they were."""
    inverse = np.array(obj.matrix_world.inverted_safe(), np.float64)
    local = posed @ inverse[:3, :3].T + inverse[:3, 3]
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    key = obj.shape_key_add(name=f"Pose {source_name}"[:63], from_mix=False)
    key.data.foreach_set("co", local.astype(np.float32).ravel())
    key.value = 1.0
    obj.data.update()


def _pose_bones(
    armature: bpy.types.Object, target: PoseTarget, turns: np.ndarray, heads: np.ndarray, options: PoseOptions
) -> None:
    assert target.bones is not None
    writer = pose_writer(armature, target)
    writer.add(turns, heads)
    if options.mute_constraints:
        mute_constraints(armature)
    scene = bpy.context.scene
    writer.write_pose(scene.frame_current, key=scene.tool_settings.use_keyframe_insert_auto)
    armature.data.pose_position = "POSE"
    armature.update_tag()


def pose_writer(armature: bpy.types.Object, target: PoseTarget) -> PoseWriter:
    """Raises `BadInputError` for an armature whose bones have changed while the job ran."""
    assert target.bones is not None
    if tuple(bone.name for bone in armature.data.bones) != target.bones.names:
        raise BadInputError(
            f"{armature.name}: its bones have changed while the job ran; nothing was changed. Run again.",
            fault="object_changed",
        )
    return PoseWriter(armature, moved_bones(armature, target), target.bones.arrays["movable"].astype(bool))


def moved_bones(armature: bpy.types.Object, target: PoseTarget) -> np.ndarray:
    """(B,) bool the bones that are moved and not only turned: the root, and limbs' ends that hang on nothing."""
    from ..surface_features.transfer.skeleton import Skeleton

    assert target.bones is not None
    arrays = target.bones.arrays
    bones = armature.data.bones
    own = np.array([bones.find(bone.parent.name) if bone.parent else -1 for bone in bones])
    return Skeleton(**arrays).roots | (arrays["parents"] != own)


def _told(source: str, targets: Sequence[PoseTarget], told: Sequence[dict]) -> str:
    sentences = []
    for target, facts in zip(targets, told, strict=True):
        before, after = facts["intersecting"]
        by = (
            "a shape key" if target.bones is None else f"its bones, {facts['fit_error']:.1%} of the height off the goal"
        )
        sentences.append(
            f"{target.character.name}: stands as {source} by {by}; {facts['confidence']:.0%} sure, "
            f"edges through the surface {before:.1%} → {after:.1%}."
        )
    return " ".join(sentences)


def _quality(source: str, target: PoseTarget, facts: Mapping[str, Any]) -> PoseQuality:
    before, after = facts["intersecting"]
    figures = {"intersecting_before": before, "intersecting_after": after}
    if target.bones is None:
        return PoseQuality(source, target.character.name, "shape key", facts["confidence"], **figures)
    limited = tuple(target.bones.names[number] for number in facts["limited"])
    return PoseQuality(
        source, target.character.name, "pose", facts["confidence"], facts["fit_error"], limited, **figures
    )


def _limits_told(targets: Sequence[PoseTarget], told: Sequence[dict]) -> list[str]:
    sentences = []
    for target, facts in zip(targets, told, strict=True):
        if facts["limited"] and target.bones is not None:
            names = ", ".join(f"“{target.bones.names[number]}”" for number in facts["limited"][:3])
            stopped = how_many(len(facts["limited"]), "bone was", "bones were")
            sentences.append(f"{target.character.name}: {stopped} stopped by limits ({names}).")
    return sentences


CLASSES = (SURFACE_FEATURES_OT_transfer_pose,)
