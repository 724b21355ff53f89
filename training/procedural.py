# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural characters of `examples/`, tied to the human template through their bones.

A vertex of a procedural character and a template vertex belong together where they lie on the same bone, equally far
along it, on the same side of its axis. That is true to a few centimetres, not to the millimetre.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from examples.characters import (
    HUMANOID_JOINTS,
    Character,
    HumanoidSpec,
    bone_coordinates,
    build_humanoid,
    pose_character,
    random_humanoid,
    random_pose,
    rest_pose_a,
)
from examples.humanoid_spec import humanoid_bones

from .dressing import Labelled
from .humans import HumanModel, to_z_up

STYLES: tuple[Literal["smooth", "blocky", "parts"], ...] = ("smooth", "blocky", "parts")
HATS: tuple[Literal["none", "brim", "helmet", "hood", "horns"], ...] = ("none", "brim", "helmet", "hood", "horns")
FINGERS = ("index", "middle", "ring", "pinky")


def joint_of_bone(bone: str) -> str:
    """The procedural joint of a game-engine bone: `index_02_l` → `fingers.L`, `neck_01` → `neck`."""
    name, _, side = bone.rpartition("_")
    if side not in ("l", "r"):
        return "neck" if bone == "neck_01" else "pelvis" if bone == "Root" else bone
    stem = name.split("_")[0]
    return f"{'fingers' if stem in FINGERS else stem}.{side.upper()}"


class TemplateChart:
    """The template's body vertices by joint, in the coordinates of procedural characters."""

    def __init__(self, model: HumanModel) -> None:
        count = model.body_vertex_count
        body = to_z_up(model.base[:count])
        heads, tails = (to_z_up(ends) for ends in model.joints(model.base))
        dominant = model.weights[:count].argmax(axis=1)
        goal = humanoid_bones(HumanoidSpec())
        self._trees: dict[int, tuple[cKDTree, np.ndarray, float]] = {}
        for joint, name in enumerate(HUMANOID_JOINTS):
            bones = [i for i, bone in enumerate(model.bones) if joint_of_bone(bone) == name]
            own = np.flatnonzero(np.isin(dominant, bones))
            axis = _axis(heads, tails, bones)
            segments = np.tile(axis, (1, 1, 1)).astype(np.float32)
            along, around = bone_coordinates(body[own], np.zeros(len(own), np.int32), segments)
            turn, _ = Rotation.align_vectors((goal[name][1] - goal[name][0])[None], (axis[1] - axis[0])[None])
            around = turn.apply(around)
            length = float(np.linalg.norm(axis[1] - axis[0]))
            to_axis = body[own] - axis[0] - along[:, None] * (axis[1] - axis[0])
            stretch = length / max(float(np.median(np.linalg.norm(to_axis, axis=1))), 1e-6)
            self._trees[joint] = cKDTree(np.column_stack([along * stretch, around])), own, stretch

    def label(self, character: Character) -> np.ndarray:
        """(V,) int64, the template vertex of every vertex of a procedural character."""
        labels = np.zeros(len(character.vertices), np.int64)
        for joint, (tree, own, stretch) in self._trees.items():
            rows = np.flatnonzero(character.bone == joint)
            if len(rows):
                place = np.column_stack([character.along[rows] * stretch, character.around[rows]])
                labels[rows] = own[tree.query(place)[1]]
        return labels


def _axis(heads: np.ndarray, tails: np.ndarray, bones: list[int]) -> np.ndarray:
    """(2, 3) head of the first and mean tail of the last bones of a joint; fingers run to the mean fingertip."""
    if len(bones) > 3:
        firsts, lasts = bones[: len(bones) // 3], bones[-len(bones) // 3 :]
        return np.stack([heads[firsts].mean(axis=0), tails[lasts].mean(axis=0)])
    return np.stack([heads[bones[0]], tails[bones[-1]]])


def chibi_spec(rng: np.random.Generator) -> HumanoidSpec:
    """A random character with a head of a third to half its height, short limbs, and often a cape or a hat."""
    return replace(
        random_humanoid(rng),
        head_size=float(rng.uniform(0.33, 0.52)),
        neck_length=float(rng.uniform(0.005, 0.02)),
        leg_length=float(rng.uniform(0.16, 0.28)),
        arm_length=float(rng.uniform(0.14, 0.24)),
        shoulder_width=float(rng.uniform(0.2, 0.3)),
        hip_width=float(rng.uniform(0.12, 0.18)),
        torso_width=float(rng.uniform(0.1, 0.16)),
        torso_depth=float(rng.uniform(0.08, 0.12)),
        arm_thickness=float(rng.uniform(0.035, 0.06)),
        leg_thickness=float(rng.uniform(0.05, 0.075)),
        hand_size=float(rng.uniform(0.07, 0.14)),
        foot_size=float(rng.uniform(0.12, 0.2)),
        style=STYLES[rng.choice(len(STYLES), p=[0.35, 0.15, 0.5])],
        cape=bool(rng.random() < 0.5),
        hat=HATS[rng.choice(len(HATS), p=[0.3, 0.2, 0.2, 0.15, 0.15])],
    )


def sample_procedural(chart: TemplateChart, rng: np.random.Generator, *, chibi: bool = False) -> Labelled:
    """A random procedural character in a T, A or random pose, Z up."""
    character = build_humanoid(chibi_spec(rng) if chibi else random_humanoid(rng))
    labels = chart.label(character)
    posed = stand(character, rng)
    return Labelled(posed.vertices, posed.faces, labels)


def stand(character: Character, rng: np.random.Generator) -> Character:
    """A humanoid in a T, A or random pose."""
    kind = rng.choice(["t", "a", "free"], p=[0.15, 0.15, 0.7])
    if kind == "a":
        return pose_character(character, rest_pose_a(float(rng.uniform(10, 70))))
    if kind == "free":
        return pose_character(character, random_pose(rng, float(rng.uniform(0.2, 1.0))))
    return character
