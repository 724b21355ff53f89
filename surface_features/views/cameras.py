# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cameras stand: a Fibonacci sphere, denser near the horizon, all looking at the origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.vectors import unit_rows
from ..mesh import Float32

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True, eq=False)
class Cameras:
    """Orthographic cameras.

    rotations: (N, 3, 3) float32, rows are the camera's right, up and back axes in the mesh's frame (Z up);
        `rotation @ point` is the point in camera space, x right, y up, z towards the camera.
    centres: (N, 3) float32, the point each camera looks at.
    half_sizes: (N,) float32, half the width of the square each camera sees, in the mesh's unit.
    """

    rotations: Float32
    centres: Float32
    half_sizes: Float32

    def __len__(self) -> int:
        return len(self.rotations)

    def every(self, step: int) -> Cameras:
        """The first of every `step` cameras."""
        return Cameras(self.rotations[::step], self.centres[::step], self.half_sizes[::step])

    def project(self, points: Float32, index: int) -> Float32:
        """(P, 3) points → (P, 3) float32: x, y in −1…1 inside the picture (y up), z towards the camera."""
        local = (points - self.centres[index]) @ self.rotations[index].T
        return local / self.half_sizes[index]


def fibonacci_directions(count: int, horizon_bias: float = 0.4) -> Float32:
    """Directions from the origin to `count` cameras, (N, 3) float32, Z up.

    A Fibonacci sphere has uniformly spaced heights; raising |height| to 1 / (1 − bias) with bias > 0 gathers the
    cameras around the horizon, where people and animals show most of themselves. 0 is the uniform sphere.
    """
    index = np.arange(count)
    height = 1.0 - (2.0 * index + 1.0) / count
    height = np.sign(height) * np.abs(height) ** (1.0 / (1.0 - horizon_bias)) * 0.9
    radius = np.sqrt(1.0 - height**2)
    azimuth = index * GOLDEN_ANGLE
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), height], axis=1).astype(np.float32)


def look_from(directions: Float32, roll: Float32 | None = None) -> Float32:
    """Rotations (N, 3, 3) of cameras at `directions` (N, 3) looking at the origin with Z up in the picture.

    roll: (N,) radians around the viewing axis, for training.
    """
    back = unit_rows(directions)
    up_hint = np.where(np.abs(back[:, 2:]) > 0.999, np.array([0, 1, 0], np.float32), np.array([0, 0, 1], np.float32))
    right = unit_rows(np.cross(up_hint, back))
    up = np.cross(back, right)
    if roll is not None:
        cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
        right, up = cos * right + sin * up, cos * up - sin * right
    return np.stack([right, up, back], axis=1).astype(np.float32)


def place_cameras(vertices: Float32, count: int, margin: float = 1.05) -> Cameras:
    """Cameras around a mesh, each just wide enough to see all of it.

    vertices: (V, 3) float32, Z up. Returns `count` cameras looking at the middle of what each of them sees, with one
    common size, so that a body part has the same size in every picture.
    """
    rotations = look_from(fibonacci_directions(count))
    centre = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    centres, half_sizes = [], []
    from_centre = np.ascontiguousarray((vertices - centre).T)
    for rotation in rotations:
        local = rotation @ from_centre
        low, high = local.min(axis=1), local.max(axis=1)
        centres.append(centre + ((low + high) / 2) @ rotation)
        half_sizes.append(max(high[0] - low[0], high[1] - low[1]) / 2)
    half_size = max(max(half_sizes) * margin, np.finfo(np.float32).tiny)
    return Cameras(rotations, np.asarray(centres, np.float32), np.full(count, half_size, np.float32))


def close_ups(vertices: Float32, cameras: Cameras, zoom: float) -> Cameras:
    """Every camera again in four quarters of its picture, `zoom` times as large (below 2 they overlap).

    vertices: (V, 3) float32. Quarters without a vertex are left out; the others look at their vertices' median depth,
    or the depth of a long body's ends would not fit into the picture.
    """
    rotations, centres, half_sizes = [], [], []
    for index in range(len(cameras)):
        place = cameras.project(vertices, index)
        right, up, back = cameras.rotations[index] * cameras.half_sizes[index]
        for x, y in np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)]) * (1 - 1 / zoom):
            inside = (np.abs(place[:, :2] - (x, y)) < 1 / zoom).all(axis=1)
            if inside.any():
                depth = np.median(place[inside, 2])
                rotations.append(cameras.rotations[index])
                centres.append(cameras.centres[index] + x * right + y * up + depth * back)
                half_sizes.append(cameras.half_sizes[index] / zoom)
    return Cameras(np.array(rotations), np.array(centres, np.float32), np.array(half_sizes, np.float32))
