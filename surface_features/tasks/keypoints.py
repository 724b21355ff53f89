# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that carries keypoints from mesh to mesh."""

from __future__ import annotations

import numpy as np

from ..engine.protocol import JobRequest
from ..progress import JobContext
from .common import Answer
from .pairs import Pairs


def transfer_keypoints(request: JobRequest, context: JobContext) -> Answer:
    """The source's keypoints on every target.

    arrays: those of `Pairs`, and points (K, 3) in the source's frame. Returns points_0 (K, 3), confidence_0 (K,)…
    """
    from ..transfer.keypoints import transfer_keypoints as carry

    arrays: dict[str, np.ndarray] = {}
    for index, pair in Pairs(request).targets(context):
        onto_target = pair.onto_target()
        with pair.context.stage("transfer"):
            points, confidence = carry(pair.source, request.arrays["points"], pair.target, onto_target)
        arrays |= {f"points_{index}": points, f"confidence_{index}": confidence}
    return arrays, {}
