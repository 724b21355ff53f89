# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a mesh by Embree rays: normals, depth, which triangle, and where on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..mesh import Float32, Int32, TriangleMesh
from ..parallel import each
from .cameras import Cameras

RAY_OFFSET = 2e-3  # of the mesh's extent: a visibility ray starts this far off the surface


@dataclass(frozen=True, eq=False)
class ViewBuffers:
    """What N cameras see, (N, S, S, …), row 0 at the top.

    normals: float32 (N, S, S, 3), camera space, facing the camera; 0 on the background.
    depth: float32 (N, S, S), 0 background, otherwise 0…1 with 1 nearest (0.5 = the camera's centre plane).
    face_ids: int32 (N, S, S), −1 background.
    bary: float32 (N, S, S, 3), barycentric coordinates on that face.
    """

    normals: Float32
    depth: Float32
    face_ids: Int32
    bary: Float32


def join_views(first: ViewBuffers, second: ViewBuffers) -> ViewBuffers:
    """The pictures of both, one after the other; faces are numbered as each has them."""
    names = ("normals", "depth", "face_ids", "bary")
    return ViewBuffers(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names))


class Raycaster:
    """Embree over one mesh: built once, asked many times; by several threads at once after `prepare`."""

    def __init__(self, mesh: TriangleMesh) -> None:
        self.mesh = mesh

    @cached_property
    def _scene(self) -> Any:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh as EmbreeMesh

        scene = rtcore_scene.EmbreeScene()
        EmbreeMesh(scene, np.ascontiguousarray(self.mesh.corners))
        scene.run(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32))  # committed, before threads ask at once
        return scene

    @cached_property
    def _reach(self) -> float:
        """A length no ray through the mesh exceeds."""
        return float(np.linalg.norm(np.ptp(self.mesh.vertices, axis=0))) * 2 + 1e-6

    def hits(self, origins: Float32, directions: Float32) -> tuple[Int32, Float32, Float32]:
        """First hits of (R, 3) rays: face (R,) int32 (−1 none), bary (R, 3), distance (R,)."""
        found = self._scene.run(np.ascontiguousarray(origins), np.ascontiguousarray(directions), output=True)
        u, v = found["u"], found["v"]
        return found["primID"], np.stack([1 - u - v, u, v], axis=1), found["tfar"]

    def visible(self, points: Float32, direction: Float32, tolerance: float) -> np.ndarray:
        """(P,) bool: nothing lies between (P, 3) points and a far camera in `direction` (3,).

        tolerance: length by which a ray starts off the surface, so that the point's own faces do not count.
        """
        directions = np.tile(np.asarray(direction, np.float32), (len(points), 1))
        origins = np.ascontiguousarray(points + directions * np.float32(tolerance))
        reach = np.full(len(points), self._reach, np.float32)
        return self._scene.run(origins, directions, dists=reach, query="OCCLUDED") < 0

    def view(self, cameras: Cameras, index: int, size: int) -> ViewBuffers:
        """One camera's picture, as buffers with N = 1."""
        found = _empty_buffers(1, size)
        self.draw(cameras, index, found, 0)
        return found

    def prepare(self) -> None:
        """What is computed once, before several threads ask."""
        _ = self._scene, self._reach, self.mesh.face_normals

    def draw(self, cameras: Cameras, index: int, found: ViewBuffers, place: int) -> None:
        """What a camera sees, into one of the empty pictures of `found`."""
        size = found.depth.shape[1]
        rotation, centre, half = cameras.rotations[index], cameras.centres[index], cameras.half_sizes[index]
        step = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        left, right, top, bottom = self._window(cameras, index, size)
        x, y = np.meshgrid(step[left:right] * half, -step[top:bottom] * half)
        eye = centre + rotation[2] * np.float32(self._reach)
        origins = (eye + x.reshape(-1, 1) * rotation[0] + y.reshape(-1, 1) * rotation[1]).astype(np.float32)
        face, bary, distance = self.hits(origins, np.tile(-rotation[2], (len(origins), 1)))
        hit = np.flatnonzero(face >= 0)
        face = face[hit]
        normals = self.mesh.face_normals[face] @ rotation.T
        normals *= np.where(normals[:, 2:] < 0, -1, 1)
        pixel = (hit // (right - left) + top) * size + hit % (right - left) + left
        found.normals[place].reshape(-1, 3)[pixel] = normals
        found.depth[place].reshape(-1)[pixel] = np.clip(0.5 + 0.5 * (self._reach - distance[hit]) / half, 0, 1)
        found.face_ids[place].reshape(-1)[pixel] = face
        found.bary[place].reshape(-1, 3)[pixel] = bary[hit]

    def _window(self, cameras: Cameras, index: int, size: int) -> tuple[int, int, int, int]:
        """Left, right, top and bottom of the pixels that can show something; a camera may look past the mesh."""
        x, y = np.ascontiguousarray(cameras.project(self.mesh.vertices, index)[:, :2].T)
        edges = (np.array([x.min(), x.max(), -y.max(), -y.min()]) + 1) / 2 * size
        left, right, top, bottom = np.clip(edges + np.array([-1, 2, -1, 2]), 0, size).astype(int)
        return left, right, top, bottom


def _empty_buffers(count: int, size: int) -> ViewBuffers:
    return ViewBuffers(
        np.zeros((count, size, size, 3), np.float32),
        np.zeros((count, size, size), np.float32),
        np.full((count, size, size), -1, np.int32),
        np.zeros((count, size, size, 3), np.float32),
    )


def render_views(raycaster: Raycaster, cameras: Cameras, size: int) -> ViewBuffers:
    """Pictures of `size` × `size` pixels from every camera."""
    found = _empty_buffers(len(cameras), size)
    raycaster.prepare()
    for _ in each(lambda index: raycaster.draw(cameras, index, found, index), range(len(cameras))):
        pass
    return found
