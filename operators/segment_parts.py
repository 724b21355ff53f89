# SPDX-License-Identifier: GPL-3.0-or-later
"""Segment Parts: selected meshes divided into parts that mean the same on all of them; Train Parts Model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..bridge.colours import show_colours
from ..bridge.job import JobPlan, Outcome
from ..bridge.layout import read_layout
from ..bridge.mesh import WholeMesh, read_whole_mesh
from ..bridge.parts import Labels, PartsChoice, check_room, read_labels, write_parts
from ..bridge.scene import SentObject, check_editable
from ..properties import JobSettings, get_settings, job_settings, parts_choice
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.wording import how_many, name_or_count
from .base import JobOperator
from .selection import selected_meshes

MOST_PARTS = 256


@dataclass(frozen=True, eq=False)
class _Sent:
    """A mesh on its way. polygon: (F,) face of each of the whole mesh's triangles; own: how many are the artist's."""

    whole: WholeMesh
    polygon: NDArray[np.int32]
    own: int


def plan_segment_parts(objects: Sequence[bpy.types.Object], settings: JobSettings, choice: PartsChoice) -> JobPlan:
    """The job that divides mesh objects, the active one first, into parts. Raises `BadInputError`."""
    unique = list({obj.data.session_uid: obj for obj in objects}.values())
    examples = _examples(unique, choice) if choice.method == "EXAMPLES" else {}
    written = [obj for obj in unique if obj not in examples]
    if not written:
        raise BadInputError(
            f"{unique[0].name}: only examples are selected. Select the meshes that are to follow too, and run again.",
            fault="no_target",
        )
    for obj in written:
        check_editable(obj)
        check_room(obj, choice.outputs, replace=choice.replace)
    names, numbers, tables = _common_parts(list(examples.values()))
    if choice.method == "CLUSTERS":
        names = tuple(f"Part {number}" for number in range(choice.count))
        numbers = tuple(range(choice.count))
    params: dict[str, Any] = {
        "method": choice.method.lower(),
        "part_count": len(names),
        "smoothness": choice.smoothness,
    }
    if choice.method == "MODEL":
        params["path"] = _existing(choice.path)
    sent = [_read(obj) for obj in unique]
    arrays = _arrays(sent)
    for obj, table in zip(examples, tables, strict=True):
        number = unique.index(obj)
        arrays[f"labels_{number}"] = table[sent[number].polygon]
    params["examples"] = [unique.index(obj) for obj in examples]
    params |= _mesh_params(sent, settings)
    places = [unique.index(obj) for obj in written]

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        called = tuple(results[0].info.get("names", names))
        given = numbers if choice.method != "MODEL" else tuple(range(len(called)))
        found = [_of_polygons(sent[place], results[0], place, len(called)) for place in places]
        for obj in objects:
            check_room(obj, choice.outputs, replace=choice.replace)
        for obj, parts in zip(objects, found, strict=True):
            write_parts(obj, parts, called, given, choice.outputs, replace=choice.replace)
        told = name_or_count([obj.name for obj in objects], "mesh", "meshes")
        used = len(np.unique(np.concatenate(found)))
        return Outcome(f"{told}: divided into {how_many(used, 'part')}.")

    remembered = tuple(SentObject.remember(obj, written=True) for obj in written)
    return JobPlan("Segment Parts", (JobRequest("segment_parts", arrays, params),), remembered, finish)


def plan_train_parts(objects: Sequence[bpy.types.Object], settings: JobSettings, choice: PartsChoice) -> JobPlan:
    """The job that trains a parts model on labelled mesh objects and saves it as `choice.path`."""
    if not choice.path:
        raise BadInputError("No file is named for the parts model. Choose one and run again.", fault="no_file")
    examples = {obj: read_labels(obj, choice.labels, choice.attribute) for obj in objects}
    names, _, tables = _common_parts(list(examples.values()))
    sent = [_read(obj) for obj in examples]
    arrays = _arrays(sent)
    arrays |= {f"labels_{number}": table[sent[number].polygon] for number, table in enumerate(tables)}
    path = str(Path(bpy.path.abspath(choice.path)).resolve())
    params = _mesh_params(sent, settings) | {"part_names": list(names), "path": path}

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        right = float(results[0].info["accuracy"])
        parts, meshes = how_many(len(names), "part"), how_many(len(sent), "mesh", "meshes")
        return Outcome(f"{path}: {parts} learned from {meshes}; {right:.0%} of them right.")

    return JobPlan("Train Parts Model", (JobRequest("train_parts", arrays, params),), (), finish)


def _examples(objects: Sequence[bpy.types.Object], choice: PartsChoice) -> dict[bpy.types.Object, Labels]:
    found = {objects[0]: read_labels(objects[0], choice.labels, choice.attribute)}
    for obj in objects[1:] if choice.several else ():
        try:
            found[obj] = read_labels(obj, choice.labels, choice.attribute)
        except BadInputError:
            continue  # a mesh without labels is one that follows
    return found


def _common_parts(
    examples: Sequence[Labels],
) -> tuple[tuple[str, ...], tuple[int, ...], list[NDArray[np.int64]]]:
    """Names and numbers of all examples' parts, and each example's labels as rows of them."""
    names: list[str] = []
    numbers: list[int] = []
    tables = []
    for example in examples:
        for name, number in zip(example.names, example.numbers, strict=True):
            if name not in names:
                names.append(name)
                numbers.append(number if number not in numbers else max(numbers) + 1)
        rows = np.array([names.index(name) for name in example.names], np.int64)
        tables.append(np.where(example.labels >= 0, rows[np.maximum(example.labels, 0)], -1))
    if len(names) > MOST_PARTS:
        raise BadInputError(
            f"The examples have {len(names)} parts; at most {MOST_PARTS} can be told apart.", fault="parts"
        )
    return tuple(names), tuple(numbers), tables


def _read(obj: bpy.types.Object) -> _Sent:
    whole = read_whole_mesh(obj)
    layout = read_layout(obj, whole)
    return _Sent(whole, layout["polygon"], int(layout["own_triangles"]))


def _arrays(sent: Sequence[_Sent]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for number, one in enumerate(sent):
        arrays |= {f"vertices_{number}": one.whole.mesh.vertices, f"faces_{number}": one.whole.mesh.faces}
    return arrays


def _mesh_params(sent: Sequence[_Sent], settings: JobSettings) -> dict[str, Any]:
    names = [one.whole.mesh.name for one in sent]
    return {"names": names, "feature_settings": settings.features.to_json(), **settings.cache_params}


def _of_polygons(sent: _Sent, result: JobResult, place: int, count: int) -> NDArray[np.int64]:
    """(P,) part of each of the artist's faces: what most of its triangles' area is."""
    parts = np.asarray(result.arrays[f"parts_{place}"])
    mesh = sent.whole.mesh
    if parts.shape != (len(mesh.faces),) or parts.min() < 0 or parts.max() >= count:
        raise EngineError(f"{mesh.name}: the engine's parts do not fit the mesh; nothing was changed. Run again.")
    polygon = sent.polygon[: sent.own].astype(np.int64)
    key = polygon * count + parts[: sent.own]
    votes = np.bincount(key, mesh.face_areas[: sent.own] + 1e-30, (int(polygon.max()) + 1) * count)
    return votes.reshape(-1, count).argmax(axis=1)


def _existing(path: str) -> str:
    whole = Path(bpy.path.abspath(path)).resolve()
    if not path or not whole.is_file():
        raise BadInputError(
            f"“{path}”: there is no such parts model. Train one, or choose its file, and run again.", fault="no_file"
        )
    return str(whole)


class SURFACE_FEATURES_OT_segment_parts(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.segment_parts"
    bl_label = "Segment Parts"
    bl_description = (
        "Divide the selected meshes into parts that mean the same on all of them: found without help, as on the "
        "labelled active mesh, or as a parts model has learned"
    )
    bl_options = {"UNDO"}

    method: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Method",
        items=[
            ("SCENE", "As in the Sidebar", "What is chosen in the sidebar"),
            ("CLUSTERS", "Find Parts", "Parts that the meshes have by themselves"),
            ("EXAMPLES", "By Example", "As the active mesh is labelled"),
            ("MODEL", "Parts Model", "As a trained parts model has learned"),
        ],
        options={"SKIP_SAVE"},
    )
    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Write over parts, colours and materials that are there already",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        objects, _ = selected_meshes(context)
        scene = get_settings(context)
        choice = parts_choice(scene.parts, replace=self.replace or scene.replace)
        if self.method != "SCENE":
            choice = dataclasses.replace(choice, method=self.method)
        return plan_segment_parts(objects, job_settings(context), choice)

    def done(self, context: bpy.types.Context) -> None:
        if context.screen is not None:
            show_colours(context.screen)


class SURFACE_FEATURES_OT_train_parts(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.train_parts"
    bl_label = "Train Parts Model"
    bl_description = "Learn parts from the selected labelled meshes, and save them as a small file for any other mesh"

    path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File", description="File to save; empty for the one in the sidebar", subtype="FILE_PATH"
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        objects, _ = selected_meshes(context)
        choice = parts_choice(get_settings(context).parts, replace=False)
        if self.path:
            choice = dataclasses.replace(choice, path=self.path)
        return plan_train_parts(objects, job_settings(context), choice)


CLASSES = (SURFACE_FEATURES_OT_segment_parts, SURFACE_FEATURES_OT_train_parts)
