# SPDX-License-Identifier: GPL-3.0-or-later
"""What can differ between two humanoids, and the skeleton that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .skeleton import Float32

_SIDE = ("clavicle", "upperarm", "lowerarm", "hand", "fingers", "thumb", "thigh", "calf", "foot", "ball")
_SIDE_PARENT = {
    "clavicle": "spine_03", "upperarm": "clavicle", "lowerarm": "upperarm", "hand": "lowerarm", "fingers": "hand",
    "thumb": "hand", "thigh": "pelvis", "calf": "thigh", "foot": "calf", "ball": "foot",
}  # fmt: skip
_MIDDLE = ("pelvis", "spine_01", "spine_02", "spine_03", "neck", "head")
HUMANOID_JOINTS: tuple[str, ...] = _MIDDLE + tuple(name + side for side in (".L", ".R") for name in _SIDE)


@dataclass(frozen=True)
class HumanoidSpec:
    """Lengths are fractions of `height`, which is in metres.

    head_size: chin to crown; leg_length: floor to hip joint; arm_length: shoulder to wrist; shoulder_width and
    hip_width: between the two joints; torso_width and torso_depth: half the chest's; hand_size: wrist to fingertip;
    foot_size: heel to toe; the thicknesses are radii. belly and bust: 0..1.
    style: one melted surface, boxes, or a loose closed piece per part of the body.
    resolution: cells (smooth) over the height; sides of a piece (parts, blocky) follow from it.
    """

    height: float = 1.75
    head_size: float = 0.13
    neck_length: float = 0.045
    leg_length: float = 0.51
    arm_length: float = 0.32
    shoulder_width: float = 0.21
    hip_width: float = 0.105
    torso_width: float = 0.092
    torso_depth: float = 0.062
    arm_thickness: float = 0.025
    leg_thickness: float = 0.044
    hand_size: float = 0.1
    foot_size: float = 0.15
    belly: float = 0.0
    bust: float = 0.0
    style: Literal["smooth", "blocky", "parts"] = "smooth"
    fingers: Literal["mitten", "five", "box"] = "five"
    hair: Literal["none", "cap", "long", "ponytail", "bun", "spikes"] = "cap"
    hat: Literal["none", "brim", "helmet", "hood", "horns"] = "none"
    skirt: Literal["none", "skirt", "tunic", "robe"] = "none"
    cape: bool = False
    backpack: bool = False
    belt: bool = False
    boots: bool = False
    pads: bool = False
    softness: float = 1.0
    resolution: int = 80
    seed: int = 0


def random_humanoid(rng: np.random.Generator) -> HumanoidSpec:
    """Anything from a realistic adult to a big-headed game character, in any style."""
    toy = rng.random() < 0.5
    stout = rng.normal()

    def around(realistic: float, stylised: float, spread: float) -> float:
        middle = realistic + (stylised - realistic) * rng.uniform(0.3, 1.0) if toy else realistic
        return float(middle * np.exp(spread * np.clip(rng.normal(), -2, 2)))

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    style = rng.choice(["smooth", "blocky", "parts"], p=[0.6, 0.12, 0.28])
    thick = float(np.exp(0.14 * stout))
    return HumanoidSpec(
        height=float(rng.uniform(1.2, 2.0)),
        head_size=around(0.13, 0.3, 0.08),
        neck_length=around(0.045, 0.015, 0.15),
        leg_length=around(0.51, 0.3, 0.06),
        arm_length=around(0.32, 0.25, 0.07),
        shoulder_width=around(0.21, 0.25, 0.08),
        hip_width=around(0.105, 0.14, 0.1),
        torso_width=around(0.092, 0.12, 0.1) * thick,
        torso_depth=around(0.062, 0.085, 0.1) * thick,
        arm_thickness=around(0.025, 0.042, 0.15) * thick,
        leg_thickness=around(0.044, 0.06, 0.12) * thick,
        hand_size=around(0.1, 0.13, 0.1),
        foot_size=around(0.15, 0.18, 0.1),
        belly=float(np.clip(0.25 * stout + 0.3 * rng.normal(), 0, 1)),
        bust=float(rng.uniform(0.2, 1.0)) if chance(0.3) else 0.0,
        style=style,
        fingers=rng.choice(["mitten", "five", "box"], p=[0.3, 0.55, 0.15]),
        hair=rng.choice(["none", "cap", "long", "ponytail", "bun", "spikes"], p=[0.25, 0.25, 0.2, 0.1, 0.1, 0.1]),
        hat=rng.choice(["none", "brim", "helmet", "hood", "horns"], p=[0.55, 0.12, 0.15, 0.1, 0.08]),
        skirt=rng.choice(["none", "skirt", "tunic", "robe"], p=[0.65, 0.13, 0.14, 0.08]),
        cape=chance(0.12),
        backpack=chance(0.12),
        belt=chance(0.3),
        boots=chance(0.35),
        pads=chance(0.2),
        softness=float(rng.uniform(0.4, 1.6)),
        resolution=int(rng.integers(45, 66) if toy else rng.integers(62, 92)),
        seed=int(rng.integers(2**31)),
    )


def humanoid_parents() -> list[int]:
    """(J,) parent of every joint of `HUMANOID_JOINTS`, -1 for the root."""
    parents = []
    for name in HUMANOID_JOINTS:
        if name in _MIDDLE:
            parents.append(_MIDDLE.index(name) - 1)
        else:
            stem, side = name.split(".")
            parent = _SIDE_PARENT[stem]
            parents.append(HUMANOID_JOINTS.index(parent if parent in _MIDDLE else f"{parent}.{side}"))
    return parents


def humanoid_bones(spec: HumanoidSpec) -> dict[str, Float32]:
    """Joint name -> (2, 3) head and tail in the T-pose, metres."""
    h = spec.height
    crown = h
    head_z = h * (1 - spec.head_size)
    shoulder_z = head_z - spec.neck_length * h
    hip_z = min(spec.leg_length * h, shoulder_z - 0.16 * h)
    torso = shoulder_z - hip_z
    bones: dict[str, list[tuple[float, float, float]]] = {
        "pelvis": [(0, 0, hip_z), (0, 0, hip_z + 0.2 * torso)],
        "spine_01": [(0, 0, hip_z + 0.2 * torso), (0, 0, hip_z + 0.43 * torso)],
        "spine_02": [(0, 0, hip_z + 0.43 * torso), (0, 0, hip_z + 0.68 * torso)],
        "spine_03": [(0, 0, hip_z + 0.68 * torso), (0, 0, shoulder_z)],
        "neck": [(0, 0, shoulder_z), (0, -0.004 * h, head_z)],
        "head": [(0, -0.004 * h, head_z), (0, -0.004 * h, crown)],
    }
    shoulder_x = max(spec.shoulder_width / 2, spec.torso_width * 0.95) * h
    arm_z = shoulder_z - 1.1 * spec.arm_thickness * h
    elbow_x, wrist_x = shoulder_x + 0.52 * spec.arm_length * h, shoulder_x + spec.arm_length * h
    hand = spec.hand_size * h
    hip_x = max(spec.hip_width / 2, 0.95 * spec.leg_thickness) * h
    ankle_z = min(0.3 * spec.foot_size * h, 0.3 * hip_z)
    knee_z = ankle_z + 0.5 * (hip_z - ankle_z)
    foot = spec.foot_size * h
    ball_y, toe_y = 0.012 * h - 0.48 * foot, 0.012 * h - 0.76 * foot
    left: dict[str, list[tuple[float, float, float]]] = {
        "clavicle": [(0.12 * shoulder_x, 0, arm_z), (shoulder_x, 0, arm_z)],
        "upperarm": [(shoulder_x, 0, arm_z), (elbow_x, 0.003 * h, arm_z)],
        "lowerarm": [(elbow_x, 0.003 * h, arm_z), (wrist_x, 0, arm_z)],
        "hand": [(wrist_x, 0, arm_z), (wrist_x + 0.5 * hand, 0, arm_z)],
        "fingers": [(wrist_x + 0.5 * hand, 0, arm_z), (wrist_x + hand, 0, arm_z)],
        "thumb": [(wrist_x + 0.15 * hand, -0.14 * hand, arm_z), (wrist_x + 0.5 * hand, -0.5 * hand, arm_z)],
        "thigh": [(hip_x, 0, hip_z), (1.03 * hip_x, -0.006 * h, knee_z)],
        "calf": [(1.03 * hip_x, -0.006 * h, knee_z), (1.06 * hip_x, 0.012 * h, ankle_z)],
        "foot": [(1.06 * hip_x, 0.012 * h, ankle_z), (1.1 * hip_x, ball_y, 0.09 * foot)],
        "ball": [(1.1 * hip_x, ball_y, 0.09 * foot), (1.12 * hip_x, toe_y, 0.09 * foot)],
    }  # fmt: skip
    for stem, ends in left.items():
        bones[stem + ".L"] = ends
        bones[stem + ".R"] = [(-x, y, z) for x, y, z in ends]
    return {name: np.array(bones[name], np.float32) for name in HUMANOID_JOINTS}
