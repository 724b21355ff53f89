# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints along a correspondence: on the surface, and at a distance from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..errors import BadInputError
from ..geometry.closest import closest_points
from ..geometry.similarity import fit_similarity
from ..mesh import Float32, TriangleMesh
from ..surface_points import carry_points, root_area

ON_SURFACE = 0.01  # of the source's √area: nearer than this a keypoint is a point of the surface
REACH = 1.2  # the ring around a keypoint off the surface, in distances from it to the surface
FEWEST = 8  # vertices in a ring


def transfer_keypoints(
    source: TriangleMesh, points: NDArray, target: TriangleMesh, onto_target: Correspondence
) -> tuple[Float32, Float32]:
    """Where the source's keypoints are on the target: (K, 3) float32 in the target's frame, and confidence (K,).

    points: (K, 3) in the source's frame. onto_target: per source vertex a point of the target. A keypoint on the
    surface goes to the matching point of the target's surface, with its own small distance kept; one inside or
    beside the surface (a joint, a label in the air) goes where the similarity transform of the surface around it
    takes it.
    Raises `BadInputError` with fault "non_finite" for keypoints that are not numbers.
    """
    points = np.asarray(points, np.float32).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise BadInputError(
            f"{source.name}: a keypoint has no valid position. Move it and run again.", fault="non_finite"
        )
    face, bary, distance = closest_points(source, points)
    carried = carry_points(source, face, bary, target, onto_target)
    found, confidence = carried.positions(target), carried.confidence.copy()
    unit = root_area(source)
    matches = onto_target.points(target)
    for index in np.flatnonzero(distance > 1e-5 * unit):
        ring = _ring(source.vertices, points[index], max(float(distance[index]), ON_SURFACE * unit))
        say = ring * (onto_target.confidence + 1e-3)
        near = np.flatnonzero(ring > 1e-3)
        around = fit_similarity(source.vertices[near], matches[near], say[near])
        if distance[index] <= ON_SURFACE * unit:
            foot = np.einsum("c,cd->d", bary[index], source.vertices[source.faces[face[index]]])
            found[index] += around.scale * around.rotation @ (points[index] - foot)
        else:
            found[index] = around(points[index])
            confidence[index] = ring[near] @ onto_target.confidence[near] / ring[near].sum()
    return found.astype(np.float32), confidence.astype(np.float32)


def _ring(vertices: Float32, point: Float32, reach: float) -> NDArray[np.float64]:
    """(V,) weight of every vertex around a point; widened until enough of them have a say."""
    away = np.linalg.norm(vertices.astype(np.float64) - point, axis=1)
    away = np.nan_to_num(away, nan=np.inf)
    reach = max(REACH * reach, float(np.sort(away)[min(FEWEST, len(away)) - 1]))
    return np.exp(-0.5 * (away / reach) ** 2)
