# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives on a mesh as arrays, and back: groups, attributes, colours, UV maps, materials, edges, normals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from ..surface_features.geometry.vectors import unit_rows
from .weights import locked_groups, read_weights


@dataclass(frozen=True)
class Storage:
    """How Blender keeps one value. field: name in RNA. kind: of `transfer.attributes`."""

    field: str
    dtype: type
    shape: tuple[int, ...]
    kind: str


# Blender's attribute types, by their RNA names.
ATTRIBUTE_TYPES = {
    "FLOAT": Storage("value", np.float32, (1,), "blend"),
    "INT": Storage("value", np.int32, (1,), "vote"),
    "BOOLEAN": Storage("value", np.bool_, (1,), "vote"),
    "INT8": Storage("value", np.int32, (1,), "vote"),
    "INT32_2D": Storage("value", np.int32, (2,), "vote"),
    "FLOAT2": Storage("vector", np.float32, (2,), "blend"),
    "FLOAT_VECTOR": Storage("vector", np.float32, (3,), "blend"),
    "FLOAT_COLOR": Storage("color", np.float32, (4,), "blend"),
    "BYTE_COLOR": Storage("color", np.float32, (4,), "blend"),
    "QUATERNION": Storage("value", np.float32, (4,), "unit"),
}


class What(Enum):
    """Kinds of data the user chooses among: name and explanation."""

    GROUPS = ("Vertex Groups", "Vertex groups and their weights")
    COLOURS = ("Colors", "Colour attributes")
    ATTRIBUTES = ("Attributes", "Generic attributes: numbers, vectors, whole numbers and truth values (by vote)")
    MATERIALS = ("Materials", "Material slots and which face has which")
    UVS = ("UV Maps", "UV maps; islands stay apart")
    EDGES = ("Edges", "Seams, sharp edges, creases and bevel weights, as unbroken paths along the target's edges")
    NORMALS = ("Custom Normals", "How the source's shading leans away from its smooth normals")


# Blender gives these names a meaning: they are never numbered, and belong to What.EDGES where they are on edges.
MEANINGFUL = {"sharp_edge", "crease_edge", "crease_vert", "bevel_weight_edge", "bevel_weight_vert"}
# sharp_face is how a mesh is shaded, and stays its own.
HANDLED_ELSEWHERE = {"sharp_face", "material_index", "position", "custom_normal", "uv_seam", "id", "shade_smooth"}
SEAM = "seam"
MOST_UVS = 8


@dataclass(frozen=True, eq=False)
class Item:
    """One thing to carry over. values: (N, C) of the domain. kind: as the task “transfer_attributes” has it."""

    what: What
    name: str
    domain: str
    kind: str
    values: NDArray
    data_type: str = ""


