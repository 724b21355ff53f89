# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute Features fills the cache; Show Features paints them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import bpy
import numpy as np

from ..bridge.colours import show_colours, write_colours
from ..bridge.job import JobPlan, Outcome
from ..bridge.mesh import mesh_arrays, read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..properties import JobSettings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import EngineError
from ..surface_features.mesh import Float32
from ..surface_features.wording import how_many, name_or_count
from .base import JobOperator
from .selection import selected_meshes


def plan_compute_features(
    objects: Sequence[bpy.types.Object],
    settings: JobSettings,
    take: Callable[[str, Float32, Float32], None] | None = None,
) -> JobPlan:
    """The job that computes features of mesh objects and so leaves them in the cache.

    take: called for each object with its name, features (V, D) and confidence (V,) of the artist's vertices.
    """
    names = [obj.name for obj in objects]
    wholes = [read_whole_mesh(obj) for obj in objects]
    requests = tuple(
        JobRequest(
            "features",
            {"vertices": whole.mesh.vertices, "faces": whole.mesh.faces},
            {"name": whole.mesh.name, "settings": settings.features.to_json(), **settings.cache_params},
        )
        for whole in wholes
    )

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        total, confidence_sum, seconds = 0, 0.0, 0.0
        for name, whole, result in zip(names, wholes, results, strict=True):
            features = result.arrays["features"][: whole.own_count]
            confidence = result.arrays["confidence"][: whole.own_count]
            if len(features) != whole.own_count:
                raise EngineError(f"{name}: the engine's features do not fit the mesh. Run again.")
            if take is not None:
                take(name, features, confidence)
            total += whole.own_count
            confidence_sum += float(np.sum(confidence))
            seconds += float(result.info["timings"]["total"])
        meshes = name_or_count(names, "mesh", "meshes")
        vertices = how_many(total, "vertex", "vertices")
        return Outcome(
            f"{meshes}: features of {vertices}, mean confidence {confidence_sum / total:.0%} ({seconds:.1f} s)."
        )

    return JobPlan("Compute Features", requests, (), finish)


def plan_show_features(objects: Sequence[bpy.types.Object], settings: JobSettings) -> JobPlan:
    """The job that paints the features of mesh objects in colours that mean the same on all of them."""
    unique = list({obj.data.session_uid: obj for obj in objects}.values())
    for obj in unique:
        check_editable(obj)
    wholes = [read_whole_mesh(obj) for obj in unique]
    arrays = mesh_arrays(wholes)
    params = {
        "names": [whole.mesh.name for whole in wholes],
        "settings": settings.features.to_json(),
        **settings.cache_params,
    }
    sent = tuple(SentObject.remember(obj, written=True) for obj in unique)

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        colours = [results[0].arrays[f"colours_{index}"] for index in range(len(wholes))]
        for obj, whole, colour in zip(objects, wholes, colours, strict=True):
            if colour.shape != (len(whole.mesh.vertices), 3):
                raise EngineError(f"{obj.name}: the engine's colours do not fit the mesh; nothing was changed.")
        for obj, whole, colour in zip(objects, wholes, colours, strict=True):
            write_colours(obj, colour[: whole.own_count])
        painted = name_or_count([obj.name for obj in objects], "mesh", "meshes")
        return Outcome(f"{painted}: features are in the colour attribute “Surface Features”.")

    return JobPlan("Show Features", (JobRequest("show_features", arrays, params),), sent, finish)


class SURFACE_FEATURES_OT_compute_features(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.compute_features"
    bl_label = "Compute Features"
    bl_description = "Compute features of the selected meshes now and keep them on disk, so that later steps are quick"

    def plan(self, context: bpy.types.Context) -> JobPlan:
        objects, warnings = selected_meshes(context)
        plan = plan_compute_features(objects, job_settings(context))
        return dataclasses.replace(plan, warnings=tuple(warnings))


class SURFACE_FEATURES_OT_show_features(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.show_features"
    bl_label = "Show Features"
    bl_description = (
        "Colour the selected meshes by their features: the same colour on two meshes means the same part of the body. "
        "Written to the colour attribute “Surface Features”"
    )
    bl_options = {"UNDO"}

    def plan(self, context: bpy.types.Context) -> JobPlan:
        objects, warnings = selected_meshes(context)
        plan = plan_show_features(objects, job_settings(context))
        return dataclasses.replace(plan, warnings=tuple(warnings))

    def done(self, context: bpy.types.Context) -> None:
        if context.screen is not None:
            show_colours(context.screen)


CLASSES = (SURFACE_FEATURES_OT_compute_features, SURFACE_FEATURES_OT_show_features)
