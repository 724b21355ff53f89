# SPDX-License-Identifier: GPL-3.0-or-later
"""The mean of networks over the surface that started from one model (Wortsman et al., Model Soups, ICML 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from surface_features.backbones.surface_context import SURFACE_WEIGHTS

OF_A_RUN = ("anchors", "sideways")  # what of a checkpoint is needed to train, not to use the network


def read_network(path: Path) -> dict[str, Any]:
    """A run's checkpoint, or of an exported model folder its network over the surface."""
    if path.is_dir():
        return {"network": load_file(path / SURFACE_WEIGHTS)}
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def average(states: Sequence[dict[str, Any]], shares: Sequence[float] | None = None) -> dict[str, Any]:
    """The mean of models of one start, weighted by their `shares`; the clock is that of the first one that has one.

    A state is a run's checkpoint, or holds an exported model's `network` alone; one of them is a checkpoint.
    """
    shares = shares or [1.0] * len(states)
    runs = [(state, share) for state, share in zip(states, shares, strict=True) if "anchors" in state]
    mean = {name: _mean([state[name] for state, _ in runs], [share for _, share in runs]) for name in OF_A_RUN}
    network = average_weights([state["network"] for state in states], shares)
    return runs[0][0] | {"network": network} | mean


def average_weights(models: Sequence[Mapping[str, torch.Tensor]], shares: Sequence[float]) -> dict[str, torch.Tensor]:
    """The mean of models of one shape, weighted by their `shares`."""
    return {name: _mean([model[name] for model in models], shares) for name in models[0]}


def _mean(tensors: Sequence[torch.Tensor], shares: Sequence[float]) -> torch.Tensor:
    weights = torch.tensor(shares) / sum(shares)
    return torch.tensordot(weights, torch.stack([tensor.float() for tensor in tensors]), dims=1)
