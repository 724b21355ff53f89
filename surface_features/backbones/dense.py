# SPDX-License-Identifier: GPL-3.0-or-later
"""A transformers vision model with a per-patch head: the shape of the bundled backbone and of its training."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .merging import count_tokens, encode_merged, merge_blocks


def patch_tokens(hidden: torch.Tensor, grid: int) -> torch.Tensor:
    """(N, T, C) tokens → (N, C, grid, grid); class and register tokens, which come first, are dropped."""
    tokens = hidden[:, hidden.shape[1] - grid * grid :]
    return tokens.transpose(1, 2).reshape(len(hidden), -1, grid, grid)


class DenseHead(nn.Module):
    """Linear head: each patch token becomes `upsample`² cells of `dim` channels."""

    def __init__(self, width: int, dim: int, upsample: int) -> None:
        super().__init__()
        self.upsample = upsample
        self.project = nn.Linear(width, dim * upsample * upsample)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, C, g, g) → (N, dim, g·upsample, g·upsample)."""
        cells = self.project(tokens.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return nn.functional.pixel_shuffle(cells, self.upsample)


class DenseModel(nn.Module):
    """body: any transformers vision model; head: optional `DenseHead`. Output cells are unit vectors.

    merged: the empty patches of so many by so many share a token (`merging`; a ViT on normals and depth); 0: none do.
    """

    def __init__(self, body: Any, head: DenseHead | None, patch_size: int, merged: int = 0) -> None:
        super().__init__()
        self.body, self.head, self.patch_size, self.merged = body, head, patch_size, merged

    def by_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N,) int64: the order in which pictures are best taken together, those of few tokens first."""
        if not self.merged:
            return torch.arange(len(pixels), device=pixels.device)
        return count_tokens(merge_blocks(pixels, self.patch_size, self.merged)).argsort(stable=True)

    def in_groups(self, pixels: torch.Tensor, groups: int) -> torch.Tensor:
        """As `forward`, pictures of about as many tokens together: for large batches, fewer tokens stand empty."""
        order = self.by_tokens(pixels)
        cells = torch.cat([self(pixels[group]) for group in order.chunk(groups)])
        return cells[order.argsort()]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) float → (N, D, G, G), unit vectors along D."""
        if self.merged:
            hidden = encode_merged(self.body, pixels, merge_blocks(pixels, self.patch_size, self.merged))
        else:
            hidden = self.body(pixel_values=pixels).last_hidden_state
        cells = patch_tokens(hidden, pixels.shape[-1] // self.patch_size)
        if self.head is not None:
            cells = self.head(cells)
        return nn.functional.normalize(cells.float(), dim=1)
