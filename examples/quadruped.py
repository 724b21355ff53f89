# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural four-legged animals of the same kind as the humanoids: dogs, horses, cows, cats and what lies between.

Built standing, facing -Y; `along` and `around` are in the standing animal's axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .characters import label_character
from .implicit import Solid, make_lattice, melt_solids, mesh_pieces
from .skeleton import Character, Float32, euler, mirror_name, mirror_rotation

_PARENT = {
    "pelvis": "", "spine_01": "pelvis", "spine_02": "spine_01", "chest": "spine_02", "neck_01": "chest",
    "neck_02": "neck_01", "head": "neck_02", "tail_01": "pelvis", "tail_02": "tail_01", "tail_03": "tail_02",
}  # fmt: skip
_SIDE_PARENT = {
    "ear": "head", "upperarm": "chest", "forearm": "upperarm", "pastern": "forearm", "forefoot": "pastern",
    "thigh": "pelvis", "calf": "thigh", "hock": "calf", "hindfoot": "hock",
}  # fmt: skip
QUADRUPED_JOINTS: tuple[str, ...] = (*_PARENT, *(name + side for side in (".L", ".R") for name in _SIDE_PARENT))


@dataclass(frozen=True)
class QuadrupedSpec:
    """Lengths are fractions of `height` (floor to back, metres); the thicknesses are radii.

    length: shoulder to hip; girth: half the chest's width; depth: the chest's; tuck: how much slimmer the waist is,
    0..1; leg_length: floor to elbow; neck_rise: degrees above the horizon; ear: "pointed", "round" or "hanging".
    """

    height: float = 0.6
    length: float = 0.95
    girth: float = 0.16
    depth: float = 0.42
    tuck: float = 0.3
    leg_length: float = 0.52
    leg_thickness: float = 0.06
    foot_size: float = 0.11
    neck_length: float = 0.4
    neck_thickness: float = 0.13
    neck_rise: float = 40.0
    head_length: float = 0.42
    head_width: float = 0.13
    snout: float = 0.55
    ear_length: float = 0.15
    ear: str = "pointed"
    tail_length: float = 0.6
    tail_thickness: float = 0.04
    resolution: int = 40
    seed: int = 0


def random_quadruped(rng: np.random.Generator) -> QuadrupedSpec:
    """Anything from a dachshund to a horse."""

    def about(middle: float, spread: float) -> float:
        return float(middle * np.exp(spread * np.clip(rng.normal(), -2, 2)))

    tall = rng.random()
    return QuadrupedSpec(
        height=float(rng.uniform(0.25, 1.6)),
        length=about(1.05 - 0.1 * tall, 0.12),
        girth=about(0.165, 0.15),
        depth=float(np.clip(about(0.4, 0.12), 0.3, 0.5)),
        tuck=float(rng.uniform(0, 0.5)),
        leg_length=float(np.clip(about(0.42 + 0.14 * tall, 0.1), 0.25, 0.62)),
        leg_thickness=about(0.055, 0.2),
        foot_size=about(0.1, 0.2),
        neck_length=about(0.25 + 0.35 * tall, 0.25),
        neck_thickness=about(0.12, 0.15),
        neck_rise=float(rng.uniform(10, 65)),
        head_length=about(0.4, 0.15),
        head_width=about(0.13, 0.15),
        snout=float(rng.uniform(0.35, 0.85)),
        ear_length=about(0.15, 0.35),
        ear=str(rng.choice(["pointed", "round", "hanging"])),
        tail_length=about(0.55, 0.35),
        tail_thickness=about(0.04, 0.3),
        resolution=int(rng.integers(32, 48)),
        seed=int(rng.integers(2**31)),
    )


def quadruped_parents() -> list[int]:
    """(J,) parent of every joint of `QUADRUPED_JOINTS`, -1 for the root."""
    parents = []
    for name in QUADRUPED_JOINTS:
        stem, _, side = name.partition(".")
        parent = _SIDE_PARENT[stem] if side else _PARENT[stem]
        if side and parent in _SIDE_PARENT:
            parent = f"{parent}.{side}"
        parents.append(QUADRUPED_JOINTS.index(parent) if parent else -1)
    return parents


