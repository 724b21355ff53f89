# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures as bones in arrays, and bones' turns as what Blender keeps: rotations and locations of pose bones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32
from ..surface_features.transfer.skeleton import attach_loose
from .compat import ActionWriter

Float64 = NDArray[np.float64]

_ROTATION_PATHS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
_IN_CONTROL = {
    "IK", "SPLINE_IK", "COPY_ROTATION", "COPY_TRANSFORMS", "COPY_LOCATION", "CHILD_OF", "DAMPED_TRACK", "TRACK_TO",
    "LOCKED_TRACK", "STRETCH_TO", "ARMATURE", "TRANSFORM", "ACTION", "FOLLOW_PATH", "PIVOT",
}  # fmt: skip


@dataclass(frozen=True)
class Bones:
    """An armature at rest for the engine, and what its owner keeps from being turned.

    names: all bones, in the armature's order. arrays: see `tasks.pose.read_skeleton`, without suffix.
    constrained, driven, locked: names of bones with constraints that place them, with drivers, with locked channels.
    """

    names: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    constrained: tuple[str, ...] = ()
    driven: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    def with_suffix(self, suffix: int | str) -> dict[str, np.ndarray]:
        return {f"bone_{name}_{suffix}": array for name, array in self.arrays.items()}


def read_bones_for_pose(armature: bpy.types.Object, weights: Float32, *, free_constrained: bool = False) -> Bones:
    """weights: (V, B) of the character, for all bones. free_constrained: constraints will not hold bones.

    Raises `BadInputError` for an armature that deforms nothing, or most of whose bones cannot be turned.
    """
    bones = armature.data.bones
    names = tuple(bone.name for bone in bones)
    if not weights.any():
        raise BadInputError(
            f"{armature.name}: none of its bones deforms the mesh. Give the mesh weights for its bones "
            "(Transfer Weights) and run again.",
            fault="no_deforming_bones",
        )
    world = np.array(armature.matrix_world, np.float64)
    rest = np.array([bone.matrix_local for bone in bones], np.float64).reshape(-1, 4, 4)
    ends = np.array([(bone.head_local, bone.tail_local) for bone in bones], np.float64).reshape(-1, 2, 3)
    ends = ends @ world[:3, :3].T + world[:3, 3]
    turn = np.array(armature.matrix_world.to_quaternion().to_matrix(), np.float64)
    moving = {bone for bone, column in zip(names, weights.T, strict=True) if column.any()}
    constrained = () if free_constrained else tuple(_constrained(armature))
    driven = tuple(_driven(armature))
    held = {*constrained, *driven}
    if len(moving & held) > len(moving) / 2:
        raise BadInputError(
            f"{armature.name}: {len(moving & held)} of its {len(moving)} deforming bones follow constraints or drivers "
            f"(“{min(moving & held)}”). Tick Mute Constraints to pose them all the same.",
            fault="control_rig",
        )
    heads, tails = ends[:, 0].astype(np.float32), ends[:, 1].astype(np.float32)
    parents = np.array([bones.find(bone.parent.name) if bone.parent else -1 for bone in bones], np.int64)
    arrays = {
        "heads": heads,
        "tails": tails,
        "parents": attach_loose(parents, weights, heads, tails),
        "weights": weights,
        "movable": np.array([name not in held and not _all_locked(armature.pose.bones[name]) for name in names]),
        "limits": np.array([_limits(armature.pose.bones[name]) for name in names], np.float64).reshape(-1, 3, 2),
        "axes": turn @ rest[:, :3, :3],
    }
    locked = tuple(name for name in names if name in moving and _any_locked(armature.pose.bones[name]))
    return Bones(names, arrays, tuple(n for n in constrained if n in moving), driven, locked)


def _constrained(armature: bpy.types.Object) -> list[str]:
    found = []
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            if constraint.mute or constraint.influence == 0 or constraint.type not in _IN_CONTROL:
                continue
            found.append(bone.name)
            above, left = bone.parent, getattr(constraint, "chain_count", 1) - 1
            while constraint.type == "IK" and above is not None and left != 0:
                found.append(above.name)
                above, left = above.parent, left - 1
    return list(dict.fromkeys(found))


