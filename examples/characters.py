# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural humanoids that know which of their points correspond. NumPy and SciPy only, no Blender.

    character = build_humanoid(random_humanoid(np.random.default_rng(7)))
    walking = pose_character(character, walk_cycle(0.2))

Two characters' vertices correspond where `bone`, `along` and `around` agree (see `Character`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .humanoid_body import Body, make_body
from .humanoid_spec import HUMANOID_JOINTS, HumanoidSpec, humanoid_bones, humanoid_parents, random_humanoid
from .implicit import Solid, make_lattice, melt_solids, mesh_pieces
from .poses import random_pose, rest_pose_a, rest_pose_t, walk_cycle
from .skeleton import Character, Float32, Int32, pose_character, relative_rotations

__all__ = [
    "HUMANOID_JOINTS",
    "Character",
    "HumanoidSpec",
    "assemble",
    "build_humanoid",
    "label_surface",
    "pose_character",
    "random_humanoid",
    "random_pose",
    "relative_rotations",
    "rest_pose_a",
    "rest_pose_t",
    "walk_cycle",
]


def build_humanoid(spec: HumanoidSpec) -> Character:
    """The character of a spec, in T-pose."""
    bones = humanoid_bones(spec)
    body = make_body(spec, bones)
    solids = _boxes(body, bones) if spec.style == "blocky" else (*body.flesh, *body.worn)
    return assemble(spec, bones, solids, body.flesh, melted=spec.style == "smooth")[0]


def assemble(
    spec: HumanoidSpec, bones: dict[str, Float32], solids: Sequence[Solid], flesh: Sequence[Solid], *, melted: bool
) -> tuple[Character, Int32]:
    """A character of solids, in T-pose, as one surface or in pieces.

    flesh: one or more for every bone, say how near it is. The second is (V,) int32, the solid that a vertex belongs to.
    """
    surface = _melt(spec, bones, solids) if melted else mesh_pieces(solids, spec.resolution)
    name = f"{spec.style.capitalize()} {spec.seed}"
    return label_character(name, surface, solids, flesh, bones, humanoid_parents()), surface[2]


def label_character(
    name: str,
    surface: tuple[Float32, Int32, Int32],
    solids: Sequence[Solid],
    flesh: Sequence[Solid],
    bones: dict[str, Float32],
    parents: Sequence[int],
) -> Character:
    """A character with its skin weights and coordinates.

    surface: vertices (V, 3), faces (F, 3), and the solid each vertex belongs to (V,). bones: in the order of `parents`.
    """
    vertices, faces, owner = surface
    joints, parent, segments = tuple(bones), np.array(parents, np.int32), np.stack([*bones.values()])
    bone, weights = label_surface(vertices, solids, owner, flesh, joints, parent)
    along, around = bone_coordinates(vertices, bone, segments)
    return Character(name, vertices, faces, joints, parent, segments, weights, bone, along, around)