def quadruped_bones(spec: QuadrupedSpec) -> dict[str, Float32]:
    """Joint name -> (2, 3) head and tail of the standing animal, metres."""
    h = spec.height
    back, belly_z = h * (1 - 0.5 * spec.depth), h * (1 - spec.depth)
    rear, front = 0.5 * spec.length * h, -0.5 * spec.length * h
    rise = np.radians(spec.neck_rise)
    along_neck = np.array([0, -np.cos(rise), np.sin(rise)]) * spec.neck_length * h
    spine = [np.array([0, y, back]) for y in np.linspace(rear, front, 5)]
    neck = [spine[-1], spine[-1] + 0.5 * along_neck, spine[-1] + along_neck]
    nose = neck[-1] + np.array([0, -0.9, -0.35]) / np.hypot(0.9, 0.35) * spec.head_length * h
    tail = [
        spine[0] + np.array([0, 0.4 * np.sin(a) + 0.1 * a, 0.2 * a - 0.25 * a * a]) * spec.tail_length * h
        for a in np.linspace(0, 1.8, 4)
    ]
    bones = {name: (spine[i], spine[i + 1]) for i, name in enumerate(("pelvis", "spine_01", "spine_02", "chest"))}
    bones |= {"neck_01": (neck[0], neck[1]), "neck_02": (neck[1], neck[2]), "head": (neck[2], nose)}
    bones |= {f"tail_0{i + 1}": (tail[i], tail[i + 1]) for i in range(3)}
    wide = 0.62 * spec.girth * h
    leg = min(spec.leg_length * h, belly_z)
    ear = neck[-1] + np.array([0.75 * spec.head_width, -0.12 * spec.head_length, 0.8 * spec.head_width]) * h
    way = {"pointed": (0.35, 0, 1), "round": (0.6, 0, 0.8), "hanging": (0.6, 0, -0.9)}[spec.ear]
    fore = [
        (wide, front - 0.02 * h, back - 0.35 * (back - leg)),
        (wide, front + 0.06 * h, leg),
        (wide, front + 0.03 * h, 0.45 * leg),
        (wide, front + 0.05 * h, 0.1 * leg),
    ]
    hind = [
        (wide, rear - 0.06 * h, back - 0.2 * (back - leg)),
        (wide, rear - 0.12 * h, leg),
        (wide, rear + 0.1 * h, 0.5 * leg),
        (wide, rear + 0.06 * h, 0.1 * leg),
    ]
    foot = np.array([0, -spec.foot_size * h, -0.06 * leg])
    left = {"ear": (ear, ear + np.array(way) * spec.ear_length * h)}
    for names, chain in (
        (("upperarm", "forearm", "pastern", "forefoot"), fore),
        (("thigh", "calf", "hock", "hindfoot"), hind),
    ):
        points = [np.array(point) for point in chain]
        points.append(points[-1] + foot)
        left |= {name: (points[i], points[i + 1]) for i, name in enumerate(names)}
    flip = np.array([-1, 1, 1])
    for stem, (start, end) in left.items():
        bones[stem + ".L"] = (start, end)
        bones[stem + ".R"] = (start * flip, end * flip)
    return {name: np.array(bones[name], np.float32) for name in QUADRUPED_JOINTS}


def quadruped_solids(spec: QuadrupedSpec, bones: dict[str, Float32]) -> list[Solid]:
    """What the animal whose bones stand is made of."""
    h = spec.height
    soft = 0.35 * spec.girth * h
    half, waist = spec.girth * h, spec.girth * h * (1 - 0.5 * spec.tuck)
    depth = spec.depth * h / 2 / half
    flat = np.array([1, 1, 1 / max(depth, 0.5)], np.float32)
    thick, neck, head = spec.leg_thickness * h, spec.neck_thickness * h, spec.head_width * h
    solids = []
    for name, a, b in (
        ("pelvis", 0.92 * half, 0.9 * waist),
        ("spine_01", 0.9 * waist, waist),
        ("spine_02", waist, 0.95 * half),
        ("chest", 0.95 * half, half),
    ):
        solids.append(Solid.limb(name, bones[name], a, b, flat, soft))
    narrow = np.array([1.2, 1, 1], np.float32)
    solids.append(Solid.limb("neck_01", bones["neck_01"], 1.35 * neck, neck, narrow, 0.6 * soft))
    solids.append(Solid.limb("neck_02", bones["neck_02"], neck, 0.8 * neck, narrow, 0.4 * soft))
    skull, nose = bones["head"]
    face = skull + 0.4 * (nose - skull)
    solids.append(Solid(("head",), skull, face, head, 0.95 * head, blend=0.3 * head))
    solids.append(Solid(("head",), face, nose - 0.1 * (nose - skull), 0.85 * head, spec.snout * head, blend=0.3 * head))
    for number, scale in ((1, 1.2), (2, 1.0), (3, 0.8)):
        start, end = bones[f"tail_0{number}"]
        radius = max(spec.tail_thickness * h, 0.9 * h / spec.resolution)
        solids.append(
            Solid((f"tail_0{number}",), start, end, scale * radius, 0.85 * scale * radius, blend=0.5 * radius)
        )
    for side in (".L", ".R"):
        radius = max(0.28 * spec.ear_length * h, h / spec.resolution)
        thin = np.array([1, 1.6, 1], np.float32)
        solids.append(Solid.limb("ear" + side, bones["ear" + side], radius, 0.5 * radius, thin, 0.2 * radius))
        for chain, bulk in (
            (("upperarm", "forearm", "pastern", "forefoot"), 1.7),
            (("thigh", "calf", "hock", "hindfoot"), 2.0),
        ):
            radii = (bulk * thick, 1.15 * thick, 0.75 * thick, 0.7 * thick, 0.75 * thick)
            for number, name in enumerate(chain):
                solids.append(
                    Solid.limb(
                        name + side,
                        bones[name + side],
                        radii[number],
                        radii[number + 1],
                        blend=(0.5 if number else 1.0) * thick,
                        floor=0.0,
                    )
                )
    return solids


