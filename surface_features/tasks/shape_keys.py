# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that carries shape keys from mesh to mesh."""

from __future__ import annotations

import numpy as np

from ..engine.protocol import JobRequest
from ..progress import JobContext
from .common import Answer
from .pairs import Pairs


def transfer_shape_keys(request: JobRequest, context: JobContext) -> Answer:
    """Displacements of the source's vertices on every target.

    arrays: those of `Pairs`, and displacements_0, displacements_1… (Vs, 3) in the source's frame. params: key_count,
    proportional. Returns displacements_<key>_<target> (Vt, 3), and confidence_<target> (keys,) of what moves.
    """
    from ..face_registration import register_expressions
    from ..transfer.shape_keys import STILL, ShapeKeyTransfer

    count = int(request.params["key_count"])
    keys = [np.asarray(request.arrays[f"displacements_{number}"], np.float64) for number in range(count)]
    lengths = [np.linalg.norm(key, axis=1) for key in keys]
    region = np.any([length > STILL * length.max(initial=0.0) for length in lengths], axis=0)
    arrays: dict[str, np.ndarray] = {}
    pairs = Pairs(request)
    for index, pair in pairs.targets(context):
        matched = pair.onto_source()
        with pair.context.stage("registration"):
            onto_source = register_expressions(
                pair.target,
                pair.target_features,
                pair.source,
                pair.source_features,
                matched,
                region,
                pairs.face_finder(pair.context.span(0.5, 0.6)),
                pair.context.span(0.6, 0.9),
            )
        pair.context.report(0.9, f"{pair.target.name}: transferring shape keys")
        with pair.context.stage("transfer"):
            transfer = ShapeKeyTransfer(
                pair.source, pair.target, onto_source, proportional=bool(request.params.get("proportional"))
            )
            sure = np.zeros(count, np.float32)
            for number, key in enumerate(keys):
                moved = transfer.carry(key)
                arrays[f"displacements_{number}_{index}"] = moved
                weight = np.linalg.norm(moved, axis=1)
                if weight.any():
                    sure[number] = np.average(matched.confidence, weights=weight)
        arrays[f"confidence_{index}"] = sure
    return arrays, {}