def label_surface(
    vertices: Float32,
    solids: Sequence[Solid],
    owner: Int32,
    flesh: Sequence[Solid],
    joints: tuple[str, ...],
    parents: Int32,
) -> tuple[Int32, Float32]:
    """The bone every vertex lies on and its skin weights, from how near each bone's flesh is.

    owner: (V,) the solid a vertex belongs to. Returns bone (V,) int32 and weights (V, J) float32. A bone
    shares a vertex only with its parent and its children, so that one leg never moves the other.
    """
    distance = np.full((len(vertices), len(joints)), np.inf, np.float32)
    width = np.zeros(len(joints), np.float32)
    for solid in flesh:
        joint = joints.index(solid.bones[0])
        distance[:, joint] = np.minimum(distance[:, joint], solid.distance_to(vertices))
        thick = solid.start_radius if not solid.box else float(np.abs(solid.end - solid.start).min()) / 2
        width[joint] = max(width[joint], thick)
    allowed = np.zeros((len(solids), len(joints)), bool)
    for row, solid in enumerate(solids):
        allowed[row, [joints.index(name) for name in solid.bones]] = True
    bone = np.where(allowed[owner], distance, np.inf).argmin(1).astype(np.int32)

    near = np.eye(len(joints), dtype=bool)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            near[joint, parent] = near[parent, joint] = True
    rigid = np.array([solid.rigid for solid in solids])[owner]
    # Around a joint the two capsules' distances part as s²/2r, s metres from it: the blend is about a radius long.
    reach = np.maximum(distance, 0)
    closeness = -(reach - reach[np.arange(len(bone)), bone][:, None]) / (0.12 * np.minimum(width[bone][:, None], width))
    weights = np.where(near[bone], np.exp(np.clip(closeness, -30, 0)), 0)
    weights[rigid] = np.eye(len(joints))[bone[rigid]]
    weights = np.where(weights > 0.01 * weights.max(1, keepdims=True), weights, 0)
    return bone, (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def bone_coordinates(vertices: Float32, bone: Int32, segments: Float32) -> tuple[Float32, Float32]:
    """Where on its bone a vertex lies.

    Returns along (V,) from head 0 to tail 1, and around (V, 3) the unit way out from the axis.
    segments: (J, 2, 3) head and tail of every bone.
    """
    head, axis = segments[bone, 0], segments[bone, 1] - segments[bone, 0]
    offset = vertices - head
    along = (offset * axis).sum(1) / np.maximum((axis * axis).sum(1), 1e-12)
    out = offset - along[:, None] * axis
    length = np.linalg.norm(out, axis=1, keepdims=True)
    around = np.where(length > 1e-9, out / np.maximum(length, 1e-9), 0)
    return np.clip(along, -0.6, 1.6).astype(np.float32), around.astype(np.float32)


def _melt(spec: HumanoidSpec, bones: dict[str, Float32], solids: Sequence[Solid]) -> tuple[Float32, Int32, Int32]:
    cell = spec.height / spec.resolution
    elbow, wrist = bones["lowerarm.L"]
    lattice = make_lattice(solids, cell, float(elbow[0]), float(wrist[0]), float(wrist[2]))
    return melt_solids(solids, lattice, cell)


_BOXES: tuple[tuple[str, ...], ...] = (
    ("pelvis", "spine_01", "spine_02", "spine_03"),
    ("head",),
    ("neck",),
    ("upperarm.L", "lowerarm.L"),
    ("hand.L", "fingers.L"),
    ("upperarm.R", "lowerarm.R"),
    ("hand.R", "fingers.R"),
    ("thigh.L", "calf.L"),
    ("foot.L", "ball.L"),
    ("thigh.R", "calf.R"),
    ("foot.R", "ball.R"),
)


def _boxes(body: Body, bones: dict[str, Float32]) -> list[Solid]:
    """A box for each group of bones, around their flesh; hats and clothes become boxes too."""
    boxes = []
    for names in _BOXES:
        solids = [solid for solid in body.flesh if solid.bones[0] in names]
        if names == ("head",):
            # Skull and jaw make the box; the nose stays a piece of its own, to tell the front.
            skull, jaw, nose, *_ = solids
            low, high = nose.bounds()
            boxes.append(
                replace(nose, start=low, end=high + np.float32(0.5) * (high - low), start_radius=0.0, box=True)
            )
            solids = [skull, jaw]
        lows, highs = zip(*(solid.bounds() for solid in solids), strict=True)
        low, high = np.min(lows, 0), np.max(highs, 0)
        if names[0].startswith("foot"):
            low[2] = 0.0
        if names[0].startswith(("upperarm", "thigh")):
            # Limbs end at their joints: a capsule's round ends would stick into the hand, the foot and the chest.
            axis = 0 if names[0].startswith("upperarm") else 2
            ends = np.stack([bones[names[0]][0], bones[names[1]][1]])[:, axis]
            low[axis], high[axis] = ends.min(), ends.max()
        boxes.append(replace(solids[0], bones=names, start=low, end=high, start_radius=0.0, box=True, floor=None))
    for solid in body.worn:
        low, high = solid.bounds()
        low[2] = low[2] if solid.floor is None else max(low[2], solid.floor)
        boxes.append(replace(solid, start=low, end=high, start_radius=0.0, box=True, floor=None))
    return boxes
