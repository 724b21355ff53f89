# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole character: all meshes that one armature deforms, as one mesh; its bones, and its surface in any state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32, TriangleMesh
from .armature import deform_bones, find_armature
from .mesh import WholeMesh, read_whole_mesh
from .scene import SentObject
from .weights import read_weights, weights_on_whole

# Modifiers that move vertices and make none: what they show is the pose.
_DEFORMING = {
    "ARMATURE", "CAST", "CURVE", "DISPLACE", "HOOK", "LAPLACIANDEFORM", "LATTICE", "MESH_CACHE", "MESH_DEFORM",
    "MESH_SEQUENCE_CACHE", "SHRINKWRAP", "SIMPLE_DEFORM", "SMOOTH", "CORRECTIVE_SMOOTH", "LAPLACIANSMOOTH",
    "SURFACE_DEFORM", "WARP", "WAVE", "CLOTH", "SOFT_BODY",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Character:
    """One or several meshes at rest, in world space, as one.

    mesh: the vertices of all parts, one after the other. parts: the objects; starts: where each begins in `mesh`.
    """

    name: str
    parts: tuple[SentObject, ...]
    armature: SentObject | None
    wholes: tuple[WholeMesh, ...]
    mesh: TriangleMesh
    starts: tuple[int, ...]

    def own_rows(self, part: int) -> slice:
        """Rows of `mesh` that are a part's own vertices, without what its Mirror modifier adds."""
        return slice(self.starts[part], self.starts[part] + self.wholes[part].own_count)


def body_of(obj: bpy.types.Object) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    """The armature of a mesh or armature object, and the visible meshes it deforms; the object itself comes first.

    Raises `BadInputError` for objects of other kinds, and armatures that deform nothing.
    """
    armature = obj if obj.type == "ARMATURE" else find_armature(obj) if obj.type == "MESH" else None
    if obj.type not in ("MESH", "ARMATURE"):
        raise BadInputError(f"{obj.name}: neither a mesh nor an armature. Choose a character.", fault="not_a_mesh")
    if armature is None:
        return None, [obj]
    meshes = [
        other
        for other in bpy.context.view_layer.objects
        if other.type == "MESH"
        and other != obj
        and other.visible_get()
        and find_armature(other) == armature
        and (
            other.parent_type == "ARMATURE"
            or any(m.type == "ARMATURE" and m.object == armature for m in other.modifiers)
        )
    ]
    if obj.type == "MESH":
        meshes.insert(0, obj)
    if not meshes:
        raise BadInputError(f"{obj.name}: it deforms no visible mesh. Show the character's mesh.", fault="no_mesh")
    return armature, meshes


def read_character(obj: bpy.types.Object) -> Character:
    """A character at rest. Raises `BadInputError`."""
    armature, meshes = body_of(obj)
    wholes = tuple(read_whole_mesh(mesh) for mesh in meshes)
    starts = np.cumsum([0, *(len(whole.mesh.vertices) for whole in wholes)])
    vertices = np.concatenate([whole.mesh.vertices for whole in wholes])
    faces = np.concatenate([whole.mesh.faces + start for whole, start in zip(wholes, starts, strict=False)])
    return Character(
        obj.name,
        tuple(SentObject.remember(mesh, written=False) for mesh in meshes),
        SentObject.remember(armature, written=False) if armature is not None else None,
        wholes,
        TriangleMesh(vertices, faces.astype(np.int32), obj.name),
        tuple(int(start) for start in starts[:-1]),
    )


def character_weights(character: Character, armature: bpy.types.Object, meshes: Sequence[bpy.types.Object]) -> Float32:
    """(V, B) float32 skin weights for all bones of the armature, rows sum to 1 or 0; zero where a bone deforms not."""
    names = [bone.name for bone in armature.data.bones]
    deforming = deform_bones(armature)
    columns = [names.index(name) for name in deforming]
    tables = []
    for obj, whole in zip(meshes, character.wholes, strict=True):
        table = np.zeros((len(whole.mesh.vertices), len(names)), np.float32)
        if deforming:
            table[:, columns] = weights_on_whole(whole, read_weights(obj, deforming), deforming)
        tables.append(table)
    weights = np.concatenate(tables)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 1e-6)


def refuse_mirror(meshes: Iterable[bpy.types.Object]) -> None:
    """Raises `BadInputError` for a source half of which is only shown: a pose of it cannot be read."""
    for obj in meshes:
        if any(modifier.type == "MIRROR" and modifier.show_viewport for modifier in obj.modifiers):
            raise BadInputError(
                f"{obj.name}: its other half is made by a Mirror modifier. Apply the modifier and run again.",
                fault="mirror",
            )


@contextmanager
def only_deforming(meshes: Sequence[bpy.types.Object]) -> Iterator[None]:
    """For a while, only those modifiers are shown that keep the meshes' own vertices."""
    hidden = [
        (obj, modifier.name)
        for obj in meshes
        for modifier in obj.modifiers
        if modifier.show_viewport and modifier.type not in _DEFORMING
    ]
    for obj, name in hidden:
        obj.modifiers[name].show_viewport = False
    try:
        yield
    finally:
        for obj, name in hidden:
            obj.modifiers[name].show_viewport = True


def shown_vertices(meshes: Sequence[bpy.types.Object]) -> Float32:
    """(V, 3) float32 the meshes' own vertices as shapes and modifiers place them now, in world space.

    Within `only_deforming`. Raises `BadInputError` where something still changes the number of vertices.
    """
    depsgraph = bpy.context.evaluated_depsgraph_get()
    tables: list[NDArray[np.float64]] = []
    for obj in meshes:
        evaluated = obj.evaluated_get(depsgraph)
        data = evaluated.to_mesh()
        try:
            if len(data.vertices) != len(obj.data.vertices):
                raise BadInputError(
                    f"{obj.name}: its vertices are not the same ones in every state. Apply what makes them "
                    "(Object ▸ Apply) and run again.",
                    fault="changing_topology",
                )
            flat = np.empty(3 * len(data.vertices), np.float32)
            data.vertices.foreach_get("co", flat)
        finally:
            evaluated.to_mesh_clear()
        world = np.array(evaluated.matrix_world, np.float64)
        tables.append(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
    return np.concatenate(tables).astype(np.float32)
