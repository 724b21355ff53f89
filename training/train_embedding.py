# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the bundled surface-aware embedding: `python -m training.train_embedding --data DIR --scratch DIR`.

The same training as the extension's *Train Embedding*, on unpaired shapes of every kind that the data engine draws,
with the bundled backbone's features. Needs no labels; every fifth shape is held out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from surface_features.backbones.checkpoint import MODELS
from surface_features.cache import FeatureCache
from surface_features.embedding.run import run_training
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings

from .render_shards import CharacterSource

FIRST_SEED = 700_000  # apart from the backbone's shapes and the surface network's
CACHE_BYTES = 4 << 30


def draw_meshes(source: CharacterSource, each: int) -> list[TriangleMesh]:
    """`each` shapes of every kind there is data for, kinds taking turns."""
    kinds = [kind for kind in CharacterSource.KINDS if source.has(kind)]
    meshes = []
    for number in range(each):
        for kind in kinds:
            drawn = source.sample(kind, np.random.default_rng([FIRST_SEED + number, 0]))
            meshes.append(TriangleMesh(drawn.vertices, drawn.faces, f"{kind} {number}"))
    return meshes


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled surface-aware embedding.")
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--each", type=int, default=12, help="shapes of every kind")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=MODELS / "bundled_embedding")
    options = parser.parse_args()
    meshes = draw_meshes(CharacterSource(options.data, options.scratch / "rigs"), options.each)
    told = [-1]

    def tell(fraction: float, message: str) -> None:
        if int(fraction * 20) > told[0]:
            told[0] = int(fraction * 20)
            print(f"{fraction:4.0%}  {message}", flush=True)

    cache = FeatureCache(options.scratch / "features", CACHE_BYTES)
    settings = FeatureSettings(backbone=options.backbone)
    score = run_training(meshes, settings, options.out, options.steps, JobContext(tell), cache)
    print(f"{options.out}: {len(meshes)} shapes, distance told wrong by {score.base:.4f} → {score.embedded:.4f}")


if __name__ == "__main__":
    main()
