# SPDX-License-Identifier: GPL-3.0-or-later
"""A Rigify metarig laid into a fitted skeleton: joints both have coincide, all others go along with those around them.

The others (face, palms, heels, breasts) follow by moving least squares (Schaefer, McPhail and Warren 2006, “Image
Deformation Using Moving Least Squares”): each by the similarity that fits the nearest joints best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .mesh import Float32
from .rig_names import FINGERS
from .rigging import similarity

HEAD, TAIL = 0, 1
Place = tuple[str, float]  # of a template's bone: 0 its head, 1 its tail
SIDES = {"L": "l", "R": "r"}
LEAST_BEND = 0.03  # of a limb's length: Rigify tells from its bend which way a limb folds

# Metarig bone and end → template bone and place along it.
_HUMAN: dict[tuple[str, int], Place] = {
    ("spine", HEAD): ("pelvis", 0), ("spine.001", HEAD): ("spine_01", 0), ("spine.002", HEAD): ("spine_02", 0),
    ("spine.003", HEAD): ("spine_03", 0), ("spine.003", TAIL): ("neck_01", 0), ("spine.004", HEAD): ("neck_01", 0),
    ("spine.005", HEAD): ("neck_01", 0.5), ("spine.006", HEAD): ("head", 0), ("spine.006", TAIL): ("head", 1),
    ("shoulder.*", HEAD): ("clavicle_*", 0), ("shoulder.*", TAIL): ("clavicle_*", 0.9),
    ("upper_arm.*", HEAD): ("upperarm_*", 0), ("forearm.*", HEAD): ("lowerarm_*", 0), ("hand.*", HEAD): ("hand_*", 0),
    ("thigh.*", HEAD): ("thigh_*", 0), ("shin.*", HEAD): ("calf_*", 0), ("foot.*", HEAD): ("foot_*", 0),
    ("toe.*", HEAD): ("ball_*", 0), ("toe.*", TAIL): ("ball_*", 1),
} | {
    (f"{'' if finger == 'thumb' else 'f_'}{finger}.0{number}.*", end): (f"{finger}_0{number}_*", end)
    for finger in FINGERS
    for number, end in ((1, HEAD), (2, HEAD), (3, HEAD), (3, TAIL))
}  # fmt: skip
_EYES = ("eye.L", "eye.R")
_BENDS = (("upper_arm.*", "forearm.*", "hand.*", 1.0), ("thigh.*", "shin.*", "foot.*", -1.0))  # backwards, forwards


@dataclass(frozen=True, eq=False)
class Skeleton:
    """bones: B names. ends: (B, 2, 3). points: further named points."""

    bones: Sequence[str]
    ends: Float32
    points: Mapping[str, Float32]

    def at(self, place: Place) -> np.ndarray:
        bone, share = place
        head, tail = self.ends[list(self.bones).index(bone)].astype(np.float64)
        return head * (1 - share) + tail * share


def fit_human_metarig(bones: Sequence[str], ends: Float32, fitted: Skeleton, front: Float32) -> Float32:
    """(M, 2, 3) where the metarig's bones belong.

    bones, ends (M, 2, 3): the metarig as Rigify makes it. fitted: the template's skeleton in the mesh, with eyes.
    front: (3,) unit vector to where the character looks.
    """
    index = {name: number for number, name in enumerate(bones)}
    start = ends.astype(np.float64)
    controls = {
        (index[mine], end): fitted.at((theirs, share))
        for (name, end), (place, share) in _HUMAN.items()
        for mine, theirs in _both_sides(name, place)
        if mine in index
    }
    controls |= {(index[eye], HEAD): fitted.points[eye].astype(np.float64) for eye in _EYES if eye in index}
    for chain in _BENDS:
        for side in SIDES:
            upper, middle, lower = (index.get(name.replace("*", side)) for name in chain[:3])
            if upper is not None and middle is not None and lower is not None:
                way = -chain[3] * front.astype(np.float64)
                start_at, end_at = controls[upper, HEAD], controls[lower, HEAD]
                controls[middle, HEAD] = _bent(start_at, controls[middle, HEAD], end_at, way)
    goal = _carry(start, controls)
    return _join(start, goal).astype(np.float32)


def _both_sides(name: str, place: str) -> list[tuple[str, str]]:
    if "*" not in name:
        return [(name, place)]
    return [(name.replace("*", side), place.replace("*", theirs)) for side, theirs in SIDES.items()]


def _bent(start: np.ndarray, middle: np.ndarray, end: np.ndarray, way: np.ndarray) -> np.ndarray:
    """The middle joint, moved until the limb clearly bends the way it should."""
    along = end - start
    length = float(np.linalg.norm(along))
    way = way - (way @ along) / max(length**2, 1e-30) * along
    way = way / max(float(np.linalg.norm(way)), 1e-30)
    return middle + max(0.0, LEAST_BEND * length - float((middle - start) @ way)) * way


def _carry(start: np.ndarray, controls: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """(M, 2, 3) all ends: the controls at their places, each other one by the similarity of those around it."""
    here = np.array([start[place] for place in controls])
    there = np.array(list(controls.values()))
    goal = np.empty_like(start)
    small = (0.01 * float(np.ptp(here, axis=0).max())) ** 2
    for place in np.ndindex(start.shape[:2]):
        if place in controls:
            goal[place] = controls[place]
            continue
        weight = 1 / (((here - start[place]) ** 2).sum(axis=1) + small) ** 2
        transform = similarity(here, there, weight)
        goal[place] = transform[:, :3] @ start[place] + transform[:, 3]
    return goal


def _join(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Tails that lie on another bone's head in the metarig lie on it again: connected bones stay in line."""
    near = 1e-4 * float(np.ptp(start.reshape(-1, 3), axis=0).max())
    for bone in range(len(start)):
        gap = np.linalg.norm(start[:, HEAD] - start[bone, TAIL], axis=1)
        if gap.min() < near:
            goal[bone, TAIL] = goal[int(gap.argmin()), HEAD]
    return goal
