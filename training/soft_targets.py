# SPDX-License-Identifier: GPL-3.0-or-later
"""Features classified among their family's anchors (`training.template`) with soft geodesic targets."""

from __future__ import annotations

from collections.abc import Iterator

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
        self.anchor_family = torch.from_numpy(template.anchor_family).to(device)

    def logits(
        self, found: torch.Tensor, vertex: torch.Tensor, anchors: torch.Tensor, temperature: float
    ) -> Iterator[tuple[torch.Tensor, int, torch.Tensor]]:
        """Of each family that is found: its rows, its first anchor, and the rows' logits of its anchors only.

        found: (N, D) features of the template vertices (N,). anchors: (A, D) of any length, a family's in a row.
        """
        family = self.family[vertex]
        for number in family.unique().tolist():
            rows = torch.nonzero(family == number)[:, 0]
            own = torch.nonzero(self.anchor_family == number)[:, 0]
            unit = nn.functional.normalize(anchors[own[0] : own[-1] + 1], dim=1)
            yield rows, int(own[0]), (found[rows] / temperature) @ unit.T

    def loss(
        self, found: torch.Tensor, vertex: torch.Tensor, anchors: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        """Cross-entropy with the soft targets, the sum over all rows. Arguments as of `logits`."""
        total = found.sum() * 0
        for rows, first, logits in self.logits(found, vertex, anchors, temperature):
            log_chance = logits.log_softmax(dim=1).gather(1, self.near[vertex[rows]] - first)
            total = total - (self.share[vertex[rows]] * log_chance).sum()
        return total
