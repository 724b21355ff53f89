# SPDX-License-Identifier: GPL-3.0-or-later
"""What is trained, and the loop that trains it: one process, or several that `training.together` joins."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from .optimisers import Optimisers
from .together import average_gradients, follow_first, process_number, start_alike

EVERY_S = 60.0
LONGEST_GRADIENT = 1.0

Batch = TypeVar("Batch")


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


class Learner(ABC, Generic[Batch]):
    """Modules and parameters under their optimisers, and a clock; a subclass has the loss."""

    def __init__(
        self,
        learnt: dict[str, nn.Module | nn.Parameter],
        matrices: Iterable[nn.Parameter],
        decay: float,
        device: torch.device,
    ) -> None:
        """learnt: what is trained, by its name in the checkpoint. matrices: see `Optimisers`."""
        self.device = device
        self._learnt = learnt
        self.parameters: list[nn.Parameter] = []
        for each in learnt.values():
            self.parameters += [each] if isinstance(each, nn.Parameter) else each.parameters()
        self.optimisers = Optimisers(matrices, self.parameters, decay, device)
        self.seconds, self.steps = 0.0, 0

    @abstractmethod
    def losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """What is minimised, and the part of it that is told."""

    @abstractmethod
    def rate(self, progress: float) -> float:
        """The learning rate when `progress` (0 to 1) of the time is used."""

    def step(self, batch: Batch, progress: float) -> float:
        self.optimisers.zero_grad()
        total, told = self.losses(batch)
        total.backward()
        average_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, LONGEST_GRADIENT)
        self.optimisers.step(self.rate(progress))
        self.steps += 1
        return float(told.detach())

    def save(self, path: Path) -> None:
        state: dict[str, Any] = {
            name: each.detach() if isinstance(each, nn.Parameter) else each.state_dict()
            for name, each in self._learnt.items()
        }
        state |= {"optimisers": self.optimisers.state(), "seconds": self.seconds, "steps": self.steps}
        write_checkpoint(path, state)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name, each in self._learnt.items():
            if isinstance(each, nn.Parameter):
                each.data.copy_(state[name])
            else:
                each.load_state_dict(state[name])
        self.optimisers.restore(state["optimisers"])
        self.seconds, self.steps = state["seconds"], state["steps"]


def train(
    learner: Learner[Batch],
    draw: Callable[[np.random.Generator], Batch],
    look: Callable[[], str],
    checkpoint: Path,
    budget_s: float,
    seed: int,
    every_s: float = EVERY_S,
) -> None:
    """Step until the budget is used; every `every_s` seconds the first process writes a checkpoint and a line.

    draw: a batch; the next one is drawn while the last is learnt. look: what the line says besides, asked of every
    process while nothing is drawn.
    """
    start_alike(learner.parameters)
    rng = np.random.default_rng([seed, learner.steps, process_number()])
    last, saved, losses = time.perf_counter(), time.perf_counter(), []
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(draw, rng)
        while learner.seconds < budget_s:
            batch = waiting.result()
            waiting = ahead.submit(draw, rng)
            losses.append(learner.step(batch, learner.seconds / budget_s))
            now = time.perf_counter()
            learner.seconds = follow_first(learner.seconds + now - last)
            last = now
            if now - saved > every_s or learner.seconds >= budget_s:
                seen, saved = ahead.submit(look).result(), now
                if process_number() == 0:
                    learner.save(checkpoint)
                    told = f"{learner.seconds / 60:.1f} min, step {learner.steps}, loss {np.mean(losses):.3f}"
                    print(f"{told}, {seen}", flush=True)
                losses = []
