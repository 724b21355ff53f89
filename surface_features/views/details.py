# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of what is small: hands, feet, faces, paws and tails fill a few pixels of a picture of the whole body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.landmarks import place_landmarks
from ..mesh import Float32, TriangleMesh
from .cameras import Cameras
from .render import Raycaster

LANDMARKS = 300
SPOTS = 8  # a person's hands, feet and head, and three more
VIEWS = 5  # of every spot
POINTS = 200  # of a spot, whose visibility decides on its views
BEYOND = 1.5  # along the surface a spot reaches this much farther than straight


@dataclass(frozen=True, eq=False)
class Spot:
    """The end of a limb. centre: (3,). vertices: rows of the mesh that belong to it, at least one."""

    centre: Float32
    vertices: NDArray[np.int64]


def find_spots(mesh: TriangleMesh, zoom: float, count: int = SPOTS) -> list[Spot]:
    """The ends of a body's limbs: the places farthest along the surface from its middle and from each other.

    mesh: a proxy (see `preflight`). zoom: how many spots side by side are as large as the mesh. Meshes of few vertices
    have fewer spots.
    """
    radius = float(np.ptp(mesh.vertices, axis=0).max()) / 2 / zoom
    landmarks = place_landmarks(mesh, LANDMARKS, seed=0)
    distances = landmarks.distances
    reach = BEYOND * radius / float(np.sqrt(mesh.face_areas.sum(dtype=np.float64)))
    away = distances[distances.mean(axis=1).argmin()].copy()
    spots: list[Spot] = []
    while len(spots) < min(count, len(away)):
        tip = int(away.argmax())
        away = np.minimum(away, distances[tip])
        place = mesh.vertices[landmarks.vertices[tip]]
        near = distances[tip][landmarks.nearest] <= reach
        near &= np.linalg.norm(mesh.vertices - place, axis=1) <= radius
        near[landmarks.vertices[tip]] = True
        own = np.flatnonzero(near)
        low, high = mesh.vertices[own].min(axis=0), mesh.vertices[own].max(axis=0)
        spots.append(Spot((low + high) / 2, own))
    return spots


def spot_vertices(spots: list[Spot]) -> NDArray[np.int64]:
    """Rows of the mesh that belong to any of the spots, ascending."""
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(spot.vertices for spot in spots)]))


def detail_views(mesh: TriangleMesh, spots: list[Spot], raycaster: Raycaster, cameras: Cameras, zoom: float) -> Cameras:
    """The spots from those of the cameras' directions that together show most of each, `zoom` times as large.

    mesh: the spots', which is the raycaster's or a coarser one of the same surface.
    """
    half = float(cameras.half_sizes[0]) / zoom
    rng = np.random.default_rng(0)
    rotations, centres = [], []
    for spot in spots:
        rows = spot.vertices if len(spot.vertices) <= POINTS else rng.choice(spot.vertices, POINTS, replace=False)
        for index in _best_views(mesh.vertices[rows], mesh.vertex_normals[rows], raycaster, cameras, half):
            rotations.append(cameras.rotations[index])
            centres.append(spot.centre)
    return Cameras(np.array(rotations), np.array(centres, np.float32), np.full(len(centres), half, np.float32))


def _best_views(points: Float32, normals: Float32, raycaster: Raycaster, cameras: Cameras, half: float) -> list[int]:
    """`VIEWS` cameras, each chosen for what the others do not show."""
    shown = np.zeros((len(cameras), len(points)), np.float32)
    for index, rotation in enumerate(cameras.rotations):
        seen = raycaster.visible(points, rotation[2], 0.01 * half)
        shown[index] = seen * np.abs(normals @ rotation[2])
    chosen: list[int] = []
    total = np.zeros(len(points), np.float32)
    for _ in range(min(VIEWS, len(cameras))):
        gain = np.minimum(total + shown, 1).sum(axis=1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        total += shown[chosen[-1]]
    return chosen
