# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly mirrored weights for a mesh whose two sides are mirrored."""

from __future__ import annotations

import numpy as np

from ..geometry.reflection import find_mirror_plane
from ..mesh import Float32, TriangleMesh
from .bone_sides import BoneSides
from .side_guard import across_axis, swap_sides

TWIN = 0.004  # of the extent: a vertex further from its reflection's nearest has no twin


def symmetrise(mesh: TriangleMesh, weights: Float32, sides: BoneSides) -> Float32:
    """(V, J) weights that mirror: a vertex gets the mean of its own and its twin's with sides swapped.

    Vertices without a twin keep their weights; where the mesh as a whole is not symmetric all do.
    """
    if not sides.known:
        return weights
    plane = find_mirror_plane(mesh, across_axis(mesh, weights, sides))
    if not plane.symmetric:
        return weights
    # Only pairs that name each other: a chain of nearest vertices would not come out the same on both sides.
    rows = np.flatnonzero((plane.off < TWIN) & (plane.twin[plane.twin] == np.arange(len(weights))))
    mirrored = swap_sides(weights, sides)
    result = weights.copy()
    result[rows] = (weights[rows] + mirrored[plane.twin[rows]]) / 2
    return result
