# SPDX-License-Identifier: GPL-3.0-or-later
"""Stylised proportions of people, from slightly off to big-headed game figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = {
    "head": ("head",),
    "neck": ("neck_01",),
    "torso": ("pelvis", "spine_01", "spine_02", "spine_03"),
    "shoulder": ("clavicle_l", "clavicle_r"),
    "upper_arm": ("upperarm_l", "upperarm_r"),
    "lower_arm": ("lowerarm_l", "lowerarm_r"),
    "hand": ("hand", "thumb", "index", "middle", "ring", "pinky"),
    "thigh": ("thigh_l", "thigh_r"),
    "calf": ("calf_l", "calf_r"),
    "foot": ("foot_l", "foot_r", "ball_l", "ball_r"),
}


def part_of_bone(bone: str) -> str:
    """Which of `PARTS` a bone belongs to; the root counts as torso."""
    for part, prefixes in PARTS.items():
        if bone.startswith(prefixes):
            return part
    return "torso"


@dataclass(frozen=True)
class Proportions:
    """Scale along the bone and across it, by part."""

    along: dict[str, float]
    across: dict[str, float]


def sample_proportions(rng: np.random.Generator, strength: float) -> Proportions:
    """Random stylisation; strength 0 keeps the person, 1 reaches chibi heads and giant hands."""
    spread = {
        "head": (-0.1, 0.9), "neck": (-0.8, 0.2), "torso": (-0.5, 0.4), "shoulder": (-0.2, 0.4),
        "upper_arm": (-0.6, 0.4), "lower_arm": (-0.6, 0.4), "hand": (-0.2, 0.9), "thigh": (-0.8, 0.4),
        "calf": (-0.8, 0.4), "foot": (-0.2, 0.7),
    }  # fmt: skip
    along, across = {}, {}
    thickness = rng.uniform(-0.3, 0.6)
    for part, (low, high) in spread.items():
        along[part] = float(np.exp(strength * rng.uniform(low, high)))
        own = rng.uniform(-0.25, 0.35) + thickness
        across[part] = along[part] if part in ("head", "hand", "foot") else float(np.exp(strength * own))
    return Proportions(along, across)


def sample_chibi(rng: np.random.Generator) -> Proportions:
    """Game-figure proportions: a head of a third to half the height, short limbs, stout hands and feet."""
    head, limb = float(rng.uniform(1.9, 3.3)), float(rng.uniform(0.45, 0.8))
    thick = float(rng.uniform(1.0, 1.7))
    along = {part: limb * float(rng.uniform(0.85, 1.15)) for part in PARTS}
    across = {part: thick * limb * float(rng.uniform(0.85, 1.2)) * 1.3 for part in PARTS}
    for part, size in (("head", head), ("hand", rng.uniform(0.8, 1.6)), ("foot", rng.uniform(0.8, 1.5))):
        along[part] = across[part] = float(size)
    along["neck"] = float(rng.uniform(0.1, 0.6))
    return Proportions(along, across)


def sample_squat(rng: np.random.Generator) -> Proportions:
    """A game figure that stands on stumps: as `sample_chibi`, but legs so short that they are all boot."""
    figure = sample_chibi(rng)
    short = float(rng.uniform(0.15, 0.5))
    for part in ("thigh", "calf"):
        figure.along[part] = short * float(rng.uniform(0.8, 1.25))
        figure.across[part] *= float(rng.uniform(0.9, 1.6))
    for part in ("upper_arm", "lower_arm"):
        figure.along[part] *= float(rng.uniform(0.9, 1.4))
    return figure
