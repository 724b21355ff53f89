# SPDX-License-Identifier: GPL-3.0-or-later
"""What a quadruped of `training.quadrupeds` looks like and how it stands: proportions and poses, drawn at random."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

TORSOS = (
    "body_feline_cheetah", "body_feline_housecat", "body_feline_tiger", "body_feline_tiger_2", "body_feline_wolf",
    "body_herbivore_cow", "body_herbivore_giraffe", "body_herbivore_goat", "body_herbivore_llama",
)  # fmt: skip
HEADS = (
    "head_carnivore_tiger", "head_carnivore_wolf", "head_herbivore_cow", "head_herbivore_giraffe",
    "head_herbivore_goat", "head_herbivore_llama",
)  # fmt: skip
SPECIES = tuple(dict.fromkeys(name.split("_")[2] for name in TORSOS))
LEGS = ("foreleg", "hindleg")


@dataclass(frozen=True)
class AnimalSpec:
    """One animal standing. The unit is the distance between shoulder and hip.

    torso, head: weights of `TORSOS` and `HEADS`, sum 1, slightly negative ones allowed. girth, depth: factors across.
    leg: shoulder to ground. thick: factor on all leg radii; foot: its length. joints: jitter of the legs' proportions.
    neck: factor on its length, rise: degrees added to it. head_size: length. snout: factor on its front half.
    """

    torso: tuple[float, ...]
    head: tuple[float, ...]
    girth: float = 1.0
    depth: float = 1.0
    leg: float = 1.1
    thick: float = 1.0
    foot: float = 0.14
    joints: tuple[float, ...] = (0.0,) * 6
    neck: float = 1.0
    rise: float = 0.0
    head_size: float = 0.7
    snout: float = 1.0
    tail: float = 0.6
    tail_thick: float = 0.04
    ear: float = 0.14
    ear_width: float = 0.4
    ear_out: float = 30.0
    horn: float = 0.0
    trunk: float = 0.0


@dataclass(frozen=True)
class AnimalPose:
    """Degrees. spine, neck: (pitch, yaw) over the whole length. legs: per leg (swing, spread, middle, lower bend)."""

    spine: tuple[float, float] = (0.0, 0.0)
    neck: tuple[float, float] = (0.0, 0.0)
    head: tuple[float, float, float] = (-25.0, 0.0, 0.0)
    tail: tuple[float, float, float] = (-50.0, 0.0, 0.0)
    legs: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    whole: tuple[float, float] = (0.0, 0.0)  # roll, pitch


def random_animal(rng: np.random.Generator, without: Collection[str] = (), only: str = "") -> AnimalSpec:
    """From dachshunds and hippos to giraffes and elephants.

    without: the species of `SPECIES` that take no part in the mixtures. only: the one species that does.
    """

    def about(middle: float, spread: float, low: float = 0.0, high: float = np.inf) -> float:
        return float(np.clip(middle * np.exp(spread * rng.normal()), low, high))

    def weights(nets: tuple[str, ...]) -> tuple[float, ...]:
        used = np.array([name.split("_")[2] not in without for name in nets])
        if only in {name.split("_")[2] for name in nets}:
            used = np.array([name.split("_")[2] == only for name in nets])
        mixed = np.zeros(len(nets))
        mixed[used] = rng.dirichlet([0.35] * int(used.sum()))
        mixed[used] += rng.uniform(0, 0.25) * (mixed[used] - 1 / used.sum())
        return tuple(mixed.tolist())

    heavy = rng.uniform() < 0.2
    return AnimalSpec(
        torso=weights(TORSOS),
        head=weights(HEADS),
        girth=about(1.25 if heavy else 1.0, 0.18),
        depth=about(1.15 if heavy else 1.0, 0.14),
        leg=about(1.15, 0.28, 0.45, 2.1),
        thick=about(1.7 if heavy else 1.0, 0.25, 0.5, 2.6),
        foot=about(0.14, 0.3, 0.05, 0.35),
        joints=tuple(rng.normal(0, 0.04, 6).tolist()),
        neck=about(1.0, 0.3, 0.35, 2.2),
        rise=float(rng.normal(0, 15)),
        head_size=about(0.7, 0.25, 0.35, 1.3),
        snout=about(1.0, 0.3, 0.4, 2.0),
        tail=about(0.55, 0.6, 0.05, 1.6),
        tail_thick=about(0.04, 0.4, 0.015, 0.14),
        ear=about(0.15, 0.45, 0.04, 0.6),
        ear_width=float(rng.uniform(0.25, 0.75)),
        ear_out=float(rng.uniform(-10, 130)),
        horn=about(0.25, 0.5, 0.05, 0.8) if rng.uniform() < 0.25 else 0.0,
        trunk=about(0.8, 0.3, 0.3, 1.5) if rng.uniform() < 0.06 else 0.0,
    )


def random_pose(rng: np.random.Generator, strength: float, resting: float = 0.2) -> AnimalPose:
    """strength: 0 stands, 1 the whole range. resting: the share that sits, lies or rears, the more the stronger."""

    def some(low: float, high: float) -> float:
        return float(rng.triangular(low, 0, high)) * strength

    shares = [1 - resting, *(resting * np.array([0.3, 0.3, 0.2, 0.2]))]
    special = rng.choice(["none", "sit", "lie", "rear", "side"], p=shares)
    pitch = some(-8, 8) - {"sit": rng.uniform(20, 45), "rear": rng.uniform(30, 75)}.get(special, 0.0) * strength
    legs = {}
    for leg in LEGS:
        for side in "LR":
            bend = (some(-50, 20), some(-35, 60)) if leg == "foreleg" else (some(-25, 55), some(-55, 25))
            swing = some(-45, 45) - pitch
            if special == "lie" or (special == "sit" and leg == "hindleg"):
                fold = rng.uniform(0.7, 1.0) * strength
                swing, bend = (
                    (-60 * fold, (-10.0, 120 * fold)) if leg == "foreleg" else (65 * fold, (-110 * fold, 110 * fold))
                )
            legs[f"{leg}.{side}"] = (swing, some(-10, 18), *bend)
    return AnimalPose(
        spine=(some(-20, 20), some(-30, 30)),
        neck=(some(-45, 40), some(-50, 50)),
        head=(-25 + 35 * strength * float(rng.normal()), some(-40, 40), some(-20, 20)),
        tail=(float(rng.uniform(-80, 60)) * max(strength, 0.4), some(-60, 60), some(-90, 90)),
        legs=legs,
        whole=(float(rng.choice([-90, 90])) * strength if special == "side" else some(-4, 4), pitch),
    )


def bare(spec: AnimalSpec) -> AnimalSpec:
    """Without horns and trunk."""
    return replace(spec, horn=0.0, trunk=0.0)
