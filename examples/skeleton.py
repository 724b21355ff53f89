# SPDX-License-Identifier: GPL-3.0-or-later
"""The rigged character every example is made of, and how it is posed.

Frames: metres, Z up, the character faces -Y, its own left is +X (Blender's convention). Rotations are given about
the character's axes (not the bones') and relative to the parent joint; the identity everywhere is the rest pose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Rotations = Mapping[str, Float32]
"""Joint name -> (3, 3) rotation; joints that are not named stay as they are."""


@dataclass(frozen=True, eq=False)
class Character:
    """A mesh on a skeleton, with a coordinate that means the same point on every character of its kind.

    Two vertices of two characters correspond where `bone`, `along` and `around` agree; none of the three changes when a
    character is posed.

    vertices: (V, 3) float32, metres; faces: (F, 3) int32, counter-clockwise seen from outside.
    joints: J names, parents before children; parents: (J,) int32, -1 for the root.
    bones: (J, 2, 3) float32 head and tail of every joint's bone.
    weights: (V, J) float32 skin weights, rows sum to 1.
    bone: (V,) int32 the bone a vertex lies on.
    along: (V,) float32 0 at the bone's head, 1 at its tail, a little outside at its caps (-0.6 to 1.6).
    around: (V, 3) float32 unit vector from the bone's axis to the vertex, in the T-pose's (left, back, up) axes.
    """

    name: str
    vertices: Float32
    faces: Int32
    joints: tuple[str, ...]
    parents: Int32
    bones: Float32
    weights: Float32
    bone: Int32
    along: Float32
    around: Float32


def mirror_name(joint: str) -> str:
    """The same joint on the other side: `hand.L` -> `hand.R`; joints of the middle are their own mirror."""
    if joint.endswith(".L"):
        return joint[:-2] + ".R"
    if joint.endswith(".R"):
        return joint[:-2] + ".L"
    return joint


def euler(x_degrees: float, y_degrees: float, z_degrees: float) -> Float32:
    """Rotation about the fixed X, then Y, then Z axis. (3, 3) float32."""
    matrix = np.eye(3)
    for axis, degrees in enumerate((x_degrees, y_degrees, z_degrees)):
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[first, first] = turn[second, second] = cosine
        turn[first, second], turn[second, first] = -sine, sine
        matrix = turn @ matrix
    return matrix.astype(np.float32)


def mirror_rotation(rotation: Float32) -> Float32:
    """The rotation seen in the mirror x -> -x."""
    flip = np.diag([-1.0, 1.0, 1.0]).astype(np.float32)
    return flip @ rotation @ flip


def global_rotations(joints: tuple[str, ...], parents: Int32, rotations: Rotations) -> Float32:
    """(J, 3, 3) float32 turn of every joint since the rest pose, its parents' included."""
    unknown = sorted(set(rotations) - set(joints))
    if unknown:
        raise KeyError(f"no such joint: {', '.join(unknown)}")
    turned = np.empty((len(joints), 3, 3), np.float32)
    for joint, name in enumerate(joints):
        own = np.asarray(rotations.get(name, np.eye(3)), np.float32)
        turned[joint] = own if parents[joint] < 0 else turned[parents[joint]] @ own
    return turned


def relative_rotations(character: Character, pose: Rotations, rest: Rotations) -> dict[str, Float32]:
    """What to add to a character already posed by `rest` so that it stands as `pose` would make it from the T-pose."""
    wanted = global_rotations(character.joints, character.parents, pose)
    present = global_rotations(character.joints, character.parents, rest)
    added = wanted @ present.transpose(0, 2, 1)
    return {
        name: added[joint] if parent < 0 else added[parent].T @ added[joint]
        for joint, (name, parent) in enumerate(zip(character.joints, character.parents, strict=True))
    }


def joint_transforms(character: Character, rotations: Rotations) -> Float32:
    """(J, 3, 4) float32 transform from the rest pose to the posed character, per joint (forward kinematics)."""
    turned = global_rotations(character.joints, character.parents, rotations)
    heads = character.bones[:, 0]
    transforms = np.empty((len(heads), 3, 4), np.float32)
    for joint, parent in enumerate(character.parents):
        above = transforms[parent] if parent >= 0 else np.eye(4, dtype=np.float32)[:3]
        head = above[:, :3] @ heads[joint] + above[:, 3]
        transforms[joint, :, :3] = turned[joint]
        transforms[joint, :, 3] = head - turned[joint] @ heads[joint]
    return transforms


def skin(vertices: Float32, weights: Float32, transforms: Float32) -> Float32:
    """Linear blend skinning. vertices (V, 3), weights (V, J), transforms (J, 3, 4) -> (V, 3) float32."""
    blended = (weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
    moved: Float32 = np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
    return moved


def pose_character(character: Character, rotations: Rotations) -> Character:
    """Bend a character; the pose is the new character's rest pose, its weights and its meaning stay."""
    transforms = joint_transforms(character, rotations)
    bones = np.einsum("jab,jeb->jea", transforms[:, :, :3], character.bones) + transforms[:, None, :, 3]
    return replace(character, vertices=skin(character.vertices, character.weights, transforms), bones=bones)
