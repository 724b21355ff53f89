# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the bundled surface-aware embedding: `python -m training.train_embedding --scratch DIR`.

The same training as the extension's *Train Embedding*, with the features of the exported backbone, on shapes of every
kind that `training.lift_characters` lifted with it. Their labels are not used.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from surface_features.backbones import load_backbone
from surface_features.backbones.surface_context import SurfaceContext
from surface_features.embedding.network import EmbeddingConfig
from surface_features.embedding.samples import ANCHORS, EmbeddingSample
from surface_features.embedding.store import OWN, save_embedding
from surface_features.embedding.training import EmbeddingRecipe, EmbeddingTrainer
from surface_features.geometry.vectors import unit_rows
from surface_features.progress import JobContext

from .surface_examples import Characters, SurfaceRecipe
from .train_surface import correct

HELD_OUT = 50
EVERY_STEPS = 1000


@torch.no_grad()
def sample_character(characters: Characters, file: Path, network: SurfaceContext | None) -> EmbeddingSample:
    """A lifted character's landmarks, with their features corrected by `network`, where the backbone has one."""
    example, distances = characters.draw_landmarks(file, network.config if network else SurfaceRecipe().config)
    features = correct(network, [example])[0][0] if network else example.points[0]
    apart = distances[:ANCHORS].numpy()
    largest = float(apart[np.isfinite(apart)].max())
    anchors = np.arange(len(apart), dtype=np.int32)
    return EmbeddingSample(file.stem, unit_rows(features.numpy()), anchors, apart / max(largest, 1e-9))


def _whole(files: Sequence[Path]) -> NDArray[np.object_]:
    """Without parts on their own: the largest distance there is not the body's, which all are told in shares of."""
    return np.array([file for file in files if not file.stem.startswith("cut_")])


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled surface-aware embedding.")
    parser.add_argument("--scratch", type=Path, required=True, help="where training.lift_characters wrote `lifted`")
    parser.add_argument("--backbone", default="bundled", help="the exported one that lifted them")
    parser.add_argument("--shapes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, help="default: the backbone's own folder")
    options = parser.parse_args()
    backbone = load_backbone(options.backbone, "cpu")
    characters = Characters(options.scratch / "lifted")
    rng = np.random.default_rng(0)
    training = rng.permutation(_whole(characters.training))[: options.shapes]
    held_out = rng.permutation(_whole(characters.held_out))[:HELD_OUT]
    network = backbone.surface_context
    learnt, tested = ([sample_character(characters, file, network) for file in part] for part in (training, held_out))
    config = EmbeddingConfig.for_features(learnt[0].features.shape[1])
    trainer = EmbeddingTrainer(config, EmbeddingRecipe(steps=options.steps))

    def tell(fraction: float, message: str) -> None:
        if trainer.steps % EVERY_STEPS == 0:
            print(f"{fraction:4.0%}  {message}", flush=True)

    score = trainer.train(learnt, tested, JobContext(tell))
    out = options.out or backbone.checkpoint.folder / OWN
    save_embedding(out, trainer.average, backbone.fingerprint, score, [f"{len(training)} characters, drawn"])
    print(f"{out}: {len(training)} shapes, distances told wrong by {score.base:.4f} → {score.embedded:.4f}")


if __name__ == "__main__":
    main()
