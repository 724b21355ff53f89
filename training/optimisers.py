# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon on a transformer's matrices, AdamW on everything else; with Muon's RMS matched to AdamW's they share a rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn


class Optimisers:
    """Two optimisers that step as one."""

    def __init__(self, matrices: Iterable[nn.Parameter], parameters: Iterable[nn.Parameter], decay: float) -> None:
        """parameters: all of them, `matrices` among them."""
        matrices = list(matrices)
        inside = {id(matrix) for matrix in matrices}
        others = [parameter for parameter in parameters if id(parameter) not in inside]
        self._both: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(matrices, lr=1.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=1.0, weight_decay=decay, betas=(0.9, 0.98)),
        )

    def zero_grad(self) -> None:
        for optimiser in self._both:
            optimiser.zero_grad(set_to_none=True)

    def step(self, rate: float) -> None:
        for optimiser in self._both:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()

    def state(self) -> list[dict[str, Any]]:
        return [optimiser.state_dict() for optimiser in self._both]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        for optimiser, state in zip(self._both, states, strict=True):
            optimiser.load_state_dict(state)
