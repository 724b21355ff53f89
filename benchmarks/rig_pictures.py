# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of rigs: the skeleton in the body, and a walk played on it, by linear blend skinning as Blender does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from examples.characters import Character, pose_character, walk_cycle
from examples.skeleton import Rotations, relative_rotations
from surface_features.mesh import TriangleMesh
from surface_features.preset_rig import PresetRig
from surface_features.views.cameras import Cameras, look_from
from surface_features.views.render import Raycaster, render_views

SIZE = 260
STEPS = (0.05, 0.2, 0.4, 0.6, 0.8)
FRONT, SIDEWAYS = 25.0, 60.0  # degrees from the front that the camera stands
PAPER, CLAY, BONE = (246, 247, 249), np.array([0.72, 0.70, 0.68]), (200, 60, 40)
LIGHT = np.array([0.35, 0.45, 0.82])
# Bones that the walk knows by other names, and which way they point in a T-pose.
WALK_NAMES = {"neck_01": "neck"}
T_POSE = {"clavicle": (1, 0, 0), "upperarm": (1, 0, 0), "lowerarm": (1, 0, 0), "hand": (1, 0, 0),
          "thigh": (0, 0, -1), "calf": (0, 0, -1)}  # fmt: skip


def walk_strip(mesh: TriangleMesh, rig: PresetRig) -> NDArray[np.uint8]:
    """(SIZE, W, 3): the body with its skeleton, then a walk."""
    character = as_character(mesh, rig)
    rest = rest_rotations(character)
    pictures = [picture(mesh, FRONT, rig.ends)]
    for phase in STEPS:
        known = {name: turn for name, turn in walk_cycle(phase).items() if name in character.joints}
        posed = pose_character(character, relative_rotations(character, known, rest))
        pictures.append(picture(TriangleMesh(posed.vertices, mesh.faces), SIDEWAYS, low=mesh))
    return np.concatenate(pictures, axis=1)


def as_character(mesh: TriangleMesh, rig: PresetRig) -> Character:
    """The rig as the examples' walk knows characters: `upperarm.L` for `upperarm_l`."""
    joints = tuple(
        WALK_NAMES.get(bone, f"{bone[:-2]}.{bone[-1].upper()}" if bone.endswith(("_l", "_r")) else bone)
        for bone in rig.bones
    )
    nothing = np.zeros(len(mesh.vertices), np.float32)
    return Character(
        mesh.name, mesh.vertices, mesh.faces, joints, rig.parents, rig.ends, rig.weights,
        nothing.astype(np.int32), nothing, mesh.vertices,
    )  # fmt: skip


def rest_rotations(character: Character) -> Rotations:
    """The rotations from the T-pose that make the character stand as it does; limbs only."""
    turned: dict[str, NDArray] = {}
    rotations: dict[str, NDArray] = {}
    for number, (joint, parent) in enumerate(zip(character.joints, character.parents.tolist(), strict=True)):
        above = turned[character.joints[parent]] if parent >= 0 else np.eye(3)
        stem, _, side = joint.partition(".")
        own = above
        if stem in T_POSE:
            straight = np.array(T_POSE[stem]) * ([-1, 1, 1] if side == "R" else [1, 1, 1])
            own = _between(straight, character.bones[number, 1] - character.bones[number, 0])
        turned[joint] = own
        rotations[joint] = (above.T @ own).astype(np.float32)
    return rotations


def _between(start: NDArray, goal: NDArray) -> NDArray:
    """(3, 3) the smallest rotation from one direction to another."""
    from scipy.spatial.transform import Rotation

    goal = goal / max(float(np.linalg.norm(goal)), 1e-12)
    axis = np.cross(start, goal)
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        return np.eye(3)
    return Rotation.from_rotvec(axis / length * np.arctan2(length, float(start @ goal))).as_matrix()


def picture(
    mesh: TriangleMesh,
    degrees: float,
    bones: NDArray | None = None,
    low: TriangleMesh | None = None,
    colours: NDArray | None = None,
) -> NDArray[np.uint8]:
    """(SIZE, SIZE, 3) the mesh in clay, seen from `degrees` off its front; bones drawn over it.

    low: the mesh whose size and ground the picture keeps. colours: (F, 3) 0…1 of the faces, instead of clay's.
    """
    frame = (low or mesh).vertices
    extent = float(np.ptp(frame, axis=0).max())
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    middle[2] = (frame[:, 2].min() + frame[:, 2].max()) / 2
    turn = np.radians(degrees)
    way = np.array([[np.sin(turn) * 0.98, -np.cos(turn) * 0.98, 0.17]])
    rotation = look_from(way / np.linalg.norm(way), np.zeros(1, np.float32))
    cameras = Cameras(rotation, middle[None].astype(np.float32), np.full(1, 0.56 * extent, np.float32))
    views = render_views(Raycaster(mesh), cameras, 2 * SIZE)
    seen = views.face_ids[0] >= 0
    shade = 0.35 + 0.65 * np.clip(views.normals[0] @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    material = CLAY if colours is None else colours[views.face_ids[0]]
    colour = np.where(seen[..., None], 255 * shade[..., None] * material, PAPER).astype(np.uint8)
    image = Image.fromarray(colour)
    if bones is not None:
        _draw_bones(image, (bones - middle) @ rotation[0].T / (0.56 * extent))
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def _draw_bones(image: Image.Image, ends: NDArray) -> None:
    """ends: (B, 2, 3) camera space, −1…1 over the picture."""
    draw = ImageDraw.Draw(image)
    size = image.size[0]
    for head, tail in ends:
        a, b = ((size * (1 + end[0]) / 2, size * (1 - end[1]) / 2) for end in (head, tail))
        draw.line([*a, *b], fill=BONE, width=3)
        draw.ellipse([a[0] - 5, a[1] - 5, a[0] + 5, a[1] + 5], fill=BONE)


def save_sheet(path: Path, strips: Sequence[NDArray[np.uint8]]) -> None:
    """Strips one above the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(strips, axis=0)).save(path)
