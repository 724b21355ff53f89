# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine can be asked for, by name: arrays and JSON in, arrays and JSON out.

Every task that computes features understands the parameters `cache_folder` (absent or empty: no cache) and
`cache_size_mb`. A task takes its cancel requests between and inside its stages, through the context.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__
from .engine.protocol import JobRequest, JobResult
from .errors import BadInputError, EngineError
from .mesh import Float32, TriangleMesh
from .progress import JobContext
from .settings import FeatureSettings, WeightSettings

if TYPE_CHECKING:
    from .cache import FeatureCache
    from .correspondence import Correspondence
    from .features import Features

DEFAULT_CACHE_MB = 2048.0
Task = Callable[[JobRequest, JobContext], tuple[dict[str, np.ndarray], dict[str, Any]]]


def run_task(request: JobRequest, context: JobContext) -> JobResult:
    """Run one task to its end.

    `info["warnings"]` and `info["timings"]` (seconds by stage, with ``"total"``) are added to what it returns.
    Raises `BadInputError` for input it refuses, `JobCancelled`, and `EngineError` for an unknown task.
    """
    task = TASKS.get(request.task)
    if task is None:
        raise EngineError(f"Unknown task “{request.task}”: the engine and the extension are of different versions.")
    start = time.perf_counter()
    context.report(0.0, "Starting")
    arrays, info = task(request, context)
    context.report(1.0, "Done")
    timings = {**context.timings, "total": time.perf_counter() - start}
    return JobResult(arrays, {**info, "warnings": list(context.warnings), "timings": timings})


