# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural quadrupeds of `examples/`, as artists stylise them: toys, lizards, in pieces, of boxes.

They are tied to the quadruped template through their bones, as rigged animals are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from examples.implicit import Solid
from examples.quadruped import (
    QuadrupedSpec,
    assemble_quadruped,
    build_quadruped,
    quadruped_bones,
    quadruped_solids,
    random_quadruped,
    random_stance,
)
from examples.skeleton import Character, Float32, pose_character

from .dressing import Labelled
from .rigs import Regions, label_rig

REGIONS = {
    "pelvis": "torso.0", "spine_01": "torso.1", "spine_02": "torso.2", "chest": "torso.3",
    "neck_01": "torso.4 torso.5", "neck_02": "torso.6", "head": "head", "ear": "ear",
    "tail_01": "tail", "tail_02": "tail", "tail_03": "tail", "upperarm": "foreleg.0", "forearm": "foreleg.1",
    "pastern": "foreleg.2", "forefoot": "foreleg.3 foreleg.4", "thigh": "hindleg.0", "calf": "hindleg.1",
    "hock": "hindleg.2", "hindfoot": "hindleg.3 hindleg.4",
}  # fmt: skip
BOXES: tuple[tuple[str, ...], ...] = (
    ("pelvis", "spine_01", "spine_02", "chest"), ("neck_01", "neck_02"), ("head",), ("ear.L",), ("ear.R",),
    ("upperarm.L", "forearm.L", "pastern.L"), ("forefoot.L",), ("upperarm.R", "forearm.R", "pastern.R"),
    ("forefoot.R",), ("thigh.L", "calf.L", "hock.L"), ("hindfoot.L",), ("thigh.R", "calf.R", "hock.R"),
    ("hindfoot.R",),
)  # fmt: skip

SHAPES: dict[str, dict[str, tuple[float, float]]] = {
    "plain": {},
    "toy": {  # a large head on a short body with stubs for legs
        "length": (0.45, 0.9), "girth": (0.18, 0.32), "depth": (0.4, 0.55), "tuck": (0, 0.2),
        "leg_length": (0.25, 0.42), "leg_thickness": (0.05, 0.11), "neck_length": (0.1, 0.3),
        "head_length": (0.4, 0.8), "head_width": (0.22, 0.4), "neck_thickness": (0.1, 0.2), "ear_length": (0.1, 0.5),
        "snout": (0.4, 0.9),
    },
    "lizard": {  # long, low, with a thick tail
        "length": (1.3, 2.4), "girth": (0.2, 0.32), "leg_length": (0.3, 0.5), "neck_rise": (0, 45),
        "ear_length": (0.02, 0.1), "tail_length": (0.8, 1.8), "tail_thickness": (0.06, 0.14),
    },
    "stilts": {  # thin legs, neck and tail
        "leg_length": (0.55, 0.66), "leg_thickness": (0.02, 0.035), "depth": (0.22, 0.34), "girth": (0.08, 0.14),
        "neck_length": (0.3, 0.9), "neck_thickness": (0.05, 0.09),
    },
}  # fmt: skip


def sample_critter(regions: Regions, rng: np.random.Generator) -> Labelled:
    """A random procedural quadruped, standing or in a random pose, Z up. regions: of `training.rigs.animal_regions`."""
    character = draw_critter(rng)
    arrays: dict[str, np.ndarray] = {
        "vertices": character.vertices.astype(np.float64),
        "faces": character.faces,
        "weights": character.weights,
        "joints": np.array(character.joints),
        "parents": character.parents,
        "heads": character.bones[:, 0].astype(np.float64),
    }
    members = {name: own for name, own in regions.members.items() if not name.startswith("horn")}
    labels = label_rig(arrays, REGIONS, replace(regions, members=members))
    if rng.uniform() < 0.8:
        character = pose_character(character, random_stance(rng, float(rng.uniform(0.2, 1.2))))
    return Labelled(character.vertices, character.faces, labels)


def draw_critter(rng: np.random.Generator) -> Character:
    """A random procedural quadruped, standing."""
    kind, spec = str(rng.choice(list(SHAPES))), random_quadruped(rng)
    changes: dict[str, Any] = {name: float(rng.uniform(*span)) for name, span in SHAPES[kind].items()}
    spec = replace(spec, **changes | ({"resolution": 60} if kind == "stilts" else {}))
    style = rng.choice(["smooth", "pieces", "boxes"], p=[0.5, 0.3, 0.2])
    return build_quadruped(spec) if style == "smooth" else _in_pieces(spec, boxes=style == "boxes")


def _in_pieces(spec: QuadrupedSpec, *, boxes: bool) -> Character:
    """A closed piece for every part, or a box around several."""
    bones = quadruped_bones(spec)
    flesh = quadruped_solids(spec, bones)
    return assemble_quadruped(spec, bones, _boxed(flesh) if boxes else flesh, flesh, melted=False)


def _boxed(flesh: list[Solid]) -> list[Solid]:
    """Boxes around what moves with each group of `BOXES`; the tail stays as it is."""
    made = [solid for solid in flesh if solid.bones[0].startswith("tail")]
    for names in BOXES:
        lows, highs = zip(*(solid.bounds() for solid in flesh if solid.bones[0] in names), strict=True)
        low: Float32 = np.min(lows, axis=0)
        high: Float32 = np.max(highs, axis=0)
        low[2] = max(low[2], 0.0)
        made.append(Solid(names, low, high, 0.0, box=True))
    return made
