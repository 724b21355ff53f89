# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of meshes as Blender has them: materials, a face attribute, vertex groups or a selection; and written back."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from .weights import read_weights

PARTS, COLOURS = "Parts", "Part Colors"
SELECTED, REST = "Selected", "Rest"
NO_PART = "No part"


class LabelSource(Enum):
    """Where an example's labels are: name and explanation."""

    MATERIALS = ("Materials", "Each material slot is a part")
    ATTRIBUTE = ("Face Attribute", "A whole-number attribute of faces; every number is a part")
    GROUPS = ("Vertex Groups", "Each vertex group is a part; a face belongs to the strongest")
    SELECTION = ("Selected Faces", "The selected faces are one part, all others the rest")


class Output(Enum):
    """How parts are written: name and explanation."""

    ATTRIBUTE = ("Attribute", "A whole-number attribute of faces, “Parts”")
    COLOURS = ("Colors", "A colour attribute, “Part Colors”, the same colour for the same part everywhere")
    GROUPS = ("Vertex Groups", "A vertex group for each part")
    MATERIALS = ("Materials", "A material slot for each part")


@dataclass(frozen=True)
class PartsChoice:
    """How to segment.

    method: "CLUSTERS" into `count` parts; "EXAMPLES", the first mesh being one, or with `several` every mesh that has
    labels; "MODEL" in the file `path`. labels, attribute: where the examples' labels are. outputs: what is written.
    """

    method: str
    count: int = 8
    labels: LabelSource = LabelSource.MATERIALS
    attribute: str = "Parts"
    several: bool = False
    path: str = ""
    smoothness: float = 1.0
    outputs: tuple[Output, ...] = (Output.ATTRIBUTE, Output.COLOURS)
    replace: bool = False


@dataclass(frozen=True, eq=False)
class Labels:
    """labels: (P,) int64 part of each face, −1 for none. names and numbers: what the parts are called, in order."""

    labels: NDArray[np.int64]
    names: tuple[str, ...]
    numbers: tuple[int, ...]


