# SPDX-License-Identifier: GPL-3.0-or-later
"""People from the MakeHuman/MPFB base mesh (CC0): shape targets and a skeleton.

Frames: the base mesh's own, Y up, facing +Z, the character's left at +X; metres. `to_z_up` turns it into Blender's.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

AGES = {"baby": 0.0, "child": 0.1875, "young": 0.5, "old": 1.0}
DETAIL_GROUPS = (
    "armslegs", "arms", "legs", "torso", "head", "hands", "neck", "feet", "stomach", "hip", "buttocks", "breast",
    "nose", "ears", "chin", "cheek", "forehead", "mouth", "eyes",
)  # fmt: skip
METRES_PER_UNIT = 0.1


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
