# SPDX-License-Identifier: GPL-3.0-or-later
"""Long edges split in halves until none is left, without cracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32, TriangleMesh

Int64 = NDArray[np.int64]

MOST_ROUNDS = 8
# Corners (0, 1, 2) and middles of the sides 01, 12, 20 (3, 4, 5) of the pieces of a triangle whose first, first two, or
# all three sides are split.
_PIECES = {
    0: ((0, 1, 2),),
    1: ((0, 3, 2), (3, 1, 2)),
    2: ((3, 1, 4), (0, 3, 4), (0, 4, 2)),
    3: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
}
# For each pattern of split sides (bit i: side i): how far to turn the triangle so that its split sides come first.
_TURN = {0b000: 0, 0b001: 0, 0b010: 1, 0b100: 2, 0b011: 0, 0b110: 1, 0b101: 2, 0b111: 0}


@dataclass(frozen=True, eq=False)
class Subdivision:
    """A mesh with shorter edges; its first vertices are those of the original.

    parent: (F,) int32 original face of every face, ascending. corners: (F, 3, 3) float32, [f, i] the barycentric
    coordinates of corner i on the parent.
    """

    mesh: TriangleMesh
    parent: Int32
    corners: Float32

    def to_parent(self, face: Int32, bary: Float32) -> tuple[Int32, Float32]:
        """The same points, (N,) faces and (N, 3) barycentric coordinates, on the original mesh."""
        return self.parent[face], np.einsum("nc,ncd->nd", bary, self.corners[face])


def subdivide(mesh: TriangleMesh, longest: float, most_faces: int) -> Subdivision:
    """Halve every edge longer than `longest` (in the mesh's unit) as long as there are at most `most_faces` faces.

    Edges of like length are split alike, so that doubled vertices of one place stay together.
    """
    vertices, faces = mesh.vertices, mesh.faces.astype(np.int64)
    parent = np.arange(len(faces))
    corners = np.tile(np.eye(3, dtype=np.float32), (len(faces), 1, 1))
    for _ in range(MOST_ROUNDS):
        sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)
        with np.errstate(invalid="ignore", over="ignore"):
            length = np.linalg.norm(vertices[sides[..., 0]] - vertices[sides[..., 1]], axis=2)
        split = length > longest
        if not split.any() or len(faces) + split.sum() > most_faces:
            break
        chosen = sides[split]
        edges, middle = np.unique(chosen[:, 0] * len(vertices) + chosen[:, 1], return_inverse=True)
        middles = np.zeros(faces.shape, np.int64)
        middles[split] = len(vertices) + middle.ravel()
        ends = np.stack([edges // len(vertices), edges % len(vertices)], axis=1)
        vertices = np.concatenate([vertices, vertices[ends].mean(axis=1, dtype=np.float32)])
        faces, parent, corners = _pieces(faces, middles, split, parent, corners)
    order = np.argsort(parent, kind="stable")
    return Subdivision(
        TriangleMesh(vertices, faces[order].astype(np.int32), mesh.name), parent[order].astype(np.int32), corners[order]
    )


def _pieces(
    faces: Int64, middles: Int64, split: NDArray[np.bool_], parent: Int64, corners: Float32
) -> tuple[Int64, Int64, Float32]:
    pattern = split @ np.array([1, 2, 4])
    new_faces, new_parent, new_corners = [], [], []
    for code, turn in _TURN.items():
        chosen = np.flatnonzero(pattern == code)
        if len(chosen) == 0:
            continue
        points = np.concatenate([np.roll(faces[chosen], -turn, axis=1), np.roll(middles[chosen], -turn, axis=1)], 1)
        own = np.roll(corners[chosen], -turn, axis=1)
        bary = np.concatenate([own, (own + np.roll(own, -1, axis=1)) / 2], axis=1)
        for piece in _PIECES[code.bit_count()]:
            new_faces.append(points[:, piece])
            new_parent.append(parent[chosen])
            new_corners.append(bary[:, piece])
    return np.concatenate(new_faces), np.concatenate(new_parent), np.concatenate(new_corners)
