# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that are not shaped like humans: skeletons, robots, jointed dolls, beasts on two legs, trolls, plush toys.

They stand on the skeleton of `examples.characters`, and are tied to the human template as its characters are. What no
human has (tail, wings, aerials) has no label.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from examples.characters import Character, assemble, humanoid_bones, random_humanoid

from .dressing import Labelled
from .figure_bodies import BODIES, flesh, machine
from .figure_extras import EXTRAS
from .procedural import TemplateChart, stand

PROPORTIONS: dict[str, dict[str, tuple[float, float]]] = {
    "human": {},
    "lanky": {  # thin, with long limbs and neck; a large head on some
        "head_size": (0.1, 0.24), "neck_length": (0.04, 0.12), "leg_length": (0.45, 0.56), "arm_length": (0.34, 0.5),
        "arm_thickness": (0.01, 0.02), "leg_thickness": (0.014, 0.03), "torso_width": (0.05, 0.08),
        "torso_depth": (0.035, 0.055), "shoulder_width": (0.13, 0.22), "hand_size": (0.08, 0.17),
    },
    "troll": {  # huge arms and shoulders over short legs, a small head between them
        "head_size": (0.1, 0.17), "neck_length": (0.0, 0.015), "leg_length": (0.28, 0.4), "arm_length": (0.36, 0.5),
        "shoulder_width": (0.32, 0.46), "hip_width": (0.13, 0.2), "torso_width": (0.15, 0.22),
        "torso_depth": (0.1, 0.16), "arm_thickness": (0.05, 0.085), "leg_thickness": (0.055, 0.09),
        "hand_size": (0.13, 0.2), "foot_size": (0.14, 0.22), "belly": (0, 1),
    },
    "plush": {  # round, with a large head on no neck and stubs for limbs
        "head_size": (0.3, 0.52), "neck_length": (0.0, 0.01), "leg_length": (0.14, 0.28), "arm_length": (0.1, 0.22),
        "shoulder_width": (0.18, 0.3), "hip_width": (0.14, 0.22), "torso_width": (0.12, 0.2),
        "torso_depth": (0.09, 0.16), "arm_thickness": (0.045, 0.08), "leg_thickness": (0.06, 0.1),
        "hand_size": (0.04, 0.1), "foot_size": (0.08, 0.16),
    },
}  # fmt: skip


def sample_figure(chart: TemplateChart, rng: np.random.Generator) -> Labelled:
    """A random figure in a T, A or random pose, Z up."""
    character, known = draw_figure(rng)
    labels = np.where(known, chart.label(character), -1)
    posed = stand(character, rng)
    return Labelled(posed.vertices, posed.faces, labels)


def draw_figure(rng: np.random.Generator) -> tuple[Character, np.ndarray]:
    """A random figure in T-pose, and (V,) bool, what of it has a likeness on humans."""
    kind, spec = str(rng.choice(list(PROPORTIONS))), random_humanoid(rng)
    changes: dict[str, Any] = {name: float(rng.uniform(*span)) for name, span in PROPORTIONS[kind].items()}
    spec = replace(spec, **changes | ({"fingers": "mitten"} if kind == "plush" else {}))
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
