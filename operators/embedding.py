# SPDX-License-Identifier: GPL-3.0-or-later
"""Train Embedding: teach the features to tell like parts of the artist's own meshes apart; keep the result or not."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy

from ..bridge.job import JobPlan, Outcome
from ..bridge.mesh import mesh_arrays, read_whole_mesh
from ..preferences import get_preferences
from ..properties import JobSettings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from .base import JobOperator
from .selection import selected_meshes, split_meshes

CANDIDATE, KEPT = "candidate", "embedding"


def plan_train_embedding(
    objects: Sequence[bpy.types.Object], settings: JobSettings, folder: Path, steps: int
) -> JobPlan:
    """The job that trains an embedding on mesh objects and leaves it in `folder`. Raises `BadInputError`."""
    unique = list({obj.data.session_uid: obj for obj in objects}.values())
    if len(unique) < 2:
        raise BadInputError(
            f"{unique[0].name}: an embedding learns from several meshes. Select two or more, or put them into a "
            "collection and make it the active one.",
            fault="too_few_meshes",
        )
    wholes = [read_whole_mesh(obj) for obj in unique]
    arrays = mesh_arrays(wholes)
    params = {
        "names": [whole.mesh.name for whole in wholes],
        "settings": settings.features.to_json(),
        "steps": steps,
        "folder": str(folder),
        **settings.cache_params,
    }

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        return Outcome(f"Embedding of {len(wholes)} meshes is {_verdict(results[0].info)}.")

    return JobPlan("Train Embedding", (JobRequest("train_embedding", arrays, params),), (), finish)


class SURFACE_FEATURES_OT_train_embedding(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.train_embedding"
    bl_label = "Train Embedding"
    bl_description = (
        "Teach the features to tell like parts apart (left and right, four legs) on the selected meshes, or on those "
        "of the active collection where fewer than two are selected. Nothing in the scene is changed; you choose "
        "afterwards whether the result is used"
    )

    steps: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Steps", description="More is slower and better, up to a point", default=2000, min=1, soft_max=20000
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        objects, warnings = _chosen(context)
        folder = embeddings_folder() / CANDIDATE
        plan = plan_train_embedding(objects, job_settings(context), folder, self.steps)
        return dataclasses.replace(plan, warnings=tuple(warnings))


class SURFACE_FEATURES_OT_keep_embedding(bpy.types.Operator):
    bl_idname = "surface_features.keep_embedding"
    bl_label = "Use Embedding"
    bl_description = "Use the embedding that was trained last for all features from now on"

    def execute(self, context: bpy.types.Context) -> set[str]:
        candidate, kept = embeddings_folder() / CANDIDATE, embeddings_folder() / KEPT
        if not candidate.is_dir():
            self.report({"ERROR"}, "There is no newly trained embedding: run Train Embedding first.")
            return {"CANCELLED"}
        try:
            shutil.rmtree(kept, ignore_errors=True)
            candidate.replace(kept)
        except OSError as error:
            self.report({"ERROR"}, f"{kept} could not be written ({error.strerror}). Check its permissions.")
            return {"CANCELLED"}
        preferences = get_preferences(context)
        preferences.embedding, preferences.embedding_folder = "FOLDER", str(kept)
        self.report({"INFO"}, "The embedding is used from now on. Preferences ▸ Embedding switches it off.")
        return {"FINISHED"}


class SURFACE_FEATURES_OT_discard_embedding(bpy.types.Operator):
    bl_idname = "surface_features.discard_embedding"
    bl_label = "Discard"
    bl_description = "Remove the embedding that was trained last; features stay as they are"

    def execute(self, context: bpy.types.Context) -> set[str]:
        shutil.rmtree(embeddings_folder() / CANDIDATE, ignore_errors=True)
        return {"FINISHED"}


def embeddings_folder() -> Path:
    """Where trained embeddings are kept: the extension's own folder, which updates leave alone."""
    package = __package__.rpartition(".")[0]
    return Path(bpy.utils.extension_path_user(package, path="embeddings", create=True))


def has_candidate() -> bool:
    """Whether a trained embedding waits for the user's word."""
    return (embeddings_folder() / CANDIDATE / "embedding.json").is_file()


def _verdict(info: Mapping[str, Any]) -> str:
    """What the scores of `EmbeddingScore` say, as the end of a sentence."""
    own, base, shipped = info["embedded"], info["base"], info["shipped"]
    rival, name = (base, "none") if shipped is None else (shipped, "the backbone's own")
    told = f"{own:.3f} with it, {base:.3f} without" + (
        "" if shipped is None else f", {shipped:.3f} with the backbone's own"
    )
    better = "better" if own < rival else "no better"
    return f"{better} than {name}: on the held-out ones distances are told wrong by {told}"


def _chosen(context: bpy.types.Context) -> tuple[list[bpy.types.Object], list[str]]:
    selected = [obj for obj in context.view_layer.objects.selected if obj.type == "MESH"]
    if len(selected) >= 2:
        return selected_meshes(context)
    meshes, warnings = split_meshes(context.collection.all_objects)
    if not meshes:
        raise BadInputError(
            "No mesh is selected, and the active collection has none: select two or more meshes and run again.",
            fault="no_mesh",
        )
    return meshes, warnings


CLASSES = (
    SURFACE_FEATURES_OT_train_embedding,
    SURFACE_FEATURES_OT_keep_embedding,
    SURFACE_FEATURES_OT_discard_embedding,
)