def mute_constraints(armature: bpy.types.Object) -> int:
    """Mute what `read_bones_for_pose` would take as holding bones; how many there were."""
    count = 0
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            if not constraint.mute and constraint.type in _IN_CONTROL:
                constraint.mute = True
                count += 1
    return count


def _driven(armature: bpy.types.Object) -> list[str]:
    data = armature.animation_data
    names = [bone.name for bone in armature.pose.bones]
    paths = [curve.data_path for curve in data.drivers] if data is not None else []
    return [name for name in names if any(path.startswith(f'pose.bones["{name}"].rotation') for path in paths)]


def _all_locked(bone: bpy.types.PoseBone) -> bool:
    return all(bone.lock_rotation)


def _any_locked(bone: bpy.types.PoseBone) -> bool:
    return any(bone.lock_rotation)


def _limits(bone: bpy.types.PoseBone) -> list[tuple[float, float]]:
    """Least and greatest turn about the bone's X, Y and Z by its Limit Rotation constraint, else by its IK limits."""
    free = (-np.inf, np.inf)
    for constraint in bone.constraints:
        if constraint.type == "LIMIT_ROTATION" and not constraint.mute and constraint.owner_space == "LOCAL":
            used = (constraint.use_limit_x, constraint.use_limit_y, constraint.use_limit_z)
            ranges = ((constraint.min_x, constraint.max_x), (constraint.min_y, constraint.max_y),
                      (constraint.min_z, constraint.max_z))  # fmt: skip
            return [pair if use else free for use, pair in zip(used, ranges, strict=True)]
    used = (bone.use_ik_limit_x, bone.use_ik_limit_y, bone.use_ik_limit_z)
    ranges = ((bone.ik_min_x, bone.ik_max_x), (bone.ik_min_y, bone.ik_max_y), (bone.ik_min_z, bone.ik_max_z))
    return [pair if use else free for use, pair in zip(used, ranges, strict=True)]


def shown_bones(armature: bpy.types.Object, rest_world: Matrix) -> tuple[Float64, Float64]:
    """Turns (B, 3, 3) since rest and heads (B, 3) of all bones as they are shown now, in world space.

    rest_world: the armature object's matrix at rest.
    """
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    world = evaluated.matrix_world
    turns, heads = [], []
    for bone in evaluated.pose.bones:
        shown = world @ bone.matrix
        rest = rest_world @ bone.bone.matrix_local
        turns.append((shown.to_quaternion() @ rest.to_quaternion().inverted()).to_matrix())
        heads.append(shown.translation)
    return np.array(turns, np.float64), np.array(heads, np.float64)


