# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that are not shaped like humans: skeletons, robots, jointed dolls, beasts on two legs, trolls, plush toys.

They stand on the skeleton of `examples.characters`, and are tied to the human template as its characters are. What no
human has (tail, wings, aerials) has no label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from examples.characters import (
    Character,
    HumanoidSpec,
    assemble,
    humanoid_bones,
    pose_character,
    random_humanoid,
    random_pose,
    rest_pose_a,
)

from .dressing import Labelled
from .figure_bodies import BODIES, flesh, machine
from .figure_extras import EXTRAS
from .procedural import TemplateChart


def sample_figure(chart: TemplateChart, rng: np.random.Generator) -> Labelled:
    """A random figure in a T, A or random pose, Z up."""
    character, known = draw_figure(rng)
    labels = np.where(known, chart.label(character), -1)
    kind = rng.choice(["t", "a", "free"], p=[0.15, 0.2, 0.65])
    if kind == "a":
        character = pose_character(character, rest_pose_a(float(rng.uniform(10, 75))))
    elif kind == "free":
        character = pose_character(character, random_pose(rng, float(rng.uniform(0.2, 1.0))))
    return Labelled(character.vertices, character.faces, labels)


def draw_figure(rng: np.random.Generator) -> tuple[Character, np.ndarray]:
    """A random figure in T-pose, and (V,) bool, what of it has a likeness on humans."""
    spec = PROPORTIONS[rng.choice(list(PROPORTIONS))](random_humanoid(rng), rng)
    build = BODIES[rng.choice(len(BODIES), p=[0.25, 0.3, 0.2, 0.25])]
    bones = humanoid_bones(spec)
    body = build(spec, bones, rng)
    solids = [*body.flesh, *body.worn]
    known = [True] * len(solids)
    for add, chance, human in EXTRAS:
        if rng.uniform() < chance:
            solids += add(spec, bones, rng)
            known += [human] * (len(solids) - len(known))
    melted = build is not machine and rng.uniform() < (0.6 if build is flesh else 0.25)
    character, owner = assemble(spec, bones, solids, body.flesh, melted=melted)
    return character, np.array(known)[owner]


def _human(spec: HumanoidSpec, rng: np.random.Generator) -> HumanoidSpec:
    return spec


def _lanky(spec: HumanoidSpec, rng: np.random.Generator) -> HumanoidSpec:
    """Thin, with long limbs and neck; a large head on some."""
    return replace(
        spec,
        head_size=float(rng.uniform(0.1, 0.24)),
        neck_length=float(rng.uniform(0.04, 0.12)),
        leg_length=float(rng.uniform(0.45, 0.56)),
        arm_length=float(rng.uniform(0.34, 0.5)),
        arm_thickness=float(rng.uniform(0.01, 0.02)),
        leg_thickness=float(rng.uniform(0.014, 0.03)),
        torso_width=float(rng.uniform(0.05, 0.08)),
        torso_depth=float(rng.uniform(0.035, 0.055)),
        shoulder_width=float(rng.uniform(0.13, 0.22)),
        hand_size=float(rng.uniform(0.08, 0.17)),
    )


def _troll(spec: HumanoidSpec, rng: np.random.Generator) -> HumanoidSpec:
    """Huge arms and shoulders over short legs, a small head between them."""
    return replace(
        spec,
        head_size=float(rng.uniform(0.1, 0.17)),
        neck_length=float(rng.uniform(0.0, 0.015)),
        leg_length=float(rng.uniform(0.28, 0.4)),
        arm_length=float(rng.uniform(0.36, 0.5)),
        shoulder_width=float(rng.uniform(0.32, 0.46)),
        hip_width=float(rng.uniform(0.13, 0.2)),
        torso_width=float(rng.uniform(0.15, 0.22)),
        torso_depth=float(rng.uniform(0.1, 0.16)),
        arm_thickness=float(rng.uniform(0.05, 0.085)),
        leg_thickness=float(rng.uniform(0.055, 0.09)),
        hand_size=float(rng.uniform(0.13, 0.2)),
        foot_size=float(rng.uniform(0.14, 0.22)),
        belly=float(rng.uniform(0, 1)),
    )


def _plush(spec: HumanoidSpec, rng: np.random.Generator) -> HumanoidSpec:
    """Round, with a large head on no neck and stubs for limbs."""
    return replace(
        spec,
        head_size=float(rng.uniform(0.3, 0.52)),
        neck_length=float(rng.uniform(0.0, 0.01)),
        leg_length=float(rng.uniform(0.14, 0.28)),
        arm_length=float(rng.uniform(0.1, 0.22)),
        shoulder_width=float(rng.uniform(0.18, 0.3)),
        hip_width=float(rng.uniform(0.14, 0.22)),
        torso_width=float(rng.uniform(0.12, 0.2)),
        torso_depth=float(rng.uniform(0.09, 0.16)),
        arm_thickness=float(rng.uniform(0.045, 0.08)),
        leg_thickness=float(rng.uniform(0.06, 0.1)),
        hand_size=float(rng.uniform(0.04, 0.1)),
        foot_size=float(rng.uniform(0.08, 0.16)),
        fingers="mitten",
    )


PROPORTIONS: dict[str, Callable[[HumanoidSpec, np.random.Generator], HumanoidSpec]] = {
    "human": _human, "lanky": _lanky, "troll": _troll, "plush": _plush,
}  # fmt: skip
