# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that skin: a source's weights on other meshes, its bones fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine.protocol import JobRequest
from ..mesh import Float32, TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings, WeightSettings
from .common import Answer, compute, match_meshes, read_mesh

if TYPE_CHECKING:
    from ..features import Features


def transfer_weights(request: JobRequest, context: JobContext) -> Answer:
    """Skin weights of the source on every target.

    params: source_name, target_names, feature_settings, weight_settings.
    """
    transfer = Transfer(request)
    arrays: dict[str, np.ndarray] = {}
    transfer.compute_source(context.span(0.0, transfer.share))
    for index, part in transfer.targets(context):
        weights, confidence = transfer.weights(index, part)
        arrays |= {f"weights_{index}": weights, f"confidence_{index}": confidence}
    return arrays, {}


def rig(request: JobRequest, context: JobContext) -> Answer:
    """Skin weights of the source on every target, and the source's bones fitted to it.

    As `transfer_weights`, and arrays bones (B, 2, 3) world-space heads and tails, params bone_columns: for every bone
    its column of the weights, or -1. Returns bones_0 (B, 2, 3) beside weights_0 and confidence_0.
    """
    from ..rigging import fit_joints

    transfer = Transfer(request)
    bones = np.asarray(request.arrays["bones"], np.float32)
    bone_weights = _columns(transfer.source_weights, list(request.params["bone_columns"]))
    arrays: dict[str, np.ndarray] = {}
    transfer.compute_source(context.span(0.0, transfer.share))
    for index, part in transfer.targets(context):
        weights, confidence = transfer.weights(index, part.span(0.0, 0.8))
        arrays |= {f"weights_{index}": weights, f"confidence_{index}": confidence}
        target, target_features = transfer.target
        onto_target = match_meshes(
            transfer.source, transfer.source_features, target, target_features, part.span(0.8, 0.95)
        )
        part.report(0.95, f"{target.name}: fitting bones")
        with part.stage("rigging"):
            arrays[f"bones_{index}"] = fit_joints(transfer.source, bones, bone_weights, target, onto_target)
    return arrays, {}


class Transfer:
    """One source with weights and any number of targets; keeps the source's features and the latest target's."""

    source_features: Features
    target: tuple[TriangleMesh, Features]

    def __init__(self, request: JobRequest) -> None:
        self._request = request
        self._settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
        self._weight_settings = WeightSettings.from_json(dict(request.params.get("weight_settings", {})))
        self._names = list(request.params["target_names"])
        self.source = read_mesh(request, "source_", "", request.params.get("source_name"))
        self.source_weights: Float32 = np.asarray(request.arrays["source_weights"], np.float32)
        self.share = 1.0 / (len(self._names) + 1)

    def compute_source(self, context: JobContext) -> None:
        self.source_features = compute(self.source, self._settings, context, self._request.params)

    def targets(self, context: JobContext) -> list[tuple[int, JobContext]]:
        return [
            (index, context.span((index + 1) * self.share, (index + 2) * self.share))
            for index in range(len(self._names))
        ]

    def weights(self, index: int, context: JobContext) -> tuple[Float32, Float32]:
        """(Vt, J) weights and (Vt,) confidence of one target, which becomes `target`."""
        from ..transfer.weights import transfer_weights as transfer_skin_weights

        target = read_mesh(self._request, "target_", f"_{index}", self._names[index])
        target_features = compute(target, self._settings, context.span(0.0, 0.7), self._request.params)
        self.target = target, target_features
        onto_source = match_meshes(target, target_features, self.source, self.source_features, context.span(0.7, 0.9))
        context.report(0.9, f"{target.name}: transferring weights")
        with context.stage("transfer"):
            weights = transfer_skin_weights(
                self.source, self.source_weights, target, onto_source, self._weight_settings
            )
        return weights, onto_source.confidence


def _columns(weights: Float32, columns: list[int]) -> Float32:
    """(V, B) the weights' columns in the order of the bones; a bone without one (-1) moves nothing."""
    chosen = weights[:, np.maximum(columns, 0)]
    chosen[:, np.asarray(columns) < 0] = 0
    return chosen
