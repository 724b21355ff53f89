# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the network over the surface: `python -m training.train_surface --data DIR --scratch DIR --minutes 15`.

It corrects lifted features (`surface_features.backbones.surface_context`): every point of a character is classified
among the template's anchors as in `training.train_backbone`. Whole regions are given the features of their twins on
the other side at random, so that it learns to tell sides by what a limb hangs on. One direction of the features is
taught how far a point lies from the body's middle, and on which side. Resumes from its checkpoint.

Runs of other seeds and other shares of the kinds (`--often beasts=3`), each with a `--checkpoint` of its own, that go
on from one model are averaged by `training.export`, with that model if it is named too: better than any of them
(Wortsman et al., Model Soups, ICML 2022). What a run started from lies beside its checkpoint as …_start.pt, which is
that model where it has as many layers.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from surface_features.backbones.precision import fast_numbers
from surface_features.backbones.surface_context import SurfaceContext, SurfacePoints

from .averaging import read_network
from .families import load_families
from .learner import EVERY_S, Learner, train
from .soft_targets import SoftTargets
from .surface_examples import Characters, Example, SurfaceRecipe
from .template import Template, load_template
from .together import join, leave, process_number


class SurfaceTrainer(Learner[list[Example]]):
    """The network, its anchors' embeddings and the direction that tells sides; one `step` at a time."""

    def __init__(
        self, recipe: SurfaceRecipe, template: Template, lateral: np.ndarray, seed: int, device: str = "cpu"
    ) -> None:
        torch.manual_seed(seed)
        self.recipe, on = recipe, torch.device(device)

        def placed(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(on)

        self.targets = SoftTargets(template, on)
        self.side, self.anchor_side = placed(template.side), placed(template.side[template.anchors])
        self.lateral = placed(lateral.astype(np.float32))
        self.network = SurfaceContext(recipe.config).to(on)
        self.anchors = nn.Parameter(torch.zeros(len(template.anchors), recipe.config.dim, device=on))
        self.sideways = nn.Parameter(torch.zeros(recipe.config.dim, device=on))
        matrices = [p for block in (*self.network.blocks, self.network.read) for p in block.parameters() if p.ndim == 2]
        learnt = {"network": self.network, "anchors": self.anchors, "sideways": self.sideways}
        super().__init__(learnt, matrices, recipe.weight_decay, on)

    @torch.no_grad()
    def place_anchors(self, anchors: torch.Tensor) -> None:
        """Anchors' embeddings (A, D), and from them the direction that tells sides."""
        unit = nn.functional.normalize(anchors, dim=1)
        self.anchors.copy_(unit)
        left, right = (unit[self.anchor_side == side].mean(dim=0) for side in (1, -1))
        self.sideways.copy_(nn.functional.normalize(left - right, dim=0))

    @torch.no_grad()
    def gather_anchors(self, characters: Characters, seed: int, count: int = 96) -> torch.Tensor:
        """(A, D): each anchor the mean of what the network says of its surroundings, on some characters."""
        rng = np.random.default_rng(seed)
        total = torch.zeros_like(self.anchors)
        for file in rng.choice(np.array(characters.training), min(count, len(characters.training)), replace=False):
            found, labels, _ = self.correct([characters.draw(file, self.recipe, rng, augment=False)])
            known = labels >= 0
            self.targets.add_to_anchors(total, labels[known], found[known])
        return total

    def loss(self, found: torch.Tensor, labels: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Cross-entropy with the soft targets; objects' points, which have no label, are to stay as they were seen."""
        known = labels >= 0
        total = self.recipe.keep_weight * (1 - (found[~known] * seen[~known]).sum(dim=-1)).sum()
        total = total + self.targets.loss(found[known], labels[known], self.anchors, self.recipe.temperature)
        return total / labels.numel()

    def middle_loss(self, found: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean of |said − true| of how far on which side of the middle."""
        known = labels >= 0
        if not known.any():
            return found.sum() * 0
        true = self.recipe.middle_share * (self.lateral[labels[known]] / self.recipe.middle_reach).tanh()
        said = found[known] @ nn.functional.normalize(self.sideways, dim=0)
        return (said - true).abs().mean()

    def wrong_sides(self, found: torch.Tensor, labels: torch.Tensor) -> float:
        """Share of the points off the middle whose best anchor lies on the other side of the body."""
        found, labels = found[labels >= 0], labels[labels >= 0]
        wrong, sided = 0, 0
        for rows, first, logits in self.targets.logits(found, labels, self.anchors, self.recipe.temperature):
            expected = self.side[labels[rows]]
            got = self.anchor_side[logits.argmax(dim=-1) + first]
            wrong += int(((got == -expected) & (expected != 0)).sum())
            sided += int((expected != 0).sum())
        return wrong / max(sided, 1)

    def correct(self, examples: list[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B, N, D) corrected features, (B, N) labels and (B, N, D) features as they were seen."""
        found, points = correct(self.network, examples)
        labels = torch.stack([example.labels for example in examples])
        return found, labels, self.network.average(points.features)

    def rate(self, progress: float) -> float:
        """Linear warm-up under a cosine to 1 %."""
        warm = min(1.0, progress / self.recipe.warmup + 1e-3)
        return self.recipe.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))

    def losses(self, batch: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        found, labels, seen = self.correct(batch)
        loss = self.loss(found, labels, seen)
        return loss + self.recipe.middle_weight * self.middle_loss(found, labels), loss

    @torch.no_grad()
    def validate(self, characters: Characters) -> str:
        """Loss and wrong sides on the held-out characters before and after, and `middle_loss` after."""
        rng = np.random.default_rng(0)
        rows = []
        for file in characters.held_out:
            found, labels, seen = self.correct([characters.draw(file, self.recipe, rng, augment=False)])
            stages = [(float(self.loss(f, labels, seen)), self.wrong_sides(f, labels)) for f in (seen, found)]
            rows.append([*stages[0], *stages[1], float(self.middle_loss(found, labels))])
        loss, sides, new_loss, new_sides, middle = np.mean(rows, axis=0)
        return (
            f"held out: loss {loss:.3f} → {new_loss:.3f}, wrong sides {sides:.2%} → {new_sides:.2%}, "
            f"middle {middle:.4f}"
        )


def correct(network: SurfaceContext, examples: Sequence[Example]) -> tuple[torch.Tensor, SurfacePoints]:
    """(B, N, D) what the network says of the examples' points, and those points as one batch."""

    def batch(name: str) -> torch.Tensor:
        return torch.stack([getattr(example, name) for example in examples])

    def described(name: str) -> SurfacePoints:
        columns = zip(*(getattr(example, name) for example in examples), strict=True)
        return SurfacePoints(*(torch.stack(column) for column in columns))

    landmarks, points, distances = described("landmarks"), described("points"), batch("distances")
    with fast_numbers(distances.device):
        context = network.look_around(landmarks, distances)
        found = network.read_points(context, distances, points, batch("nearest"))
    return found.float(), points


def grow(stored: dict[str, torch.Tensor], network: SurfaceContext) -> dict[str, torch.Tensor]:
    """Weights for `network` from one that saw fewer distances or has fewer layers; what is new counts nothing yet."""
    weight = stored["embed.weight"]
    missing = network.embed.in_features - weight.shape[1]
    known = network.config.levels * network.config.dim - missing
    parts = (weight[:, :known], weight.new_zeros(len(weight), missing), weight[:, known:])
    grown = network.state_dict() | stored | {"embed.weight": torch.cat(parts, dim=1)}
    for name in grown.keys() - stored.keys():
        if name.rpartition(".")[0].endswith((".out", ".mlp.2")):  # what a layer adds to its tokens
            grown[name] = torch.zeros_like(grown[name])
    return grown


def _times(text: str) -> tuple[str, int]:
    kind, _, times = text.partition("=")
    return kind, int(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network over the surface.")
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    parser.add_argument("--scratch", type=Path, required=True, help="where training.lift_characters left its files")
    parser.add_argument("--minutes", type=float, default=15.0, help="training time, over all resumed runs")
    parser.add_argument("--start-from", type=Path, help="a model folder to go on from instead of random weights")
    parser.add_argument("--batch", type=int, default=SurfaceRecipe.batch, help="a process's characters a step")
    parser.add_argument("--learning-rate", type=float, default=SurfaceRecipe.learning_rate, help="at its highest")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--often", nargs="*", type=_times, default=[], metavar="KIND=TIMES", help="kinds drawn more often"
    )
    parser.add_argument("--checkpoint", type=Path, help="what to go on from and to write (default SCRATCH/surface.pt)")
    options = parser.parse_args()
    join()
    families = load_families(options.data)
    template = load_template(families, options.scratch / "template.npz")
    lateral = np.concatenate([family.vertices[:, 0] for family in families])
    recipe = SurfaceRecipe(batch=options.batch, learning_rate=options.learning_rate)
    trainer = SurfaceTrainer(recipe, template, lateral, options.seed, options.device)
    characters = Characters(options.scratch / "lifted", options.device)
    if not characters.training:
        raise SystemExit(
            f"No characters in {options.scratch / 'lifted'}: run python -m training.lift_characters first."
        )
    checkpoint = options.checkpoint or options.scratch / "surface.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    else:
        if options.start_from:
            stored = read_network(options.start_from)["network"]
            trainer.network.load_state_dict(grow(stored, trainer.network))
        trainer.place_anchors(trainer.gather_anchors(characters, seed=0))  # alike in all runs, for their average
        if process_number() == 0:
            trainer.save(checkpoint.with_stem(f"{checkpoint.stem}_start"))
    characters.draw_often(dict(options.often))
    train(
        trainer,
        draw=lambda rng: characters.batch(recipe, rng),
        look=lambda: trainer.validate(characters) if process_number() == 0 else "",
        checkpoint=checkpoint,
        budget_s=options.minutes * 60,
        seed=options.seed,
        every_s=options.every,
    )
    leave()


if __name__ == "__main__":
    main()
