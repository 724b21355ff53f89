# SPDX-License-Identifier: GPL-3.0-or-later
"""Skeletons and bodies that are the same left and right, found by their shape: names may be in any language."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mesh import TriangleMesh

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SAME_JOINT = 0.01  # of the skeleton's extent: how near to its mirror image a joint has a twin
MOST_JOINTS = 0.8  # that must have a twin
SAME_SURFACE = 0.004  # of the mesh's extent: median distance between it and its mirror image
SAME_SURFACE_MOST = 0.02  # and of its 95th percentile
SAMPLES = 3000


@dataclass(frozen=True)
class Plane:
    """Points x with normal · x = offset; the normal is a unit vector (3,)."""

    normal: Float64
    offset: float

    def reflect(self, points: Float64) -> Float64:
        return points - 2 * ((points @ self.normal - self.offset)[..., None] * self.normal)


def mirror_twins(points: Float64) -> Int64 | None:
    """(P,) each point's twin on the other side, itself in the plane, −1 for none; None for no symmetric skeleton.

    points: (P, 3). Controls on one side only are usual, so not every point must have a twin. The plane is looked for
    across each axis of the frame and each principal axis of the points.
    """
    from scipy.spatial import cKDTree

    extent = float(np.ptp(points, axis=0).max())
    if len(points) < 4 or extent == 0:
        return None
    tree = cKDTree(points)
    for normal in (*np.eye(3), *np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2]):
        along = points @ normal
        if np.ptp(along) < 0.05 * extent:  # a flat skeleton is its own mirror image there
            continue
        plane = Plane(normal, float(along.min() + along.max()) / 2)
        distance, twin = tree.query(plane.reflect(points))
        found = (distance < SAME_JOINT * extent) & (twin[twin] == np.arange(len(points)))
        if found.mean() >= MOST_JOINTS:
            return np.where(found, twin, -1).astype(np.int64)
    return None


def symmetrise(points: Float64, twins: Int64, mesh: TriangleMesh) -> Float64:
    """The points (P, 3) the same left and right, if the mesh is; the plane is the one between the twins."""
    plane = _plane_between(points, twins)
    if plane is None or not is_symmetric(mesh, plane):
        return points
    return np.where(twins[:, None] < 0, points, (points + plane.reflect(points[twins])) / 2)


def is_symmetric(mesh: TriangleMesh, plane: Plane) -> bool:
    """Whether the surface is its own mirror image, but for details."""
    from .geometry.inside import distance_to_surface, spread_over_surface
    from .preflight import preflight

    checked = preflight(mesh)
    offset = (plane.offset - float(checked.centre.astype(np.float64) @ plane.normal)) * checked.scale
    places = spread_over_surface(checked.proxy, SAMPLES)[1]
    apart = distance_to_surface(checked.proxy, Plane(plane.normal, offset).reflect(places))
    return bool(np.median(apart) < SAME_SURFACE and np.quantile(apart, 0.95) < SAME_SURFACE_MOST)


def _plane_between(points: Float64, twins: Int64) -> Plane | None:
    left = np.flatnonzero(twins > np.arange(len(twins)))
    across = points[twins[left]] - points[left]
    length = np.linalg.norm(across, axis=1)
    if len(left) == 0 or length.max() == 0:
        return None
    normal = np.linalg.svd(across, full_matrices=False)[2][0]  # long pairs say more about the direction
    nearest_axis = np.eye(3)[np.abs(normal).argmax()]
    if abs(normal @ nearest_axis) > np.cos(np.radians(2)):  # characters stand straight in their frame
        normal = nearest_axis
    middles = (points[left] + points[twins[left]]) / 2 @ normal
    return Plane(normal, float(np.median(middles)))
