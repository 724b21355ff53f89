# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface-aware embedding (Uzolas, Eisemann and Kellnhofer, SIGGRAPH Asia 2025, section 4): a point-wise
autoencoder whose code tells apart instances of one class that its input confuses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn


@dataclass(frozen=True)
class EmbeddingConfig:
    """widths: channels of the features, of the hidden layers, of the code; the decoder mirrors them."""

    widths: tuple[int, ...] = (64, 256, 128, 64)

    @classmethod
    def for_features(cls, dim: int) -> EmbeddingConfig:
        """The paper's halving widths for wide features (2048 → 1024 → 512 → 256), wider ones for narrow features."""
        return cls((dim, dim // 2, dim // 4, dim // 8)) if dim >= 512 else cls((dim, 256, 128, 64))


class SurfaceAwareEmbedding(nn.Module):
    """Encoder and decoder over unit features."""

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _stack(config.widths)
        self.decoder = _stack(config.widths[::-1])

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, D) unit features → (N, C) unit codes and (N, D) unit reconstructions."""
        codes = self.encode(features)
        return codes, nn.functional.normalize(self.decoder(codes), dim=-1)

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """(N, D) features → (N, C) unit codes; features are normalised, as in training."""
        return nn.functional.normalize(self.encoder(nn.functional.normalize(features, dim=-1)), dim=-1)


class _Block(nn.Module):
    """LN(SiLU(W₁x)), then LN(SiLU(W₂·)) into the next width; no skip."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inside, inside), nn.Linear(inside, outside)
        self.norm_first, self.norm_second = nn.LayerNorm(inside), nn.LayerNorm(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm_first(nn.functional.silu(self.first(x)))
        return self.norm_second(nn.functional.silu(self.second(x)))


def _stack(widths: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(*(_Block(a, b) for a, b in pairwise(widths)))


def reconstruction_loss(features: torch.Tensor, reconstructed: torch.Tensor) -> torch.Tensor:
    """Mean of 1 − cos(F, F̂). (N, D) unit rows each."""
    return (1 - (features * reconstructed).sum(dim=-1)).mean()


def geodesic_loss(codes: torch.Tensor, anchors: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """Mean of |d̂(n, a) − (1 − cos(f_n, f_a)) / 2| over points and anchors.

    codes: (N, C) unit rows. anchors: (P,) int64 rows of them. distances: (P, N) geodesics over the largest, 0…1;
    pairs that are not connected are infinite and left out.
    """
    apart = (1 - codes[anchors] @ codes.T) / 2
    known = torch.isfinite(distances)
    return (apart - distances)[known].abs().mean()
