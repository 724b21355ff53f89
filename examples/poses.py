# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of the humanoids, as rotations from their T-pose."""

from __future__ import annotations

import numpy as np

from .skeleton import Float32, euler, mirror_name, mirror_rotation

# Least and greatest turn in degrees about X (forward is negative for a hanging limb), Y and Z, for the left side.
_LIMITS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "pelvis": ((-8, 8), (-6, 6), (-8, 8)),
    "spine_01": ((-20, 12), (-8, 8), (-10, 10)),
    "spine_02": ((-14, 10), (-8, 8), (-10, 10)),
    "spine_03": ((-12, 8), (-6, 6), (-8, 8)),
    "neck": ((-15, 15), (-12, 12), (-20, 20)),
    "head": ((-20, 20), (-12, 12), (-35, 35)),
    "clavicle.L": ((0, 0), (-15, 8), (-12, 12)),
    "upperarm.L": ((-40, 40), (-50, 82), (-80, 25)),
    "lowerarm.L": ((-60, 30), (0, 0), (-130, 0)),
    "hand.L": ((0, 0), (-40, 50), (-15, 20)),
    "fingers.L": ((0, 0), (-8, 75), (0, 0)),
    "thumb.L": ((-15, 25), (-10, 20), (-20, 20)),
    "thigh.L": ((-95, 25), (-40, 8), (-25, 25)),
    "calf.L": ((0, 120), (0, 0), (0, 0)),
    "foot.L": ((-25, 35), (-8, 8), (-12, 12)),
    "ball.L": ((-30, 5), (0, 0), (0, 0)),
}


def rest_pose_t() -> dict[str, Float32]:
    """Arms straight out: the pose characters are built in."""
    return {}


def rest_pose_a(arm_degrees: float = 45.0, leg_degrees: float = 6.0) -> dict[str, Float32]:
    """Arms lowered by `arm_degrees`, legs spread by `leg_degrees`."""
    left = {
        "clavicle.L": euler(0, 0.1 * arm_degrees, 0),
        "upperarm.L": euler(0, 0.9 * arm_degrees, 0),
        "lowerarm.L": euler(0, 0, -8),
        "thigh.L": euler(0, -leg_degrees, 0),
        "foot.L": euler(0, leg_degrees, 0),
    }
    return left | {mirror_name(name): mirror_rotation(turn) for name, turn in left.items()}


def random_pose(rng: np.random.Generator, strength: float = 1.0) -> dict[str, Float32]:
    """Every joint somewhere within a human's limits; half the poses move both sides alike.

    strength: 1 uses the whole of each joint's range, 0 gives the T-pose.
    """
    alike = rng.random() < 0.5
    lowered = rng.random()
    pose: dict[str, Float32] = {}
    for left, limits in _LIMITS.items():
        low, high = strength * np.asarray(limits, np.float64).T
        # Extremes of every joint at once look like no human: most turns stay near the middle of what is comfortable.
        comfort = np.array([0.0, lowered * high[1], 0.0]) if left == "upperarm.L" else np.zeros(3)
        turns = np.clip(comfort + _spread(rng, low, high), low, high)
        pose[left] = euler(*turns)
        right = mirror_name(left)
        if right != left:
            other = turns + 0.15 * (high - low) * rng.normal(size=3) if alike else comfort + _spread(rng, low, high)
            pose[right] = mirror_rotation(euler(*np.clip(other, low, high)))
    return pose


def _spread(rng: np.random.Generator, low: Float32, high: Float32) -> Float32:
    towards = rng.normal(scale=0.45, size=3)
    return np.where(towards < 0, -low, high) * towards


def walk_cycle(phase: float) -> dict[str, Float32]:
    """One moment of a walk, arms swinging against the legs. phase 0..1 is one whole cycle (two steps)."""
    turn = 2 * np.pi * phase
    pose = {
        "pelvis": euler(0, 3 * np.sin(turn), 5 * np.sin(turn)),
        "spine_01": euler(-3, -2 * np.sin(turn), -4 * np.sin(turn)),
        "spine_03": euler(-2, 0, -6 * np.sin(turn)),
        "head": euler(3, 0, 5 * np.sin(turn)),
    }
    for side, at in ((".L", turn), (".R", turn + np.pi)):
        swing = np.sin(at)
        lift = max(0.0, np.cos(at))
        limb = {
            "clavicle": euler(0, 6, 0),
            # The arm is lowered to the side first (about Y) and then swings about X, against its own leg.
            "upperarm": euler(24 * swing, 0, 0) @ euler(0, 68, 0),
            "lowerarm": euler(0, 0, -22 + 14 * swing),
            "fingers": euler(0, 25, 0),
            "thigh": euler(-30 * swing - 4, -2, 0),
            "calf": euler(8 + 48 * lift * lift + 6 * (1 - swing), 0, 0),
            "foot": euler(6 - 12 * lift + 8 * swing, 0, 0),
            "ball": euler(-18 * max(0.0, -swing), 0, 0),
        }
        pose |= {name + side: turned if side == ".L" else mirror_rotation(turned) for name, turned in limb.items()}
    return pose
