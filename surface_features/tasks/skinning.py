# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that skin: a source's weights on other meshes, its bones fitted to them."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..engine.protocol import JobRequest
from ..errors import BadInputError
from ..features import model_fingerprint
from ..mesh import Float32, TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings, WeightSettings
from .common import Answer, compute, match_meshes, read_mesh

if TYPE_CHECKING:
    from ..correspondence import Correspondence
    from ..features import Features
    from ..transfer.pins import Pins
    from ..transfer.regression import SkinningModel
    from ..transfer.weights import TransferredSkin


def transfer_weights(request: JobRequest, context: JobContext) -> Answer:
    """Skin weights of the source on every target.

    params: source_name, target_names, feature_settings, weight_settings, bone_names (J,); save_model: a file the
    skinning model is saved to (mode "regress"); model_file: a saved one instead of the source. Arrays pins_source_i and
    pins_target_i (N, 3): points of the source and of target i that belong together; selected_i (V,) bool with param
    soft_edge (the mesh's unit): also returns share_i, see `soft_selection`. Returns weights_i, confidence_i, doubt_i,
    picture_i (N,) uint8, a PNG file with the doubt from two sides, and info {bones, quality: one `WeightQuality` per
    target}.
    """
    from ..heat import heat
    from ..quality import measure_quality
    from ..transfer.bone_sides import bone_sides
    from ..transfer.merging import soft_selection
    from ..views.strip import draw_around

    transfer = Transfer(request)
    arrays: dict[str, np.ndarray] = {}
    reports = []
    transfer.compute_source(context.span(0.0, transfer.share))
    sides = bone_sides(transfer.bones).side
    for index, part in transfer.targets(context):
        skin, cycle_error = transfer.skin(index, part.span(0.0, 0.9))
        target, _ = transfer.target
        part.report(0.9, f"{target.name}: checking weights")
        with part.stage("quality"):
            quality, doubt = measure_quality(target, skin, transfer.bones, sides, cycle_error)
        reports.append(quality.to_json())
        arrays |= {f"weights_{index}": skin.weights, f"confidence_{index}": skin.confidence, f"doubt_{index}": doubt}
        with part.stage("draw"):
            arrays[f"picture_{index}"] = draw_around(transfer.upright(target), heat(doubt))
        selected = request.arrays.get(f"selected_{index}")
        if selected is not None:
            width = float(request.params.get("soft_edge", 0.0))
            arrays[f"share_{index}"] = soft_selection(target, np.asarray(selected, bool), width)
    return arrays, {"quality": reports, "bones": list(transfer.bones)}


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
    """One source with weights, or a skinning model, and any number of targets.

    Keeps the source's features and the latest target's. bones: (J,) names of the weights' columns.
    """

    source: TriangleMesh
    source_features: Features
    source_weights: Float32
    target: tuple[TriangleMesh, Features]
    bones: tuple[str, ...]

    def __init__(self, request: JobRequest) -> None:
        params = request.params
        self._request = request
        self._settings = FeatureSettings.from_json(dict(params.get("feature_settings", {})))
        self._weight_settings = WeightSettings.from_json(dict(params.get("weight_settings", {})))
        self._names = list(params["target_names"])
        self._model: SkinningModel | None = None
        self.bones = tuple(params.get("bone_names", ()))
        if not params.get("model_file"):
            self.source = read_mesh(request, "source_", "", params.get("source_name"))
            self.source_weights = np.asarray(request.arrays["source_weights"], np.float32)
        self.share = 1.0 / (len(self._names) + 1)

    def compute_source(self, context: JobContext) -> None:
        """The source's features; in the mode "regress" also what is learned from them."""
        params = self._request.params
        if params.get("model_file"):
            self._model = self._load_model(Path(str(params["model_file"])))
            self.bones = self._model.bones
            return
        self.source_features = compute(self.source, self._settings, context.span(0.0, 0.8), params)
        if self._weight_settings.mode == "regress" or params.get("save_model"):
            self._model = self._learn(context.span(0.8, 1.0))
            if params.get("save_model"):
                from ..transfer.model_file import save_skinning_model

                save_skinning_model(Path(str(params["save_model"])), self._model)

    def upright(self, mesh: TriangleMesh) -> TriangleMesh:
        """The mesh with Z up."""
        from ..upright import to_z_up

        return to_z_up(mesh, self._settings.up)

    def targets(self, context: JobContext) -> list[tuple[int, JobContext]]:
        return [
            (index, context.span((index + 1) * self.share, (index + 2) * self.share))
            for index in range(len(self._names))
        ]

    def weights(self, index: int, context: JobContext) -> tuple[Float32, Float32]:
        """(Vt, J) weights and (Vt,) confidence of one target, which becomes `target`."""
        skin, _ = self.skin(index, context)
        return skin.weights, skin.confidence

    def skin(self, index: int, context: JobContext) -> tuple[TransferredSkin, float]:
        """The skin of one target, which becomes `target`, and its matches' mean cycle error."""
        from ..correspondence import CYCLE_TOLERANCE
        from ..transfer.regression import apply_skinning
        from ..transfer.skinning import SkinnedShape, skin_by_matching

        target = read_mesh(self._request, "target_", f"_{index}", self._names[index])
        target_features = compute(target, self._settings, context.span(0.0, 0.6), self._request.params)
        self.target = target, target_features
        if self._model is not None and (self._weight_settings.mode == "regress" or not hasattr(self, "source")):
            context.report(0.7, f"{target.name}: weights by what was learned")
            with context.stage("transfer"):
                return apply_skinning(self._model, target, target_features, self._weight_settings), 0.0
        source = SkinnedShape(self.source, self.source_features, self.source_weights, self.bones)
        skin, match = skin_by_matching(
            source,
            target,
            target_features,
            self._weight_settings,
            self._pins(index),
            context.span(0.6, 1.0),
            _memory,
        )
        # The confidence holds the way back as exp(−(drift / tolerance)²): its mean, told as a length again.
        drift = np.sqrt(-np.log(np.clip(match.confidence, 1e-3, 1)))
        return skin, float(drift.mean() * CYCLE_TOLERANCE)

    def _pins(self, index: int) -> Pins | None:
        from ..transfer.pins import Pins

        source = self._request.arrays.get(f"pins_source_{index}")
        target = self._request.arrays.get(f"pins_target_{index}")
        if source is None or target is None:
            return None
        return Pins(np.asarray(source, np.float32), np.asarray(target, np.float32))

    def _learn(self, context: JobContext) -> SkinningModel:
        from ..transfer.regression import Lesson, learn_skinning

        lesson = Lesson(self.source, self.source_features, self.source_weights, self.bones)
        with context.stage("learning"):
            return learn_skinning([lesson], model_fingerprint(self._settings), context)

    def _load_model(self, path: Path) -> SkinningModel:
        from ..transfer.model_file import load_skinning_model

        model = load_skinning_model(path)
        if model.backbone != model_fingerprint(self._settings):
            raise BadInputError(
                f"{path}: the skinning model was learned with another backbone or embedding. Choose those in the "
                "preferences, or learn it again.",
                fault="other_backbone",
            )
        return model


class _Memory:
    """The latest correspondences: an artist who moves a pin waits for nothing but the pin."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Correspondence] = OrderedDict()

    def get(self, key: str) -> Correspondence | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, value: Correspondence) -> None:
        self._kept[key] = value
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


_memory = _Memory(8)


def _columns(weights: Float32, columns: list[int]) -> Float32:
    """(V, B) the weights' columns in the order of the bones; a bone without one (-1) moves nothing."""
    chosen = weights[:, np.maximum(columns, 0)]
    chosen[:, np.asarray(columns) < 0] = 0
    return chosen
