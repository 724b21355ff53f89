# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the bundled backbone: `python -m training.train_backbone --data DIR --scratch DIR --minutes 90`.

A small ViT on normal + depth pictures classifies every cell among the template's anchors with soft geodesic targets
(`training.template`). New shards appearing in the scratch folder are picked up as they come. Resumes from
`scratch/checkpoint.pt`; the learning rate follows the share of the time budget used, over all runs together.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import ViTConfig, ViTModel

from surface_features.backbones.dense import DenseHead, DenseModel

from .humans import HumanModel
from .render_shards import IMAGE_SIZE
from .template import Template, load_template


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result besides data, seed and time."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    patch: int = 8
    dim: int = 64
    upsample: int = 2
    temperature: float = 1 / 22
    batch: int = 32
    pixels: int = 4096
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup: float = 0.02


def build_model(recipe: Recipe) -> DenseModel:
    config = ViTConfig(
        hidden_size=recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=4 * recipe.width,
        image_size=IMAGE_SIZE,
        patch_size=recipe.patch,
        num_channels=4,
        attn_implementation="eager",
    )
    head = DenseHead(recipe.width, recipe.dim, recipe.upsample)
    return DenseModel(ViTModel(config, add_pooling_layer=False), head, recipe.patch)


def read_weights(model: DenseModel, folder: Path) -> None:
    """Fill `model` with the weights of a folder written by `training.export`."""
    model.body.load_state_dict(ViTModel.from_pretrained(folder, add_pooling_layer=False).float().state_dict())
    model.head.load_state_dict(load_file(folder / "head.safetensors"))


