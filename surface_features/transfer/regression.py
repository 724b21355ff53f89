# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights learned from features: one linear map and a softmax, fitted on a single shape or a few.

"Surface-Aware Distilled 3D Semantic Features" (SIGGRAPH Asia 2025), skinning weights: a bias-free Linear(D → J) +
softmax, mean squared error, AdamW at 0.1 · 0.99^epoch, 200 epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import BadInputError
from ..features import Features
from ..mesh import Float32, TriangleMesh
from ..preflight import preflight
from ..progress import JobContext
from ..settings import WeightSettings
from .weights import TransferredSkin, finish_weights, per_vertex_shares

EPOCHS, LEARNING_RATE, DECAY = 200, 0.1, 0.99
REPORT_EVERY = 20
ANCHORS = 1000


@dataclass(frozen=True, eq=False)
class SkinningModel:
    """What rigs any mesh of a family without its source.

    matrix: (D, J) float32. bones: the J bones' names. anchors: (A, D) float32 some of the features it was learned from:
    what is unlike all of them is not of the family. backbone: fingerprint of the features it was fitted on; only the
    same ones can be used with it.
    """

    matrix: Float32
    bones: tuple[str, ...]
    anchors: Float32
    backbone: str

    def predict(self, features: Float32) -> Float32:
        """(V, J) float32 weights of (V, D) features."""
        logits = features @ self.matrix
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)

    def familiarity(self, features: Float32) -> Float32:
        """(V,) 0…1 the cosine to the most alike feature that was learned from."""
        best = np.empty(len(features), np.float32)
        for start in range(0, len(features), 4096):
            best[start : start + 4096] = (features[start : start + 4096] @ self.anchors.T).max(axis=1)
        return np.clip(best, 0, 1)


@dataclass(frozen=True, eq=False)
class Lesson:
    """One shape to learn from: its mesh, features (V, D) and weights (V, J) of the named bones."""

    mesh: TriangleMesh
    features: Features
    weights: Float32
    bones: tuple[str, ...]


def learn_skinning(lessons: Sequence[Lesson], backbone: str, context: JobContext | None = None) -> SkinningModel:
    """Fit the map on one or several shapes; bones are the same where their names are.

    Vertices count by the area around them, those without weights do not. Deterministic.
    Raises `BadInputError` where no shape has weights, or as `per_vertex_shares`.
    """
    import torch

    context = context or JobContext()
    bones = tuple(dict.fromkeys(name for lesson in lessons for name in lesson.bones))
    values, goals, masses = [], [], []
    for lesson in lessons:
        shares = per_vertex_shares(lesson.mesh, lesson.weights)
        table = np.zeros((len(shares), len(bones)), np.float32)
        table[:, [bones.index(name) for name in lesson.bones]] = shares
        # The root: fingers have little area and many vertices, and are to be told apart too.
        mass = np.sqrt(lesson.mesh.vertex_areas) * (shares.sum(axis=1) > 0) * (lesson.features.confidence > 0)
        values.append(lesson.features.values)
        goals.append(table)
        masses.append(mass / max(mass.sum(), 1e-30))
    inputs = torch.from_numpy(np.concatenate(values).astype(np.float32))
    goal = torch.from_numpy(np.concatenate(goals))
    mass = torch.from_numpy(np.concatenate(masses).astype(np.float32))[:, None]
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn((inputs.shape[1], len(bones)), generator=generator) / inputs.shape[1] ** 0.5
    matrix.requires_grad_(True)
    optimiser = torch.optim.AdamW([matrix], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, DECAY)
    for epoch in range(EPOCHS):
        optimiser.zero_grad()
        loss = (((inputs @ matrix).softmax(dim=1) - goal) ** 2 * mass).sum()
        loss.backward()
        optimiser.step()
        schedule.step()
        if epoch % REPORT_EVERY == 0:
            context.report(epoch / EPOCHS, f"Learning skin weights, {epoch} of {EPOCHS}")
    learned = np.concatenate(values)
    kept = np.random.default_rng(0).permutation(np.flatnonzero(np.concatenate(masses) > 0))[:ANCHORS]
    return SkinningModel(matrix.detach().numpy().astype(np.float32), bones, learned[np.sort(kept)], backbone)


def apply_skinning(
    model: SkinningModel,
    target: TriangleMesh,
    features: Features,
    settings: WeightSettings | None = None,
) -> TransferredSkin:
    """The target's skin weights by a model. Raises `BadInputError` where its features are of another kind."""
    if features.values.shape[1] != len(model.matrix):
        raise BadInputError(
            f"{target.name}: the skinning model was learned from features of {len(model.matrix)} numbers, these have "
            f"{features.values.shape[1]}. Choose the backbone it was learned with, or learn it again.",
            fault="other_backbone",
        )
    settings = settings or WeightSettings()
    checked = preflight(target)
    values, seen = features.values[checked.artist_vertex], features.confidence
    confidence = np.sqrt(model.familiarity(features.values) * np.clip(seen, 0, 1)).astype(np.float32)
    return finish_weights(target, model.predict(values), confidence, settings, model.bones)
