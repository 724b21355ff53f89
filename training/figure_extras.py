# SPDX-License-Identifier: GPL-3.0-or-later
"""What figures have besides a body: muzzles, ears and horns, tails, wings, aerials."""

from __future__ import annotations

import numpy as np

from examples.characters import HumanoidSpec
from examples.humanoid_body import mirror_solid
from examples.implicit import Solid

from .solids import Bones, beside, head_size, worn


def _muzzle(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """A snout or a beak."""
    size, base = head_size(bones), bones["head"][0]
    root, reach = beside(base, 0, -0.25, 0.4, size), float(rng.uniform(0.35, 0.9))
    tip = beside(base, 0, -0.25 - reach, 0.4 - float(rng.uniform(0.0, 0.2)), size)
    return [worn(("head",), root, tip, float(rng.uniform(0.18, 0.28)) * size, float(rng.uniform(0.04, 0.2)) * size)]


def _ears(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """Pointed, round or long ears, or horns, on both sides."""
    size, base = head_size(bones), bones["head"][0]
    root = beside(base, float(rng.uniform(0.12, 0.38)), 0.02, float(rng.uniform(0.65, 0.95)), size)
    out = np.array([rng.uniform(0.0, 1.0), rng.uniform(-0.2, 0.5), rng.uniform(0.0, 1.0)])
    tip = (root + out / max(np.linalg.norm(out), 0.1) * rng.uniform(0.2, 0.9) * size).astype(np.float32)
    thick = float(rng.uniform(0.08, 0.18)) * size
    squeeze = np.array([1, rng.uniform(1, 3), 1], np.float32)
    ear = worn(("head",), root, tip, thick, thick * float(rng.uniform(0.1, 1.2)), squeeze)
    return [ear, mirror_solid(ear)]


def _tail(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """Three pieces, each turned from the last."""
    h = spec.height
    at = bones["pelvis"][0] + np.array([0, 0.9 * spec.torso_depth * h, 0], np.float32)
    angle, bend = rng.uniform(-1.2, 0.6), rng.uniform(-0.7, 0.9)
    length, thick = rng.uniform(0.08, 0.22) * h, float(rng.uniform(0.3, 0.9)) * spec.torso_depth * h
    parts = []
    for part in range(3):
        turn = angle + bend * part
        end = (at + length * np.array([0, np.cos(turn), np.sin(turn)])).astype(np.float32)
        parts.append(worn(("pelvis",), at, end, thick * (1 - 0.25 * part), thick * (0.75 - 0.25 * part)))
        at = end
    return parts


def _wings(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """A thin sheet on each side of the back, along an arm of its own."""
    h = spec.height
    root = bones["spine_03"][0] + np.array([0.03 * h, 1.1 * spec.torso_depth * h, 0], np.float32)
    span, rise = rng.uniform(0.2, 0.6) * h, rng.uniform(-0.1, 0.35) * h
    tip = beside(root, span, float(rng.uniform(0.0, 0.25)) * h, rise)
    parts = [worn(("spine_03",), root, tip, 0.02 * h, 0.01 * h)]
    for share in np.linspace(0.15, 1, 5):
        top = (root + share * (tip - root)).astype(np.float32)
        low = beside(top, 0, 0, -float(rng.uniform(0.12, 0.2)) * h - 0.3 * max(rise, 0) * share)
        parts.append(worn(("spine_03",), top, low, 0.05 * h, 0.03 * h, np.array([1, 8, 1], np.float32)))
    return [*parts, *(mirror_solid(part) for part in parts)]


def _aerials(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """Thin rods with balls on the head."""
    size, base = head_size(bones), bones["head"][0]
    parts = []
    for x in (0.0,) if rng.uniform() < 0.4 else (-0.25, 0.25):
        root, tip = beside(base, x, 0, 0.9, size), beside(base, 1.6 * x, 0, float(rng.uniform(1.15, 1.6)), size)
        parts.append(worn(("head",), root, tip, 0.03 * size, 0.02 * size))
        parts.append(worn(("head",), tip, tip, 0.07 * size, 0.07 * size))
    return parts


EXTRAS = (  # how often, and whether it has a likeness on humans
    (_muzzle, 0.35, True), (_ears, 0.4, True), (_tail, 0.25, False), (_wings, 0.12, False), (_aerials, 0.12, False),
)  # fmt: skip
