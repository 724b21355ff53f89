# SPDX-License-Identifier: GPL-3.0-or-later
"""The surfaces that training knows by heart: one template per family, with sides, mirror table and named parts.

A label is a vertex of one of them; families are numbered one after the other. Parts have the same names in all
families, so that a horse's foreleg is told to be alike to an arm, left to left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surface_features.mesh import TriangleMesh
from surface_features.views.cameras import place_cameras
from surface_features.views.render import Raycaster, render_views

from .humans import HumanModel, to_z_up
from .proportions import part_of_bone
from .quadrupeds import GRIDS, NECK_START, AnimalModel

LIMB_PARTS = ("fore_upper", "fore_lower", "fore_end", "hind_upper", "hind_lower", "hind_end")
PARTS = ("head", "neck", "chest", "hips", "tail", *(f"{part}.{side}" for part in LIMB_PARTS for side in "LR"))
HUMAN_PARTS = {
    "head": "head", "neck": "neck", "shoulder": "chest", "upper_arm": "fore_upper", "lower_arm": "fore_lower",
    "hand": "fore_end", "thigh": "hind_upper", "calf": "hind_lower", "foot": "hind_end",
}  # fmt: skip
HUMAN_DENSITY = {"hand": 3.4, "foot": 1.6, "head": 2.0}
ANIMAL_DENSITY = {"head": 1.8, "ear": 1.5, "horn": 0.8, "trunk": 0.8, "tail": 1.0}
MIDDLE = 0.012  # of √area: nearer to the plane of symmetry there is no side


@dataclass(frozen=True, eq=False)
class Family:
    """One template.

    vertices: (N, 3) float64, Z up, facing −Y, area 1. faces: (F, 3). mirror: (N,) the twin on the other side.
    part: (N,) int64 index into `PARTS`. density: (N,) how much finer than elsewhere anchors lie.
    seen: (N,) bool, whether any picture can show the vertex.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    part: np.ndarray
    density: np.ndarray
    seen: np.ndarray

    @property
    def side(self) -> np.ndarray:
        """(N,) int64: 1 on the left, −1 on the right, 0 near the middle."""
        x = self.vertices[:, 0]
        return (np.sign(x) * (np.abs(x) > MIDDLE)).astype(np.int64)


def load_families(data: Path) -> tuple[Family, ...]:
    """All families, in the order of their labels: people, animals."""
    return human_family(HumanModel(data)), animal_family(AnimalModel(data))


def human_family(model: HumanModel) -> Family:
    count = model.body_vertex_count
    density = np.array([HUMAN_DENSITY.get(part_of_bone(bone), 1.0) for bone in _bones(model)])
    vertices = to_z_up(model.base[:count].astype(np.float64))
    return _family("people", vertices, model.body_faces, model.mirror[:count], human_parts(model), density)


def human_parts(model: HumanModel) -> np.ndarray:
    """(N,) int64 index into `PARTS` of the body's vertices."""
    return np.array([PARTS.index(_human_part(bone)) for bone in _bones(model)])


def _bones(model: HumanModel) -> list[str]:
    """The bone that each of the body's vertices follows most."""
    return [model.bones[bone] for bone in model.weights[: model.body_vertex_count].argmax(axis=1)]


def _human_part(bone: str) -> str:
    part = HUMAN_PARTS.get(part_of_bone(bone))
    if part is None:  # the spine
        return "chest" if bone in ("spine_02", "spine_03") else "hips"
    return f"{part}.{bone[-1].upper()}" if part in LIMB_PARTS else part


def animal_family(model: AnimalModel) -> Family:
    vertices, faces = model.template()
    part, density = np.zeros(model.vertex_count, np.int64), np.ones(model.vertex_count)
    for name, rows in model.part_slices.items():
        rings, around = GRIDS[name]
        u = np.repeat(np.arange(rings) / (rings - 1), around)
        part[rows] = [PARTS.index(_animal_part(name, place)) for place in u]
        density[rows] = ANIMAL_DENSITY.get(name.split(".")[0], 1.0)
    return _family("animals", vertices.astype(np.float64), faces, model.mirror, part, density)


def _animal_part(grid: str, u: float) -> str:
    """u: 0…1 along the part's rings."""
    stem, _, side = grid.partition(".")
    if stem == "torso":
        return "neck" if u > NECK_START + 0.1 else "chest" if u > 0.35 else "hips"
    if stem in ("foreleg", "hindleg"):
        segment = "upper" if u < 0.25 else "lower" if u < 0.5 else "end"
        return f"{stem[:4]}_{segment}.{side}"
    return "tail" if stem == "tail" else "head"


def _family(
    name: str, vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray, part: np.ndarray, density: np.ndarray
) -> Family:
    mesh = TriangleMesh(vertices.astype(np.float32), faces)
    unit = np.sqrt(mesh.face_areas.sum(dtype=np.float64))
    views = render_views(Raycaster(mesh), place_cameras(mesh.vertices, 60), 192)
    seen = np.zeros(len(vertices), bool)
    seen[mesh.faces[np.unique(views.face_ids[views.face_ids >= 0])]] = True
    return Family(name, vertices / unit, faces, mirror, part, density, seen)
