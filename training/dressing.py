# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns a bare body into the messy characters artists have: clothes, hair, props, low polygon counts, damage.

Every vertex of the result keeps a label: the body-template vertex it lies on or nearest to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from .humans import HumanModel

GARMENTS = {
    "shirt": ("spine", "clavicle", "upperarm"),
    "jacket": ("spine", "pelvis", "clavicle", "upperarm", "lowerarm"),
    "trousers": ("pelvis", "thigh", "calf"),
    "shorts": ("pelvis", "thigh"),
    "boots": ("calf", "foot", "ball"),
    "shoes": ("foot", "ball"),
    "gloves": ("hand", "thumb", "index", "middle", "ring", "pinky"),
    "gauntlets": ("lowerarm", "hand", "thumb", "index", "middle", "ring", "pinky"),
    "helmet": ("head",),
    "collar": ("neck", "clavicle"),
    "armour": ("spine", "pelvis"),
}


@dataclass(eq=False)
class Labelled:
    """A triangle soup growing piece by piece; label −1 is not supervised."""

    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray

    def add(self, vertices: np.ndarray, faces: np.ndarray, labels: np.ndarray) -> None:
        self.faces = np.concatenate([self.faces, faces + len(self.vertices)]).astype(np.int32)
        self.vertices = np.concatenate([self.vertices, vertices]).astype(np.float32)
        self.labels = np.concatenate([self.labels, labels])


class Wardrobe:
    """Dresses posed bodies of one `HumanModel`."""

    def __init__(self, model: HumanModel) -> None:
        self.model = model
        body = slice(0, model.body_vertex_count)
        self.dominant = model.weights[body].argmax(axis=1)
        helpers = np.arange(len(model.base))
        helpers[model.body_vertex_count :] = model.nearest_body_vertex(
            model.base[model.body_vertex_count :], model.base[body]
        )
        self.body_label = helpers

    def dress(self, posed: np.ndarray, rng: np.random.Generator, amount: float) -> Labelled:
        """A character from all posed base-mesh vertices (19158, 3), Y up; amount 0 bare … 1 everything."""
        count = self.model.body_vertex_count
        mesh = Labelled(posed[:count].copy(), self.model.body_faces.copy(), np.arange(count))
        size = float(np.ptp(posed[:count], axis=0).max())
        normals = _vertex_normals(mesh.vertices, mesh.faces)
        for eye in ("helper-l-eye", "helper-r-eye"):
            if rng.uniform() < 0.5:
                self._add_helper(mesh, posed, eye)
        if rng.uniform() < 0.5 * amount:
            self._add_helper(mesh, posed, "helper-hair")
        if rng.uniform() < 0.25 * amount:
            self._add_helper(mesh, posed, "helper-skirt")
        for bones in GARMENTS.values():
            if rng.uniform() < 0.35 * amount:
                self._add_shell(mesh, posed[:count], normals, bones, size, rng)
        for _ in range(rng.poisson(1.5 * amount)):
            self._add_prop(mesh, posed[:count], normals, size, rng)
        return mesh

    def _bones(self, prefixes: tuple[str, ...]) -> np.ndarray:
        return np.array([name.startswith(prefixes) for name in self.model.bones])

    def _add_helper(self, mesh: Labelled, posed: np.ndarray, group: str) -> None:
        used, faces = np.unique(self.model.groups[group], return_inverse=True)
        mesh.add(posed[used], faces.reshape(-1, 3), self.body_label[used])

    def _add_shell(self, mesh, body, normals, prefixes, size, rng) -> None:
        inside = self._bones(prefixes)[self.dominant]
        faces = self.model.body_faces[inside[self.model.body_faces].all(axis=1)]
        if len(faces) == 0:
            return
        used, faces = np.unique(faces, return_inverse=True)
        waves = np.sin(body[used] @ rng.normal(size=(3, 3)) * 12 / size + rng.uniform(0, 6, 3)).mean(axis=1)
        offset = size * (rng.uniform(0.003, 0.03) * (1 + 0.5 * waves))
        mesh.add(body[used] + normals[used] * offset[:, None], faces.reshape(-1, 3), used)

    def _add_prop(self, mesh, body, normals, size, rng) -> None:
        """A box, ball or tube on the head, back, belt, shoulder or in a hand; it belongs to the surface it sits on."""
        place = rng.choice(["head", "spine_03", "spine_01", "pelvis", "upperarm", "lowerarm", "hand", "calf"])
        region = np.flatnonzero(self._bones((str(place),))[self.dominant])
        seat = int(rng.choice(region))
        extent = size * rng.uniform(0.02, 0.12, 3)
        if place == "hand" and rng.uniform() < 0.5:
            extent = size * np.array([0.012, 0.012, rng.uniform(0.1, 0.5)])
        points, faces = _PRIMITIVES[rng.integers(len(_PRIMITIVES))]
        centre = body[seat] + normals[seat] * extent.min() * rng.uniform(0.2, 1.0)
        points = Rotation.random(random_state=rng).apply(points * extent) + centre
        nearest = region[cKDTree(body[region]).query(points)[1]]
        mesh.add(points, faces, nearest)


