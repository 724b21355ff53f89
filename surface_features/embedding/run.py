# SPDX-License-Identifier: GPL-3.0-or-later
"""From meshes to a stored embedding: features, distances, training, score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..backbones import load_backbone
from ..cache import FeatureCache
from ..errors import BadInputError
from ..features import compute_features
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings
from .network import EmbeddingConfig
from .samples import EmbeddingSample, sample_mesh
from .store import embed, find_embedding, save_embedding
from .training import EmbeddingRecipe, EmbeddingScore, EmbeddingTrainer, distance_error

HELD_OUT_EVERY = 5


def run_training(
    meshes: Sequence[TriangleMesh],
    settings: FeatureSettings,
    folder: Path,
    steps: int,
    context: JobContext,
    cache: FeatureCache | None = None,
) -> EmbeddingScore:
    """Train on the meshes, but for every fifth and at least one, which are held out; the result goes to `folder`.

    Raises `BadInputError` for fewer than two meshes or fewer than one step, and what computing features raises.
    """
    if len(meshes) < 2:
        raise BadInputError(
            f"An embedding needs at least two meshes, not {len(meshes)}: one to learn from, one to test on.",
            fault="too_few_meshes",
        )
    if steps < 1:
        raise BadInputError(f"Steps must be at least 1, not {steps}.", fault="bad_setting")
    settings = replace(settings, embedding="none")
    samples = _sample_all(meshes, settings, context.span(0.0, 0.4), cache)
    held_out, training = samples[::HELD_OUT_EVERY], [s for i, s in enumerate(samples) if i % HELD_OUT_EVERY]
    backbone = load_backbone(settings.backbone, settings.device)
    config = EmbeddingConfig.for_features(samples[0].features.shape[1])
    trainer = EmbeddingTrainer(config, EmbeddingRecipe(steps=steps), device=str(backbone.device))
    with context.stage("train"):
        score = trainer.train(training, held_out, context.span(0.4, 1.0))
    own = find_embedding("auto", settings.backbone)
    if own is not None:
        codes = [embed(own, backbone.fingerprint, sample.features, settings.device) for sample in held_out]
        errors = [distance_error(sample, code) for sample, code in zip(held_out, codes, strict=True)]
        score = replace(score, shipped=sum(errors) / len(errors))
    save_embedding(folder, trainer.average, backbone.fingerprint, score, [mesh.name for mesh in meshes])
    return score


def _sample_all(
    meshes: Sequence[TriangleMesh], settings: FeatureSettings, context: JobContext, cache: FeatureCache | None
) -> list[EmbeddingSample]:
    samples = []
    for index, mesh in enumerate(meshes):
        part = context.span(index / len(meshes), (index + 1) / len(meshes))
        features = compute_features(mesh, settings, part.span(0.0, 0.3), cache)
        samples.append(sample_mesh(mesh, features, index, part.span(0.3, 1.0)))
    return samples
