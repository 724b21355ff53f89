# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights as game engines want them: few bones per vertex, none tiny, sums of one."""

from __future__ import annotations

import numpy as np

from ..mesh import Float32
from ..settings import WeightSettings

MIN_CARRIED = 1e-6  # a row with less weight than this has none


def limit_weights(weights: Float32, settings: WeightSettings) -> Float32:
    """(V, J) rows that sum to 1: clip, keep the strongest influences, prune and normalise.

    The strongest one of a vertex always stays.
    """
    weights = np.clip(weights, 0, 1)
    strongest = weights.argmax(axis=1)
    rows = np.arange(len(weights))
    if 0 < settings.max_influences < weights.shape[1]:
        dropped = np.argpartition(weights, -settings.max_influences, axis=1)[:, : -settings.max_influences]
        np.put_along_axis(weights, dropped, 0, axis=1)
    total = weights.sum(axis=1, keepdims=True)
    empty = total[:, 0] <= MIN_CARRIED
    weights[rows[empty], strongest[empty]] = 1
    weights /= np.where(empty[:, None], 1, total)
    pruned = weights < settings.prune_below
    pruned[rows, strongest] = False
    weights[pruned] = 0
    return weights / weights.sum(axis=1, keepdims=True)
