# SPDX-License-Identifier: GPL-3.0-or-later
"""Features classified among their family's anchors (`training.template`) with soft geodesic targets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from .template import Template


class SoftTargets:
    """The template's soft targets on a device."""

    def __init__(self, template: Template, device: torch.device) -> None:
        self.near = torch.from_numpy(template.near.astype(np.int64)).to(device)
        self.share = torch.from_numpy(template.share).to(device)
        self.family = torch.from_numpy(template.family).to(device)
        families = np.arange(template.anchor_family.max() + 2)
        self.spans = list(pairwise(np.searchsorted(template.anchor_family, families).tolist()))  # a family's anchors

    def logits(
        self, found: torch.Tensor, vertex: torch.Tensor, anchors: torch.Tensor, temperature: float
    ) -> Iterator[tuple[torch.Tensor, int, torch.Tensor]]:
        """Of each family that is found: its rows, its first anchor, and the rows' logits of its anchors only.

        found: (N, D) features of the template vertices (N,). anchors: (A, D) of any length.
        """
        family = self.family[vertex]
        for number in family.unique().tolist():
            rows = torch.nonzero(family == number)[:, 0]
            first, end = self.spans[number]
            unit = nn.functional.normalize(anchors[first:end], dim=1)
            yield rows, first, (found[rows] / temperature) @ unit.T

    def loss(
        self, found: torch.Tensor, vertex: torch.Tensor, anchors: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        """Cross-entropy with the soft targets, the sum over all rows. Arguments as of `logits`."""
        total = found.sum() * 0
        for rows, first, logits in self.logits(found, vertex, anchors, temperature):
            told = vertex[rows]
            log_chance = logits.log_softmax(dim=1).gather(1, self.near[told] - first)
            total = total - (self.share[told] * log_chance).sum()
        return total

    def add_to_anchors(self, total: torch.Tensor, vertex: torch.Tensor, found: torch.Tensor) -> None:
        """Add what was found at template vertices to the anchors near them, by their shares, in place.

        total: (A, D). vertex: (M,) int64, found: (M, D).
        """
        for rank in range(self.near.shape[1]):
            total.index_add_(0, self.near[vertex, rank], found * self.share[vertex, rank, None])
