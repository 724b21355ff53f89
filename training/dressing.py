# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns a bare body into the messy characters artists have: clothes, hair, props, low polygon counts, damage.

Every vertex of the result keeps a label: the body-template vertex it lies on or nearest to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from surface_features.geometry.components import weld
from surface_features.mesh import TriangleMesh

from .grids import grid_faces
from .humans import HumanModel

SAME_PLACE = 1e-5  # of the extent
KEPT_AREA = 0.6  # at least, where vertices are merged: below that thin limbs are torn to shreds
UNDER_SKIRT = ("pelvis", "thigh")

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

    def dress(self, posed: np.ndarray, rng: np.random.Generator, amount: float, deleted: float = 0.0) -> Labelled:
        """A character from all posed base-mesh vertices (19158, 3), Y up; amount 0 bare … 1 everything.

        deleted: the chance that what clothes cover of the body is not there, as artists delete it.
        """
        count = self.model.body_vertex_count
        mesh = Labelled(posed[:count].copy(), self.model.body_faces.copy(), np.arange(count))
        size = float(np.ptp(posed[:count], axis=0).max())
        normals = _vertex_normals(mesh.vertices, mesh.faces)
        for eye in ("helper-l-eye", "helper-r-eye"):
            if rng.uniform() < 0.5:
                self._add_helper(mesh, posed, eye)
        if rng.uniform() < 0.5 * amount:
            self._add_helper(mesh, posed, "helper-hair")
        covered = np.zeros(count, bool)
        if rng.uniform() < 0.25 * amount:
            self._add_helper(mesh, posed, "helper-skirt")
            covered |= self.follows(*UNDER_SKIRT)
        for bones in GARMENTS.values():
            if rng.uniform() < 0.35 * amount:
                self._add_shell(mesh, posed[:count], normals, bones, size, rng)
                covered |= self.follows(*bones)
        if deleted and rng.uniform() < deleted:
            hidden = covered[self.model.body_faces].all(axis=1)  # the body's faces come first
            mesh.faces = np.delete(mesh.faces, np.flatnonzero(hidden), axis=0)
        if rng.uniform() < 0.3 * amount:
            self._add_cape(mesh, posed[:count], size, rng)
        if rng.uniform() < 0.3 * amount:
            self._add_hat(mesh, posed[:count], rng)
        for _ in range(rng.poisson(1.5 * amount)):
            self._add_prop(mesh, posed[:count], normals, size, rng)
        return mesh

    def follows(self, *prefixes: str) -> np.ndarray:
        """(V,) bool: vertices of the body that follow a bone of these names most."""
        return np.array([name.startswith(prefixes) for name in self.model.bones])[self.dominant]

    def skin(self, bones: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The (P,) vertices of the body's faces that follow these bones alone, and those (F, 3) faces among them."""
        faces = self.model.body_faces[self.follows(*bones)[self.model.body_faces].all(axis=1)]
        used, faces = np.unique(faces, return_inverse=True)
        return used, faces.reshape(-1, 3)

    def _add_helper(self, mesh: Labelled, posed: np.ndarray, group: str) -> None:
        used, faces = np.unique(self.model.groups[group], return_inverse=True)
        mesh.add(posed[used], faces.reshape(-1, 3), self.body_label[used])

    def _add_shell(self, mesh, body, normals, prefixes, size, rng) -> None:
        used, faces = self.skin(prefixes)
        if len(faces) == 0:
            return
        waves = np.sin(body[used] @ rng.normal(size=(3, 3)) * 12 / size + rng.uniform(0, 6, 3)).mean(axis=1)
        offset = size * (rng.uniform(0.003, 0.03) * (1 + 0.5 * waves))
        mesh.add(body[used] + normals[used] * offset[:, None], faces, used)

    def _add_cape(self, mesh, body, size, rng) -> None:
        """A sheet hanging from the shoulders behind the back, belonging to the torso; it makes way for the legs."""
        torso = np.flatnonzero(self.follows("spine", "pelvis", "clavicle"))
        points = body[torso]
        down = points[points[:, 1] <= np.quantile(points[:, 1], 0.2)].mean(axis=0)
        top = points[points[:, 1] >= np.quantile(points[:, 1], 0.8)].mean(axis=0)
        spine = top - down
        length = float(np.linalg.norm(spine))
        left = body[self.follows("upperarm_l")].mean(axis=0)
        right = body[self.follows("upperarm_r")].mean(axis=0)
        across = (left - right) / np.linalg.norm(left - right)
        behind = np.cross(spine / length, across)
        depth = np.quantile((points - top) @ behind, 0.95) + size * rng.uniform(0.005, 0.04)
        half, drop = length * rng.uniform(0.35, 0.7), length * rng.uniform(0.9, 2.0)
        u, v = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(0, 1, 12))
        u, v = u.ravel(), v.ravel()
        swing = rng.uniform(0.0, 0.5) * v**2 * drop + 0.05 * size * np.cos(u * rng.uniform(1, 4)) * v
        sheet = top + across * (u * half * (0.7 + 0.3 * v))[:, None] - (spine / length) * (v * drop)[:, None]
        sheet = sheet + behind * (depth + swing)[:, None]
        mesh.add(sheet, grid_faces(12, 9), torso[cKDTree(points).query(sheet)[1]])

    def _add_hat(self, mesh, body, rng) -> None:
        """A cone, dome or cylinder over the crown, some with a wide brim; it belongs to the head."""
        head = np.flatnonzero(self.follows("head"))
        index = self.model.bone_index["neck_01"]
        neck = body[self.dominant == index].mean(axis=0)
        up = body[head].mean(axis=0) - neck
        up = up / np.linalg.norm(up)
        height = (body[head] - neck) @ up
        radius = float(np.quantile(np.linalg.norm(np.cross(body[head] - neck, up), axis=1), 0.9))
        seat = neck + up * float(np.quantile(height, rng.uniform(0.75, 0.95)))
        turn = Rotation.align_vectors(up[None], [[0, 0, 1]])[0] * Rotation.from_euler("xy", rng.normal(0, 0.15, 2))
        crown, faces = PRIMITIVES[int(rng.choice([1, 2, 3]))]
        pieces = [(crown * [1, 1, rng.uniform(0.6, 2.0)] * rng.uniform(0.9, 1.25), faces)]
        if rng.uniform() < 0.6:
            brim, faces = PRIMITIVES[2]
            pieces.append((brim * [rng.uniform(1.3, 2.4), rng.uniform(1.3, 2.4), 0.05], faces))
        for points, faces in pieces:
            placed = turn.apply(points * radius) + seat
            mesh.add(placed, faces, head[cKDTree(body[head]).query(placed)[1]])

    def _add_prop(self, mesh, body, normals, size, rng) -> None:
        """A box, ball or tube on the head, back, belt, shoulder or in a hand; it belongs to the surface it sits on."""
        place = rng.choice(["head", "spine_03", "spine_01", "pelvis", "upperarm", "lowerarm", "hand", "calf"])
        region = np.flatnonzero(self.follows(str(place)))
        seat = int(rng.choice(region))
        extent = size * rng.uniform(0.02, 0.12, 3)
        if place == "hand" and rng.uniform() < 0.5:
            extent = size * np.array([0.012, 0.012, rng.uniform(0.1, 0.5)])
        points, faces = PRIMITIVES[rng.integers(len(PRIMITIVES))]
        centre = body[seat] + normals[seat] * extent.min() * rng.uniform(0.2, 1.0)
        points = Rotation.random(random_state=rng).apply(points * extent) + centre
        nearest = region[cKDTree(body[region]).query(points)[1]]
        mesh.add(points, faces, nearest)


