# SPDX-License-Identifier: GPL-3.0-or-later
"""The other half of a half-modelled mesh: what Mirror modifiers add, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.mesh import Int32


@dataclass(frozen=True, eq=False)
class Reflection:
    """One axis of one Mirror modifier.

    matrix: (4, 4) float64 reflection in the object's own space.
    merge_distance: vertices nearer than this to their reflection are their own reflection; in the object's unit.
    swaps_groups: left and right vertex groups swap names on the reflected side.
    """

    matrix: NDArray[np.float64]
    merge_distance: float
    swaps_groups: bool


def mirror_reflections(obj: bpy.types.Object) -> list[Reflection]:
    """Reflections of the Mirror modifiers shown in the viewport, in stack order.

    Axes that also bisect are left out: there the artist has modelled both sides already.
    """
    reflections = []
    for modifier in obj.modifiers:
        if modifier.type == "MIRROR" and modifier.show_viewport:
            assert isinstance(modifier, bpy.types.MirrorModifier)
            mirror_from_object = _mirror_from_object(obj, modifier)
            if mirror_from_object is None:
                continue
            for axis in range(3):
                if modifier.use_axis[axis] and not modifier.use_bisect_axis[axis]:
                    flip = np.eye(4)
                    flip[axis, axis] = -1
                    reflections.append(
                        Reflection(
                            np.linalg.inv(mirror_from_object) @ flip @ mirror_from_object,
                            modifier.merge_threshold if modifier.use_mirror_merge else 0.0,
                            modifier.use_mirror_vertex_groups,
                        )
                    )
    return reflections


def _mirror_from_object(obj: bpy.types.Object, modifier: bpy.types.MirrorModifier) -> NDArray[np.float64] | None:
    if modifier.mirror_object is None:
        return np.eye(4)
    world_from_mirror = np.array(modifier.mirror_object.matrix_world, np.float64)
    world_from_object = np.array(obj.matrix_world, np.float64)
    if min(abs(np.linalg.det(m[:3, :3])) for m in (world_from_mirror, world_from_object)) == 0:
        return None  # scaled to nothing: there is no plane to mirror at
    return np.linalg.inv(world_from_mirror) @ world_from_object


def append_reflections(
    vertices: NDArray[np.float64], faces: Int32, reflections: Sequence[Reflection]
) -> tuple[NDArray[np.float64], Int32, Int32, NDArray[np.bool_]]:
    """Append the reflected half for each reflection in turn.

    vertices (V, 3), faces (F, 3) in the object's space. Returns vertices, faces, and for every vertex the artist's
    vertex it comes from (int32) and whether left and right vertex groups swap there (bool).
    """
    origin = np.arange(len(vertices), dtype=np.int32)
    swapped = np.zeros(len(vertices), bool)
    for reflection in reflections:
        reflected = vertices @ reflection.matrix[:3, :3].T + reflection.matrix[:3, 3]
        is_new = ~(np.linalg.norm(reflected - vertices, axis=1) < reflection.merge_distance)
        index = np.where(is_new, len(vertices) + np.cumsum(is_new) - 1, np.arange(len(vertices))).astype(np.int32)
        vertices = np.concatenate([vertices, reflected[is_new]])
        faces = np.concatenate([faces, index[faces][:, ::-1]])
        origin = np.concatenate([origin, origin[is_new]])
        swapped = np.concatenate([swapped, swapped[is_new] ^ reflection.swaps_groups])
    return vertices, faces, origin, swapped


def append_reflected_vectors(
    vertices: NDArray[np.float64], vectors: NDArray[np.float64], reflections: Sequence[Reflection]
) -> NDArray[np.float64]:
    """Vectors (V, 3) at the vertices, and reflected ones at the vertices that `append_reflections` appends."""
    for reflection in reflections:
        linear = reflection.matrix[:3, :3].T
        reflected = vertices @ linear + reflection.matrix[:3, 3]
        is_new = ~(np.linalg.norm(reflected - vertices, axis=1) < reflection.merge_distance)
        vertices = np.concatenate([vertices, reflected[is_new]])
        vectors = np.concatenate([vectors, (vectors @ linear)[is_new]])
    return vectors
