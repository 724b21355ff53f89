# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes with known answers. All are wound outwards and Z up, and every vertex is on a face."""

from __future__ import annotations

import numpy as np

from surface_features.mesh import Float32, Int32, TriangleMesh

Vector = tuple[float, float, float]


def icosphere(subdivisions: int = 3, radius: float = 1.0, centre: Vector = (0, 0, 0)) -> TriangleMesh:
    """A sphere of 10·4ⁿ + 2 almost evenly spaced vertices."""
    golden = (1 + 5**0.5) / 2
    points = np.array(
        [(-1, golden, 0), (1, golden, 0), (-1, -golden, 0), (1, -golden, 0), (0, -1, golden), (0, 1, golden),
         (0, -1, -golden), (0, 1, -golden), (golden, 0, -1), (golden, 0, 1), (-golden, 0, -1), (-golden, 0, 1)]
    )  # fmt: skip
    faces = np.array(
        [(0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6),
         (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10),
         (8, 6, 7), (9, 8, 1)]
    )  # fmt: skip
    for _ in range(subdivisions):
        points, faces = _split_edges(points, faces)
    points = points / np.linalg.norm(points, axis=1, keepdims=True) * radius + np.asarray(centre)
    return TriangleMesh(points.astype(np.float32), faces.astype(np.int32), "Sphere")


def box(size: Vector = (1, 1, 1), subdivisions: int = 0, centre: Vector = (0, 0, 0)) -> TriangleMesh:
    """A box with shared corners: 8 vertices and 12 triangles when not subdivided."""
    points = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    for _ in range(subdivisions):
        points, faces = _split_edges(points, faces)
    points = points * np.asarray(size) + np.asarray(centre)
    return TriangleMesh(points.astype(np.float32), faces.astype(np.int32), "Box")


def grid(columns: int = 10, rows: int = 10, width: float = 1.0, depth: float = 1.0) -> TriangleMesh:
    """A flat sheet in the XY plane facing +Z, (columns + 1)·(rows + 1) vertices, row by row from the origin."""
    x, y = np.meshgrid(np.linspace(0, width, columns + 1), np.linspace(0, depth, rows + 1))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    faces = _quads(corner, corner + 1, corner + columns + 1, corner + columns + 2)
    return TriangleMesh(points.astype(np.float32), faces, "Grid")


def cylinder(
    radius: float = 0.2, height: float = 2.0, segments: int = 24, rings: int = 40, capped: bool = True
) -> TriangleMesh:
    """A cylinder about the Z axis from z = 0; ring after ring from the bottom, then the caps' two middle points."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    z = np.repeat(np.linspace(0, height, rings + 1), segments)
    points = np.stack([np.tile(np.cos(angle), rings + 1) * radius, np.tile(np.sin(angle), rings + 1) * radius, z], 1)
    around = np.arange(segments)
    following = (around + 1) % segments
    base = np.arange(rings)[:, None] * segments
    low, low_next = (base + around).ravel(), (base + following).ravel()
    faces = _quads(low, low_next, low + segments, low_next + segments)
    if capped:
        bottom, top, last = len(points), len(points) + 1, rings * segments
        points = np.concatenate([points, [(0, 0, 0), (0, 0, height)]])
        under = np.stack([following, around, np.full(segments, bottom)], axis=1)
        over = np.stack([last + around, last + following, np.full(segments, top)], axis=1)
        faces = np.concatenate([faces, under, over])
    return TriangleMesh(points.astype(np.float32), faces.astype(np.int32), "Cylinder")


def cross() -> TriangleMesh:
    """Four arms in the plane y = 0, one surface: a ball drawn out along X and Z, ends at −1 and 1."""
    ball = icosphere(5)
    x, _, z = np.abs(ball.vertices).T
    length = np.maximum(x, z) ** 6 + 0.12
    points = ball.vertices * np.stack([length, np.full(len(length), 0.12), length], axis=1).astype(np.float32)
    return TriangleMesh(points / np.abs(points).max(), ball.faces, "Cross")


def torus(major: float = 1.0, minor: float = 0.3, around: int = 48, across: int = 24) -> TriangleMesh:
    """A torus about the Z axis, `around` rings of `across` vertices."""
    u, v = np.meshgrid(
        np.linspace(0, 2 * np.pi, around, endpoint=False), np.linspace(0, 2 * np.pi, across, endpoint=False),
        indexing="ij",
    )  # fmt: skip
    distance = major + minor * np.cos(v)
    points = np.stack([distance * np.cos(u), distance * np.sin(u), minor * np.sin(v)], axis=-1).reshape(-1, 3)
    i, j = (index.ravel() for index in np.meshgrid(np.arange(around), np.arange(across), indexing="ij"))
    i_next, j_next = (i + 1) % around, (j + 1) % across
    faces = _quads(i * across + j, i_next * across + j, i * across + j_next, i_next * across + j_next)
    return TriangleMesh(points.astype(np.float32), faces, "Torus")


def join(*meshes: TriangleMesh) -> TriangleMesh:
    """One mesh of several, their vertices and faces one after the other."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]
    return TriangleMesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces), "Joined")


def split_per_face(mesh: TriangleMesh) -> TriangleMesh:
    """The same surface with three vertices of its own for every face, as flat-shaded game assets have it."""
    return TriangleMesh(mesh.corners.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), mesh.name)


def moved(mesh: TriangleMesh, offset: Vector = (0, 0, 0), scale: float = 1.0) -> TriangleMesh:
    """The mesh scaled about the origin, then moved."""
    return TriangleMesh(mesh.vertices * np.float32(scale) + np.asarray(offset, np.float32), mesh.faces, mesh.name)


def _quads(a: Int32, b: Int32, c: Int32, d: Int32) -> Int32:
    """Two triangles for every quad a-b over c-d, facing the viewer who sees a at the lower left."""
    return np.stack([a, b, d, a, d, c], axis=1).reshape(-1, 3).astype(np.int32)


def _split_edges(points: Float32, faces: Int32) -> tuple[Float32, Int32]:
    """Four triangles for every one, with new vertices at the middle of the edges."""
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, middle = np.unique(sides, axis=0, return_inverse=True)
    ab, bc, ca = (middle.reshape(-1, 3) + len(points)).T
    a, b, c = faces.T
    split = np.stack([a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca], axis=1).reshape(-1, 3)
    return np.concatenate([points, points[edges].mean(axis=1)]), split