def roughen(mesh: Labelled, rng: np.random.Generator, amount: float) -> None:
    """Low polygon counts (vertex clustering), smoothing, noise and holes, in place; labels stay exact.

    Vertices on one place stay on one: game meshes are split along sharp edges, which would be torn apart.
    """
    size = float(np.ptp(mesh.vertices, axis=0).max())
    if rng.uniform() < 0.25 * amount:
        place, first = weld(mesh.vertices / size, SAME_PLACE)
        points = mesh.vertices[first]
        for _ in range(rng.integers(2, 12)):
            points = _smooth(points, place[mesh.faces])
        mesh.vertices = points[place]
    if rng.uniform() < 0.5 * amount:
        cell = size * rng.uniform(0.008, 0.05)
        _, cluster = np.unique(np.floor(mesh.vertices / cell).astype(np.int64), axis=0, return_inverse=True)
        cluster = cluster.reshape(-1)
        total = np.stack([np.bincount(cluster, weights=mesh.vertices[:, k]) for k in range(3)], axis=1)
        coarse = (total / np.bincount(cluster)[:, None])[cluster].astype(np.float32)
        before, after = (TriangleMesh(v, mesh.faces).face_areas.sum() for v in (mesh.vertices, coarse))
        if after > KEPT_AREA * before:
            mesh.vertices = coarse
    if rng.uniform() < 0.15 * amount:
        place, first = weld(mesh.vertices / size, SAME_PLACE)
        noise = rng.normal(size=mesh.vertices.shape).astype(np.float32)[first][place]
        mesh.vertices = mesh.vertices + noise * size * 0.003
    if rng.uniform() < 0.15 * amount:
        centre = mesh.vertices[rng.integers(len(mesh.vertices))]
        near = np.linalg.norm(mesh.vertices - centre, axis=1) < size * rng.uniform(0.02, 0.1)
        mesh.faces = mesh.faces[~near[mesh.faces].any(axis=1)]


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
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


PRIMITIVES = _primitives()
