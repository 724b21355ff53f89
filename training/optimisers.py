# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon on a transformer's matrices, AdamW on everything else; with Muon's RMS matched to AdamW's they share a rate.

PyTorch's Muon computes in bf16: where that has to be emulated (a minute a step), AdamW trains the matrices as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from surface_features.backbones.precision import has_fast_bfloat16


class Optimisers:
    """Two optimisers, or one, that step as one."""

    def __init__(
        self, matrices: Iterable[nn.Parameter], parameters: Iterable[nn.Parameter], decay: float, device: torch.device
    ) -> None:
        """parameters: all of them, `matrices` among them, on `device`."""
        matrices = list(matrices) if has_fast_bfloat16(device) else []
        inside = {id(matrix) for matrix in matrices}
        others = [parameter for parameter in parameters if id(parameter) not in inside]
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=1.0, weight_decay=decay, betas=(0.9, 0.98))
        ]
        if matrices:
            muon = torch.optim.Muon(matrices, lr=1.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
            self._all.insert(0, muon)

    def zero_grad(self) -> None:
        for optimiser in self._all:
            optimiser.zero_grad(set_to_none=True)

    def step(self, rate: float) -> None:
        for optimiser in self._all:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()

    def state(self) -> list[dict[str, Any]]:
        return [optimiser.state_dict() for optimiser in self._all]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """What a run remembers of its steps; nothing of one on a machine where other optimisers stepped."""
        if len(states) == len(self._all):
            for optimiser, state in zip(self._all, states, strict=True):
                optimiser.load_state_dict(state)