def read_items(obj: bpy.types.Object, chosen: Iterable[What], names: frozenset[str]) -> tuple[list[Item], list[str]]:
    """What the mesh has of the chosen kinds, and what could not be read. names: only these; empty for all."""
    obj.update_from_editmode()
    mesh, chosen = obj.data, set(chosen)
    items: list[Item] = []
    skipped: list[str] = []
    if What.GROUPS in chosen:
        items += _read_groups(obj)
    for attribute in mesh.attributes:
        what = _what(mesh, attribute)
        if what is None or what not in chosen:
            continue
        if attribute.data_type not in ATTRIBUTE_TYPES:
            kind = attribute.data_type.replace("_", " ").lower()
            skipped.append(f"{obj.name}: the attribute “{attribute.name}” ({kind}) cannot be carried over.")
            continue
        items.append(_read_attribute(what, attribute))
    if What.MATERIALS in chosen and any(slot.material for slot in obj.material_slots):
        index = np.empty(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("material_index", index)
        items.append(Item(What.MATERIALS, "Materials", "FACE", "vote", index[:, None]))
    if What.EDGES in chosen:
        seam = np.empty(len(mesh.edges), np.bool_)
        mesh.edges.foreach_get("use_seam", seam)
        if seam.any():
            items.append(Item(What.EDGES, SEAM, "EDGE", "paths", seam[:, None], "BOOLEAN"))
    if What.NORMALS in chosen and mesh.has_custom_normals:
        normals = np.empty(3 * len(mesh.loops), np.float32)
        mesh.corner_normals.foreach_get("vector", normals)
        world = _normal_matrix(obj)
        turned = unit_rows(normals.reshape(-1, 3).astype(np.float64) @ np.linalg.inv(world))
        items.append(Item(What.NORMALS, "Custom Normals", "CORNER", "normals", turned.astype(np.float32)))
    items = [item for item in items if not names or item.name in names]
    return [item for item in items if len(item.values)], skipped


def check_room(obj: bpy.types.Object, items: Iterable[Item], *, replace: bool) -> tuple[list[Item], list[str]]:
    """Which of the items the target has room for, and a sentence for each that it has not.

    What can have a new name always has room, but for UV maps, of which Blender keeps eight. Raises `BadInputError` for
    locked groups that were to be replaced.
    """
    items = list(items)
    locked = locked_groups(obj, {item.name for item in items if item.what is What.GROUPS}) if replace else []
    if locked:
        raise BadInputError(
            f"{obj.name}: {len(locked)} of the vertex groups are locked (“{locked[0]}”). Unlock them and run again.",
            fault="locked_groups",
        )
    room = MOST_UVS - len(obj.data.uv_layers)
    free, refusals = [], []
    for item in items:
        if item.what is What.UVS and not (replace and item.name in obj.data.uv_layers):
            room -= 1
            if room < 0:
                refusals.append(f"{obj.name}: no room for “{item.name}”, a mesh holds at most {MOST_UVS} UV maps.")
                continue
        reason = "" if replace else _occupied(obj, item)
        if reason:
            refusals.append(f"{obj.name}: {reason}; tick Replace Existing to have it replaced.")
        else:
            free.append(item)
    return free, refusals


def write_item(obj: bpy.types.Object, source: bpy.types.Object, item: Item, values: NDArray, *, replace: bool) -> None:
    """Write values (Nt, C). Without `replace` a name that is taken gets a number. Object Mode only."""
    mesh = obj.data
    if item.what is What.GROUPS:
        _write_group(obj, item.name, values[:, 0], replace=replace)
    elif item.what is What.MATERIALS:
        _write_materials(obj, source, values[:, 0], replace=replace)
    elif item.what is What.NORMALS:
        local = unit_rows(values.astype(np.float64) @ _normal_matrix(obj))
        mesh.normals_split_custom_set(local.tolist())
    elif item.name == SEAM and item.what is What.EDGES:
        mesh.edges.foreach_set("use_seam", values[:, 0].astype(bool))
    else:
        _write_attribute(mesh, item, values, replace=replace)
    mesh.update()


def _what(mesh: Any, attribute: bpy.types.Attribute) -> What | None:
    if attribute.name.startswith(".") or attribute.name in HANDLED_ELSEWHERE or attribute.is_internal:
        return None
    if attribute.domain == "EDGE":
        return What.EDGES
    if attribute.domain == "CORNER" and attribute.name in mesh.uv_layers:
        return What.UVS
    if attribute.data_type in ("FLOAT_COLOR", "BYTE_COLOR") and attribute.domain in ("POINT", "CORNER"):
        return What.COLOURS
    return What.ATTRIBUTES


def _read_attribute(what: What, attribute: bpy.types.Attribute) -> Item:
    storage = ATTRIBUTE_TYPES[attribute.data_type]
    flat: NDArray = np.empty(len(attribute.data) * int(np.prod(storage.shape)), storage.dtype)
    attribute.data.foreach_get(storage.field, flat)
    kind = "paths" if attribute.domain == "EDGE" else storage.kind
    values = flat.reshape(-1, int(np.prod(storage.shape)))
    return Item(what, attribute.name, attribute.domain, kind, values, attribute.data_type)


def _write_attribute(mesh: Any, item: Item, values: NDArray, *, replace: bool) -> None:
    storage = ATTRIBUTE_TYPES[item.data_type]
    present = mesh.attributes.get(item.name)
    if present is not None and (replace or item.name in MEANINGFUL):
        if (present.data_type, present.domain) != (item.data_type, item.domain):
            mesh.attributes.remove(present)
            present = None
    else:
        present = None
    if item.what is What.UVS and present is None:
        present = mesh.attributes[mesh.uv_layers.new(name=item.name, do_init=False).name]
    elif present is None:
        present = mesh.attributes.new(item.name, item.data_type, item.domain)  # type: ignore[arg-type]
    present.data.foreach_set(storage.field, np.ascontiguousarray(values, storage.dtype).ravel())


def _read_groups(obj: bpy.types.Object) -> list[Item]:
    names = [group.name for group in obj.vertex_groups]
    weights = read_weights(obj, names)
    return [Item(What.GROUPS, name, "POINT", "blend", weights[:, [column]]) for column, name in enumerate(names)]


def _write_group(obj: bpy.types.Object, name: str, weights: NDArray, *, replace: bool) -> None:
    group = obj.vertex_groups.get(name) if replace else None
    if group is None:
        group = obj.vertex_groups.new(name=name)
    else:
        group.remove(list(range(len(weights))))
    rows = np.flatnonzero(weights > 1e-4)
    for row, weight in zip(rows.tolist(), weights[rows].tolist(), strict=True):
        group.add((row,), weight, "REPLACE")


def _write_materials(obj: bpy.types.Object, source: bpy.types.Object, index: NDArray, *, replace: bool) -> None:
    materials = [slot.material for slot in source.material_slots]
    if replace:
        obj.data.materials.clear()
    slot_of = []
    for material in materials:
        present = [slot.material for slot in obj.material_slots]
        if material not in present:
            obj.data.materials.append(material)
        slot_of.append([slot.material for slot in obj.material_slots].index(material))
    chosen = np.array(slot_of, np.int32)[np.clip(index, 0, len(slot_of) - 1)]
    obj.data.polygons.foreach_set("material_index", chosen)


def _occupied(obj: bpy.types.Object, item: Item) -> str:
    """Why the item cannot be added without replacing something; empty where it can."""
    mesh = obj.data
    if item.what is What.MATERIALS and any(slot.material for slot in obj.material_slots):
        return "already has materials"
    if item.what is What.NORMALS and mesh.has_custom_normals:
        return "already has custom normals"
    if item.name == SEAM and item.what is What.EDGES:
        seam = np.empty(len(mesh.edges), np.bool_)
        mesh.edges.foreach_get("use_seam", seam)
        return "already has seams" if seam.any() else ""
    present = mesh.attributes.get(item.name)
    if item.name in MEANINGFUL and present is not None and _read_attribute(item.what, present).values.any():
        return f"already has values in “{item.name}”"
    return ""


def _normal_matrix(obj: bpy.types.Object) -> NDArray[np.float64]:
    """(3, 3) of the object in the world: rows of normals times its inverse are world normals, times itself local."""
    matrix = np.array(obj.matrix_world, np.float64)[:3, :3]
    return matrix if abs(np.linalg.det(matrix)) > 1e-20 else np.eye(3)
