# SPDX-License-Identifier: GPL-3.0-or-later
"""Training the surface-aware embedding on a handful of unpaired meshes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import BadInputError
from ..mesh import Float32
from ..progress import JobContext
from .network import EmbeddingConfig, SurfaceAwareEmbedding, geodesic_loss, reconstruction_loss
from .samples import EmbeddingSample


@dataclass(frozen=True)
class EmbeddingRecipe:
    """The paper's, but for steps and rate: it takes 60,000 at 1e-4 for a hundred bodies, 5,000 for a few meshes.

    anchors: drawn anew each step. geodesic_weight: of L_c beside L_r. ema: decay of the averaged weights.
    """

    steps: int = 5000
    anchors: int = 100
    learning_rate: float = 5e-4
    geodesic_weight: float = 2.0
    ema: float = 0.999
    validate_every: int = 250


@dataclass(frozen=True)
class EmbeddingScore:
    """How well cosines tell distances on held-out meshes: mean |d̂ − (1 − cos) / 2|.

    base: of the features. embedded: of their codes. shipped: of codes by the backbone's own embedding, if it has one.
    """

    base: float
    embedded: float
    shipped: float | None = None


class EmbeddingTrainer:
    """One run; `save` and `load` let it go on where it stopped."""

    def __init__(self, config: EmbeddingConfig, recipe: EmbeddingRecipe, seed: int = 0, device: str = "cpu") -> None:
        torch.manual_seed(seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.network = SurfaceAwareEmbedding(config).to(self.device)
        self.average = copy.deepcopy(self.network).eval()
        self.best = copy.deepcopy(self.average.state_dict())
        self.best_score = float("inf")
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=recipe.learning_rate)
        self.steps, self.seed = 0, seed

    def train(
        self, training: Sequence[EmbeddingSample], held_out: Sequence[EmbeddingSample], context: JobContext
    ) -> EmbeddingScore:
        """Train to the recipe's last step; the weights that did best on the held-out meshes become `average`.

        Raises `BadInputError` for fewer than one mesh on either side.
        """
        if not training or not held_out:
            raise BadInputError(
                "An embedding needs at least two meshes: one to learn from and one to test on. Add more meshes.",
                fault="too_few_meshes",
            )
        rng = np.random.default_rng([self.seed, self.steps])
        while self.steps < self.recipe.steps:
            self._step(training[rng.integers(len(training))], rng)
            if self.steps % self.recipe.validate_every == 0 or self.steps == self.recipe.steps:
                self._keep_best(held_out)
            if self.steps % 20 == 0:
                told = f"Training, step {self.steps} of {self.recipe.steps}"
                context.report(self.steps / self.recipe.steps, told)
        self.average.load_state_dict(self.best)
        return self.score(held_out)

    def score(self, samples: Sequence[EmbeddingSample]) -> EmbeddingScore:
        """On all anchors of the samples."""
        rows = []
        for sample in samples:
            with torch.no_grad():
                codes = self.average.encode(torch.from_numpy(sample.features).to(self.device)).cpu().numpy()
            rows.append([distance_error(sample, values) for values in (sample.features, codes)])
        base, embedded = np.mean(rows, axis=0)
        return EmbeddingScore(float(base), float(embedded))

    def _step(self, sample: EmbeddingSample, rng: np.random.Generator) -> None:
        recipe = self.recipe
        features, distances = self._tensors(sample)
        rows = torch.from_numpy(spread_rows(sample.distances[:, sample.anchors], recipe.anchors, rng)).to(self.device)
        anchors = torch.from_numpy(sample.anchors.astype(np.int64)).to(self.device)[rows]
        codes, reconstructed = self.network(features)
        loss = reconstruction_loss(features, reconstructed)
        loss = loss + recipe.geodesic_weight * geodesic_loss(codes, anchors, distances[rows])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.steps += 1
        decay = min(recipe.ema, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)

    def _keep_best(self, held_out: Sequence[EmbeddingSample]) -> None:
        score = self.score(held_out).embedded
        if score < self.best_score:
            self.best_score, self.best = score, copy.deepcopy(self.average.state_dict())

    def _tensors(self, sample: EmbeddingSample) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.from_numpy(sample.features).to(self.device)
        return torch.nn.functional.normalize(features, dim=1), torch.from_numpy(sample.distances).to(self.device)

    def save(self, path: Path) -> None:
        """Everything `load` needs to go on, whole or not at all."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "best_score": self.best_score,
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.best_score, self.steps = state["best"], state["best_score"], state["steps"]


def distance_error(sample: EmbeddingSample, values: Float32) -> float:
    """Mean |d̂ − (1 − cos) / 2| over the sample's points and all its anchors. values: (N, C) unit rows."""
    anchors = torch.from_numpy(sample.anchors.astype(np.int64))
    return float(geodesic_loss(torch.from_numpy(values), anchors, torch.from_numpy(sample.distances)))


def spread_rows(distances: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) int64 of P anchors, each the farthest from those before it, from a random start. distances: (P, P)."""
    chosen = [int(rng.integers(len(distances)))]
    nearest = distances[chosen[0]].copy()
    while len(chosen) < min(count, len(distances)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
        nearest[chosen] = -1
    return np.array(chosen)
