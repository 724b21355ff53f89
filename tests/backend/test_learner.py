# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that both networks are trained by."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

from training import optimisers
from training.learner import Learner, train


class Line(Learner[torch.Tensor]):
    """A line through the origin, and a number that nothing depends on."""

    def __init__(self) -> None:
        self.line, self.unused = nn.Linear(1, 1, bias=False), nn.Parameter(torch.ones(2))
        nn.init.zeros_(self.line.weight)
        learnt = {"line": self.line, "unused": self.unused}
        super().__init__(learnt, [self.line.weight], decay=0.0, device=torch.device("cpu"))

    def losses(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        error = (self.line(batch) - 3 * batch).square().mean()
        return 2 * error, error

    def rate(self, progress: float) -> float:
        return 0.2 * (1 - progress) + 1e-3


def draw(rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=(16, 1)).astype(np.float32))


def test_what_is_trained_goes_on_where_it_stopped(tmp_path, capsys):
    checkpoint, learner = tmp_path / "line.pt", Line()
    train(learner, draw, lambda: "seen", checkpoint, budget_s=0.3, seed=0)
    assert learner.seconds >= 0.3
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1
    assert told[0].endswith("seen")
    again = Line()
    again.load(checkpoint)
    assert (again.steps, again.seconds) == (learner.steps, learner.seconds)
    assert torch.equal(again.line.weight, learner.line.weight)
    train(again, draw, lambda: "", checkpoint, budget_s=0.3, seed=0)
    assert again.steps == learner.steps  # its time was used up
    train(again, draw, lambda: "", checkpoint, budget_s=1.0, seed=0)
    assert again.steps > learner.steps
    assert abs(again.line.weight.item() - 3) < 0.05


def test_nothing_is_drawn_while_the_loop_looks(tmp_path):
    busy, met = [], []

    def slowly(rng: np.random.Generator) -> torch.Tensor:
        busy.append(True)
        time.sleep(0.002)
        busy.pop()
        return draw(rng)

    def look() -> str:
        met.append(len(busy))
        return ""

    train(Line(), slowly, look, tmp_path / "line.pt", budget_s=0.2, seed=0, every_s=0.02)
    assert len(met) > 2
    assert not any(met)


def test_a_run_goes_on_on_a_machine_where_other_optimisers_step(tmp_path, monkeypatch):
    checkpoint = tmp_path / "line.pt"
    for native in (True, False, True):
        monkeypatch.setattr(optimisers, "has_fast_bfloat16", lambda device, native=native: native)
        learner = Line()
        if checkpoint.exists():
            learner.load(checkpoint)
        steps = learner.steps
        for _ in range(3):
            learner.step(draw(np.random.default_rng(0)), progress=0.0)
        learner.save(checkpoint)
        assert learner.steps == steps + 3
        assert len(learner.optimisers.state()) == 1 + native
        assert learner.line.weight.item() != 0
