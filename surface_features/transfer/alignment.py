# SPDX-License-Identifier: GPL-3.0-or-later
"""How one body stands against another: as a whole (turned, larger) and limb by limb (arms lowered or straight out)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..geometry.landmarks import place_landmarks
from ..geometry.rotations import nearest_rotation, rotation_vector, shrink_rotation
from ..mesh import TriangleMesh
from ..preflight import Preflight

Float64 = NDArray[np.float64]

REGIONS = 160
REGION_REACH = 0.09  # of √area: a limb's worth of surface decides how that limb stands
SAME_STANCE_DEGREES, OTHER_STANCE_DEGREES = 12.0, 24.0  # below: shape; above: another rest pose; between: fades
ROUNDS = 6
SNAP_DEGREES = 20.0  # two characters that face the same way are never exactly alike


@dataclass(frozen=True, eq=False)
class Alignment:
    """goal ≈ scale · rotation · start + offset, for two whole bodies."""

    rotation: Float64
    scale: float
    offset: Float64


def align(start: Float64, goal: Float64, trust: Float64) -> Alignment:
    """The similarity that takes most of `start` (N, 3) to `goal` (N, 3): torsos decide, limbs in other poses do not.

    A rotation within `SNAP_DEGREES` of one about the vertical axis by a right angle's multiple is that one.
    """
    from ..rigging import robust_similarity

    matrix = robust_similarity(start, goal, trust)
    scale = float(np.cbrt(max(np.linalg.det(matrix[:, :3]), 1e-30)))
    rotation = _snap(nearest_rotation(matrix[:, :3]))
    middle, aim = np.average(start, axis=0, weights=trust), np.average(goal, axis=0, weights=trust)
    return Alignment(rotation, scale, aim - scale * rotation @ middle)


def _snap(rotation: Float64) -> Float64:
    upright = np.arctan2(rotation[1, 0] - rotation[0, 1], rotation[0, 0] + rotation[1, 1])
    for quarter in (0.0, 0.5, 1.0, -0.5):
        turn = quarter * np.pi
        candidate = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]])
        if np.degrees(np.linalg.norm(rotation_vector(candidate.T @ rotation))) < SNAP_DEGREES:
            return candidate
    about_up = np.array([[np.cos(upright), -np.sin(upright), 0], [np.sin(upright), np.cos(upright), 0], [0, 0, 1.0]])
    if np.degrees(np.linalg.norm(rotation_vector(about_up.T @ rotation))) < SNAP_DEGREES:
        return about_up
    return rotation


def region_rotations(target: Preflight, start: Float64, goal: Float64, trust: Float64) -> Float64:
    """(P, 3, 3) for every proxy vertex the rotation that takes the surface around it to its matches.

    start, goal: (P, 3) the proxy's vertices and their matched points; trust: (P,). Regions are Gaussians around
    landmarks, measured along the surface, about as large as a limb is long.
    """
    landmarks = place_landmarks(target.proxy, REGIONS, seed=0)
    near = np.exp(-0.5 * (landmarks.distances.astype(np.float64) / REGION_REACH) ** 2)
    mass = target.proxy.vertex_areas * (trust + 1e-4)
    cell, count = landmarks.nearest, len(landmarks.vertices)
    weight = np.ones(len(start))
    rotations = np.broadcast_to(np.eye(3), (count, 3, 3))
    for _ in range(3):
        share = mass * weight
        total = near @ np.bincount(cell, share, count)
        a = near @ _sums(cell, start * share[:, None], count) / total[:, None]
        b = near @ _sums(cell, goal * share[:, None], count) / total[:, None]
        products = np.einsum("p,pi,pj->pij", share, goal, start).reshape(-1, 9)
        both = (near @ _sums(cell, products, count) / total[:, None]).reshape(-1, 3, 3)
        rotations = nearest_rotation(both - b[:, :, None] * a[:, None, :])
        gap = np.linalg.norm(np.einsum("pij,pj->pi", rotations[cell], start - a[cell]) - (goal - b[cell]), axis=1)
        weight = 1 / (1 + (gap / max(2 * float(np.median(gap)), 1e-12)) ** 2)
    return rotations[cell]


def stance_difference(rotations: Float64, whole: Float64) -> Float64:
    """(P, 3, 3) what of region rotations (P, 3, 3) is another rest pose, the whole body's turn (3, 3) taken away."""
    low, high = np.radians(SAME_STANCE_DEGREES), np.radians(OTHER_STANCE_DEGREES)
    return shrink_rotation(rotations @ whole.T, float(low), float(high))


def _sums(cell: NDArray, values: Float64, count: int) -> Float64:
    return np.stack([np.bincount(cell, values[:, k], count) for k in range(values.shape[1])], axis=1)


def matched_points(source: TriangleMesh, onto_source: Correspondence, vertices: Float64) -> Float64:
    """(Vt, 3) where the matches lie on a state `vertices` (Vs, 3) of the source."""
    corners = vertices[source.faces[onto_source.face]]
    found: Float64 = np.einsum("vc,vcd->vd", onto_source.bary.astype(np.float64), corners)
    return found
