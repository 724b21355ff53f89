# SPDX-License-Identifier: GPL-3.0-or-later
"""Task that rigs from nothing."""

from __future__ import annotations

import numpy as np

from ..engine.protocol import JobRequest
from ..progress import JobContext
from ..settings import FeatureSettings, WeightSettings
from .common import Answer, open_cache, read_mesh


def rig_preset(request: JobRequest, context: JobContext) -> Answer:
    """A template's skeleton and skin weights for every target; see `preset_rig.rig_from_nothing`.

    arrays target_vertices_0, target_faces_0…; params target_names, kind, feature_settings, weight_settings. Returns
    bones_0 (B, 2, 3) in the order of the template's bones, z_axes_0 (B, 3), front_0 (3,), landmarks_0 (L, 3), weights_0
    (Vt, B) and confidence_0 (Vt,) …; info {kinds, shapes, likeness}, one of each for every target.
    """
    from ..preset_rig import rig_from_nothing

    names = list(request.params["target_names"])
    features = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
    weights = WeightSettings.from_json(dict(request.params.get("weight_settings", {})))
    arrays: dict[str, np.ndarray] = {}
    rigs = []
    for index, name in enumerate(names):
        rig = rig_from_nothing(
            read_mesh(request, "target_", f"_{index}", name),
            str(request.params.get("kind", "auto")),
            features=features,
            weights=weights,
            context=context.span(index / len(names), (index + 1) / len(names)),
            cache=open_cache(request.params),
        )
        arrays |= {
            f"bones_{index}": rig.ends,
            f"z_axes_{index}": rig.z_axes,
            f"front_{index}": rig.front,
            f"landmarks_{index}": rig.landmarks,
            f"weights_{index}": rig.weights,
            f"confidence_{index}": rig.confidence,
        }
        rigs.append(rig)
    return arrays, {
        "kinds": [rig.kind for rig in rigs],
        "shapes": [rig.shape for rig in rigs],
        "likeness": [rig.likeness for rig in rigs],
    }
