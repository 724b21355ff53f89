# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Attributes: groups, colours, numbers, materials, UV maps, edges and normals of the active mesh on others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy

from ..bridge.attributes import What, check_room, read_items, write_item
from ..bridge.job import JobPlan, Outcome
from ..bridge.layout import read_layout
from ..bridge.mesh import read_whole_mesh
from ..bridge.scene import SentObject
from ..properties import JobSettings, get_settings, job_settings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from ..surface_features.wording import name_or_count
from .base import JobOperator
from .pairs import answer, pair_arrays, pair_params, read_surface_targets, told_targets
from .selection import source_and_others


@dataclass(frozen=True)
class AttributeChoice:
    """Which data to carry over. names: only those; empty for all of the chosen kinds."""

    what: frozenset[What]
    names: frozenset[str] = frozenset()
    replace: bool = False

    @classmethod
    def from_texts(cls, what: Iterable[str], names: str, *, replace: bool) -> AttributeChoice:
        """what: names of `What`. names: separated by commas."""
        chosen = frozenset(name.strip() for name in names.split(",") if name.strip())
        return cls(frozenset(What[one] for one in what), chosen, replace)


def plan_transfer_attributes(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], settings: JobSettings, choice: AttributeChoice
) -> JobPlan:
    """The job that gives the source's attributes to the meshes among the others. Raises `BadInputError`."""
    whole = read_whole_mesh(source)
    layouts = [read_layout(source, whole)]
    items, skipped = read_items(source, choice.what, choice.names)
    if not items:
        wanted = ", ".join(sorted(choice.names) or sorted(what.value[0].lower() for what in choice.what))
        raise BadInputError(
            f"{source.name}: it has none of what is to be transferred ({wanted or 'nothing is chosen'}). "
            "Choose other kinds of data and run again.",
            fault="no_attributes",
        )
    missing = sorted(choice.names - {item.name for item in items})
    targets = read_surface_targets(source, others)
    objects = {obj.session_uid: obj for obj in others}
    chosen = [objects[sent.session_uid] for sent in targets.sent]
    layouts += [read_layout(obj, target) for obj, target in zip(chosen, targets.wholes, strict=True)]
    refusals: list[str] = []
    room = 0
    for obj in chosen:
        free, reasons = check_room(obj, items, replace=choice.replace)
        room += len(free)
        refusals += reasons
    if not room:
        raise BadInputError("  ".join(refusals), fault="occupied")
    arrays = pair_arrays(whole, targets)
    for index, layout in enumerate(layouts):
        prefix, suffix = ("target_", f"_{index - 1}") if index else ("source_", "")
        arrays |= {f"{prefix}{name}{suffix}": array for name, array in layout.items()}
    arrays |= {f"values_{number}": item.values for number, item in enumerate(items)}
    params = pair_params(whole, targets, settings) | {
        "items": [{"domain": item.domain, "kind": item.kind} for item in items]
    }
    warnings = [*targets.warnings, *skipped, *(f"{source.name}: it has no “{name}”." for name in missing)]

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        origin, *meshes = objects
        counts = [
            {"POINT": whole.own_count, "EDGE": len(layout["edges"]), "CORNER": len(layout["corner_vertex"])}
            | {"FACE": len(obj.data.polygons)}
            for obj, layout, whole in zip(meshes, layouts[1:], targets.wholes, strict=True)
        ]
        values = {
            (number, index): answer(
                results[0],
                f"values_{number}_{index}",
                (counts[index][item.domain], item.values.shape[1]),
                meshes[index].name,
            )
            for number, item in enumerate(items)
            for index in range(len(meshes))
        }
        told: list[str] = []
        rooms = [check_room(obj, items, replace=choice.replace) for obj in meshes]
        for index, (obj, (free, reasons)) in enumerate(zip(meshes, rooms, strict=True)):
            told += reasons
            for number, item in enumerate(items):
                if item in free:
                    write_item(obj, origin, item, values[number, index], replace=choice.replace)
        names = name_or_count([item.name for item in items], "kind of data", "kinds of data")
        return Outcome(f"{told_targets(targets)}: {names} from {origin.name}.", tuple(told))

    sent = (SentObject.remember(source, written=False), *targets.sent)
    return JobPlan(
        "Transfer Attributes", (JobRequest("transfer_attributes", arrays, params),), sent, finish, tuple(warnings)
    )


class SURFACE_FEATURES_OT_transfer_attributes(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.transfer_attributes"
    bl_label = "Transfer Attributes"
    bl_description = (
        "Give what lives on the active mesh to the other selected meshes: vertex groups, colours, attributes, "
        "materials, UV maps, seams and sharp edges, custom normals. The meshes may differ in topology, proportion "
        "and pose"
    )
    bl_options = {"UNDO"}

    what: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Data",
        description="Kinds of data to transfer; none for those chosen in the sidebar",
        items=[(one.name, *one.value, 1 << index) for index, one in enumerate(What)],
        options={"ENUM_FLAG", "SKIP_SAVE"},
    )
    names: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Only", description="Names to transfer, separated by commas; empty for all", options={"SKIP_SAVE"}
    )
    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Write over data of the same name; otherwise a number is added to the name",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        scene = get_settings(context)
        choice = AttributeChoice.from_texts(
            self.what or scene.attribute_kinds, self.names, replace=self.replace or scene.replace
        )
        return plan_transfer_attributes(source, others, job_settings(context), choice)


CLASSES = (SURFACE_FEATURES_OT_transfer_attributes,)
