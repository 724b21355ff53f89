# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins: pairs of empties that say which point of one mesh belongs to which point of another."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..surface_features.mesh import Float32

PAIR = "surface_features_pin"  # on the empty: the number of its pair; its parent is the mesh it pins
SIZE = 0.02  # of the mesh's extent


def read_pins(source: bpy.types.Object, target: bpy.types.Object) -> tuple[Float32, Float32] | None:
    """(N, 3) world-space points of the source and of the target, or None where no pair joins the two."""
    here, there = _pins_of(source), _pins_of(target)
    pairs = sorted(set(here) & set(there))
    if not pairs:
        return None
    return _places(here, pairs), _places(there, pairs)


def add_pin_pair(
    first: bpy.types.Object, first_point: Vector, second: bpy.types.Object, second_point: Vector
) -> tuple[bpy.types.Object, bpy.types.Object]:
    """Two new empties at world-space points, each a child of its mesh."""
    number = next_pair()
    return (
        mark_pin(_empty(f"Pin {number} {first.name}", first, first_point), first, number),
        mark_pin(_empty(f"Pin {number} {second.name}", second, second_point), second, number),
    )


def next_pair() -> int:
    """A number no pair has yet."""
    return max([_pair_of(obj) for obj in bpy.data.objects], default=0) + 1


def mark_pin(empty: bpy.types.Object, mesh: bpy.types.Object, number: int) -> bpy.types.Object:
    """Let an empty pin a mesh, without moving it."""
    place = empty.matrix_world.copy()
    empty.parent = mesh
    empty.matrix_parent_inverse = mesh.matrix_world.inverted_safe()
    empty.matrix_world = place
    empty[PAIR] = number
    return empty


def remove_pins(meshes: list[bpy.types.Object]) -> int:
    """Remove the pins of these meshes; how many."""
    numbers = {_pair_of(obj) for obj in bpy.data.objects if obj.parent in meshes} - {0}
    pins = [obj for obj in bpy.data.objects if _pair_of(obj) in numbers]
    bpy.data.batch_remove(pins)
    return len(pins)


def _pins_of(mesh: bpy.types.Object) -> dict[int, bpy.types.Object]:
    return {_pair_of(obj): obj for obj in mesh.children if obj.type == "EMPTY" and _pair_of(obj)}


def _pair_of(obj: bpy.types.Object) -> int:
    """The number of a pin's pair; 0 for everything else."""
    return int(obj.get(PAIR, 0))


def _places(pins: dict[int, bpy.types.Object], pairs: list[int]) -> Float32:
    return np.array([pins[pair].matrix_world.translation[:] for pair in pairs], np.float32).reshape(-1, 3)


def _empty(name: str, mesh: bpy.types.Object, point: Vector) -> bpy.types.Object:
    empty = bpy.data.objects.new(name, None)
    empty.empty_display_type = "SPHERE"
    empty.empty_display_size = SIZE * max(mesh.dimensions[:])
    empty.show_in_front = True
    for collection in mesh.users_collection:
        collection.objects.link(empty)
    empty.matrix_world = Matrix.Translation(point)
    return empty
