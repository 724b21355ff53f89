# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig: a fitted copy of the source's armature for each target, or a new one, with weights, ready to pose."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..bridge.armature import find_armature, read_bones
from ..bridge.fitted_armature import copy_armature, place_bones
from ..bridge.job import JobPlan, Outcome
from ..properties import JobSettings, get_settings, job_settings, rig_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.mesh import Float32
from ..surface_features.wording import how_many
from .base import JobOperator
from .rig_preset import plan_rig_preset
from .selection import selected_meshes, source_and_others
from .skinning import (
    Skin,
    Targets,
    check_free,
    give_skin,
    read_skin,
    read_targets,
    target_weights,
    transfer_arrays,
    transfer_params,
)


def plan_rig(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], settings: JobSettings, *, replace: bool
) -> JobPlan:
    """The job that gives each mesh among the others an armature of its own. Raises `BadInputError`."""
    skin = read_skin(source)
    targets = read_targets(source, others, skin.bones, replace=replace)
    armature = find_armature(source)
    assert armature is not None  # or there would be no skin
    if armature.matrix_world.determinant() == 0:
        raise BadInputError(
            f"{armature.name}: scaled to nothing, so bones have no place in it. Give it another scale and run again.",
            fault="no_extent",
        )
    bone_names, bones = read_bones(armature)
    columns = [skin.columns.index(name) if name in skin.columns else -1 for name in bone_names]
    request = JobRequest(
        "rig",
        {**transfer_arrays(skin, targets), "bones": bones},
        {**transfer_params(skin, targets, settings), "bone_columns": columns},
    )

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        armature, *meshes = objects
        all_weights = target_weights(results[0], targets, skin.columns)
        all_bones = _target_bones(results[0], targets, len(bone_names))
        for obj in meshes:
            check_free(obj, None, skin.bones, replace=replace)
            _check_in_view(obj)
        first, rest = meshes[: len(targets.sent)], iter(meshes[len(targets.sent) :])
        made, bones = [], how_many(len(skin.columns), "bone")
        for index, obj in enumerate(first):
            users = [obj, *(next(rest) for _ in targets.sharing[index])]
            made.append(_rig(users, armature, skin, all_weights[index], bone_names, all_bones[index]).name)
        if len(made) == 1:
            return Outcome(f"{first[0].name}: {made[0]} fitted, with weights of {bones}.")
        return Outcome(f"{len(made)} meshes: an armature fitted to each, with weights of {bones}.")

    return JobPlan("Rig", (request,), (skin.armature, *targets.all_sent), finish, skin.warnings + targets.warnings)


class SURFACE_FEATURES_OT_rig(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.rig"
    bl_label = "Rig"
    bl_description = (
        "Give each of the other selected meshes its own copy of the active character's armature: bones fitted to the "
        "mesh, weights transferred, ready to pose. Where nothing selected is rigged, a new skeleton of a person or an "
        "animal is made"
    )
    bl_options = {"UNDO"}

    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Replace weights and armature that a target already has",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        rig = rig_settings(get_settings(context))
        replace = self.replace or get_settings(context).replace
        if rig.rig_from in ("HUMAN", "QUADRUPED") or (rig.rig_from == "AUTO" and _nothing_is_rigged(context)):
            meshes, _ = selected_meshes(context)
            return plan_rig_preset(meshes, job_settings(context), rig, replace=replace)
        source, others = source_and_others(context)
        return plan_rig(source, others, job_settings(context), replace=replace)


def _nothing_is_rigged(context: bpy.types.Context) -> bool:
    """Whether there are meshes among the selected objects, and none of them, nor the active one, has an armature."""
    active = context.view_layer.objects.active
    chosen = {*context.view_layer.objects.selected, *([active] if active is not None else [])}
    meshes = [obj for obj in chosen if obj.type == "MESH"]
    return bool(meshes) and not any(find_armature(obj) for obj in meshes)


def _target_bones(result: JobResult, targets: Targets, count: int) -> list[Float32]:
    """(B, 2, 3) world-space bones of each target. Raises `EngineError` for an answer that does not fit."""
    all_bones = []
    for index, sent in enumerate(targets.sent):
        bones = np.asarray(result.arrays[f"bones_{index}"], np.float32)
        if bones.shape != (count, 2, 3) or not np.isfinite(bones).all():
            raise EngineError(
                f"{sent.name}: the engine's bones do not fit the armature; nothing was changed. Run again."
            )
        all_bones.append(bones)
    return all_bones


def _check_in_view(obj: bpy.types.Object) -> None:
    """Bones are placed in Edit Mode, which needs the armature beside its mesh in the scene that the window shows."""
    if bpy.context.view_layer.objects.get(obj.name) != obj:
        raise BadInputError(
            f"{obj.name}: not in the scene that is shown now; nothing was changed. Go back to its scene and run again.",
            fault="other_scene",
        )


def _rig(
    objects: Sequence[bpy.types.Object],
    armature: bpy.types.Object,
    skin: Skin,
    weights: Float32,
    bone_names: list[str],
    bones: Float32,
) -> bpy.types.Object:
    context = bpy.context
    target = objects[0]
    copy = copy_armature(context, armature, f"{target.name} {armature.name}", list(target.users_collection))
    try:
        place_bones(context, copy, bone_names, bones)
    except BaseException:
        bpy.data.batch_remove([copy, copy.data])  # no half-made rig is left behind
        raise
    give_skin(objects, copy, skin, weights)
    for obj in objects:
        if obj.parent is None:  # moving the armature then moves the character, as after Parent ▸ Armature Deform
            obj.parent = copy
            obj.matrix_parent_inverse = copy.matrix_world.inverted()
    return copy


CLASSES = (SURFACE_FEATURES_OT_rig,)
