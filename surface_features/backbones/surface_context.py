# SPDX-License-Identifier: GPL-3.0-or-later
"""A transformer over the whole surface that corrects lifted features: a forearm whose elbow is right is right itself.

Pictures show a limb without what it hangs on; the surface knows. Landmarks look at each other, near ones along the
surface more than far ones (attention biased by geodesic distance, as ALiBi does by word distance), and every vertex
looks at the landmarks as its own landmark would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from .precision import product_dtype

SURFACE_WEIGHTS = "surface_context.safetensors"  # beside a backbone, in its folder
OCTAVES = 4
SLOPES = (0.0, 4.0, 16.0, 64.0)  # of a head's attention logits, per √area of distance; powers of two


@dataclass(frozen=True)
class SurfaceContextConfig:
    """Shape of the network; stored with its weights.

    dim: of the features that come out. landmarks: how many are placed at inference. detail_landmarks: how many more on
    what is looked at most closely, hands and faces. levels: from how many distances the surface was seen; so many
    features of `dim` follow one another in what comes in.
    """

    dim: int
    width: int = 128
    layers: int = 3
    landmarks: int = 512
    detail_landmarks: int = 0
    levels: int = 1


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """What is known of points of a surface, batched.

    features: (B, N, levels · D) unit vectors. confidence: (B, N) 0…1. positions: (B, N, 3), Z up, centred, largest
    extent 2. normals: (B, N, 3) unit vectors.
    """

    features: torch.Tensor
    confidence: torch.Tensor
    positions: torch.Tensor
    normals: torch.Tensor


class SurfaceContext(nn.Module):
    """Lifted features in, corrected features out; starts as the identity."""

    def __init__(self, config: SurfaceContextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.levels * config.dim + 1 + 3 + 3 + 6 * OCTAVES, config.width)
        self.blocks = nn.ModuleList(_Block(config.width) for _ in range(config.layers))
        self.read = _Block(config.width)
        self.norm = nn.LayerNorm(config.width)
        self.correct = nn.Linear(config.width, config.dim)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.embed.weight.device

    def look_around(self, landmarks: SurfacePoints, distances: torch.Tensor) -> torch.Tensor:
        """(B, L, width) what each landmark knows of the whole surface.

        distances: (B, L, L) between landmarks along the surface over √area.
        """
        tokens, bias = self._tokens(landmarks), _bias(distances)
        for block in self.blocks:
            tokens = block(tokens, tokens, bias)
        return tokens

    def read_points(
        self, context: torch.Tensor, distances: torch.Tensor, points: SurfacePoints, nearest: torch.Tensor
    ) -> torch.Tensor:
        """(B, N, D) corrected unit features of points that read the landmarks' `context`.

        nearest: (B, N) int64, every point's landmark.
        """
        distances = distances.to(product_dtype(distances))  # before there are so many of them
        rows = torch.stack([own[landmark] for own, landmark in zip(distances, nearest, strict=True)])
        found = self.read(self._tokens(points), context, _bias(rows))
        seen = self.average(points.features)
        return nn.functional.normalize(seen + self.correct(self.norm(found)).float(), dim=-1)

    def average(self, features: torch.Tensor) -> torch.Tensor:
        """(…, levels · D) → (…, D) unit vectors, the mean of what was seen from every distance."""
        return nn.functional.normalize(features.unflatten(-1, (self.config.levels, -1)).sum(dim=-2), dim=-1)

    def _tokens(self, points: SurfacePoints) -> torch.Tensor:
        octaves = math.pi * 2.0 ** torch.arange(OCTAVES, device=points.positions.device)
        waves = (points.positions[..., None] * octaves).flatten(-2)
        known = (
            points.features * math.sqrt(points.features.shape[-1]),  # unit variance
            points.confidence[..., None],
            points.positions,
            points.normals,
            waves.sin(),
            waves.cos(),
        )
        return self.embed(torch.cat(known, dim=-1))


class _Block(nn.Module):
    """Attention with a bias, then an MLP; queries and context may differ."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_query, self.norm_context, self.norm_mlp = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: torch.Tensor, context: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        query = _split(self.query(self.norm_query(tokens)))
        key, value = (_split(part) for part in self.key_value(self.norm_context(context)).chunk(2, dim=-1))
        heads = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        tokens = tokens + self.out(heads.transpose(1, 2).flatten(-2))
        return tokens + self.mlp(self.norm_mlp(tokens))


def _split(tokens: torch.Tensor) -> torch.Tensor:
    """(B, N, width) → (B, heads, N, width / heads)."""
    return tokens.unflatten(-1, (len(SLOPES), -1)).transpose(1, 2)


def _bias(distances: torch.Tensor) -> torch.Tensor:
    """(B, N, L) distances → (B, heads, N, L), what is added to the attention's logits."""
    distances = distances.to(product_dtype(distances))  # slopes are powers of two: rounded now or later is the same
    slopes = torch.tensor(SLOPES, device=distances.device, dtype=distances.dtype)
    return -slopes[:, None, None] * distances[:, None]
