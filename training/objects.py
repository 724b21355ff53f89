# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects without a template: chairs and scans of the data folder, bent and stretched, and random piles of solids.

Their labels are landmarks of their own: two pictures of one object agree on them, two objects do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from surface_features.geometry.landmarks import place_landmarks
from surface_features.io import read_mesh
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight

from .dressing import PRIMITIVES, Labelled, roughen
from .humans import to_z_up

LANDMARKS = 700
FOLDERS = ("polyhaven", "odedstein")
ENDINGS = (".obj", ".ply", ".stl", ".off")
MOST_FACES = 40_000


class ObjectSource:
    """The data folder's objects, read when first drawn."""

    def __init__(self, data: Path) -> None:
        found = [path for folder in FOLDERS for path in sorted((Path(data) / folder).rglob("*"))]
        self._files = [path for path in found if path.suffix in ENDINGS]
        self._meshes: dict[Path, TriangleMesh] = {}

    def all_meshes(self) -> Iterator[TriangleMesh]:
        """Every object as it is, Z up, named by its file; those of many faces thinned."""
        for path in self._files:
            mesh = self._read(path)
            yield TriangleMesh(mesh.vertices, mesh.faces, path.stem)

    def sample(self, rng: np.random.Generator) -> Labelled:
        """An object, deformed and roughened, Z up, labelled by its landmarks."""
        mesh = self._read(self._files[rng.integers(len(self._files))]) if rng.uniform() < 0.6 else random_pile(rng)
        labels = place_landmarks(mesh, LANDMARKS, seed=int(rng.integers(2**31))).nearest
        turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))
        vertices = turn.apply(bend(mesh.vertices, rng)).astype(np.float32)
        deformed = Labelled(vertices, mesh.faces.copy(), labels.astype(np.int64))
        roughen(deformed, rng, float(rng.choice([0.0, 0.6])))
        return deformed

    def _read(self, path: Path) -> TriangleMesh:
        if path not in self._meshes:
            mesh = preflight(read_mesh(path)).proxy
            faces = mesh.faces if len(mesh.faces) <= MOST_FACES else _thin(mesh)
            self._meshes[path] = TriangleMesh(to_z_up(mesh.vertices), faces)
        return self._meshes[path]


def _thin(mesh: TriangleMesh) -> np.ndarray:
    """Faces after clustering the vertices on a grid; the vertices stay, most of them unused."""
    cell = np.sqrt(mesh.face_areas.sum() / MOST_FACES * 2)
    _, first, cluster = np.unique(
        np.floor(mesh.vertices / cell).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = first[cluster.reshape(-1)][mesh.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return np.unique(faces[whole], axis=0).astype(np.int32)


def random_pile(rng: np.random.Generator) -> TriangleMesh:
    """Two to nine solids stuck together, some in twins left and right, some on legs."""
    vertices, faces, count = [], [], 0
    for _ in range(rng.integers(2, 10)):
        points, triangles = PRIMITIVES[rng.integers(len(PRIMITIVES))]
        place, size = rng.uniform(-0.7, 0.7, 3), np.exp(rng.normal(-1.3, 0.5, 3))
        turn = Rotation.from_rotvec(rng.normal(0, 0.6, 3)) if rng.uniform() < 0.5 else Rotation.identity()
        solid = turn.apply(points * size) + place
        copies = [solid]
        if rng.uniform() < 0.5:
            copies.append(solid * [-1, 1, 1])
        for number, copy in enumerate(copies):
            vertices.append(copy)
            faces.append((triangles[:, ::-1] if number else triangles) + count)
            count += len(copy)
    return TriangleMesh(np.concatenate(vertices).astype(np.float32), np.concatenate(faces))


def bend(vertices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretched along the axes and bent by smooth waves. vertices: (V, 3)."""
    size = float(np.ptp(vertices, axis=0).max())
    stretched = vertices * np.exp(rng.normal(0, 0.2, 3))
    waves = np.sin(stretched @ rng.normal(size=(3, 3)) * 2 / size + rng.uniform(0, 6, 3))
    return stretched + waves * size * rng.uniform(0, 0.06)