def roughen(mesh: Labelled, rng: np.random.Generator, amount: float) -> None:
    """Low polygon counts (vertex clustering), smoothing, noise and holes, in place; labels stay exact."""
    size = float(np.ptp(mesh.vertices, axis=0).max())
    if rng.uniform() < 0.25 * amount:
        for _ in range(rng.integers(2, 12)):
            mesh.vertices = _smooth(mesh.vertices, mesh.faces)
    if rng.uniform() < 0.5 * amount:
        cell = size * rng.uniform(0.008, 0.05)
        _, cluster = np.unique(np.floor(mesh.vertices / cell).astype(np.int64), axis=0, return_inverse=True)
        cluster = cluster.reshape(-1)
        total = np.stack([np.bincount(cluster, weights=mesh.vertices[:, k]) for k in range(3)], axis=1)
        mesh.vertices = (total / np.bincount(cluster)[:, None])[cluster].astype(np.float32)
    if rng.uniform() < 0.15 * amount:
        mesh.vertices = mesh.vertices + rng.normal(size=mesh.vertices.shape).astype(np.float32) * size * 0.003
    if rng.uniform() < 0.15 * amount:
        centre = mesh.vertices[rng.integers(len(mesh.vertices))]
        near = np.linalg.norm(mesh.vertices - centre, axis=1) < size * rng.uniform(0.02, 0.1)
        mesh.faces = mesh.faces[~near[mesh.faces].any(axis=1)]


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    from surface_features.mesh import TriangleMesh

    return TriangleMesh(vertices, faces).vertex_normals


def _smooth(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Every vertex halfway towards the mean of its faces' corners."""
    centre = vertices[faces].mean(axis=1)
    index = faces.reshape(-1)
    spread = np.repeat(centre, 3, axis=0)
    total = np.stack([np.bincount(index, weights=spread[:, k], minlength=len(vertices)) for k in range(3)], axis=1)
    count = np.bincount(index, minlength=len(vertices))[:, None]
    mean = np.divide(total, count, out=vertices.astype(np.float64), where=count > 0)
    return (0.5 * vertices + 0.5 * mean).astype(np.float32)


def _primitives() -> list[tuple[np.ndarray, np.ndarray]]:
    import trimesh

    shapes = [
        trimesh.creation.box(extents=(2, 2, 2)),
        trimesh.creation.icosphere(2),
        trimesh.creation.cylinder(radius=1, height=2, sections=12),
        trimesh.creation.cone(radius=1, height=2, sections=12),
    ]
    return [(np.asarray(s.vertices, np.float64), np.asarray(s.faces, np.int32)) for s in shapes]


_PRIMITIVES = _primitives()
