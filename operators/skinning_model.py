# SPDX-License-Identifier: GPL-3.0-or-later
"""Skinning models: learned once from a rigged character, they rig any mesh of the family without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np

from ..bridge.armature import deform_bones
from ..bridge.job import JobPlan, Outcome
from ..bridge.mesh import mesh_arrays, read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..bridge.weight_report import write_report
from ..bridge.weights import groups_with_weights
from ..properties import JobSettings, get_settings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.quality_report import WeightQuality
from ..surface_features.wording import how_many, name_or_count
from .base import JobOperator
from .selection import selected_meshes, source_and_others
from .skin_writing import Writing, give_merged_skin
from .skinning import read_skin
from .transfer_weights import character_parts

NO_FILE = "No file is named for the skinning model: choose one under Skinning Model and run again."


def plan_save_model(
    source: bpy.types.Object, settings: JobSettings, path: Path, *, whole_character: bool = False
) -> JobPlan:
    """The job that learns a skinning model from the source and saves it. Raises `BadInputError`."""
    skin = read_skin(source, character_parts(source, ()) if whole_character else ())
    arrays = {
        "source_vertices": skin.whole.mesh.vertices,
        "source_faces": skin.whole.mesh.faces,
        "source_weights": skin.weights,
    }
    params = {
        "source_name": skin.name,
        "bone_names": list(skin.columns),
        "target_names": [],
        "feature_settings": settings.features.to_json(),
        "weight_settings": settings.weights.to_json(),
        "save_model": str(path),
        **settings.cache_params,
    }

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        return Outcome(f"{skin.name}: {path.name} has learned the weights of {how_many(len(skin.columns), 'bone')}.")

    request = JobRequest("transfer_weights", arrays, params)
    return JobPlan("Save Skinning Model", (request,), (), finish, skin.warnings)


def plan_apply_model(
    objects: Sequence[bpy.types.Object],
    armature: bpy.types.Object | None,
    settings: JobSettings,
    path: Path,
    *,
    replace: bool,
) -> JobPlan:
    """The job that gives meshes the weights of a skinning model; the armature, if there is one, then deforms them.

    Raises `BadInputError`.
    """
    unique = list({obj.data.session_uid: obj for obj in objects}.values())
    for obj in unique:
        check_editable(obj)
    wholes = [read_whole_mesh(obj) for obj in unique]
    arrays = mesh_arrays(wholes, "target_")
    params = {
        "model_file": str(path),
        "target_names": [obj.name for obj in unique],
        "feature_settings": settings.features.to_json(),
        "weight_settings": settings.weights.to_json(),
        **settings.cache_params,
    }
    sent = [SentObject.remember(obj, written=True) for obj in unique]
    rig = [SentObject.remember(armature, written=False)] if armature is not None else []

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        meshes, rigs = objects[: len(sent)], objects[len(sent) :]
        found = rigs[0] if rigs else None
        bones = tuple(str(name) for name in results[0].info["bones"])
        if found is not None and not set(deform_bones(found)) & set(bones):
            raise BadInputError(
                f"{found.name}: none of its bones is in {path.name}, which knows “{bones[0]}”. Select its own "
                "armature, or none.",
                fault="other_armature",
            )
        for obj in meshes:
            existing = groups_with_weights(obj, bones)
            if existing and not replace:
                raise BadInputError(
                    f"{obj.name}: already has weights for {how_many(len(existing), 'bone')} (“{existing[0]}”). "
                    "Tick Replace Existing and run again.",
                    fault="has_weights",
                )
        for index, (obj, whole) in enumerate(zip(meshes, wholes, strict=True)):
            weights = np.asarray(results[0].arrays[f"weights_{index}"], np.float32)
            if weights.shape != (len(whole.mesh.vertices), len(bones)):
                raise EngineError(f"{obj.name}: the engine's weights do not fit the mesh; nothing was changed.")
        for index, (obj, whole) in enumerate(zip(meshes, wholes, strict=True)):
            weights = np.asarray(results[0].arrays[f"weights_{index}"], np.float32)[: whole.own_count]
            share = np.ones(whole.own_count, np.float32)
            give_merged_skin([obj], found, Writing(bones, bones, bones, share, settings.weights), weights)
            doubt = np.asarray(results[0].arrays[f"doubt_{index}"], np.float32)[: whole.own_count]
            picture = results[0].arrays[f"picture_{index}"].tobytes()
            write_report(obj, WeightQuality.from_json(results[0].info["quality"][index]), doubt, picture)
        names = name_or_count([obj.name for obj in meshes], "mesh", "meshes")
        return Outcome(f"{names}: weights of {how_many(len(bones), 'bone')} by {path.name}.")

    return JobPlan("Apply Skinning Model", (JobRequest("transfer_weights", arrays, params),), (*sent, *rig), finish)


class SURFACE_FEATURES_OT_save_skinning_model(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.save_skinning_model"
    bl_label = "Save Skinning Model"
    bl_description = "Learn the active character's weights from its features and save them as a small file"

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, _ = source_and_others(context)
        scene = get_settings(context)
        path = _model_path(scene.weights.skinning_model)
        return plan_save_model(source, job_settings(context), path, whole_character=scene.weights.whole_character)


class SURFACE_FEATURES_OT_apply_skinning_model(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.apply_skinning_model"
    bl_label = "Apply Skinning Model"
    bl_description = (
        "Give the selected meshes the weights of a skinning model; a selected armature with its bones then deforms them"
    )
    bl_options = {"UNDO"}

    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Replace weights that a mesh already has for the model's bones",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        scene = get_settings(context)
        path = _model_path(scene.weights.skinning_model)
        objects, _ = selected_meshes(context)
        armature = next((obj for obj in context.view_layer.objects.selected if obj.type == "ARMATURE"), None)
        replace = self.replace or scene.replace
        return plan_apply_model(objects, armature, job_settings(context), path, replace=replace)


def _model_path(name: str) -> Path:
    if not name:
        raise BadInputError(NO_FILE, fault="no_file")
    path = Path(bpy.path.abspath(name))
    return path if path.suffix else path.with_suffix(".safetensors")


CLASSES = (SURFACE_FEATURES_OT_save_skinning_model, SURFACE_FEATURES_OT_apply_skinning_model)