def ping(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tell what the engine runs on, and send its arrays back.

    params: seconds (how long to take over it, 0 by default).
    """
    seconds = float(request.params.get("seconds", 0.0))
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        context.report(elapsed / seconds, "Waiting")
        time.sleep(min(0.05, seconds - elapsed))
    import torch

    info = {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "torch": str(torch.__version__),
        "device": _best_device(),
        "version": __version__,
    }
    return dict(request.arrays), info


def check(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tell what is wrong with a mesh; one that would be refused is a finding too, never an error."""
    from .preflight import preflight

    try:
        findings = [asdict(finding) for finding in preflight(_mesh(request)).findings]
    except BadInputError as error:
        findings = [{"fault": error.fault, "severity": "refused", "count": 1, "message": str(error)}]
    return {}, {"findings": findings}


def features(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Features and confidence of one mesh. params: name, settings."""
    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    computed = _compute(_mesh(request), settings, context, request.params)
    return {"features": computed.values, "confidence": computed.confidence}, {}


def show_features(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Colours of several meshes in one common basis. params: names, settings."""
    from .features import feature_colours

    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    names = list(request.params["names"])
    computed = []
    for index, name in enumerate(names):
        part = context.span(index / len(names), (index + 1) / len(names))
        computed.append(_compute(_mesh(request, "", f"_{index}", name), settings, part, request.params))
    colours = feature_colours(computed, settings.backbone)
    return {f"colours_{index}": colour for index, colour in enumerate(colours)}, {}


def match(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """For every source vertex a point of the target. params: source_name, target_name, settings."""
    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    source = _mesh(request, "source_", "", request.params.get("source_name"))
    target = _mesh(request, "target_", "", request.params.get("target_name"))
    source_features = _compute(source, settings, context.span(0.0, 0.4), request.params)
    target_features = _compute(target, settings, context.span(0.4, 0.8), request.params)
    found = _match(source, source_features, target, target_features, context.span(0.8, 1.0))
    return {"face": found.face, "bary": found.bary, "confidence": found.confidence}, {}


def transfer_weights(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Skin weights of the source on every target.

    params: source_name, target_names, feature_settings, weight_settings.
    """
    transfer = _Transfer(request)
    arrays: dict[str, np.ndarray] = {}
    transfer.compute_source(context.span(0.0, transfer.share))
    for index, part in transfer.targets(context):
        weights, confidence = transfer.weights(index, part)
        arrays |= {f"weights_{index}": weights, f"confidence_{index}": confidence}
    return arrays, {}


def rig(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Skin weights of the source on every target, and the source's bones fitted to it.

    As `transfer_weights`, and arrays bones (B, 2, 3) world-space heads and tails, params bone_columns: for every bone
    its column of the weights, or -1. Returns bones_0 (B, 2, 3) beside weights_0 and confidence_0.
    """
    from .rigging import fit_joints

    transfer = _Transfer(request)
    bones = np.asarray(request.arrays["bones"], np.float32)
    bone_weights = _columns(transfer.source_weights, list(request.params["bone_columns"]))
    arrays: dict[str, np.ndarray] = {}
    transfer.compute_source(context.span(0.0, transfer.share))
    for index, part in transfer.targets(context):
        weights, confidence = transfer.weights(index, part.span(0.0, 0.8))
        arrays |= {f"weights_{index}": weights, f"confidence_{index}": confidence}
        target, target_features = transfer.target
        onto_target = _match(transfer.source, transfer.source_features, target, target_features, part.span(0.8, 0.95))
        part.report(0.95, f"{target.name}: fitting bones")
        with part.stage("rigging"):
            arrays[f"bones_{index}"] = fit_joints(transfer.source, bones, bone_weights, target, onto_target)
    return arrays, {}


def train_embedding(request: JobRequest, context: JobContext) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Train a surface-aware embedding on several meshes and leave it in a folder.

    arrays: vertices_0, faces_0, vertices_1… params: names, settings, steps, folder. info: base, embedded (see
    `embedding.training.EmbeddingScore`).
    """
    from .embedding.run import run_training

    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    meshes = [_mesh(request, "", f"_{index}", name) for index, name in enumerate(request.params["names"])]
    folder = Path(str(request.params["folder"]))
    score = run_training(meshes, settings, folder, int(request.params["steps"]), context, _cache(request.params))
    return {}, asdict(score)


TASKS: Mapping[str, Task] = {
    "ping": ping,
    "check": check,
    "features": features,
    "show_features": show_features,
    "match": match,
    "transfer_weights": transfer_weights,
    "rig": rig,
    "train_embedding": train_embedding,
}


class _Transfer:
    """One source with weights and any number of targets; keeps the source's features and the latest target's."""

    source_features: Features
    target: tuple[TriangleMesh, Features]

    def __init__(self, request: JobRequest) -> None:
        self._request = request
        self._settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
        self._weight_settings = WeightSettings.from_json(dict(request.params.get("weight_settings", {})))
        self._names = list(request.params["target_names"])
        self.source = _mesh(request, "source_", "", request.params.get("source_name"))
        self.source_weights: Float32 = np.asarray(request.arrays["source_weights"], np.float32)
        self.share = 1.0 / (len(self._names) + 1)

    def compute_source(self, context: JobContext) -> None:
        self.source_features = _compute(self.source, self._settings, context, self._request.params)

    def targets(self, context: JobContext) -> list[tuple[int, JobContext]]:
        return [
            (index, context.span((index + 1) * self.share, (index + 2) * self.share))
            for index in range(len(self._names))
        ]

    def weights(self, index: int, context: JobContext) -> tuple[Float32, Float32]:
        """(Vt, J) weights and (Vt,) confidence of one target, which becomes `target`."""
        from .transfer.weights import transfer_weights as transfer_skin_weights

        target = _mesh(self._request, "target_", f"_{index}", self._names[index])
        target_features = _compute(target, self._settings, context.span(0.0, 0.7), self._request.params)
        self.target = target, target_features
        onto_source = _match(target, target_features, self.source, self.source_features, context.span(0.7, 0.9))
        context.report(0.9, f"{target.name}: transferring weights")
        with context.stage("transfer"):
            weights = transfer_skin_weights(
                self.source, self.source_weights, target, onto_source, self._weight_settings
            )
        return weights, onto_source.confidence


def _mesh(request: JobRequest, prefix: str = "", suffix: str = "", name: Any = None) -> TriangleMesh:
    vertices = request.arrays[f"{prefix}vertices{suffix}"]
    faces = request.arrays[f"{prefix}faces{suffix}"]
    return TriangleMesh(vertices, faces, str(name or request.params.get("name", "Mesh")))


def _compute(mesh: TriangleMesh, settings: FeatureSettings, context: JobContext, params: Mapping[str, Any]) -> Features:
    from .features import compute_features

    context.report(0.0, f"{mesh.name}: computing features")
    return compute_features(mesh, settings, context, _cache(params))


def _match(
    source: TriangleMesh,
    source_features: Features,
    target: TriangleMesh,
    target_features: Features,
    context: JobContext,
) -> Correspondence:
    from .correspondence import match_surfaces

    context.report(0.0, f"{source.name}: matching with {target.name}")
    with context.stage("matching"):
        return match_surfaces(source, source_features, target, target_features, context)


def _cache(params: Mapping[str, Any]) -> FeatureCache | None:
    folder = params.get("cache_folder")
    if not folder:
        return None
    from .cache import FeatureCache

    return FeatureCache(Path(folder), int(float(params.get("cache_size_mb", DEFAULT_CACHE_MB)) * 2**20))


def _columns(weights: Float32, columns: list[int]) -> Float32:
    """(V, B) the weights' columns in the order of the bones; a bone without one (-1) moves nothing."""
    chosen = weights[:, np.maximum(columns, 0)]
    chosen[:, np.asarray(columns) < 0] = 0
    return chosen


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
