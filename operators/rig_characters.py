# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected meshes as characters: those that touch are pieces of one, and are computed as one mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..bridge.mesh import WholeMesh, read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32, TriangleMesh
from .selection import split_meshes

TOUCH = 0.01  # of the larger mesh's extent: boxes that come this near touch


@dataclass(frozen=True, eq=False)
class CharacterMeshes:
    """One character of one or several objects.

    mesh: all of them, one after the other, world space. rows: for each object the mesh's vertices that are its own.
    """

    name: str
    sent: tuple[SentObject, ...]
    mesh: TriangleMesh
    rows: tuple[slice, ...]


def gather_characters(
    objects: Sequence[bpy.types.Object], *, together: bool, refuse: Callable[[bpy.types.Object], None]
) -> tuple[list[CharacterMeshes], list[str]]:
    """The characters, and a warning for each object that is left out.

    refuse: raises `BadInputError` for an object that must not be changed. Raises `BadInputError` where none is left.
    """
    meshes, warnings = split_meshes(objects)
    chosen = []
    for obj in meshes:
        try:
            check_editable(obj)
            refuse(obj)
        except BadInputError as error:
            warnings.append(str(error))
            continue
        chosen.append(obj)
    if not chosen:
        fault = "target_refused" if len(warnings) == 1 else "no_target"
        raise BadInputError(
            "  ".join(warnings) or "No mesh is selected. Select the character and run again.", fault=fault
        )
    wholes = [read_whole_mesh(obj) for obj in chosen]
    group = _touching([whole.mesh.vertices for whole in wholes]) if together else np.arange(len(chosen))
    characters = []
    for number in dict.fromkeys(group.tolist()):
        members = [index for index in range(len(chosen)) if group[index] == number]
        members.sort(key=lambda index: -len(wholes[index].mesh.vertices))  # named after its largest piece
        characters.append(_join([chosen[index] for index in members], [wholes[index] for index in members]))
    return characters, warnings


def _join(objects: Sequence[bpy.types.Object], wholes: Sequence[WholeMesh]) -> CharacterMeshes:
    starts = np.cumsum([0, *(len(whole.mesh.vertices) for whole in wholes)])
    vertices = np.concatenate([whole.mesh.vertices for whole in wholes])
    faces = np.concatenate([whole.mesh.faces + start for whole, start in zip(wholes, starts, strict=False)])
    rows = tuple(slice(int(a), int(a) + whole.own_count) for a, whole in zip(starts, wholes, strict=False))
    sent = tuple(SentObject.remember(obj, written=True) for obj in objects)
    return CharacterMeshes(objects[0].name, sent, TriangleMesh(vertices, faces, objects[0].name), rows)


def _touching(pieces: Sequence[Float32]) -> np.ndarray:
    """(N,) a number for each mesh, the same for those whose boxes touch, directly or through others."""
    boxes = [(points.min(axis=0), points.max(axis=0)) if len(points) else None for points in pieces]
    number = np.arange(len(pieces))
    for a, one in enumerate(boxes):
        for b, other in enumerate(boxes[:a]):
            if one is None or other is None:
                continue
            slack = TOUCH * max(float((high - low).max()) for low, high in (one, other))
            if (one[0] <= other[1] + slack).all() and (other[0] <= one[1] + slack).all():
                number[number == number[a]] = number[b]
    return number
