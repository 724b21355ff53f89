# SPDX-License-Identifier: GPL-3.0-or-later
"""People from the MakeHuman/MPFB base mesh (CC0): shape targets, a skeleton, poses, and stylised proportions.

Frames: the base mesh's own, Y up, facing +Z, the character's left at +X; metres. `to_z_up` turns it into Blender's.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

AGES = {"baby": 0.0, "child": 0.1875, "young": 0.5, "old": 1.0}
DETAIL_GROUPS = (
    "armslegs", "arms", "legs", "torso", "head", "hands", "neck", "feet", "stomach", "hip", "buttocks", "breast",
    "nose", "ears", "chin", "cheek", "forehead", "mouth", "eyes",
)  # fmt: skip
METRES_PER_UNIT = 0.1
CROSSING = 0.03  # of the height: how far beyond the middle a crossed hand or foot lies
PIERCING = 0.06  # of the height: how near to the spine's middle line a forearm runs that pierces the torso
POSE_TRIES = 40
PlaceOf = Callable[[str], np.ndarray]


@dataclass(frozen=True, eq=False)
class Person:
    """One body: all 19,158 base-mesh vertices (helpers included) in the rest pose, and its joints.

    vertices: (19158, 3) float32 metres. heads, tails: (B, 3) float32 metres.
    """

    vertices: np.ndarray
    heads: np.ndarray
    tails: np.ndarray


class HumanModel:
    """The base mesh, its targets and its game-engine rig, read from the data folder's `mpfb2`."""

    def __init__(self, data_dir: Path) -> None:
        folder = Path(data_dir) / "mpfb2"
        self.base, self.groups = _read_base(folder / "base.obj")
        packed = np.load(folder / "targets.npz")
        self._names = {name: index for index, name in enumerate(packed["names"])}
        self._offsets, self._index, self._delta = packed["offsets"], packed["vertex"], packed["delta"]
        self._vertex_groups = json.loads((folder / "basemesh_vertex_groups.json").read_text())
        self._rig = json.loads((folder / "rigs" / "rig.game_engine.json").read_text())
        self._weights_file = folder / "rigs" / "weights.game_engine.json.gz"
        self._mirror_file = folder / "hm08.mirror"
        self.bones = self._parents_first()
        self.bone_index = {name: i for i, name in enumerate(self.bones)}
        self.parents = np.array([self.bone_index.get(self._rig[b]["parent"], -1) for b in self.bones])

    @property
    def body_faces(self) -> np.ndarray:
        """(F, 3) int32 triangles of the body's quads."""
        return self.groups["body"]

    @property
    def body_vertex_count(self) -> int:
        return 13380

    @cached_property
    def mirror(self) -> np.ndarray:
        """(19158,) int64, each vertex's twin on the other side of the body."""
        table = np.arange(len(self.base))
        for line in self._mirror_file.read_text().splitlines():
            left, right, *_ = line.split()
            table[int(left)] = int(right)
        return table

    @cached_property
    def weights(self) -> np.ndarray:
        """(19158, B) float32 skin weights, rows sum to 1; helpers follow their nearest body vertex if unweighted."""
        with gzip.open(self._weights_file, "rt") as file:
            table = json.load(file)["weights"]
        weights = np.zeros((len(self.base), len(self.bones)), np.float32)
        for bone, entries in table.items():
            if entries and bone in self.bone_index:
                index, value = zip(*entries, strict=True)
                weights[np.array(index), self.bone_index[bone]] = value
        total = weights.sum(axis=1, keepdims=True)
        missing = total[:, 0] <= 1e-6
        weights[~missing] /= total[~missing]
        body = self.body_vertex_count
        weights[missing] = weights[self.nearest_body_vertex(self.base[missing], self.base[:body])]
        return weights

    @staticmethod
    def nearest_body_vertex(points: np.ndarray, body: np.ndarray) -> np.ndarray:
        from scipy.spatial import cKDTree

        return cKDTree(body).query(points)[1]

    def sample_person(self, rng: np.random.Generator, details: int = 25) -> Person:
        """A random identity over the whole macro space and some detail targets, in the rest pose."""
        macros = self._sample_macros(rng)
        names = [n for n in self._names if n.split("/")[0] in DETAIL_GROUPS]
        chosen = rng.choice(names, size=details, replace=False)
        return self.make_person([*macros.items(), *((name, rng.uniform(0.1, 0.9)) for name in chosen)])

    def make_person(self, targets: Iterable[tuple[str, float]]) -> Person:
        """The person that these targets make with these weights, one after the other, in the rest pose."""
        vertices = self.base.copy()
        for name, weight in targets:
            self._apply(vertices, name, weight)
        vertices = (vertices * METRES_PER_UNIT).astype(np.float32)
        return Person(vertices, *self.joints(vertices))

    def target_displacement(self, name: str) -> np.ndarray:
        """(19158, 3) float32 metres: what one shape target does to every vertex."""
        moved = np.zeros_like(self.base)
        self._apply(moved, name, 1.0)
        return moved * np.float32(METRES_PER_UNIT)

    def joints(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bone heads and tails (B, 3) of a body with these base-mesh vertices."""
        return tuple(
            np.stack([self._joint(vertices, self._rig[bone][end]) for bone in self.bones]).astype(np.float32)
            for end in ("head", "tail")
        )

    def _joint(self, vertices: np.ndarray, rule: dict) -> np.ndarray:
        if rule["strategy"] == "CUBE":
            return self.cube(vertices, rule["cube_name"])
        return vertices[rule["vertex_indices"]].mean(axis=0)

    def cube(self, vertices: np.ndarray, name: str) -> np.ndarray:
        """(3,) the middle of a joint cube, such as `joint-l-knee`."""
        ranges = self._vertex_groups[name]
        return np.concatenate([vertices[a : b + 1] for a, b in ranges]).mean(axis=0)

    def _parents_first(self) -> list[str]:
        ordered: list[str] = []
        waiting = list(self._rig)
        while waiting:
            bone = waiting.pop(0)
            parent = self._rig[bone]["parent"]
            (ordered if not parent or parent in ordered else waiting).append(bone)
        return ordered

    def _apply(self, vertices: np.ndarray, name: str, weight: float) -> None:
        target = self._names.get(name)
        if target is None or weight == 0:
            return
        part = slice(self._offsets[target], self._offsets[target + 1])
        vertices[self._index[part]] += weight * self._delta[part].astype(np.float32)

    def _sample_macros(self, rng: np.random.Generator) -> dict[str, float]:
        """Target names and weights of one random person, blended as MakeHuman does."""
        male = rng.beta(0.6, 0.6)
        gender = {"male": male, "female": 1 - male}
        age = _neighbours(rng.choice([rng.uniform(0.02, 0.3), rng.uniform(0.3, 1.0)], p=[0.3, 0.7]), AGES)
        ethnicity = dict(zip(("african", "asian", "caucasian"), rng.dirichlet([0.6] * 3), strict=True))
        muscle = _neighbours(rng.uniform(), {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0})
        weight = _neighbours(rng.uniform(), {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0})
        height = _neighbours(rng.uniform(), {"minheight": 0.0, "": 0.5, "maxheight": 1.0})
        shape = _neighbours(rng.uniform(), {"uncommonproportions": 0.0, "": 0.5, "idealproportions": 1.0})
        macros: dict[str, float] = {}
        for g, wg in gender.items():
            for a, wa in age.items():
                for e, we in ethnicity.items():
                    macros[f"macrodetails/{e}-{g}-{a}"] = wg * wa * we
                for m, wm in muscle.items():
                    for w, ww in weight.items():
                        base, amount = f"{g}-{a}-{m}-{w}", wg * wa * wm * ww
                        macros[f"macrodetails/universal-{base}"] = amount
                        for h, wh in height.items():
                            macros[f"macrodetails/height/{base}-{h}"] = amount * wh if h else 0.0
                        for p, wp in shape.items():
                            macros[f"macrodetails/proportions/{base}-{p}"] = amount * wp if p else 0.0
        return macros


def _neighbours(value: float, stops: dict[str, float]) -> dict[str, float]:
    """Linear weights of the two stops around `value`."""
    names, places = list(stops), np.array(list(stops.values()))
    upper = int(np.clip(np.searchsorted(places, value), 1, len(places) - 1))
    share = float((value - places[upper - 1]) / (places[upper] - places[upper - 1]))
    return {names[upper - 1]: 1 - share, names[upper]: share}


def _read_base(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    vertices: list[list[float]] = []
    groups: dict[str, list[tuple[int, int, int]]] = {}
    current = ""
    for line in path.read_text().splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(x) for x in words[1:4]])
        elif words[0] == "g":
            current = words[1]
        elif words[0] == "f":
            polygon = [int(w.split("/")[0]) - 1 for w in words[1:]]
            faces = groups.setdefault(current, [])
            faces += [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
    return np.asarray(vertices, np.float32), {k: np.asarray(v, np.int32) for k, v in groups.items()}


def to_z_up(points: np.ndarray) -> np.ndarray:
    """Y up, facing +Z → Z up, facing −Y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


# --- stylised proportions and poses -----------------------------------------------------------------------------------

PARTS = {
    "head": ("head",),
    "neck": ("neck_01",),
    "torso": ("pelvis", "spine_01", "spine_02", "spine_03"),
    "shoulder": ("clavicle_l", "clavicle_r"),
    "upper_arm": ("upperarm_l", "upperarm_r"),
    "lower_arm": ("lowerarm_l", "lowerarm_r"),
    "hand": ("hand", "thumb", "index", "middle", "ring", "pinky"),
    "thigh": ("thigh_l", "thigh_r"),
    "calf": ("calf_l", "calf_r"),
    "foot": ("foot_l", "foot_r", "ball_l", "ball_r"),
}


def part_of_bone(bone: str) -> str:
    """Which of `PARTS` a bone belongs to; the root counts as torso."""
    for part, prefixes in PARTS.items():
        if bone.startswith(prefixes):
            return part
    return "torso"


@dataclass(frozen=True)
class Proportions:
    """Scale along the bone and across it, by part."""

    along: dict[str, float]
    across: dict[str, float]


def sample_proportions(rng: np.random.Generator, strength: float) -> Proportions:
    """Random stylisation; strength 0 keeps the person, 1 reaches chibi heads and giant hands."""
    spread = {
        "head": (-0.1, 0.9), "neck": (-0.8, 0.2), "torso": (-0.5, 0.4), "shoulder": (-0.2, 0.4),
        "upper_arm": (-0.6, 0.4), "lower_arm": (-0.6, 0.4), "hand": (-0.2, 0.9), "thigh": (-0.8, 0.4),
        "calf": (-0.8, 0.4), "foot": (-0.2, 0.7),
    }  # fmt: skip
    along, across = {}, {}
    thickness = rng.uniform(-0.3, 0.6)
    for part, (low, high) in spread.items():
        along[part] = float(np.exp(strength * rng.uniform(low, high)))
        own = rng.uniform(-0.25, 0.35) + thickness
        across[part] = along[part] if part in ("head", "hand", "foot") else float(np.exp(strength * own))
    return Proportions(along, across)


def sample_chibi(rng: np.random.Generator) -> Proportions:
    """Game-figure proportions: a head of a third to half the height, short limbs, stout hands and feet."""
    head, limb = float(rng.uniform(1.9, 3.3)), float(rng.uniform(0.45, 0.8))
    thick = float(rng.uniform(1.0, 1.7))
    along = {part: limb * float(rng.uniform(0.85, 1.15)) for part in PARTS}
    across = {part: thick * limb * float(rng.uniform(0.85, 1.2)) * 1.3 for part in PARTS}
    for part, size in (("head", head), ("hand", rng.uniform(0.8, 1.6)), ("foot", rng.uniform(0.8, 1.5))):
        along[part] = across[part] = float(size)
    along["neck"] = float(rng.uniform(0.1, 0.6))
    return Proportions(along, across)


def sample_squat(rng: np.random.Generator) -> Proportions:
    """A game figure that stands on stumps: as `sample_chibi`, but legs so short that they are all boot."""
    figure = sample_chibi(rng)
    short = float(rng.uniform(0.15, 0.5))
    for part in ("thigh", "calf"):
        figure.along[part] = short * float(rng.uniform(0.8, 1.25))
        figure.across[part] *= float(rng.uniform(0.9, 1.6))
    for part in ("upper_arm", "lower_arm"):
        figure.along[part] *= float(rng.uniform(0.9, 1.4))
    return figure


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
        drop, forward = np.radians(rng.uniform(25, 75)), np.radians(rng.uniform(-25, 40))
        turned = Rotation.from_rotvec([-forward, 0, 0]) * Rotation.from_rotvec([0, 0, -sign * drop])
        rotations[model.bone_index[f"upperarm_{side}"]] = turned.as_matrix()


def sample_crossed_pose(model: HumanModel, person: Person, rng: np.random.Generator) -> np.ndarray:
    """As `sample_pose`, but a hand or a foot lies on the other side of the body, or runs through it to there."""
    ends = [(f"{end}_{side}", sign) for side, sign in (("l", 1.0), ("r", -1.0)) for end in ("hand", "foot")]

    def crosses(place: PlaceOf, height: float) -> bool:
        return min(sign * place(bone)[0] for bone, sign in ends) < -CROSSING * height

    return _pose_that(crosses, model, person, rng)


def sample_piercing_pose(model: HumanModel, person: Person, rng: np.random.Generator) -> np.ndarray:
    """As `sample_pose`, but a forearm runs through the torso, to the other side of the body."""

    def pierces(place: PlaceOf, height: float) -> bool:
        spine = _along(place("pelvis"), place("spine_03"))
        for side, sign in (("l", 1.0), ("r", -1.0)):
            forearm = _along(place(f"lowerarm_{side}"), place(f"hand_{side}"))
            if sign * place(f"hand_{side}")[0] < 0 and cdist(forearm, spine).min() < PIERCING * height:
                return True
        return False

    return _pose_that(pierces, model, person, rng)


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
