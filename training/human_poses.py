# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of people within what joints can do, crossed and pierced ones, and the skinning that takes them on.

Frames: as `training.humans`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from .humans import HumanModel, Person
from .proportions import Proportions, part_of_bone

CROSSING = 0.03  # of the height: how far beyond the middle a crossed hand or foot lies
PIERCING = 0.06  # of the height: how near to the spine's middle line a forearm runs that pierces the torso
BOTH_PIERCE = 0.4  # of the pierced
OFF_MIRROR = np.radians(12)  # by how much the other arm of these is held otherwise, standard deviation
ACROSS = np.diag([-1.0, 1.0, 1.0])
POSE_TRIES = 40
PlaceOf = Callable[[str], np.ndarray]


def sample_pose(model: HumanModel, person: Person, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Random joint rotations (B, 3, 3) in the rest frame, within what people can do.

    strength: 0 the rest pose, 1 the whole range.
    """
    rotations = np.tile(np.eye(3), (len(model.bones), 1, 1))

    def turn(bone: str, *steps: tuple[np.ndarray, float]) -> None:
        rotation = Rotation.identity()
        for axis, degrees in steps:
            rotation = Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.radians(degrees * strength)) * rotation
        rotations[model.bone_index[bone]] = rotation.as_matrix()

    def some(low: float, high: float) -> float:
        return float(rng.triangular(low, 0.0, high)) if low < 0 < high else float(rng.uniform(low, high))

    x, y, z = np.eye(3)
    direction = person.tails - person.heads
    for bone in ("spine_01", "spine_02", "spine_03"):
        turn(bone, (x, some(-12, 22)), (y, some(-16, 16)), (z, some(-12, 12)))
    for bone in ("neck_01", "head"):
        turn(bone, (x, some(-22, 25)), (y, some(-35, 35)), (z, some(-14, 14)))
    for side, sign in (("l", 1.0), ("r", -1.0)):
        at = {b: direction[model.bone_index[f"{b}_{side}"]] for b in ("upperarm", "lowerarm", "hand", "thigh")}
        turn(f"clavicle_{side}", (z, sign * some(-8, 16)), (y, sign * some(-15, 10)))
        turn(
            f"upperarm_{side}",
            (at["upperarm"], some(-60, 60)),
            (z, sign * rng.uniform(-50, 110) if rng.uniform() < 0.7 else sign * some(-45, 45)),
            (y, sign * some(-110, 35)),
        )
        turn(
            f"lowerarm_{side}",
            (at["lowerarm"], some(-50, 50)),
            (np.cross(at["lowerarm"], z), some(0, 135) if rng.uniform() < 0.7 else 5.0),
        )
        turn(f"hand_{side}", (x, some(-30, 30)), (y, some(-30, 30)), (z, some(-45, 45)))
        turn(f"thigh_{side}", (at["thigh"], some(-30, 30)), (x, some(-105, 35)), (z, sign * some(-15, 45)))
        turn(f"calf_{side}", (x, rng.uniform(0, 125) if rng.uniform() < 0.5 else rng.uniform(0, 20)))
        turn(f"foot_{side}", (x, some(-25, 30)), (y, some(-20, 20)))
        curl = rng.uniform(-5, 75) if rng.uniform() < 0.6 else rng.uniform(-5, 15)
        for finger in ("index", "middle", "ring", "pinky", "thumb"):
            bones = [f"{finger}_0{k}_{side}" for k in (1, 2, 3)]
            ways = [direction[model.bone_index[b]] for b in bones]
            axis = np.cross(ways[0], ways[2])
            if np.linalg.norm(axis) < 1e-9:
                continue
            own = (curl + rng.uniform(-12, 12)) * (0.4 if finger == "thumb" else 1.0)
            for bone in bones:
                turn(bone, (axis, own))
    return rotations


def lower_arms(model: HumanModel, rotations: np.ndarray, rng: np.random.Generator) -> None:
    """Hang both arms at the sides or against the belly, in place; forearms keep their bend."""
    for side, sign in (("l", 1.0), ("r", -1.0)):
        drop, forward = np.radians(rng.uniform(5, 45)), np.radians(rng.uniform(-15, 40))
        turned = Rotation.from_rotvec([-forward, 0, 0]) * Rotation.from_rotvec([0, 0, -sign * drop])
        rotations[model.bone_index[f"upperarm_{side}"]] = turned.as_matrix()


def sample_crossed_pose(model: HumanModel, person: Person, rng: np.random.Generator) -> np.ndarray:
    """As `sample_pose`, but a hand or a foot lies on the other side of the body, or runs through it to there."""
    ends = [(f"{end}_{side}", sign) for side, sign in (("l", 1.0), ("r", -1.0)) for end in ("hand", "foot")]

    def crosses(place: PlaceOf, height: float) -> bool:
        return min(sign * place(bone)[0] for bone, sign in ends) < -CROSSING * height

    return _pose_that(crosses, model, person, rng)


def sample_piercing_pose(model: HumanModel, person: Person, rng: np.random.Generator) -> np.ndarray:
    """As `sample_pose`, but a forearm runs through the torso, to the other side of the body; of some both do."""
    through = ""

    def pierces(place: PlaceOf, height: float) -> bool:
        nonlocal through
        spine = _along(place("pelvis"), place("spine_03"))
        for side, sign in (("l", 1.0), ("r", -1.0)):
            forearm = _along(place(f"lowerarm_{side}"), place(f"hand_{side}"))
            if sign * place(f"hand_{side}")[0] < 0 and cdist(forearm, spine).min() < PIERCING * height:
                through = side
                return True
        return False

    rotations = _pose_that(pierces, model, person, rng)
    if through and rng.uniform() < BOTH_PIERCE:
        _mirror_arm(model, rotations, through, rng)
    return rotations


def _mirror_arm(model: HumanModel, rotations: np.ndarray, side: str, rng: np.random.Generator) -> None:
    """Hold the other arm as the one on `side` is held, but for some degrees, in place."""
    for bone in ("clavicle", "upperarm", "lowerarm", "hand"):
        own = rotations[model.bone_index[f"{bone}_{side}"]]
        mirrored = ACROSS @ own @ ACROSS
        turned = Rotation.from_rotvec(rng.normal(scale=OFF_MIRROR, size=3)).as_matrix()
        rotations[model.bone_index[f"{bone}_{'r' if side == 'l' else 'l'}"]] = turned @ mirrored


def _pose_that(
    fits: Callable[[PlaceOf, float], bool], model: HumanModel, person: Person, rng: np.random.Generator
) -> np.ndarray:
    """A strong pose that `fits`, told where a bone's own skin lies and how tall the person is; in vain, any."""
    count = model.body_vertex_count
    weights, height = model.weights[:count], float(np.ptp(person.vertices[:count, 1]))
    for _ in range(POSE_TRIES):
        rotations = sample_pose(model, person, rng, float(rng.uniform(0.7, 1.2)))
        posed = pose_person(model, person, rotations)[:count]

        def place(bone: str, posed: np.ndarray = posed) -> np.ndarray:
            return posed[weights[:, model.bone_index[bone]] > 0.5].mean(axis=0)

        if fits(place, height):
            break
    return rotations


def _along(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(20, 3) points from start to end."""
    return start + (end - start) * np.linspace(0, 1, 20)[:, None]


def pose_person(
    model: HumanModel, person: Person, rotations: np.ndarray, proportions: Proportions | None = None
) -> np.ndarray:
    """Linear blend skinning with per-bone scale; all base-mesh vertices (19158, 3) float32, metres, Y up.

    A bone's scale acts on its own geometry and moves its children, but is not inherited by them.
    """
    heads = person.heads.astype(np.float64)
    matrices: list[np.ndarray] = []
    origins: list[np.ndarray] = []
    world: list[np.ndarray] = []
    for index, bone in enumerate(model.bones):
        axis = person.tails[index] - person.heads[index]
        axis = axis / max(float(np.linalg.norm(axis)), 1e-9)
        part = part_of_bone(bone)
        along, across = (proportions.along[part], proportions.across[part]) if proportions else (1.0, 1.0)
        scale = across * np.eye(3) + (along - across) * np.outer(axis, axis)
        parent = model.parents[index]
        if parent < 0:
            origin, turned = heads[index], rotations[index]
        else:
            origin = origins[parent] + matrices[parent] @ (heads[index] - heads[parent])
            turned = world[parent] @ rotations[index]
        origins.append(origin)
        world.append(turned)
        matrices.append(turned @ scale)
    linear = np.stack(matrices)
    offset = np.stack(origins) - np.einsum("bij,bj->bi", linear, heads)
    blended = np.concatenate([linear.reshape(-1, 9), offset], axis=1).astype(np.float32)
    per_vertex = model.weights @ blended
    turned = np.einsum("vij,vj->vi", per_vertex[:, :9].reshape(-1, 3, 3), person.vertices)
    return (turned + per_vertex[:, 9:]).astype(np.float32)
