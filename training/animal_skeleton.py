# SPDX-License-Identifier: GPL-3.0-or-later
"""A deform skeleton inside the procedural quadrupeds: joints at the middle of their rings, weights along the rings."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surface_features.mesh import TriangleMesh

from .animal_specs import HEADS, TORSOS, AnimalPose, AnimalSpec
from .quadrupeds import GRIDS, AnimalModel

SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {  # torso and head net, and what makes the species
    "wolf": ("body_feline_wolf", "head_carnivore_wolf", {"leg": 1.15, "tail": 0.6, "tail_thick": 0.06}),
    "cat": ("body_feline_housecat", "head_carnivore_tiger", {"leg": 0.9, "tail": 0.9, "head_size": 0.55}),
    "cow": ("body_herbivore_cow", "head_herbivore_cow", {"leg": 0.95, "foot": 0.1, "tail": 0.8, "head_size": 0.65}),
    "horse": ("body_llama_or_goat", "head_herbivore_llama", {"leg": 1.35, "neck": 1.3, "rise": 10.0, "foot": 0.1}),
    "hound": ("body_feline_wolf", "head_carnivore_wolf", {"leg": 0.6, "girth": 1.1, "ear": 0.25, "ear_out": 110.0}),
}  # fmt: skip
SPINE = {"hips": (0.14, 0.26), "spine": (0.26, 0.38), "spine.001": (0.38, 0.5), "chest": (0.5, 0.62),
         "neck": (0.62, 0.78), "neck.001": (0.78, 0.94)}  # fmt: skip
LEGS = {"foreleg": ("upper_arm", "forearm", "hand", "fingers"), "hindleg": ("thigh", "shin", "foot", "toe")}
LEG_PARENT = {"foreleg": "chest", "hindleg": "hips"}
KNOTS = (0.03, 0.25, 0.5, 0.75, 0.97)  # along a leg: where its joints lie
# How far towards the leg's front the knee lies. With knees in the middle, those of twelve Quaternius animals lay 8 to
# 14 % of the leg's length in front of where the fitted skeleton had them, and those of dm_control's dog 7 %.
KNEE = 0.8
SMALLEST_FACE = 1e-6
TAIL = ("tail", "tail.001", "tail.002", "tail.003")
BLEND = {"torso": 0.05, "leg": 0.05, "tail": 0.05, "ear": 0.15}  # of a part's length, to either side of a joint


def animal_template(data: Path) -> dict[str, NDArray]:
    """The arrays of quadruped.npz; see `surface_features.rig_template.RigTemplate`."""
    from .make_rig_templates import pack_weights

    model = AnimalModel(data)
    bones, parents = skeleton()
    built = [model.build(make_spec(*entry), AnimalPose()) for entry in SHAPES.values()]
    faces = built[0][1]
    stored = [vertices.astype(np.float16) for vertices, _ in built]
    areas = np.min([TriangleMesh(vertices.astype(np.float32), faces).face_areas for vertices in stored], axis=0)
    faces = faces[areas > SMALLEST_FACE]  # the nets close to a point at their ends
    used = np.unique(faces)
    number = np.full(model.vertex_count, -1)
    number[used] = np.arange(len(used))
    return {
        "shapes": np.array(list(SHAPES)),
        "vertices": np.stack([vertices[used] for vertices in stored]),
        "faces": number[faces].astype(np.uint16),
        "bones": np.array(bones),
        "parents": np.array(parents, np.int16),
        "ends": np.stack([bone_ends(model, vertices) for vertices, _ in built]).astype(np.float32),
        "landmarks": np.array([], dtype="<U1"),
        "landmark_places": np.zeros((len(built), 0, 3), np.float32),
        **pack_weights(vertex_weights(model)[used]),
    }


def make_spec(torso: str, head: str, details: dict[str, Any]) -> AnimalSpec:
    torsos = ("body_herbivore_llama", "body_herbivore_goat") if torso == "body_llama_or_goat" else (torso,)
    return AnimalSpec(
        tuple(1 / len(torsos) if name in torsos else 0.0 for name in TORSOS),
        tuple(1.0 if name == head else 0.0 for name in HEADS),
        **details,
    )


def skeleton() -> tuple[list[str], list[int]]:
    """Names, parents first, and each one's parent."""
    links: list[tuple[str, str]] = [(name, before) for name, before in zip(SPINE, ["", *SPINE], strict=False)]
    links.append(("head", "neck.001"))
    links += [(f"ear.{side}", "head") for side in "LR"]
    for leg, names in LEGS.items():
        for side in "LR":
            chain = [f"{name}.{side}" for name in names]
            links += zip(chain, [LEG_PARENT[leg], *chain], strict=False)
    links += zip(TAIL, ["hips", *TAIL], strict=False)
    bones = [name for name, _ in links]
    return bones, [bones.index(parent) if parent else -1 for _, parent in links]


