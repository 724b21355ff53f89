# SPDX-License-Identifier: GPL-3.0-or-later
"""What figures are made of that are not shaped like humans, on the skeleton of `examples.characters`."""

from __future__ import annotations

import itertools

import numpy as np

from examples.characters import HumanoidSpec
from examples.humanoid_body import Body, make_body, mirror_solid
from examples.implicit import Solid

from .solids import Bones, beside, block, head_size, rod

TORSO = ("pelvis", "spine_01", "spine_02", "spine_03")
SHAPES = ("box", "ball", "drum")


def flesh(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> Body:
    """As other procedural characters are."""
    return make_body(spec, bones)


def skeleton(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> Body:
    """Bones with knobs, ribs around nothing, a skull with a jaw."""
    h, thin = spec.height, float(rng.uniform(0.3, 0.6))
    middle = [*_spine_and_ribs(spec, bones, int(rng.integers(4, 8))), *_skull(bones)]
    hip = bones["thigh.L"][0]
    wing = np.array([0.55 * hip[0], 0, hip[2] + 0.06 * h], np.float32)
    left = [rod(("pelvis",), (wing, hip), max(0.5 * spec.leg_thickness * h, 0.02 * h))]
    for name, thick in _limbs(spec):
        head, tail = bones[name]
        left.append(rod((name,), (head, tail), thin * thick))
        ends = head + 0.04 * (tail - head), tail - 0.04 * (tail - head)
        left += [rod((name,), (end, end), (thin + 0.25) * thick) for end in ends]
    left.append(rod(("clavicle.L",), bones["clavicle.L"], 0.5 * thin * spec.arm_thickness * h))
    left += _bony_hand(spec, bones, float(rng.uniform(0.04, 0.07)), int(rng.integers(3, 5)))
    left += _bony_foot(spec, bones, int(rng.integers(2, 5)))
    return _both(middle, left)


def _limbs(spec: HumanoidSpec) -> list[tuple[str, float]]:
    """The left arm's and leg's bones, and how thick each is in metres."""
    arm, leg = spec.arm_thickness * spec.height, spec.leg_thickness * spec.height
    return [("upperarm.L", arm), ("lowerarm.L", arm), ("thigh.L", leg), ("calf.L", leg)]


def _spine_and_ribs(spec: HumanoidSpec, bones: Bones, count: int) -> list[Solid]:
    width, depth = spec.torso_width * spec.height, spec.torso_depth * spec.height
    parts = []
    for name in (*TORSO, "neck"):
        back = np.array([0, 0.5 * depth if name != "neck" else 0.0, 0], np.float32)
        radius = 0.28 * depth
        parts.append(Solid((name,), bones[name][0] + back, bones[name][1] + back, radius, radius, blend=0.2 * radius))
    low, high = bones["spine_02"][0][2], bones["spine_03"][1][2]
    for share in np.linspace(0, 1, count):
        names = ("spine_02" if share < 0.4 else "spine_03",)
        wide = width * (1 - 0.35 * share**2)
        turns = np.linspace(0, 2 * np.pi, 11)
        z = low + share * (high - low) + 0.15 * depth * np.cos(turns)
        ring = np.stack([wide * np.sin(turns), depth * np.cos(turns), z], axis=1)
        parts += [rod(names, (start, end), 0.1 * depth) for start, end in itertools.pairwise(ring)]
    return parts


def _skull(bones: Bones) -> list[Solid]:
    size, base = head_size(bones), bones["head"][0]
    skull, jaw = beside(base, 0, 0.08, 0.62, size), beside(base, 0, -0.14, 0.2, size)
    low, high = jaw - np.float32(0.13) * size, jaw + np.float32(0.13) * size
    return [
        Solid(("head",), skull, skull, 0.37 * size, 0.37 * size, np.array([1.1, 0.95, 1], np.float32)),
        Solid(("head",), low, high, 0.04 * size, box=True),
    ]


def _bony_hand(spec: HumanoidSpec, bones: Bones, thin: float, count: int) -> list[Solid]:
    hand = spec.hand_size * spec.height
    wrist, knuckles = bones["hand.L"]
    tips = bones["fingers.L"][1]
    parts = [rod(("hand.L",), (wrist, wrist), 2.2 * thin * hand)]
    for number in range(count):
        aside = np.array([0, (number - (count - 1) / 2) * 0.6 * hand / count, 0], np.float32)
        parts.append(rod(("hand.L",), (wrist, knuckles + aside), thin * hand))
        parts.append(rod(("fingers.L",), (knuckles + aside, tips + 1.3 * aside), 0.8 * thin * hand))
    parts.append(rod(("thumb.L",), bones["thumb.L"], thin * hand))
    return parts


def _bony_foot(spec: HumanoidSpec, bones: Bones, count: int) -> list[Solid]:
    foot = spec.foot_size * spec.height
    heel, ball = bones["foot.L"]
    toe = bones["ball.L"][1]
    back = np.array([heel[0], heel[1] + 0.12 * foot, 0.08 * foot], np.float32)
    parts = [rod(("foot.L",), (heel, back), 0.08 * foot)]
    for number in range(count):
        aside = np.array([(number - (count - 1) / 2) * 0.3 * foot / count, 0, 0], np.float32)
        parts.append(rod(("foot.L",), (heel, ball + aside), 0.06 * foot))
        parts.append(rod(("ball.L",), (ball + aside, toe + 1.2 * aside), 0.05 * foot))
    return parts


def machine(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> Body:
    """Boxes, drums and balls, with gaps or balls for joints, and claws, boxes or balls for hands."""
    middle = [*_casing(spec, bones, rng), *_machine_head(bones, rng)]
    if rng.uniform() < 0.4:
        width, depth = spec.torso_width * spec.height, spec.torso_depth * spec.height
        low = np.array([-0.7 * width, 0.9 * depth, bones["spine_02"][0][2]], np.float32)
        high = np.array([0.7 * width, 2.2 * depth, bones["spine_03"][1][2]], np.float32)
        middle.append(Solid(("spine_03",), low, high, 0.0, box=True, body=False, rigid=True))
    left = [*_links(spec, bones, rng), *_gripper(spec, bones, rng), *_boot(spec, bones, rng)]
    return _both(middle, left)


def _casing(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """One trunk, or a chest and hips with a waist between them; a neck."""
    h, depth = spec.height, spec.torso_depth * spec.height
    top, hip_z = bones["spine_03"][1][2], bones["pelvis"][0][2]
    wide = spec.torso_width * h * float(rng.uniform(1.0, 1.5))
    parts: list[Solid] = []
    trunk: list[tuple[tuple[str, ...], float, float, float]]
    if rng.uniform() < 0.3:
        trunk = [(("spine_02", "pelvis", "spine_01", "spine_03"), hip_z - 0.02 * h, top, wide)]
    else:
        hips = wide * float(rng.uniform(0.6, 1.0))
        trunk = [
            (("spine_03",), bones["spine_02"][0][2], top, wide),
            (("pelvis",), hip_z - 0.03 * h, bones["spine_01"][1][2], hips),
        ]
        parts.append(rod(("spine_01",), (bones["spine_01"][0], bones["spine_02"][1]), 0.5 * depth))
    shape = rng.choice(SHAPES)
    for names, low, high, half in trunk:
        parts.append(block(names, (np.array([0, 0, low]), np.array([0, 0, high])), half, depth * 1.2, shape))
    parts += [rod((name,), bones[name], 0.4 * depth) for name in TORSO]  # inside: which bone is near
    parts.append(rod(("neck",), bones["neck"], (0.3 if spec.neck_length > 0.005 else 0.5) * depth))
    return parts


def _machine_head(bones: Bones, rng: np.random.Generator) -> list[Solid]:
    size, base = head_size(bones), bones["head"][0]
    half = float(rng.uniform(0.3, 0.55)) * size
    depth = float(rng.uniform(0.8, 1.1)) * half
    return [block(("head",), bones["head"], half, depth, rng.choice(SHAPES)), *_face(base, size, half, rng)]


def _links(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    """The pieces of the left arm and leg, with gaps between them, and balls on some."""
    parts = []
    gap, knob = float(rng.uniform(0.0, 0.14)), bool(rng.uniform() < 0.7)
    shape, growth = "", 1.0
    for number, (name, thick) in enumerate(_limbs(spec)):
        if number % 2 == 0:
            shape, growth = rng.choice(["box", "drum", "rod"]), float(rng.uniform(0.7, 1.8))
        head, tail = bones[name]
        half = thick * (growth if number % 2 else 1.0)
        parts.append(block((name,), (head + gap * (tail - head), tail - gap * (tail - head)), half, half, shape))
        if knob:
            parts.append(rod((name,), (head, head), thick * float(rng.uniform(0.7, 1.25))))
    parts.append(rod(("clavicle.L",), bones["clavicle.L"], 0.6 * spec.arm_thickness * spec.height))
    return parts


def _face(base: np.ndarray, size: float, half: float, rng: np.random.Generator) -> list[Solid]:
    """A visor, or two eyes, or a mouth piece: something that tells the front."""
    kind = rng.choice(["visor", "eyes", "mouth"])
    front = float(base[1]) - half
    if kind == "eyes":
        eyes = [beside(base, x, -half / size, 0.6, size) for x in (-0.17, 0.17)]
        return [rod(("head",), (eye, beside(eye, 0, -0.15 * half, 0)), 0.09 * size) for eye in eyes]
    z = base[2] + (0.6 if kind == "visor" else 0.3) * size
    wide = half * (0.85 if kind == "visor" else 0.45)
    low = np.array([-wide, front - 0.15 * half, z - 0.1 * size], np.float32)
    high = np.array([wide, front + 0.2 * half, z + 0.1 * size], np.float32)
    return [Solid(("head",), low, high, 0.0, box=True)]


def _gripper(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    hand = spec.hand_size * spec.height
    wrist, knuckles = bones["hand.L"]
    tips = bones["fingers.L"][1]
    kind = rng.choice(["claw", "fist", "box", "bony"])
    if kind == "bony":
        return _bony_hand(spec, bones, float(rng.uniform(0.06, 0.09)), 4)
    if kind == "fist":
        middle = (wrist + tips) / 2
        return [
            rod(("hand.L",), (middle, middle), 0.42 * hand),
            rod(("fingers.L",), (beside(tips, -0.2 * hand, 0, 0), beside(tips, -0.15 * hand, 0, 0)), 0.3 * hand),
            rod(("thumb.L",), bones["thumb.L"], 0.13 * hand),
        ]
    half = 0.25 * hand
    parts = [block(("hand.L",), (wrist, knuckles), half, half, "box" if kind == "box" else "drum")]
    if kind == "box":
        parts.append(block(("fingers.L",), (knuckles, tips), 0.9 * half, 0.9 * half, "box"))
    else:
        parts += [
            rod(("fingers.L",), (beside(knuckles, 0, y * hand, 0), beside(tips, 0, 1.4 * y * hand, 0)), 0.08 * hand)
            for y in (0.18, -0.05)
        ]
    parts.append(rod(("thumb.L",), bones["thumb.L"], 0.09 * hand))
    return parts


def _boot(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> list[Solid]:
    foot = spec.foot_size * spec.height
    heel, ball = bones["foot.L"]
    toe = bones["ball.L"][1]
    wide = float(rng.uniform(0.15, 0.3)) * foot
    top = max(float(heel[2]) * float(rng.uniform(0.8, 1.3)), 0.12 * foot)
    low = np.array([heel[0] - wide, ball[1], 0], np.float32)
    high = np.array([heel[0] + wide, heel[1] + 0.25 * foot, top], np.float32)
    tip = np.array([heel[0] + wide, ball[1], 0.75 * top], np.float32)
    return [
        Solid(("foot.L",), low, high, 0.0, box=True),
        Solid(("ball.L",), np.array([heel[0] - wide, toe[1], 0], np.float32), tip, 0.0, box=True),
    ]


def doll(spec: HumanoidSpec, bones: Bones, rng: np.random.Generator) -> Body:
    """Egg-shaped pieces on ball joints, as wooden dolls have; a head without a face on most."""
    h = spec.height
    size, width, depth = head_size(bones), spec.torso_width * h, spec.torso_depth * h
    middle = []
    for name, half in (
        ("pelvis", 1.05 * width),
        ("spine_01", 0.7 * width),
        ("spine_02", 0.8 * width),
        ("spine_03", 1.1 * width),
    ):
        head, tail = bones[name]
        middle.append(block((name,), (head, tail), half, 1.1 * depth, "ball"))
    middle.append(rod(("neck",), bones["neck"], 0.3 * depth))
    at = beside(bones["head"][0], 0, 0, 0.5, size)
    slim = float(rng.uniform(1.0, 1.5))
    middle.append(Solid(("head",), at, at, 0.5 * size, 0.5 * size, np.array([slim, slim, 1], np.float32)))
    if rng.uniform() < 0.5:
        nose = beside(bones["head"][0], 0, -0.5 / slim, 0.45, size)
        middle.append(rod(("head",), (nose, nose), 0.08 * size))
    left = []
    for name, thick in _limbs(spec):
        head, tail = bones[name]
        inset = 0.08 * (tail - head)
        slope = 1.0 if name in ("upperarm.L", "thigh.L") else 0.7
        left.append(Solid((name,), head + inset, tail - inset, 1.05 * slope * thick, 0.75 * slope * thick))
        left.append(rod((name,), (head, head), 0.8 * thick))
    left.append(rod(("clavicle.L",), bones["clavicle.L"], 0.6 * spec.arm_thickness * h))
    hand, foot = spec.hand_size * h, spec.foot_size * h
    left.append(block(("hand.L",), bones["hand.L"], 0.28 * hand, 0.15 * hand, "ball"))
    left.append(block(("fingers.L",), bones["fingers.L"], 0.26 * hand, 0.13 * hand, "ball"))
    left.append(rod(("thumb.L",), bones["thumb.L"], 0.09 * hand))
    heel, ball = bones["foot.L"]
    left.append(Solid(("foot.L",), heel, ball, 0.15 * foot, 0.16 * foot, floor=0.0))
    left.append(Solid(("ball.L",), ball, bones["ball.L"][1], 0.15 * foot, 0.12 * foot, floor=0.0))
    return _both(middle, left)


BODIES = (flesh, skeleton, doll, machine)


def _both(middle: list[Solid], left: list[Solid]) -> Body:
    return Body((*middle, *left, *(mirror_solid(solid) for solid in left)), ())
