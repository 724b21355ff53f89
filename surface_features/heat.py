# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of a heat-map."""

from __future__ import annotations

import numpy as np

from .mesh import Float32

# Blue, green, yellow, red: what Blender's Weight Paint shows.
_RAMP = np.array([(0.0, 0.1, 0.6), (0.0, 0.6, 0.4), (0.9, 0.8, 0.1), (0.9, 0.1, 0.05)], np.float32)


def heat(values: Float32) -> Float32:
    """(V, 3) colours of values 0…1."""
    place = np.clip(values, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(place.astype(int), len(_RAMP) - 2)
    part = (place - low)[:, None]
    return (_RAMP[low] * (1 - part) + _RAMP[low + 1] * part).astype(np.float32)
