# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Shape Keys: the active mesh's expressions and corrections on the other selected meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..bridge.job import JobPlan, Outcome
from ..bridge.mesh import read_whole_mesh
from ..bridge.scene import SentObject
from ..bridge.shape_keys import copy_drivers, read_keys, write_keys
from ..properties import JobSettings, get_settings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from ..surface_features.wording import how_many, name_or_count
from .base import JobOperator
from .pairs import answer, pair_arrays, pair_params, read_surface_targets, told_targets
from .selection import source_and_others

UNSURE = 0.3  # keys whose moving region is matched with less confidence are named in a warning


@dataclass(frozen=True)
class KeyChoice:
    """names: only these keys; empty for all. proportional: displacements scale with the target in any case."""

    names: frozenset[str] = frozenset()
    proportional: bool = False
    replace: bool = False

    @classmethod
    def from_texts(cls, names: str, *, proportional: bool, replace: bool) -> KeyChoice:
        """names: separated by commas."""
        chosen = frozenset(name.strip() for name in names.split(",") if name.strip())
        return cls(chosen, proportional, replace)


def plan_transfer_shape_keys(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], settings: JobSettings, choice: KeyChoice
) -> JobPlan:
    """The job that gives the source's shape keys to the meshes among the others. Raises `BadInputError`."""
    keys = read_keys(source, choice.names)
    whole = read_whole_mesh(source)
    missing = sorted(choice.names - {key.name for key in keys})
    targets = read_surface_targets(source, others)
    by_uid = {obj.session_uid: obj for obj in others}
    for sent in targets.sent:
        _check_scale(by_uid[sent.session_uid])
    arrays = pair_arrays(whole, targets)
    arrays |= {f"displacements_{number}": key.displacement for number, key in enumerate(keys)}
    params = pair_params(whole, targets, settings)
    params |= {"key_count": len(keys), "proportional": choice.proportional}
    warnings = (*targets.warnings, *(f"{source.name}: it has no shape key “{name}”." for name in missing))

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        origin, *meshes = objects
        moved = [
            [
                answer(results[0], f"displacements_{number}_{index}", (len(one.mesh.vertices), 3), one.mesh.name)
                for number in range(len(keys))
            ]
            for index, one in enumerate(targets.wholes)
        ]
        sure = [
            answer(results[0], f"confidence_{index}", (len(keys),), sent.name)
            for index, sent in enumerate(targets.sent)
        ]
        told = []
        for index, (obj, one) in enumerate(zip(meshes, targets.wholes, strict=True)):
            own = [displacement[: one.own_count] for displacement in moved[index]]
            names = write_keys(obj, keys, own, replace=choice.replace)
            left = copy_drivers(origin, obj, names)[1]
            if left:
                told.append(f"{obj.name}: {left} drivers were left out, what they read does not exist.")
            unsure = [keys[number].name for number in np.flatnonzero(sure[index] < UNSURE)]
            if unsure:
                moves = how_many(len(unsure), "key moves", "keys move")
                told.append(f"{obj.name}: {moves} places matched unsurely ({', '.join(unsure[:5])}).")
        count = name_or_count([key.name for key in keys], "shape key")
        return Outcome(f"{told_targets(targets)}: {count} from {origin.name}.", tuple(told))

    sent_all = (SentObject.remember(source, written=False), *targets.sent)
    return JobPlan(
        "Transfer Shape Keys", (JobRequest("transfer_shape_keys", arrays, params),), sent_all, finish, warnings
    )


class SURFACE_FEATURES_OT_transfer_shape_keys(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.transfer_shape_keys"
    bl_label = "Transfer Shape Keys"
    bl_description = (
        "Give the active mesh's shape keys to the other selected meshes, with values, ranges, relative keys and "
        "drivers. The meshes may differ in topology and proportion"
    )
    bl_options = {"UNDO"}

    names: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Only", description="Keys to transfer, separated by commas; empty for all", options={"SKIP_SAVE"}
    )
    proportional: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Proportional",
        description="Let movements grow with the target even where it is only a little larger or smaller",
        options={"SKIP_SAVE"},
    )
    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Write over keys of the same name; otherwise a number is added to the name",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        choice = KeyChoice.from_texts(
            self.names, proportional=self.proportional, replace=self.replace or get_settings(context).replace
        )
        return plan_transfer_shape_keys(source, others, job_settings(context), choice)


def _check_scale(obj: bpy.types.Object) -> None:
    if obj.matrix_world.to_3x3().determinant() == 0:
        raise BadInputError(
            f"{obj.name}: scaled to nothing, so shape keys have no place in it. Give it another scale and run again.",
            fault="no_extent",
        )


CLASSES = (SURFACE_FEATURES_OT_transfer_shape_keys,)
