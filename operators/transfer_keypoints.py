# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Keypoints: named empties or selected vertices of the active mesh, as empties on the other meshes."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..bridge.job import JobPlan, Outcome
from ..bridge.keypoints import Keypoints, read_empties, read_selected_vertices, write_keypoints
from ..bridge.mesh import read_whole_mesh
from ..properties import JobSettings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from ..surface_features.wording import how_many
from .base import JobOperator
from .pairs import answer, pair_arrays, pair_params, read_surface_targets, told_targets
from .selection import source_and_others

UNSURE = 0.3  # keypoints below this confidence are named in a warning


def plan_transfer_keypoints(
    source: bpy.types.Object,
    others: Sequence[bpy.types.Object],
    settings: JobSettings,
    *,
    vertices: bool,
    replace: bool,
) -> JobPlan:
    """The job that carries the source's keypoints to the meshes among the others. Raises `BadInputError`.

    vertices: take the source's selected vertices, not its empties.
    """
    whole = read_whole_mesh(source)
    keypoints = read_selected_vertices(source) if vertices else read_empties(source, whole)
    _check(source, keypoints, vertices=vertices)
    targets = read_surface_targets(source, others)
    request = JobRequest(
        "transfer_keypoints",
        {**pair_arrays(whole, targets), "points": keypoints.points},
        pair_params(whole, targets, settings),
    )

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        count = len(keypoints.names)
        found = [
            (
                answer(results[0], f"points_{index}", (count, 3), sent.name),
                answer(results[0], f"confidence_{index}", (count,), sent.name),
            )
            for index, sent in enumerate(targets.sent)
        ]
        warnings = []
        for obj, (points, confidence) in zip(objects, found, strict=True):
            write_keypoints(obj, keypoints, points, confidence, replace=replace)
            unsure = [keypoints.names[index] for index in np.flatnonzero(confidence < UNSURE)]
            if unsure:
                warnings.append(f"{obj.name}: {len(unsure)} of {count} keypoints are unsure ({', '.join(unsure[:5])}).")
        sure = float(np.mean([confidence for _, confidence in found]))
        found_points = how_many(count, "keypoint")
        return Outcome(f"{told_targets(targets)}: {found_points}, mean confidence {sure:.0%}.", tuple(warnings))

    return JobPlan("Transfer Keypoints", (request,), targets.sent, finish, targets.warnings)


class SURFACE_FEATURES_OT_transfer_keypoints(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.transfer_keypoints"
    bl_label = "Transfer Keypoints"
    bl_description = (
        "Find the active mesh's keypoints on the other selected meshes, and put empties there that tell how sure they "
        "are. Keypoints are the mesh's child empties, else the empties at its surface; or its selected vertices"
    )
    bl_options = {"UNDO"}

    vertices: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Selected Vertices",
        description="Take the vertices selected in Edit Mode, not empties",
        options={"SKIP_SAVE"},
    )
    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Move Existing",
        description="Move the empties of an earlier run instead of adding new ones",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        return plan_transfer_keypoints(
            source, others, job_settings(context), vertices=self.vertices, replace=self.replace
        )


def _check(source: bpy.types.Object, keypoints: Keypoints, *, vertices: bool) -> None:
    if keypoints.names:
        return
    if vertices:
        raise BadInputError(
            f"{source.name}: no vertex is selected. Select the keypoints in Edit Mode and run again.",
            fault="no_keypoints",
        )
    raise BadInputError(
        f"{source.name}: it has no child empties, and no empty lies at its surface. Add empties (Add ▸ Empty) where "
        "the keypoints are and run again, or tick Selected Vertices.",
        fault="no_keypoints",
    )


CLASSES = (SURFACE_FEATURES_OT_transfer_keypoints,)
