# SPDX-License-Identifier: GPL-3.0-or-later
"""Texels around UV islands, so that no renderer mixes background into the seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


def nearest_covered(covered: NDArray[np.bool_], margin: int) -> tuple[Int64, Int64]:
    """Texels within `margin` steps of covered ones, and for each of them the covered texel it takes its value from.

    covered: (S, S) bool. Returns two (P,) int64 arrays of flat indices. Grows ring by ring, so that the work is that
    of the islands' outlines.
    """
    size = covered.shape[0]
    taken = covered.reshape(-1).copy()
    front = _rim(covered)
    origin = front.copy()
    places, origins = [], []
    for _ in range(margin):
        row, column = np.divmod(front, size)
        candidates, sources = [], []
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            inside = (row + down >= 0) & (row + down < size) & (column + right >= 0) & (column + right < size)
            place = (front + down * size + right)[inside]
            free = ~taken[place]
            place, first = np.unique(place[free], return_index=True)
            taken[place] = True
            candidates.append(place)
            sources.append(origin[inside][free][first])
        front, origin = np.concatenate(candidates), np.concatenate(sources)
        if len(front) == 0:
            break
        places.append(front)
        origins.append(origin)
    if not places:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(places), np.concatenate(origins)


def _rim(covered: NDArray[np.bool_]) -> Int64:
    """Flat indices of covered texels beside uncovered ones."""
    framed = np.pad(covered, 1, constant_values=True)
    inner = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    inner &= framed[:-2, :-2] & framed[:-2, 2:] & framed[2:, :-2] & framed[2:, 2:]
    return np.flatnonzero((covered & ~inner).reshape(-1))