@dataclass
class PoseWriter:
    """Turns bones' turns into the channels of pose bones; keeps Euler angles continuous from frame to frame.

    roots, movable: (B,) bool. values: channel → one list of values for each frame.
    """

    armature: bpy.types.Object
    roots: NDArray[np.bool_]
    movable: NDArray[np.bool_]
    values: dict[tuple[str, str], list[list[float]]] = field(default_factory=dict)

    def add(self, turns: Float64, heads: Float64) -> None:
        """One frame: turns (B, 3, 3) since rest and heads (B, 3) in world space."""
        armature = self.armature
        world = armature.matrix_world
        inverse, turn = world.inverted(), world.to_quaternion()
        placed: dict[str, Matrix] = {}
        order = sorted(range(len(armature.data.bones)), key=lambda i: len(armature.data.bones[i].parent_recursive))
        for index in order:
            bone = armature.data.bones[index]
            pose = armature.pose.bones[bone.name]
            if not self.movable[index] and not self.roots[index]:
                placed[bone.name] = _convert(bone, pose.matrix_basis, placed)
                continue
            turned = Matrix(turns[index].tolist()).to_quaternion()
            rotation = turn.inverted() @ turned @ turn @ bone.matrix_local.to_quaternion()
            wanted = Matrix.LocRotScale(inverse @ Vector(heads[index].tolist()), rotation, None)
            basis = _convert(bone, wanted, placed, invert=True)
            location = basis.translation if self.roots[index] else Vector((0, 0, 0))
            kept = Matrix.LocRotScale(location, basis.to_quaternion(), None)
            placed[bone.name] = _convert(bone, kept, placed)
            self._take(pose, kept, is_root=bool(self.roots[index]))

    def _take(self, bone: bpy.types.PoseBone, basis: Matrix, *, is_root: bool) -> None:
        mode = bone.rotation_mode
        rotation = basis.to_quaternion()
        if any(bone.lock_rotation):
            rotation = self._keep_locked(bone, rotation)
        path = _ROTATION_PATHS.get(mode, "rotation_euler")
        before = self.values.get((bone.name, path))
        if mode == "QUATERNION":
            if before and Quaternion(before[-1]).dot(rotation) < 0:
                rotation.negate()
            channels = [*rotation[:]]
        elif mode == "AXIS_ANGLE":
            axis, angle = rotation.to_axis_angle()
            channels = [angle, *axis[:]]
        else:
            euler = rotation.to_euler(mode)
            if before:
                euler.make_compatible(Euler(before[-1], mode))
            channels = [*euler[:]]
        self.values.setdefault((bone.name, path), []).append(channels)
        if is_root or any(abs(value) > 1e-6 for value in bone.location):
            present, moved = bone.location[:], basis.translation[:]
            place = [old if lock else new for new, old, lock in zip(moved, present, bone.lock_location, strict=True)]
            self.values.setdefault((bone.name, "location"), []).append(place)

    @staticmethod
    def _keep_locked(bone: bpy.types.PoseBone, rotation: Quaternion) -> Quaternion:
        """A rotation about the axes that are not locked; about the others the bone stays as it is."""
        order: Any = bone.rotation_mode if bone.rotation_mode not in _ROTATION_PATHS else "XYZ"
        present = bone.matrix_basis.to_euler(order)
        wanted = rotation.to_euler(order, present)
        for axis, locked in enumerate(bone.lock_rotation):
            if locked:
                wanted[axis] = present[axis]
        return wanted.to_quaternion()

    def write_pose(self, frame: int, *, key: bool) -> None:
        """Set the channels of the one frame that was added; with `key`, keyframes too."""
        for (name, path), frames in self.values.items():
            bone = self.armature.pose.bones[name]
            setattr(bone, path, frames[-1])
            if key:
                bone.keyframe_insert(path, frame=frame, group=name)

    def write_action(self, name: str, frames: Sequence[float]) -> bpy.types.Action:
        """A new action of all frames, played by the armature. Channels that never change get two keys at most."""
        writer = ActionWriter(self.armature, name)
        for (bone, path), table in self.values.items():
            data_path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{path}'
            for index, values in enumerate(zip(*table, strict=True)):
                points = np.stack([np.asarray(frames, np.float32), np.asarray(values, np.float32)], axis=1)
                if len(points) > 1 and np.ptp(points[:, 1]) < 1e-6:
                    points = points[[0]]
                curve = writer.curve(data_path, index, bone)
                curve.keyframe_points.add(len(points))
                curve.keyframe_points.foreach_set("co", points.ravel())
                curve.update()
        writer.assign(self.armature)
        return writer.action


def _convert(bone: bpy.types.Bone, matrix: Matrix, placed: dict[str, Matrix], *, invert: bool = False) -> Matrix:
    """From a bone's own channels to where it is in the armature, or back; by its inheritance flags.

    placed: where its parents are.
    """
    if bone.parent is None:
        return bone.convert_local_to_pose(matrix, bone.matrix_local, invert=invert)
    return bone.convert_local_to_pose(
        matrix,
        bone.matrix_local,
        parent_matrix=placed[bone.parent.name],
        parent_matrix_local=bone.parent.matrix_local,
        invert=invert,
    )
