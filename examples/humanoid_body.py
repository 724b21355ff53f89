# SPDX-License-Identifier: GPL-3.0-or-later
"""The solids of a humanoid in T-pose: limbs, torso and head, and what it wears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .humanoid_spec import HumanoidSpec
from .implicit import Solid
from .skeleton import Float32, mirror_name

_TORSO = ("pelvis", "spine_01", "spine_02", "spine_03")


@dataclass(frozen=True, eq=False)
class Body:
    """flesh: a solid or more for every bone, which says how near a bone is; worn: clothes and hair."""

    flesh: tuple[Solid, ...]
    worn: tuple[Solid, ...]


def make_body(spec: HumanoidSpec, bones: dict[str, Float32]) -> Body:
    """The solids of a humanoid whose bones stand in T-pose."""
    left = [*_arm(spec, bones), *_leg(spec, bones)]
    flesh = [*_torso(spec, bones), *_head(spec, bones), *left, *(mirror_solid(solid) for solid in left)]
    return Body(tuple(flesh), (*_hair(spec, bones), *_hat(spec, bones), *_clothes(spec, bones)))


def mirror_solid(solid: Solid) -> Solid:
    """The same solid of the other side."""
    flip = np.array([-1, 1, 1], np.float32)
    names = tuple(mirror_name(name) for name in solid.bones)
    return Solid(
        names,
        solid.start * flip,
        solid.end * flip,
        solid.start_radius,
        solid.end_radius,
        solid.squeeze,
        solid.blend,
        solid.floor,
        solid.box,
        solid.body,
        solid.rigid,
    )


def _vector(*values: float) -> Float32:
    return np.array(values, np.float32)


def _torso(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    h = spec.height
    width, depth = spec.torso_width * h, spec.torso_depth * h
    soft = 0.35 * depth * spec.softness
    solids = []
    hip = max(bones["thigh.L"][0][0] + 0.62 * spec.leg_thickness * h, 0.9 * width)
    waist = width * (0.84 + 0.3 * spec.belly)
    for name, half, radius in (
        ("pelvis", hip, depth),
        ("spine_01", waist, 0.92 * depth),
        ("spine_02", 0.5 * (waist + width), 0.97 * depth),
        ("spine_03", width, depth),
    ):
        low, high = bones[name]
        # The shoulders end where the capsule's round end does.
        high = high - _vector(0, 0, 0.9 * depth) if name == "spine_03" else high
        high = high if high[2] > low[2] else low + _vector(0, 0, 0.01 * h)
        solids.append(Solid((name,), low, high, radius, radius, _vector(radius / half, 1, 1), soft))
    if spec.belly > 0.05:
        middle = bones["spine_01"].mean(0) - _vector(0, 0.55 * depth * spec.belly, 0)
        radius = depth * (0.8 + 0.4 * spec.belly)
        solids.append(Solid(("spine_01",), middle, middle, radius, radius, _vector(radius / waist, 1, 1), soft))
    if spec.bust > 0.05:
        for side in (-1, 1):
            middle = bones["spine_03"][0] + _vector(side * 0.45 * width, -0.75 * depth, 0)
            radius = (0.3 + 0.3 * spec.bust) * depth
            solids.append(Solid(("spine_03",), middle, middle, radius, radius, blend=0.6 * soft))
    return solids


def _head(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    h = spec.height
    base, crown = bones["head"]
    size = float(crown[2] - base[2])
    neck = min(0.3 * size, 0.034 * h)
    radius = 0.38 * size
    at = _vector(0, base[1], base[2] + 0.62 * size)
    jaw = _vector(0, base[1] - 0.12 * size, base[2] + 0.24 * size)
    soft = 0.08 * size * spec.softness
    solids = [
        Solid(
            ("neck",), bones["neck"][0] - _vector(0, 0, 0.02 * h), bones["neck"][1], neck * 1.1, neck, blend=0.6 * neck
        ),
        Solid(("head",), at, at, radius, radius, _vector(1.08, 0.93, 1), soft),
        Solid(("head",), jaw, at, 0.24 * size, 0.3 * size, _vector(1.05, 1, 1), soft),
    ]
    front = base[1] - 0.38 * size
    nose = _vector(0, front - 0.035 * size, base[2] + 0.44 * size)
    bridge = _vector(0, front + 0.02 * size, base[2] + 0.58 * size)
    solids.append(Solid(("head",), nose, bridge, 0.07 * size, 0.045 * size, blend=0.02 * size))
    for side in (-1, 1):
        ear = _vector(side * 0.37 * size, base[1] + 0.03 * size, base[2] + 0.5 * size)
        solids.append(
            Solid(("head",), ear, ear + _vector(0, 0, 0.06 * size), 0.09 * size, 0.1 * size, blend=0.015 * size)
        )
        brow = _vector(side * 0.14 * size, front + 0.05 * size, base[2] + 0.62 * size)
        solids.append(
            Solid(
                ("head",),
                brow,
                brow + _vector(side * 0.06 * size, 0.01 * size, 0),
                0.055 * size,
                0.04 * size,
                blend=soft,
            )
        )
    return solids


def _arm(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    h = spec.height
    thick = spec.arm_thickness * h
    hand = spec.hand_size * h
    soft = 0.45 * thick * spec.softness
    wrist = min(0.66 * thick, 0.28 * hand)
    palm = max(0.15 * hand, min(0.6 * wrist, 0.2 * hand))
    start, knuckles = bones["hand.L"]
    flat = _vector(1, 0.55, 1)
    solids = [
        Solid.limb("clavicle.L", bones["clavicle.L"], 1.15 * thick, 1.1 * thick, blend=1.2 * soft),
        Solid.limb("upperarm.L", bones["upperarm.L"], 1.1 * thick, 0.9 * thick, blend=soft),
        Solid.limb("lowerarm.L", bones["lowerarm.L"], 0.9 * thick, wrist, blend=0.6 * soft),
    ]
    if spec.fingers == "box":
        low, high = start + _vector(0, -0.3 * hand, -0.2 * hand), knuckles + _vector(0, 0.3 * hand, 0.2 * hand)
        solids.append(Solid(("hand.L",), low, high, 0.04 * hand, blend=0.3 * soft, box=True))
        low = knuckles + _vector(-0.02 * hand, -0.3 * hand, -0.2 * hand)
        high = bones["fingers.L"][1] + _vector(0, 0.3 * hand, 0.2 * hand)
        solids.append(Solid(("fingers.L",), low, high, 0.04 * hand, blend=0.01 * hand, box=True))
    else:
        inner, outer = start + 0.3 * (knuckles - start), start + 0.8 * (knuckles - start)
        solids.append(Solid(("hand.L",), inner, outer, palm, palm, flat, blend=0.4 * soft))
        tips = bones["fingers.L"][1]
        if spec.fingers == "mitten":
            end = tips - _vector(0.8 * palm, 0, 0)
            solids.append(Solid(("fingers.L",), knuckles, end, 0.95 * palm, 0.8 * palm, flat, blend=0.02 * hand))
        else:
            for n, short in enumerate((0.9, 1.0, 0.93, 0.74)):
                side = _vector(0, (n - 1.5) * 0.15 * hand, 0)
                first = knuckles + side - _vector(0.12 * hand, 0, 0)
                last = knuckles + 1.35 * side + _vector((0.5 * short - 0.05) * hand, 0, 0)
                solids.append(Solid(("fingers.L",), first, last, 0.056 * hand, 0.045 * hand, blend=0.012 * hand))
    base, tip = bones["thumb.L"]
    wide = 0.075 * hand if spec.fingers == "five" else 0.11 * hand
    solids.append(Solid(("thumb.L",), base, tip - 0.1 * (tip - base), 1.2 * wide, wide, blend=0.04 * hand))
    return solids


def _leg(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    h = spec.height
    thick = spec.leg_thickness * h
    foot = spec.foot_size * h
    soft = 0.3 * thick * spec.softness
    ankle = min(0.55 * thick, 0.2 * foot)
    hip, knee = bones["thigh.L"]
    heel, ball = bones["foot.L"]
    wide = (1.35 if spec.boots else 1.0) * 0.15 * foot
    flat = _vector(0.8, 1, 1)
    back = _vector(heel[0], heel[1] + 0.1 * foot, 0.8 * wide)
    toes = bones["ball.L"] * _vector(1, 1, 0) + _vector(0, 0, 0.7 * wide)
    # Calves bulge behind the bone's upper third.
    bulge = knee + 0.3 * (heel - knee) + _vector(0, 0.18 * thick, 0)
    solids = [
        Solid(("thigh.L",), hip, knee, thick, 0.74 * thick, blend=soft),
        Solid(("calf.L",), knee, heel, 0.74 * thick, ankle, blend=soft),
        Solid(("calf.L",), bulge, bulge - _vector(0, 0, 0.08 * h), 0.66 * thick, 0.55 * thick, blend=soft),
        Solid(("foot.L",), back, _vector(ball[0], ball[1], 0.75 * wide), wide, wide, flat, 0.6 * soft, 0.0),
        Solid(("foot.L",), heel, heel + 0.5 * (ball - heel), ankle, 0.8 * wide, flat, 0.6 * soft, 0.0),
        Solid.limb("ball.L", toes, wide, 0.85 * wide, flat, 0.4 * soft, 0.0),
    ]
    if spec.boots:
        top = knee + 0.25 * (heel - knee)
        solids.append(Solid(("calf.L",), top, heel, 0.92 * thick, 1.25 * ankle, blend=0.2 * soft, floor=float(heel[2])))
    return solids


def _worn_head(
    start: Float32,
    end: Float32,
    radius: float,
    end_radius: float,
    squeeze: Float32,
    blend: float,
    floor: float | None = None,
) -> Solid:
    return Solid(("head",), start, end, radius, end_radius, squeeze, blend, floor, body=False, rigid=True)


def _hair(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    if spec.hair == "none" or spec.hat in ("helmet", "hood"):
        return []
    base, crown = bones["head"]
    size = float(crown[2] - base[2])
    even = _vector(1.05, 0.95, 1)
    at = _vector(0, base[1] + 0.05 * size, base[2] + 0.66 * size)
    soft = 0.03 * size
    solids = [_worn_head(at, at, 0.42 * size, 0.42 * size, even, soft, float(base[2] + 0.62 * size))]
    back = at + _vector(0, 0.14 * size, -0.1 * size)
    solids.append(_worn_head(back, back, 0.34 * size, 0.34 * size, even, soft))
    if spec.hair == "long":
        low = back - _vector(0, 0, 0.55 * size)
        solids.append(_worn_head(back, low, 0.33 * size, 0.25 * size, _vector(0.9, 1.4, 1), soft))
    elif spec.hair == "ponytail":
        knot = at + _vector(0, 0.5 * size, 0.05 * size)
        solids.append(_worn_head(at, knot, 0.12 * size, 0.1 * size, _vector(1, 1, 1), soft))
        solids.append(
            _worn_head(knot, knot + _vector(0, 0.15 * size, -0.6 * size), 0.13 * size, 0.06 * size, even, soft)
        )
    elif spec.hair == "bun":
        bun = at + _vector(0, 0.25 * size, 0.33 * size)
        solids.append(_worn_head(bun, bun, 0.16 * size, 0.16 * size, even, soft))
    elif spec.hair == "spikes":
        rng = np.random.default_rng(spec.seed)
        for turn in np.linspace(0, 2 * np.pi, 7)[:-1] + rng.uniform(0, 1):
            out = _vector(np.cos(turn), np.sin(turn), 1.1)
            solids.append(
                _worn_head(
                    at + 0.3 * size * out / 1.5,
                    at + 0.62 * size * out / 1.5,
                    0.11 * size,
                    0.03 * size,
                    _vector(1, 1, 1),
                    soft,
                )
            )
    return solids


def _hat(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    base, crown = bones["head"]
    size = float(crown[2] - base[2])
    at = _vector(0, base[1], base[2] + 0.66 * size)
    even, soft = _vector(1.03, 0.93, 1), 0.02 * size
    if spec.hat == "brim":
        brim = at + _vector(0, 0, 0.16 * size)
        return [
            _worn_head(brim, brim, 0.16 * size, 0.16 * size, _vector(0.22, 0.22, 3), soft),
            _worn_head(brim, brim + _vector(0, 0, 0.3 * size), 0.36 * size, 0.28 * size, even, soft),
        ]
    if spec.hat in ("helmet", "horns"):
        shell = _worn_head(at, at, 0.46 * size, 0.46 * size, even, soft, float(base[2] + 0.56 * size))
        neck = at + _vector(0, 0.08 * size, -0.05 * size)
        solids = [shell, _worn_head(neck, neck - _vector(0, 0, 0.25 * size), 0.4 * size, 0.36 * size, even, soft)]
        if spec.hat == "helmet":
            return [
                *solids,
                _worn_head(
                    at + _vector(0, 0.3 * size, 0.3 * size),
                    at + _vector(0, -0.3 * size, 0.42 * size),
                    0.12 * size,
                    0.1 * size,
                    _vector(1.6, 1, 1),
                    soft,
                ),
            ]
        for side in (-1, 1):
            root = at + _vector(side * 0.36 * size, 0, 0.2 * size)
            bend = root + _vector(side * 0.25 * size, 0, 0.08 * size)
            solids.append(_worn_head(root, bend, 0.12 * size, 0.1 * size, _vector(1, 1, 1), soft))
            solids.append(
                _worn_head(
                    bend, bend + _vector(side * 0.06, 0, 0.28) * size, 0.1 * size, 0.04 * size, _vector(1, 1, 1), soft
                )
            )
        return solids
    if spec.hat == "hood":
        back = at + _vector(0, 0.1 * size, 0)
        return [
            _worn_head(back, back, 0.47 * size, 0.47 * size, even, soft),
            _worn_head(back, back + _vector(0, 0.3 * size, 0.2 * size), 0.36 * size, 0.1 * size, even, soft),
            _worn_head(back, back - _vector(0, 0, 0.4 * size), 0.42 * size, 0.4 * size, even, soft),
        ]
    return []


def _clothes(spec: HumanoidSpec, bones: dict[str, Float32]) -> list[Solid]:
    h = spec.height
    width, depth = spec.torso_width * h, spec.torso_depth * h
    solids = []
    waist = bones["spine_01"][0]
    legs = ("pelvis", "thigh.L", "thigh.R")
    knee_z, hip_z = bones["calf.L"][0][2], bones["pelvis"][0][2]
    hip = float(bones["thigh.L"][0][0]) + spec.leg_thickness * h
    if spec.skirt != "none":
        hem = {"skirt": 0.5, "tunic": 0.62, "robe": 0.0}[spec.skirt] * (hip_z - knee_z) + knee_z
        bottom = _vector(0, 0, hem if spec.skirt != "robe" else 0.3 * knee_z)
        flare = 1.25 if spec.skirt == "skirt" else 1.12
        wide = max(hip, 1.05 * width) * flare
        radius = 1.15 * max(depth, spec.leg_thickness * h) * flare
        names = legs if spec.skirt != "robe" else (*legs, "calf.L", "calf.R")
        solids.append(
            Solid(
                names,
                waist,
                bottom,
                1.1 * depth,
                radius,
                _vector(radius / wide, 1, 1),
                0.01 * h,
                float(bottom[2]),
                body=False,
            )
        )
    if spec.belt:
        at = bones["pelvis"][1]
        wide = max(1.02 * hip, 1.15 * width)
        solids.append(
            Solid(
                ("pelvis", "spine_01"),
                at,
                at,
                0.35 * depth,
                0.35 * depth,
                _vector(0.35 * depth / wide, 0.27, 0.8),
                0.004 * h,
                body=False,
            )
        )
    if spec.cape:
        top = bones["spine_03"][1][2] - 0.02 * h
        low = _vector(-1.1 * width, 1.1 * depth, 0.9 * knee_z)
        high = _vector(1.1 * width, 1.1 * depth + 0.03 * h, top)
        solids.append(
            Solid((*_TORSO, "thigh.L", "thigh.R"), low, high, 0.008 * h, blend=0.01 * h, box=True, body=False)
        )
    if spec.backpack:
        low = bones["spine_02"][0] + _vector(-0.8 * width, 0.7 * depth, 0)
        high = bones["spine_03"][1] + _vector(0.8 * width, 2.4 * depth, -0.02 * h)
        solids.append(Solid(("spine_03",), low, high, 0.02 * h, blend=0.008 * h, box=True, body=False, rigid=True))
    if spec.pads:
        for side in (".L", ".R"):
            at = bones["upperarm" + side][0] + _vector(0, 0, 0.6 * spec.arm_thickness * h)
            radius = 1.5 * spec.arm_thickness * h
            solids.append(
                Solid(
                    ("upperarm" + side,),
                    at,
                    at,
                    radius,
                    radius,
                    _vector(0.85, 0.85, 1.2),
                    0.004 * h,
                    float(at[2] - 0.3 * radius),
                    body=False,
                    rigid=True,
                )
            )
    return solids
