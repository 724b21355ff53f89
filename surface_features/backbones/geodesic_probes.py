# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on its own surface a point lies, told by how far it is from places of known meaning.

A probe is such a place: a learned feature that finds its like among sites on the surface. The way from a point to the
left wrist is as long as to the right one exactly where the body's middle runs; pictures never show that so sharply.
"""

from __future__ import annotations

import torch
from torch import nn

SCALES = (4.0, 16.0, 64.0)  # at which differences between twins are told: from half the body to half a per cent
FIRST_SHARPNESS = 20.0


class GeodesicProbes(nn.Module):
    """Probes in pairs: the second half are the first half's twins on the other side, in the same order."""

    def __init__(self, dim: int, probes: int, width: int) -> None:
        super().__init__()
        self.wanted = nn.Parameter(nn.functional.normalize(torch.randn(probes, dim), dim=-1))
        self.sharpness = nn.Parameter(torch.tensor(FIRST_SHARPNESS))
        self.tell = nn.Sequential(
            nn.Linear(probes + len(SCALES) * (probes // 2), width), nn.GELU(), nn.Linear(width, width)
        )

    def find(self, sites: torch.Tensor) -> torch.Tensor:
        """(B, S, D) unit features of the sites → (B, K, S) how much each stands for a probe's place; rows sum to 1."""
        alike = nn.functional.normalize(self.wanted, dim=-1) @ sites.float().transpose(1, 2)
        return (self.sharpness * alike).softmax(dim=-1)

    def describe(self, distances: torch.Tensor) -> torch.Tensor:
        """(B, N, K) float32 distances from the probes, over √area → (B, N, width)."""
        first, second = distances.chunk(2, dim=-1)
        apart = first - second  # in full precision: a small difference of long ways
        known = [distances, *((scale * apart).tanh() for scale in SCALES)]
        return self.tell(torch.cat(known, dim=-1))
