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
from .rigging import merge_points, similarity

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
_HUMAN_BENDS = (("upper_arm.*", "forearm.*", "hand.*", 1.0), ("thigh.*", "shin.*", "foot.*", -1.0))

# Animals: chains of metarig bones over chains of the template's; joints lie at the same share of the way.
_BODY, _NECK = ("hips", "spine", "spine.001", "chest"), ("neck", "neck.001")
_TAIL = ("tail", "tail.001", "tail.002", "tail.003")
_FORELEG, _HINDLEG = (("upper_arm.*", "forearm.*", "hand.*", "fingers.*"), ("thigh.*", "shin.*", "foot.*", "toe.*"))
Chains = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def _numbered(stem: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{stem}.{number:03d}" if number else stem for number in numbers)


_ANIMALS: dict[str, Chains] = {
    "wolf": (
        (_numbered("spine", 4, 5, 6, 7, 8), _BODY), (_numbered("spine", 9, 10), _NECK),
        (_numbered("spine", 3, 2, 1, 0), _TAIL), (("front_thigh.*",), _FORELEG[:1]), (("front_shin.*",), _FORELEG[1:2]),
        (("front_foot.*",), _FORELEG[2:3]), (("front_toe.*",), _FORELEG[3:]), (("thigh.*",), _HINDLEG[:1]),
        (("shin.*",), _HINDLEG[1:2]), (("foot.*",), _HINDLEG[2:3]), (("toe.*",), _HINDLEG[3:]),
    ),
    "cat": (
        (_numbered("spine", 0, 1, 2, 3), _BODY), (_numbered("spine", 4, 5), _NECK),
        (_numbered("tail", 1, 2, 3, 4), _TAIL), (("upper_arm.*",), _FORELEG[:1]), (("forearm.*",), _FORELEG[1:2]),
        (("hand.*",), _FORELEG[2:3]), (("f_toe.*",), _FORELEG[3:]), (("thigh.*",), _HINDLEG[:1]),
        (("shin.*",), _HINDLEG[1:2]), (("foot.*",), _HINDLEG[2:3]), (("r_toe.*",), _HINDLEG[3:]),
    ),
    "horse": (
        (_numbered("spine", 1, 2, 3, 4, 5, 6), _BODY), (_numbered("neck", 1, 2, 3, 4), _NECK),
        (_numbered("tail", 1, 2, 3, 4, 5), _TAIL), (("upper_arm.*",), _FORELEG[:1]), (("forearm.*",), _FORELEG[1:2]),
        (("forefoot.*",), _FORELEG[2:3]), (("f_toe.*", "f_hoof.*"), _FORELEG[3:]), (("thigh.*",), _HINDLEG[:1]),
        (("lower_leg.*",), _HINDLEG[1:2]), (("hind_foot.*",), _HINDLEG[2:3]), (("r_toe.*", "r_hoof.*"), _HINDLEG[3:]),
    ),
}  # fmt: skip
_ANIMAL_BENDS = {
    "wolf": (("front_thigh.*", "front_shin.*", "front_foot.*", 1.0), ("thigh.*", "shin.*", "foot.*", -1.0)),
    "cat": (("upper_arm.*", "forearm.*", "hand.*", 1.0), ("thigh.*", "shin.*", "foot.*", -1.0)),
    "horse": (("upper_arm.*", "forearm.*", "forefoot.*", 1.0), ("thigh.*", "lower_leg.*", "hind_foot.*", -1.0)),
}
_SKULLS = {"wolf": "spine.011", "cat": "spine.006", "horse": "head"}
_EARS = ("ear.L", "ear.R")
METARIG_OF_SHAPE = {"wolf": "wolf", "hound": "wolf", "cat": "cat", "cow": "horse", "horse": "horse"}


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


def metarig_for(kind: str, shape: str) -> str:
    """Which of Rigify's metarigs suits a template's shape: "human", "wolf", "cat" or "horse"."""
    return "human" if kind == "human" else METARIG_OF_SHAPE[shape]


def fit_metarig(metarig: str, bones: Sequence[str], ends: Float32, fitted: Skeleton, front: Float32) -> Float32:
    """(M, 2, 3) where the metarig's bones belong.

    metarig: "human", "wolf", "cat" or "horse". bones, ends (M, 2, 3): as Rigify makes it. fitted: the template's
    skeleton in the mesh. front: (3,) unit vector to where the character looks.
    """
    index = {name: number for number, name in enumerate(bones)}
    start = ends.astype(np.float64)
    if metarig == "human":
        controls, bends = _human_controls(index, fitted), _HUMAN_BENDS
    else:
        controls, bends = _animal_controls(index, start, fitted, metarig), _ANIMAL_BENDS[metarig]
    for *limb, backwards in bends:
        for side in SIDES:
            upper, middle, lower = (index.get(str(name).replace("*", side)) for name in limb)
            if upper is not None and middle is not None and lower is not None:
                way = -float(backwards) * front.astype(np.float64)
                start_at, end_at = controls[upper, HEAD], controls[lower, HEAD]
                controls[middle, HEAD] = _bent(start_at, controls[middle, HEAD], end_at, way)
                controls[upper, TAIL] = controls[middle, HEAD]
    return _carry(start, controls).astype(np.float32)


def _human_controls(index: Mapping[str, int], fitted: Skeleton) -> dict[tuple[int, int], np.ndarray]:
    controls = {
        (index[mine], end): fitted.at((theirs, share))
        for (name, end), (place, share) in _HUMAN.items()
        for mine, theirs in _both_sides(name, place)
        if mine in index
    }
    return controls | {(index[eye], HEAD): fitted.points[eye].astype(np.float64) for eye in _EYES if eye in index}


def _animal_controls(
    index: Mapping[str, int], start: np.ndarray, fitted: Skeleton, metarig: str
) -> dict[tuple[int, int], np.ndarray]:
    controls: dict[tuple[int, int], np.ndarray] = {}
    for mine, theirs in _ANIMALS[metarig]:
        for side in SIDES if "*" in mine[0] else ("",):
            own = [index[name.replace("*", side)] for name in mine if name.replace("*", side) in index]
            bones = [name.replace("*", side) for name in theirs]
            line = np.array([*(fitted.at((bone, 0)) for bone in bones), fitted.at((bones[-1], 1))])
            joints = np.array([*start[own, HEAD], start[own[-1], TAIL]])
            places = _along(line, _shares(joints))
            for bone, head, tail in zip(own, places[:-1], places[1:], strict=True):
                controls[bone, HEAD], controls[bone, TAIL] = head, tail
    # The skulls' bones point anywhere: nape, ears and the tip of the nose tell where a face is.
    controls[index[_SKULLS[metarig]], HEAD] = fitted.at(("head", 0))
    controls |= {(index[ear], HEAD): fitted.at((ear, 0)) for ear in _EARS}
    nose, end = np.unravel_index(int(start[..., 1].argmin()), start.shape[:2])  # metarigs look along −Y
    controls[int(nose), int(end)] = fitted.at(("head", 1))
    return controls


def _shares(line: np.ndarray) -> np.ndarray:
    """(N,) how far along a polyline (N, 3) each of its points lies, 0…1."""
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return way / max(float(way[-1]), 1e-30)


def _along(line: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(M, 3) points at these shares of a polyline's length."""
    own = _shares(line)
    return np.stack([np.interp(shares, own, line[:, axis]) for axis in range(3)], axis=1)


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
    """(M, 2, 3) all ends: the controls at their places, each other one by the similarity of those around it.

    Ends that coincide in the metarig still do, at the place of the first control among them: Rigify insists on it.
    """
    here = np.array([start[place] for place in controls])
    there = np.array(list(controls.values()))
    small = (0.01 * float(np.ptp(here, axis=0).max())) ** 2
    points, number = merge_points(start.reshape(-1, 3), 1e-4 * float(np.ptp(start.reshape(-1, 3), axis=0).max()))
    number = number.reshape(start.shape[:2])
    goal = np.full(points.shape, np.nan)
    for place, wanted in controls.items():
        if np.isnan(goal[number[place]]).any():
            goal[number[place]] = wanted
    for index in np.flatnonzero(np.isnan(goal).any(axis=1)):
        weight = 1 / (((here - points[index]) ** 2).sum(axis=1) + small) ** 2
        transform = similarity(here, there, weight)
        goal[index] = transform[:, :3] @ points[index] + transform[:, 3]
    return goal[number]
