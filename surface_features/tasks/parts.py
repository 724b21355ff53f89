# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that divide meshes into parts: by themselves, by example, or by a parts model; and one that trains a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.protocol import JobRequest
from ..errors import EngineError
from ..features import model_fingerprint
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings
from .common import Answer, compute, match_meshes, read_mesh

if TYPE_CHECKING:
    from ..features import Features


def segment_parts(request: JobRequest, context: JobContext) -> Answer:
    """The part of every face of several meshes.

    arrays: vertices_0, faces_0, vertices_1…; labels_<i> (F,) parts of the examples' faces, −1 for none. params: names,
    feature_settings, smoothness, and method: "clusters" with part_count; "examples" with part_count and examples
    (numbers of meshes); "model" with path. Returns parts_<i> (F,) of every mesh that is no example; info: names of the
    model's parts.
    """
    from ..parts_model import PartsModel
    from ..segmentation import cluster_parts, face_features, settle

    method, smoothness = str(request.params["method"]), float(request.params.get("smoothness", 1.0))
    examples = [int(number) for number in request.params.get("examples", ())]
    meshes, features = _all_features(request, context.span(0.0, 0.7))
    others = [number for number in range(len(meshes)) if number not in examples]
    info: dict[str, list[str]] = {}
    if method == "clusters":
        count = int(request.params["part_count"])
        values = [face_features(mesh, own) for mesh, own in zip(meshes, features, strict=True)]
        scores = dict(enumerate(cluster_parts(meshes, values, count)))
    elif method == "model":
        model = PartsModel.load(Path(str(request.params["path"])), _fingerprint(request))
        scores = {one: model.scores(face_features(meshes[one], features[one])) for one in others}
        info["names"] = list(model.names)
    else:
        scores = {}
        for place, one in enumerate(others):
            part = context.span(0.7 + 0.25 * place / len(others), 0.7 + 0.25 * (place + 1) / len(others))
            scores[one] = _by_examples(request, meshes, features, examples, one, part)
    arrays = {}
    for one in others:
        context.report(0.95, f"{meshes[one].name}: drawing borders")
        with context.stage("borders"):
            arrays[f"parts_{one}"] = settle(meshes[one], scores[one], smoothness).astype(np.int32)
    return arrays, info


def train_parts(request: JobRequest, context: JobContext) -> Answer:
    """Train a parts model on labelled meshes and save it.

    arrays: vertices_0, faces_0, labels_0…; params: names, feature_settings, part_names, path. info: faces, the number
    of labelled ones, and accuracy, the area-weighted share of them that the model labels as they are.
    """
    from ..parts_model import train_parts_model
    from ..segmentation import face_features

    meshes, features = _all_features(request, context.span(0.0, 0.8))
    values = [face_features(mesh, own) for mesh, own in zip(meshes, features, strict=True)]
    labels = [np.asarray(request.arrays[f"labels_{number}"], np.int64) for number in range(len(meshes))]
    areas = [mesh.face_areas.astype(np.float64) for mesh in meshes]
    context.report(0.8, "Training the parts model")
    with context.stage("training"):
        names = [str(name) for name in request.params["part_names"]]
        model = train_parts_model(values, labels, areas, names, _fingerprint(request))
    path = Path(str(request.params["path"]))
    try:
        model.save(path)
    except OSError as error:
        raise EngineError(f"{path}: the parts model cannot be written ({error.strerror}).") from error
    right = total = 0.0
    for value, label, area in zip(values, labels, areas, strict=True):
        known = label >= 0
        right += float(area[known & (model.scores(value).argmax(axis=1) == label)].sum())
        total += float(area[known].sum())
    return {}, {"faces": int(sum((label >= 0).sum() for label in labels)), "accuracy": right / max(total, 1e-30)}


def _by_examples(
    request: JobRequest,
    meshes: list[TriangleMesh],
    features: list[Features],
    examples: list[int],
    one: int,
    context: JobContext,
) -> NDArray[np.float64]:
    from ..segmentation import scores_by_example
    from ..surface_points import carry_points
    from ..transfer.layout import inset_samples

    count = int(request.params["part_count"])
    face, bary = inset_samples(np.arange(len(meshes[one].faces)))
    scores = np.zeros((len(meshes[one].faces), count))
    for place, example in enumerate(examples):
        part = context.span(place / len(examples), (place + 1) / len(examples))
        onto = match_meshes(meshes[one], features[one], meshes[example], features[example], part)
        points = carry_points(meshes[one], face.astype(np.int32), bary, meshes[example], onto)
        labels = np.asarray(request.arrays[f"labels_{example}"], np.int64)
        scores += scores_by_example(labels, points, 4, count)
    return scores


def _all_features(request: JobRequest, context: JobContext) -> tuple[list[TriangleMesh], list[Features]]:
    settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
    names = list(request.params["names"])
    meshes = [read_mesh(request, "", f"_{number}", name) for number, name in enumerate(names)]
    features = []
    for number, mesh in enumerate(meshes):
        part = context.span(number / len(names), (number + 1) / len(names))
        features.append(compute(mesh, settings, part, request.params))
    return meshes, features


def _fingerprint(request: JobRequest) -> str:
    return model_fingerprint(FeatureSettings.from_json(dict(request.params.get("feature_settings", {}))))
