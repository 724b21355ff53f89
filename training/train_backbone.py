# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the bundled backbone: `python -m training.train_backbone --data DIR --scratch DIR --minutes 90`.

A small ViT on normal + depth pictures classifies every cell among the anchors of its family's template with soft
geodesic targets (`training.template`), and among the named parts that all families share. Objects, which have no
template, are matched with themselves: cells of two views that see the same place attract, all others repel (MvDeCor).
New shards appearing in the scratch folder are picked up as they come. Resumes from `scratch/checkpoint.pt`; the
learning rate follows the share of the time budget used, over all runs together.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import ViTConfig, ViTModel

from surface_features.backbones.dense import DenseHead, DenseModel
from surface_features.backbones.precision import fast_numbers

from .families import PARTS, load_families
from .learner import EVERY_S, Learner, train
from .objects import LANDMARKS
from .render_shards import IMAGE_SIZE, VIEWS_PER_CHARACTER
from .soft_targets import SoftTargets
from .template import Template, load_template
from .together import join, leave

SHARES = {  # of a batch's labelled pictures
    "people": 0.26, "procedural": 0.06, "chibi": 0.12, "animals": 0.15, "men": 0.1, "kaykit": 0.09, "beasts": 0.12,
    "remeshed": 0.12, "crossed": 0.06, "fused": 0.12, "pierced": 0.06, "robed": 0.2, "squat": 0.12, "figures": 0.2,
    "critters": 0.08, "cut": 0.2,
}  # fmt: skip
STORED = ("images", "labels")
GROUPS = 4  # of a batch's pictures, by how much they show
MOST_PIXELS = 4  # times those of the smallest batch, however many pictures
FITS = 6  # times that anchors are fitted to what a model says of its first batches
ANCHOR_RATE = 0.02


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result besides data, seed and time."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    patch: int = 8
    dim: int = 64
    upsample: int = 2
    merged: int = 4  # see surface_features.backbones.merging
    temperature: float = 1 / 22
    batch: int = 32
    together: int = 1  # characters drawn from one shard at once; more make fewer, larger reads
    pixels: int = 4096
    objects: int = 3
    part_weight: float = 0.1
    object_weight: float = 0.1
    object_temperature: float = 0.07
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup: float = 0.02


def recipe_of(batch: int, learning_rate: float) -> Recipe:
    """The recipe with other batches: everything that is counted per batch grows with it."""
    times = batch / Recipe.batch
    return Recipe(
        batch=batch,
        learning_rate=learning_rate,
        pixels=round(Recipe.pixels * min(times, MOST_PIXELS)),
        objects=round(Recipe.objects * times),
        together=max(round(times), 1),
    )


def build_model(recipe: Recipe, attention: str = "eager") -> DenseModel:
    config = ViTConfig(
        hidden_size=recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=4 * recipe.width,
        image_size=IMAGE_SIZE,
        patch_size=recipe.patch,
        num_channels=4,
        attn_implementation=attention,
    )
    head = DenseHead(recipe.width, recipe.dim, recipe.upsample)
    return DenseModel(ViTModel(config, add_pooling_layer=False), head, recipe.patch, recipe.merged)


def read_weights(model: DenseModel, folder: Path) -> None:
    """Fill `model` with the weights of a folder written by `training.export`."""
    model.body.load_state_dict(ViTModel.from_pretrained(folder, add_pooling_layer=False).float().state_dict())
    model.head.load_state_dict(load_file(folder / "head.safetensors"))


class Pictures(NamedTuple):
    """A batch: (N, S, S, 4) images, (N, G, G) labels, and how many of them, the first, are of characters."""

    images: torch.Tensor
    labels: torch.Tensor
    characters: int