def build_quadruped(spec: QuadrupedSpec) -> Character:
    """The standing animal of a spec: one closed surface."""
    bones = quadruped_bones(spec)
    solids = quadruped_solids(spec, bones)
    return assemble_quadruped(spec, bones, solids, solids, melted=True)


def assemble_quadruped(
    spec: QuadrupedSpec, bones: dict[str, Float32], solids: Sequence[Solid], flesh: Sequence[Solid], *, melted: bool
) -> Character:
    """A standing animal of solids, as one surface or in pieces; flesh says how near each bone is."""
    if melted:
        cell = spec.height / spec.resolution
        # No T-pose, no finer hands: the shrinking starts beyond everything.
        lattice = make_lattice(solids, cell, 10 * spec.height, 11 * spec.height, spec.height)
        surface = melt_solids(solids, lattice, cell)
    else:
        surface = mesh_pieces(solids, 2 * spec.resolution)
    return label_character(f"Quadruped {spec.seed}", surface, solids, flesh, bones, quadruped_parents())


_LIMITS = {
    "pelvis": (6, 4, 5),
    "spine_01": (8, 4, 8),
    "spine_02": (8, 4, 8),
    "chest": (8, 4, 8),
    "neck_01": (22, 8, 22),
    "neck_02": (20, 8, 20),
    "head": (25, 12, 20),
    "tail_01": (35, 5, 25),
    "tail_02": (30, 5, 25),
    "tail_03": (30, 5, 25),
    "ear.L": (20, 20, 10),
    "upperarm.L": (32, 8, 5),
    "forearm.L": (28, 0, 0),
    "pastern.L": (25, 0, 0),
    "forefoot.L": (20, 0, 0),
    "thigh.L": (30, 8, 5),
    "calf.L": (28, 0, 0),
    "hock.L": (25, 0, 0),
    "hindfoot.L": (20, 0, 0),
}


def random_stance(rng: np.random.Generator, strength: float = 1.0) -> dict[str, Float32]:
    """Every joint somewhere within an animal's limits. strength: 1 uses the whole range, 0 stands still."""
    pose = {}
    for name, limits in _LIMITS.items():
        for joint in sorted({name, mirror_name(name)}):
            turn = euler(*(strength * np.asarray(limits) * np.clip(rng.normal(scale=0.5, size=3), -1, 1)))
            pose[joint] = turn if joint == name else mirror_rotation(turn)
    return pose


def trot_cycle(phase: float) -> dict[str, Float32]:
    """One moment of a trot, diagonal legs together. phase 0..1 is one whole cycle."""
    pose = {
        "neck_01": euler(4 * np.sin(4 * np.pi * phase), 0, 0),
        "tail_01": euler(0, 0, 10 * np.sin(2 * np.pi * phase)),
    }
    for side, offset in ((".L", 0.0), (".R", 0.5)):
        for chain, shift in ((("upperarm", "forearm", "pastern"), 0.0), (("thigh", "calf", "hock"), 0.5)):
            turn = 2 * np.pi * (phase + offset + shift)
            lift = max(0.0, np.cos(turn))
            bend = 1 if chain[0] == "upperarm" else -1
            pose[chain[0] + side] = euler(-24 * np.sin(turn), 0, 0)
            pose[chain[1] + side] = euler(-bend * 30 * lift, 0, 0)
            pose[chain[2] + side] = euler(bend * 40 * lift, 0, 0)
    return pose
