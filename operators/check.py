# SPDX-License-Identifier: GPL-3.0-or-later
"""Check: what is unusual about the selected meshes, before anything is computed from them."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ..bridge.job import JobPlan, Outcome
from ..bridge.mesh import read_mesh
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.wording import how_many, name_or_count
from .base import JobOperator
from .selection import selected_meshes


class SURFACE_FEATURES_OT_check(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.check"
    bl_label = "Check"
    bl_description = "Look for loose vertices, holes, flipped faces and other faults in the selected meshes"

    def plan(self, context: bpy.types.Context) -> JobPlan:
        objects, warnings = selected_meshes(context)
        names = [obj.name for obj in objects]
        requests = []
        for obj in objects:
            mesh = read_mesh(obj)
            arrays = {"vertices": mesh.vertices, "faces": mesh.faces}
            requests.append(JobRequest("check", arrays, {"name": mesh.name}))

        def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
            findings = [finding for result in results for finding in result.info["findings"]]
            told = tuple(finding["message"] for finding in findings if finding["severity"] != "info")
            refused = sum(finding["severity"] == "refused" for finding in findings)
            meshes = name_or_count(names, "mesh", "meshes")
            if refused:
                return Outcome(f"{meshes}: {how_many(refused, 'fault')} to mend before going on.", told)
            if told:
                return Outcome(f"{meshes}: usable; {how_many(len(told), 'fault')} mended internally.", told)
            return Outcome(f"{meshes}: no faults found.")

        return JobPlan("Check", tuple(requests), (), finish, tuple(warnings))


CLASSES = (SURFACE_FEATURES_OT_check,)
