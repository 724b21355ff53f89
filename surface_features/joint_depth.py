# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints kept inside the body: what is inside the source is inside the target, and about as deep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .geometry.inside import INSIDE, distance_to_surface, medial_points, winding_numbers
from .mesh import TriangleMesh
from .preflight import preflight

Float64 = NDArray[np.float64]

CANDIDATES = 12  # medial points near a joint that it may be moved towards
STEPS = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0)  # of the way there
KEPT_DEPTH = 0.8  # of the source's relative depth is asked for, and never more than …
MOST_DEPTH = 0.5  # … half-way from the surface to the middle
LEAST_DEPTH = 0.2


class BodyDepth:
    """How deep points lie in a mesh, messy or not. Points are in the mesh's own frame, and so are lengths."""

    def __init__(self, mesh: TriangleMesh) -> None:
        checked = preflight(mesh)
        self._proxy, self._scale, self._centre = checked.proxy, checked.scale, checked.centre.astype(np.float64)
        self._medial = medial_points(self._proxy)

    def relative(self, points: Float64) -> Float64:
        """(N,) distance to the surface over that of the nearest middle: 1 in the middle, 0 on the surface, −1 outside.

        All −1 where the mesh encloses nothing.
        """
        places = self._to_proxy(points)
        inside = winding_numbers(self._proxy, places) > INSIDE
        if not len(self._medial) or not inside.any():
            return np.full(len(places), -1.0)
        middle = self._nearest_middles(places, 1)[:, 0]
        radius = np.maximum(distance_to_surface(self._proxy, middle), 1e-9)
        return np.where(inside, np.clip(distance_to_surface(self._proxy, places) / radius, 0, 1), -1.0)

    def pull_in(self, points: Float64, wanted: Float64) -> Float64:
        """The points (N, 3), each moved towards the middle of the body no further than it takes to lie deep enough.

        wanted: (N,) relative depth; points with a negative one stay. Where nothing near is deep enough, the middle is.
        """
        places = self._to_proxy(points)
        moving = np.flatnonzero((wanted >= 0) & (self.relative(points) < wanted))
        if len(moving) == 0 or not len(self._medial):
            return points
        middles = self._nearest_middles(places[moving], CANDIDATES)
        radius = self._depth(middles.reshape(-1, 3)).reshape(middles.shape[:2])
        way = np.linalg.norm(middles - places[moving, None], axis=2)
        # A near middle in a thin flap is worse than a slightly farther one in the limb itself.
        best = np.where(radius > 0, way - 0.5 * radius, np.inf).argmin(axis=1)
        rows = np.arange(len(moving))
        goal, reach = middles[rows, best], radius[rows, best]
        steps = np.asarray(STEPS)
        tried = places[moving, None] * (1 - steps[:, None]) + goal[:, None] * steps[:, None]
        depth = self._depth(tried.reshape(-1, 3)).reshape(len(moving), -1)
        enough = depth >= (wanted[moving] * reach)[:, None] * 0.999
        enough[:, -1] = True
        places[moving] = tried[rows, enough.argmax(axis=1)]
        return places / self._scale + self._centre

    def _depth(self, places: Float64) -> Float64:
        """(N,) distance to the surface from inside, −1 outside."""
        inside = winding_numbers(self._proxy, places) > INSIDE
        return np.where(inside, distance_to_surface(self._proxy, places), -1.0)

    def _to_proxy(self, points: Float64) -> Float64:
        return (np.asarray(points, np.float64) - self._centre) * self._scale

    def _nearest_middles(self, places: Float64, count: int) -> Float64:
        """(N, count, 3) medial points, nearest first."""
        from scipy.spatial import cKDTree

        count = min(count, len(self._medial))
        index = cKDTree(self._medial).query(places, count)[1].reshape(len(places), count)
        return self._medial[index]


def depth_to_keep(source: TriangleMesh, points: Float64) -> Float64:
    """(N,) the relative depth that the counterparts of a source's joints should have; −1 for those outside of it."""
    depth = BodyDepth(source).relative(points)
    return np.where(depth < 0, -1.0, np.clip(KEPT_DEPTH * depth, LEAST_DEPTH, MOST_DEPTH))