def read_labels(obj: bpy.types.Object, source: LabelSource, attribute: str) -> Labels:
    """Raises `BadInputError` where the mesh has no labels of that kind."""
    obj.update_from_editmode()
    mesh = obj.data
    if source is LabelSource.MATERIALS:
        names = [slot.material.name if slot.material else NO_PART for slot in obj.material_slots]
        index = np.empty(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("material_index", index)
        values = np.clip(index, 0, max(len(names) - 1, 0)).astype(np.int64)
        found = Labels(values, tuple(names), tuple(range(len(names))))
    elif source is LabelSource.ATTRIBUTE:
        found = _read_attribute(mesh, attribute)
    elif source is LabelSource.GROUPS:
        names = [group.name for group in obj.vertex_groups]
        found = Labels(_strongest(obj, names), tuple(names), tuple(range(len(names))))
    else:
        selected = np.empty(len(mesh.polygons), np.bool_)
        mesh.polygons.foreach_get("select", selected)
        values = np.where(selected, 0, 1) if selected.any() else np.full(len(selected), -1)
        found = Labels(values.astype(np.int64), (SELECTED, REST), (1, 0))
    if len(np.unique(found.labels[found.labels >= 0])) < 2:
        raise BadInputError(
            f"{obj.name}: its {source.value[0].lower()} do not tell at least two parts apart. Label the mesh, or "
            "choose where its labels are, and run again.",
            fault="no_labels",
        )
    return found


def check_room(obj: bpy.types.Object, outputs: Sequence[Output], *, replace: bool) -> None:
    """Raises `BadInputError` where writing would replace materials without the user's word for it."""
    if Output.MATERIALS in outputs and not replace and any(slot.material for slot in obj.material_slots):
        raise BadInputError(
            f"{obj.name}: already has materials; tick Replace Existing to have them replaced.", fault="occupied"
        )


def write_parts(
    obj: bpy.types.Object,
    parts: NDArray,
    names: Sequence[str],
    numbers: Sequence[int],
    outputs: Sequence[Output],
    *,
    replace: bool,
) -> None:
    """Write parts (P,) of the object's faces, numbers of rows of `names`. Object Mode only."""
    mesh = obj.data
    if Output.ATTRIBUTE in outputs:
        values = np.asarray(numbers, np.int32)[parts]
        _fresh(mesh.attributes, PARTS, "INT", "FACE", replace=replace).data.foreach_set("value", values)
    if Output.COLOURS in outputs:
        wheel = np.array([part_colour(number) for number in range(len(names))], np.float32)
        sizes = np.empty(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("loop_total", sizes)
        layer = _fresh(mesh.color_attributes, COLOURS, "BYTE_COLOR", "CORNER", replace=replace)
        layer.data.foreach_set("color", np.repeat(wheel[parts], sizes, axis=0).ravel())
        mesh.color_attributes.active_color = mesh.color_attributes[layer.name]
    if Output.GROUPS in outputs:
        _write_groups(obj, parts, names, replace=replace)
    if Output.MATERIALS in outputs:
        _write_materials(obj, parts, names)
    mesh.update()


def part_colour(number: int) -> tuple[float, float, float, float]:
    """A colour that is clearly another than those of the numbers before it."""
    hue = (0.61 + number * 0.618034) % 1.0
    return (*colorsys.hsv_to_rgb(hue, 0.75 if number % 2 else 0.55, 0.85 - 0.18 * (number // 5 % 3)), 1.0)


def _fresh(collection: Any, name: str, data_type: str, domain: str, *, replace: bool) -> Any:
    present = collection.get(name)
    if present is not None and replace:
        if (present.data_type, present.domain) == (data_type, domain):
            return present
        collection.remove(present)
    return collection.new(name, data_type, domain)


def _read_attribute(mesh: Any, name: str) -> Labels:
    attribute = mesh.attributes.get(name)
    if attribute is None or attribute.domain != "FACE" or attribute.data_type not in ("INT", "INT8"):
        raise BadInputError(
            f"{mesh.name}: it has no whole-number attribute “{name}” on its faces. "
            "Choose another name or other labels.",
            fault="no_labels",
        )
    values = np.empty(len(mesh.polygons), np.int32)
    attribute.data.foreach_get("value", values)
    numbers = np.unique(values[values >= 0])
    labels = np.where(values >= 0, np.searchsorted(numbers, values), -1)
    return Labels(labels.astype(np.int64), tuple(f"Part {number}" for number in numbers), tuple(numbers.tolist()))


def _strongest(obj: bpy.types.Object, names: list[str]) -> NDArray[np.int64]:
    """(P,) the vertex group with the largest mean weight at each face's corners; −1 where there is none."""
    mesh = obj.data
    if not names:
        return np.full(len(mesh.polygons), -1)
    weights = read_weights(obj, names)
    vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertex)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    total = np.add.reduceat(weights[vertex], start, axis=0) if len(sizes) else np.zeros((0, len(names)))
    return np.where(total.max(axis=1, initial=0) > 1e-6, total.argmax(axis=1), -1)


def _write_groups(obj: bpy.types.Object, parts: NDArray, names: Sequence[str], *, replace: bool) -> None:
    mesh = obj.data
    vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertex)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    part = np.repeat(parts, sizes)
    around = np.maximum(np.bincount(vertex, minlength=len(mesh.vertices)), 1)
    for number, name in enumerate(names):
        share = np.bincount(vertex[part == number], minlength=len(mesh.vertices)) / around
        group = obj.vertex_groups.get(name) if replace else None
        if group is None:
            group = obj.vertex_groups.new(name=name)
        else:
            group.remove(list(range(len(mesh.vertices))))
        for weight in np.unique(share[share > 0]):
            group.add(np.flatnonzero(share == weight).tolist(), float(weight), "REPLACE")


def _write_materials(obj: bpy.types.Object, parts: NDArray, names: Sequence[str]) -> None:
    obj.data.materials.clear()
    for number, name in enumerate(names):
        material = bpy.data.materials.get(name)
        if material is None:
            material = bpy.data.materials.new(name)
            material.diffuse_color = part_colour(number)
        obj.data.materials.append(material)
    obj.data.polygons.foreach_set("material_index", np.asarray(parts, np.int32))
