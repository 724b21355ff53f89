# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys as displacements, and back: with their values, ranges, relative keys and drivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32
from .mirror import append_reflected_vectors, mirror_reflections


@dataclass(frozen=True, eq=False)
class Key:
    """One shape key.

    relative: name of the key it is relative to; empty for the Basis. displacement: (V, 3) float32 world space, from
    that key, for the object's own vertices and those its Mirror modifiers add.
    """

    name: str
    relative: str
    displacement: Float32
    value: float
    slider: tuple[float, float]
    mute: bool
    interpolation: str
    vertex_group: str


def read_keys(obj: bpy.types.Object, names: frozenset[str]) -> list[Key]:
    """The object's shape keys beside its Basis, in their order. names: only these; empty for all.

    Raises `BadInputError` where there are none.
    """
    obj.update_from_editmode()
    keys = obj.data.shape_keys
    blocks = [] if keys is None else [key for key in keys.key_blocks if key != keys.reference_key]
    chosen = [key for key in blocks if not names or key.name in names]
    if not chosen:
        wanted = f"named {', '.join(sorted(names))}" if names and blocks else "beside the Basis"
        raise BadInputError(
            f"{obj.name}: it has no shape keys {wanted}. Make the mesh with the shape keys active and run again.",
            fault="no_shape_keys",
        )
    basis = _places(keys.reference_key)
    reflections = mirror_reflections(obj)
    world = np.array(obj.matrix_world, np.float64)[:3, :3]
    taken = {key.name for key in chosen}
    found = []
    for key in chosen:
        origin = key.relative_key
        moved = append_reflected_vectors(basis, _places(key) - _places(origin), reflections) @ world.T
        relative = origin.name if origin.name in taken and origin != keys.reference_key else ""
        found.append(
            Key(
                key.name, relative, moved.astype(np.float32), key.value, (key.slider_min, key.slider_max), key.mute,
                key.interpolation, key.vertex_group,
            )
        )  # fmt: skip
    return found


def write_keys(
    obj: bpy.types.Object, keys: Sequence[Key], displacements: Sequence[NDArray], *, replace: bool
) -> dict[str, str]:
    """Add the keys with world-space displacements (V, 3) of the object's own vertices. Object Mode only.

    replace: keys of the same name are written over; otherwise Blender adds a number. Returns the names they got.
    """
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    object_from_world = np.linalg.inv(np.array(obj.matrix_world, np.float64)[:3, :3])
    blocks = obj.data.shape_keys.key_blocks
    basis = obj.data.shape_keys.reference_key
    names: dict[str, str] = {}
    places: dict[str, NDArray] = {"": _places(basis)}
    waiting = list(zip(keys, displacements, strict=True))
    while waiting:  # a key comes after the one it is relative to
        ready = [pair for pair in waiting if pair[0].relative in places] or waiting[:1]
        for key, displacement in ready:
            block = blocks.get(key.name) if replace else None
            if block is None or block == basis:
                block = obj.shape_key_add(name=key.name, from_mix=False)
            names[key.name] = block.name
            origin = places.get(key.relative, places[""])
            places[key.name] = origin + displacement.astype(np.float64) @ object_from_world.T
            block.data.foreach_set("co", places[key.name].astype(np.float32).ravel())
            block.relative_key = blocks[names[key.relative]] if key.relative in names else basis
            block.slider_min, block.slider_max = key.slider
            block.value, block.mute, block.interpolation = key.value, key.mute, key.interpolation
            if key.vertex_group in obj.vertex_groups:
                block.vertex_group = key.vertex_group
        done = {key.name for key, _ in ready}
        waiting = [pair for pair in waiting if pair[0].name not in done]
    obj.data.update()
    return names


def copy_drivers(source: bpy.types.Object, target: bpy.types.Object, names: dict[str, str]) -> tuple[int, int]:
    """Copy drivers of keys whose targets still exist. names: what the keys are called on the target.

    What a driver reads from the source itself it reads from the target. Returns how many were copied and left out.
    """
    keys = source.data.shape_keys
    if keys is None or keys.animation_data is None:
        return 0, 0
    copied = left = 0
    swap = {source: target, source.data: target.data, keys: target.data.shape_keys}
    for curve in keys.animation_data.drivers:
        for name, new_name in names.items():
            start = f'key_blocks["{bpy.utils.escape_identifier(name)}"]'
            if not curve.data_path.startswith(start):
                continue
            if not all(_exists(one) for variable in curve.driver.variables for one in variable.targets):
                left += 1
                break
            animation = target.data.shape_keys.animation_data_create()
            path = f'key_blocks["{bpy.utils.escape_identifier(new_name)}"]{curve.data_path[len(start) :]}'
            old = animation.drivers.find(path)
            if old is not None:
                animation.drivers.remove(old)
            new = animation.drivers.from_existing(src_driver=curve)
            new.data_path = path
            for variable in new.driver.variables:
                for one in variable.targets:
                    if one.id in swap:
                        one.id = swap[one.id]
            copied += 1
            break
    return copied, left


def _exists(target: bpy.types.DriverTarget) -> bool:
    if target.id is None:
        return False
    bone = target.bone_target
    return not bone or (getattr(target.id, "pose", None) is not None and bone in target.id.pose.bones)


def _places(key: bpy.types.ShapeKey) -> NDArray[np.float64]:
    flat = np.empty(3 * len(key.data), np.float32)
    key.data.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)