def bone_ends(model: AnimalModel, vertices: NDArray) -> NDArray:
    """(B, 2, 3) heads and tails, in the middle of the rings they lie at, but knees in front of it."""
    rings = {
        name: vertices[rows].reshape(*GRIDS[name], 3).astype(np.float64) for name, rows in model.part_slices.items()
    }
    lines = {name: ring.mean(axis=1) for name, ring in rings.items()}

    def at(part: str, u: float) -> NDArray:
        line = lines[part]
        place = np.linspace(0, 1, len(line))
        return np.stack([np.interp(u, place, line[:, axis]) for axis in range(3)])

    def front(part: str, u: float) -> float:  # it faces −Y
        foremost = rings[part][..., 1].min(axis=1)
        return float(np.interp(u, np.linspace(0, 1, len(foremost)), foremost))

    ends = {name: (at("torso", a), at("torso", b)) for name, (a, b) in SPINE.items()}
    ends["head"] = at("torso", 0.94), at("head", 0.97)
    for side in "LR":
        ends[f"ear.{side}"] = at(f"ear.{side}", 0.1), at(f"ear.{side}", 0.95)
        for leg, names in LEGS.items():
            joints = np.array([at(f"{leg}.{side}", u) for u in KNOTS])
            if leg == "hindleg":
                joints[1, 1] += KNEE * (front(f"{leg}.{side}", KNOTS[1]) - joints[1, 1])
            ends |= {f"{name}.{side}": pair for name, pair in zip(names, itertools.pairwise(joints), strict=True)}
    tail = np.linspace(0.02, 0.97, len(TAIL) + 1)
    ends |= {name: (at("tail", a), at("tail", b)) for name, a, b in zip(TAIL, tail[:-1], tail[1:], strict=True)}
    return np.array([ends[name] for name in skeleton()[0]])


def vertex_weights(model: AnimalModel) -> NDArray:
    """(N, B) float32 skin weights, rows sum to 1: along each part from bone to bone, softly."""
    bones, _ = skeleton()
    weights = np.zeros((model.vertex_count, len(bones)), np.float32)
    for part, rows in model.part_slices.items():
        rings, around = GRIDS[part]
        u = np.repeat(np.linspace(0, 1, rings), around)
        stem, _, side = part.partition(".")
        if stem == "torso":
            chain, starts, blend = [*SPINE, "head"], [a for a, _ in SPINE.values()] + [0.94], BLEND["torso"]
        elif stem in LEGS:
            chain = [LEG_PARENT[stem], *(f"{name}.{side}" for name in LEGS[stem])]
            starts, blend = [0.0, 0.04, 0.25, 0.5, 0.75], BLEND["leg"]
        elif stem == "tail":
            chain, starts, blend = ["hips", *TAIL], [0.0, 0.05, *np.linspace(0.02, 0.97, 5)[1:4]], BLEND["tail"]
        elif stem == "ear":
            chain, starts, blend = ["head", part], [0.0, 0.1], BLEND["ear"]
        else:
            chain, starts, blend = ["head"], [0.0], 1.0
        reached = [np.clip((u - start) / (2 * blend) + 0.5, 0, 1) for start in starts]
        reached[0] = np.ones_like(u)
        for bone, here, beyond in zip(chain, reached, [*reached[1:], np.zeros_like(u)], strict=True):
            weights[rows, bones.index(bone)] = here - np.minimum(beyond, here)
    return weights / weights.sum(axis=1, keepdims=True)
