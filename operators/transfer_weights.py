# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Weights: the active character's skin on the other selected meshes, deformed by the same armature."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..bridge.job import JobPlan, Outcome
from ..properties import JobSettings, get_settings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.mesh import Float32
from .base import JobOperator
from .selection import source_and_others
from .skinning import (
    Skin,
    check_free,
    give_skin,
    read_skin,
    read_targets,
    sure_share,
    target_weights,
    transfer_arrays,
    transfer_params,
)

FAR = 0.12  # of the target's largest extent; a person's arms in T-pose against A-pose are well beyond


def plan_transfer_weights(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], settings: JobSettings, *, replace: bool
) -> JobPlan:
    """The job that gives the source's skin to the meshes among the others. Raises `BadInputError`."""
    skin = read_skin(source)
    targets = read_targets(source, others, skin.bones, replace=replace)
    request = JobRequest("transfer_weights", transfer_arrays(skin, targets), transfer_params(skin, targets, settings))

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        armature, *meshes = objects
        all_weights = target_weights(results[0], targets, skin.columns)
        for obj in meshes:
            check_free(obj, armature, skin.bones, replace=replace)
        first, rest = meshes[: len(targets.sent)], iter(meshes[len(targets.sent) :])
        warnings = []
        for index, (obj, weights) in enumerate(zip(first, all_weights, strict=True)):
            sharing = [next(rest) for _ in targets.sharing[index]]
            give_skin([obj, *sharing], armature, skin, weights)
            if _lies_elsewhere(skin, targets.wholes[index].mesh.vertices[: len(weights)], weights):
                warnings.append(
                    f"{obj.name}: the joints of {armature.name} lie far from where it bends. "
                    "Use Rig for an armature that is fitted to it."
                )
        sure = sure_share(results[0], targets, settings.weights.min_confidence)
        return Outcome(_told(skin, [obj.name for obj in first], sure), tuple(warnings))

    return JobPlan("Transfer Weights", (request,), (skin.armature, *targets.all_sent), finish, targets.warnings)


class SURFACE_FEATURES_OT_transfer_weights(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.transfer_weights"
    bl_label = "Transfer Weights"
    bl_description = (
        "Give the skin weights of the active character to the other selected meshes, and let its armature deform them. "
        "The meshes may differ in topology, proportion and pose"
    )
    bl_options = {"UNDO"}

    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Replace weights and armature that a target already has. Vertex groups that are not named after a "
        "deforming bone of the source's armature are never changed",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        replace = self.replace or get_settings(context).replace
        return plan_transfer_weights(source, others, job_settings(context), replace=replace)


def _told(skin: Skin, names: Sequence[str], sure: float) -> str:
    targets = names[0] if len(names) == 1 else f"{len(names)} meshes"
    return (
        f"{targets}: weights of {len(skin.columns)} bones from {skin.name}, {sure:.0%} of the vertices matched surely."
    )


def _lies_elsewhere(skin: Skin, vertices: Float32, weights: Float32) -> bool:
    """Whether most bones would turn the target about a point far from the part they move."""
    moved = (weights.sum(axis=0) > 0) & (skin.weights.sum(axis=0) > 0)
    if not moved.any():
        return False
    offset = _centres(vertices, weights[:, moved]) - _centres(skin.whole.mesh.vertices, skin.weights[:, moved])
    return bool(np.median(np.linalg.norm(offset, axis=1)) > FAR * np.ptp(vertices, axis=0).max())


def _centres(vertices: Float32, weights: Float32) -> Float32:
    """(J, 3) weighted centre of what each bone moves."""
    return (weights.T @ vertices) / weights.sum(axis=0)[:, None]


CLASSES = (SURFACE_FEATURES_OT_transfer_weights,)
