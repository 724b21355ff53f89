# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly mirrored weights for a mesh whose two sides are mirrored."""

from __future__ import annotations

import numpy as np

from ..geometry.reflection import find_mirror_plane, find_twins
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
    axis = across_axis(mesh, weights, sides)
    if not find_mirror_plane(mesh, axis).symmetric:
        return weights
    twin, off = find_twins(mesh, axis)
    # Only pairs that name each other: a chain of nearest vertices would not come out the same on both sides.
    rows = np.flatnonzero((off < TWIN) & (twin[twin] == np.arange(len(weights))))
    mirrored = swap_sides(weights, sides)
    result = weights.copy()
    result[rows] = (weights[rows] + mirrored[twin[rows]]) / 2
    return result