@dataclass
class ShardPool:
    """All shards of a folder, memory-mapped; `refresh` takes in new ones."""

    folder: Path
    shards: dict[Path, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def refresh(self) -> int:
        for path in sorted(self.folder.glob("[a-z]*_*")):
            if path not in self.shards:
                self.shards[path] = tuple(np.load(path / f"{n}.npy", mmap_mode="r") for n in ("images", "labels"))
        return len(self.shards)

    def batch(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """`size` pictures and labels from as many shards."""
        names = list(self.shards)
        images, labels = [], []
        for pick in rng.integers(len(names), size=size):
            pictures, label = self.shards[names[pick]]
            row = rng.integers(len(pictures))
            images.append(pictures[row])
            labels.append(label[row])
        return np.stack(images), np.stack(labels)


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """(N, S, S, 4) uint8 → (N, 4, S, S) float: normals −1…1, depth 0…1 (the backbone's own preprocessing)."""
    pixels = images.permute(0, 3, 1, 2).float()
    return torch.cat([(pixels[:, :3] - 128) / 127, pixels[:, 3:] / 255], dim=1)


class Trainer:
    """Model, anchors' embeddings, optimiser and clock; one `step` at a time."""

    def __init__(self, recipe: Recipe, template: Template, device: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.near = torch.from_numpy(template.near.astype(np.int64)).to(self.device)
        self.share = torch.from_numpy(template.share).to(self.device)
        self.model = build_model(recipe).to(self.device)
        # Plain attention compiled by Inductor: measured 56 pictures a second on two cores, 28 without.
        self.forward = torch.compile(self.model)
        self.anchors = nn.Parameter(torch.from_numpy(template.embedding.copy()).to(self.device))
        self.parameters = [*self.model.parameters(), self.anchors]
        matrices = [p for name, p in self.model.body.named_parameters() if p.ndim == 2 and "layer" in name]
        inside = {id(p) for p in matrices}
        others = [p for p in self.parameters if id(p) not in inside]
        decay = recipe.weight_decay
        # Muon on the transformer's matrices, AdamW on the rest; with its RMS matched to AdamW's they share a rate.
        self.optimisers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(matrices, lr=1.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=1.0, weight_decay=decay, betas=(0.9, 0.98)),
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.seconds, self.steps = 0.0, 0

    def rate(self, progress: float) -> float:
        """Linear warm-up, then cosine to 1 %."""
        recipe = self.recipe
        if progress < recipe.warmup:
            return recipe.learning_rate * (progress / recipe.warmup + 1e-3)
        fraction = min((progress - recipe.warmup) / (1 - recipe.warmup), 1.0)
        return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction)))

    def loss(self, images: np.ndarray, labels: np.ndarray) -> torch.Tensor:
        pixels = to_pixels(torch.from_numpy(images).to(self.device))
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            cells = self.forward(pixels)
        label = torch.from_numpy(labels.astype(np.int64)).reshape(-1)
        seen = torch.nonzero(label >= 0)[:, 0]
        seen = seen[torch.randperm(len(seen), generator=self.generator)[: self.recipe.pixels]].to(self.device)
        vertex = label.to(self.device)[seen]
        found = cells.permute(0, 2, 3, 1).reshape(-1, self.recipe.dim)[seen]
        anchors = nn.functional.normalize(self.anchors, dim=1)
        logits = found @ anchors.T / self.recipe.temperature
        log_chance = logits.log_softmax(dim=1).gather(1, self.near[vertex])
        return -(self.share[vertex] * log_chance).sum(dim=1).mean()

    def step(self, images: np.ndarray, labels: np.ndarray, progress: float) -> float:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.rate(progress)
            optimiser.zero_grad(set_to_none=True)
        loss = self.loss(images, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.steps += 1
        return float(loss.detach())

    @torch.no_grad()
    def start_from(self, folder: Path, pool: ShardPool, seed: int, batches: int = 48) -> None:
        """Take over the weights of an exported model; each anchor starts as the mean feature of its surroundings."""
        read_weights(self.model, folder)
        rng = np.random.default_rng(seed)
        total = torch.zeros_like(self.anchors)
        for _ in range(batches):
            images, labels = pool.batch(self.recipe.batch, rng)
            cells = self.forward(to_pixels(torch.from_numpy(images).to(self.device))).permute(0, 2, 3, 1)
            label = torch.from_numpy(labels.astype(np.int64)).to(self.device)
            found, vertex = cells[label >= 0], label[label >= 0]
            for rank in range(self.near.shape[1]):
                total.index_add_(0, self.near[vertex, rank], found * self.share[vertex, rank, None])
        reached = total.norm(dim=1) > 0
        self.anchors[reached] = nn.functional.normalize(total[reached], dim=1)

    def save(self, path: Path) -> None:
        state = {
            "model": self.model.state_dict(),
            "anchors": self.anchors.detach(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "seconds": self.seconds,
            "steps": self.steps,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.anchors.data.copy_(state["anchors"])
        for optimiser, stored in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(stored)
        self.seconds, self.steps = state["seconds"], state["steps"]


def train(trainer: Trainer, pool: ShardPool, checkpoint: Path, budget_s: float, seed: int) -> None:
    """Step until the budget is used; a checkpoint every minute."""
    rng = np.random.default_rng([seed, trainer.steps])
    last, saved, losses = time.perf_counter(), time.perf_counter(), []
    while trainer.seconds < budget_s:
        losses.append(trainer.step(*pool.batch(trainer.recipe.batch, rng), trainer.seconds / budget_s))
        now = time.perf_counter()
        trainer.seconds += now - last
        last = now
        if now - saved > 60 or trainer.seconds >= budget_s:
            trainer.save(checkpoint)
            shards, saved = pool.refresh(), now
            mean = float(np.mean(losses))
            print(f"{trainer.seconds / 60:.1f} min, step {trainer.steps}, loss {mean:.3f}, {shards} shards", flush=True)
            losses = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with mpfb2/ (see training/README.md)")
    parser.add_argument("--scratch", type=Path, required=True, help="shards and checkpoints; kept between runs")
    parser.add_argument("--minutes", type=float, default=90.0, help="training time, over all resumed runs")
    parser.add_argument("--start-from", type=Path, help="a model folder to go on from instead of random weights")
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    checkpoint = options.scratch / "checkpoint.pt"
    template = load_template(HumanModel(options.data), options.scratch / "template.npz")
    trainer = Trainer(Recipe(learning_rate=options.learning_rate), template, options.device, options.seed)
    pool = ShardPool(options.scratch / "shards")
    if pool.refresh() == 0:
        raise SystemExit(f"No shards in {pool.folder}: run python -m training.render_shards first.")
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif options.start_from:
        trainer.start_from(options.start_from, pool, options.seed)
    train(trainer, pool, checkpoint, options.minutes * 60, options.seed)


if __name__ == "__main__":
    main()