@dataclass
class ShardPool:
    """All shards of a folder by kind: memory-mapped, or on a GPU. `refresh` takes in new ones."""

    folder: Path
    device: str = "cpu"
    kinds: dict[str, dict[Path, tuple[torch.Tensor, torch.Tensor]]] = field(default_factory=dict)

    def refresh(self) -> int:
        """How many shards there are now."""
        for path in sorted(self.folder.glob("[a-z]*_*")):
            known = self.kinds.setdefault(path.name.rsplit("_", 1)[0], {})
            if path not in known:
                images, labels = (torch.from_numpy(np.load(path / f"{n}.npy", mmap_mode="c")) for n in STORED)
                known[path] = images.to(self.device), labels.to(self.device)
        return sum(len(shards) for shards in self.kinds.values())

    def batch(self, recipe: Recipe, rng: np.random.Generator) -> Pictures:
        """Pictures of characters, then pairs of objects' views."""
        pairs = recipe.objects if "objects" in self.kinds else 0
        kinds = [kind for kind in SHARES if kind in self.kinds]
        shares = np.array([SHARES[kind] for kind in kinds])
        count = recipe.batch - 2 * pairs
        sizes = np.diff(np.arange(0, count + recipe.together, recipe.together).clip(max=count))
        drawn = [
            self._draw(str(kind), int(size), 1, rng)
            for kind, size in zip(rng.choice(kinds, len(sizes), p=shares / shares.sum()), sizes, strict=True)
        ]
        drawn += [self._draw("objects", 1, 2, rng) for _ in range(pairs)]
        images, labels = (torch.cat(part) for part in zip(*drawn, strict=True))
        return Pictures(images, labels, count)

    def _draw(self, kind: str, count: int, views: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Some views each of some characters or objects of one shard."""
        shards = list(self.kinds[kind].values())
        images, labels = shards[rng.integers(len(shards))]
        first = VIEWS_PER_CHARACTER * rng.integers(len(images) // VIEWS_PER_CHARACTER, size=(count, 1))
        chosen = rng.permuted(np.tile(np.arange(VIEWS_PER_CHARACTER), (count, 1)), axis=1)[:, :views]
        rows = torch.from_numpy((first + chosen).reshape(-1)).to(self.device)
        return images[rows], labels[rows]


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """(N, S, S, 4) uint8 → (N, 4, S, S) float: normals −1…1, depth 0…1 (the backbone's own preprocessing)."""
    pixels = images.permute(0, 3, 1, 2).float()
    return torch.cat([(pixels[:, :3] - 128) / 127, pixels[:, 3:] / 255], dim=1)


class Trainer(Learner[Pictures]):
    """The backbone and its anchors' embeddings; one `step` at a time."""

    def __init__(self, recipe: Recipe, template: Template, device: str, seed: int, *, sides: bool = True) -> None:
        """sides: False teaches both sides of a body the same, as general vision models know them (for comparison)."""
        torch.manual_seed(seed)
        self.recipe, on = recipe, torch.device(device)
        right = (template.side < 0) & (not sides)
        self.told = torch.from_numpy(np.where(right, template.mirror, np.arange(len(template.side)))).to(on)
        self.targets = SoftTargets(template, on)
        self.part = torch.from_numpy(template.part).to(on)
        self.model = build_model(recipe, "eager" if on.type == "cpu" else "sdpa").to(on)
        self.anchors = nn.Parameter(torch.from_numpy(template.embedding.copy()).to(on))
        self.parts = nn.Parameter(0.1 * torch.randn(len(PARTS), recipe.dim, device=on))
        self.generator = torch.Generator(on).manual_seed(seed)
        matrices = [p for name, p in self.model.body.named_parameters() if p.ndim == 2 and "layer" in name]
        learnt = {"model": self.model, "anchors": self.anchors, "parts": self.parts}
        super().__init__(learnt, matrices, recipe.weight_decay, on)

    def rate(self, progress: float) -> float:
        """Linear warm-up, then cosine to 1 %."""
        recipe = self.recipe
        if progress < recipe.warmup:
            return recipe.learning_rate * (progress / recipe.warmup + 1e-3)
        fraction = min((progress - recipe.warmup) / (1 - recipe.warmup), 1.0)
        return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction)))

    def losses(self, batch: Pictures) -> tuple[torch.Tensor, torch.Tensor]:
        count, cells, label = batch.characters, self._cells(batch.images), batch.labels.to(self.device, torch.int64)
        loss = self._character_loss(*self._some(cells[:count], label[:count]))
        if count < len(cells):
            loss = loss + self.recipe.object_weight * self._object_loss(cells[count:], label[count:])
        return loss, loss

    def _cells(self, images: torch.Tensor) -> torch.Tensor:
        """(N, G, G, D) of pictures (N, S, S, 4) uint8."""
        pixels = to_pixels(images.to(self.device))
        with fast_numbers(self.device):
            return self.model.in_groups(pixels, GROUPS).permute(0, 2, 3, 1)

    def _some(self, cells: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """At most `Recipe.pixels` of the labelled cells, (M, D), and the (M,) template vertices they are taught."""
        label = label.reshape(-1)
        seen = torch.nonzero(label >= 0)[:, 0]
        seen = seen[torch.randperm(len(seen), generator=self.generator, device=self.device)[: self.recipe.pixels]]
        return cells.reshape(-1, self.recipe.dim)[seen], self.told[label[seen]]

    def _character_loss(self, found: torch.Tensor, vertex: torch.Tensor) -> torch.Tensor:
        """Cross-entropy with the soft targets among the family's anchors, and with the parts all families share.

        found: (M, D) cells of the template vertices (M,).
        """
        recipe = self.recipe
        loss = self.targets.loss(found, vertex, self.anchors, recipe.temperature) / len(vertex)
        parts = found @ nn.functional.normalize(self.parts, dim=1).T / recipe.temperature
        part_loss = nn.functional.cross_entropy(parts, self.part[vertex])
        return loss + recipe.part_weight * part_loss

    def _object_loss(self, cells: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Symmetric InfoNCE between the cells of two views that see the same landmark; pairs follow one another."""
        cell = _one_cell_each(label.flatten(1), self.generator)
        common = (cell[0::2] >= 0) & (cell[1::2] >= 0)
        if not common.any():
            return cells.sum() * 0
        rows = cell.clamp(min=0)[..., None].expand(-1, -1, cells.shape[-1])
        found = cells.flatten(1, 2).gather(1, rows)
        logits = found[0::2] @ found[1::2].transpose(1, 2) / self.recipe.object_temperature
        own = torch.nonzero(common)[:, 1]
        loss = [
            nn.functional.cross_entropy(way.masked_fill(~common[:, None], -torch.inf)[common], own)
            for way in (logits, logits.transpose(1, 2))
        ]
        return (loss[0] + loss[1]) / 2

    def start_from(self, folder: Path, pool: ShardPool, seed: int, batches: int = 96, fits: int = FITS) -> None:
        """Take over the weights of an exported model, and fit anchors and parts to it while it is held still.

        It would follow them to wherever they start. Each anchor starts as the mean feature of its surroundings.
        """
        read_weights(self.model, folder)
        rng, total = np.random.default_rng(seed), torch.zeros_like(self.anchors)
        seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        with torch.no_grad():
            for _ in range(batches):
                images, labels, characters = pool.batch(self.recipe, rng)
                label = labels[:characters].to(self.device, torch.int64)
                found, vertex = self._some(self._cells(images[:characters]), label)
                self.targets.add_to_anchors(total, vertex, found)
                seen.append((found, vertex))
            reached = total.norm(dim=1) > 0
            self.anchors[reached] = nn.functional.normalize(total[reached], dim=1)
        optimiser = torch.optim.Adam([self.anchors, self.parts])
        for left in range(fits, 0, -1):
            for group in optimiser.param_groups:
                group["lr"] = ANCHOR_RATE * left / fits
            for found, vertex in seen:
                optimiser.zero_grad()
                self._character_loss(found, vertex).backward()
                optimiser.step()


def _one_cell_each(views: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(N, LANDMARKS) int64: one random cell (flat) that sees each landmark, −1 where none does. views: (N, G·G)."""
    order = torch.rand(views.shape, generator=generator, device=views.device).argsort(dim=1)
    seen = views.gather(1, order)
    cell = torch.full((len(views), LANDMARKS + 1), -1, device=views.device)  # what sees nothing goes to the last column
    return cell.scatter_(1, torch.where(seen >= 0, seen, LANDMARKS), order)[:, :-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    parser.add_argument("--scratch", type=Path, required=True, help="shards and checkpoints; kept between runs")
    parser.add_argument("--minutes", type=float, default=90.0, help="training time, over all resumed runs")
    parser.add_argument("--start-from", type=Path, help="a model folder to go on from instead of random weights")
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="a process's pictures; a GPU wants hundreds")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-sides", action="store_true", help="left and right alike, to compare with")
    options = parser.parse_args()
    join()
    checkpoint = options.scratch / "checkpoint.pt"
    template = load_template(load_families(options.data), options.scratch / "template.npz")
    recipe, sides = recipe_of(options.batch, options.learning_rate), not options.without_sides
    trainer = Trainer(recipe, template, options.device, options.seed, sides=sides)
    pool = ShardPool(options.scratch / "shards", options.device)
    if pool.refresh() == 0:
        raise SystemExit(f"No shards in {pool.folder}: run python -m training.render_shards first.")
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif options.start_from:
        trainer.start_from(options.start_from, pool, options.seed)
    train(
        trainer,
        draw=lambda rng: pool.batch(recipe, rng),
        look=lambda: f"{pool.refresh()} shards",
        checkpoint=checkpoint,
        budget_s=options.minutes * 60,
        seed=options.seed,
        every_s=options.every,
    )
    leave()


if __name__ == "__main__":
    main()
