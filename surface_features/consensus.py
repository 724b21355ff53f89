# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of two surfaces may match: those that lie from their surroundings as their surroundings' matches do.

A hand whose features are nearer to the other hand still hangs on its own elbow. Landmarks vote for each other: a match
is good where distances along the source to the landmarks nearby are the distances along the target to their matches.
And what many landmarks want is dear, so that of two legs that look like one the less alike takes the leg that is left
over: entropic optimal transport between landmarks, unbalanced, since one surface may have what the other lacks
(Séjourné, Peyré, Vialard, Unbalanced Optimal Transport, 2023).
No training, no assumption of equal proportions beyond `STRETCH`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .geometry.landmarks import Landmarks, place_landmarks
from .mesh import Float32, Int32, TriangleMesh
from .preflight import preflight

if TYPE_CHECKING:
    import torch

LANDMARKS = 400
REACHES = (1.0, 0.6, 0.4, 0.3, 0.2, 0.2)  # of √area, round by round: how far away the voters are that count
WEIGHT = 0.6  # of the votes beside the cosine; more tears limbs off that are fused with the body
MEASURED = (0.1, 0.6)  # of √area: distances that tell how much longer ways are on the other surface
TOLERANCE = 0.1  # of √area: a distance off by this much has no vote
STRETCH = 0.4  # and by this share of itself: limbs differ in length
CYCLE = 0.08  # of √area: a voter whose match comes back this far away counts little
BLUR = 0.05  # of the score: entropy of the transport
BALANCE = 0.8  # 0…1 how strictly all landmarks are to be matched equally often
PRICE_ROUNDS = 30
TINY = 1e-30
SLACK = 0.2  # below the best score: what may still be matched
MARGIN = 2.5  # of the landmarks' spacing: what lies that near to it may be matched too


@dataclass(frozen=True, eq=False)
class Landscape:
    """A surface's landmarks. of_vertex: (V,) int64 landmark of each of the artist's vertices.

    values: (L, D) float32 their features. distances: (L, L) float32, see `Landmarks`.
    """

    of_vertex: NDArray[np.int64]
    values: Float32
    distances: Float32


def survey(mesh: TriangleMesh, values: Float32) -> Landscape:
    """values: (V, D) features of the artist's vertices."""
    checked = preflight(mesh)
    landmarks: Landmarks = place_landmarks(checked.proxy, LANDMARKS, seed=0)
    artist: Int32 = checked.artist_vertex[landmarks.vertices]
    of_vertex = landmarks.nearest[checked.proxy_vertex].astype(np.int64)
    return Landscape(of_vertex, np.ascontiguousarray(values[artist]), landmarks.distances)


def allowed_matches(source: Landscape, target: Landscape) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(Ls, Lt) bool which target landmarks' surroundings a source landmark's may match, and (Lt, Ls) the other way."""
    import torch

    alike = torch.from_numpy(source.values) @ torch.from_numpy(target.values).T
    source_distances, target_distances = torch.from_numpy(source.distances), torch.from_numpy(target.distances)
    sharpness = 1 / (TOLERANCE + STRETCH * source_distances)
    score = alike
    for reach in REACHES:
        to_source, to_target = _discounts(score)
        match = (score + to_target).argmax(dim=1)
        back = (score + to_source).argmax(dim=0)[match]
        drift = source_distances[torch.arange(len(back)), back]
        target_distances = target_distances / _stretch(source_distances, target_distances, match, drift)
        say = torch.exp(-source_distances / reach) * (torch.exp(-((drift / CYCLE) ** 2)) + 0.02)
        say = say / say.sum(dim=1, keepdim=True)
        to_matches = target_distances[:, match]
        votes = torch.stack(
            [
                (1 - (to_matches - source_distances[row]).abs() * sharpness[row]).clamp_(min=0) @ say[row]
                for row in range(len(alike))
            ]
        )
        score = alike + WEIGHT * votes
    to_source, to_target = _discounts(score)
    forward, backward = score + to_target, score + to_source
    forward = forward >= forward.max(dim=1, keepdim=True).values - SLACK
    backward = backward >= backward.max(dim=0, keepdim=True).values - SLACK
    return _widen(forward.numpy(), target.distances), _widen(backward.T.numpy(), source.distances)


def _discounts(score: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(Ls, 1) and (1, Lt), what is to be added to a (Ls, Lt) score: less for landmarks that more want than others."""
    import torch

    kernel = ((score - score.max()) / BLUR).exp()
    of_target = torch.ones_like(score[0])
    for _ in range(PRICE_ROUNDS):  # Sinkhorn's
        of_source = (len(score) * (kernel @ of_target)).clamp_(min=TINY) ** -BALANCE
        of_target = (score.shape[1] * (of_source @ kernel)).clamp_(min=TINY) ** -BALANCE
    prices = of_source.log()[:, None], of_target.log()[None]
    return BLUR * (prices[0] - prices[0].mean()), BLUR * (prices[1] - prices[1].mean())


def _stretch(source: torch.Tensor, target: torch.Tensor, match: torch.Tensor, drift: torch.Tensor) -> float:
    """How much longer ways are on the target, by the matches that come back: part of a body has a smaller √area.

    source: (Ls, Ls), target: (Lt, Lt) distances. match, drift: (Ls,).
    """
    sure = (drift < CYCLE).nonzero()[:, 0]
    here, there = source[sure][:, sure], target[match[sure]][:, match[sure]]
    far = (here > MEASURED[0]) & (here < MEASURED[1]) & (there > 0)
    return float((there[far] / here[far]).median()) if far.any() else 1.0


def _widen(allowed: NDArray[np.bool_], distances: Float32) -> NDArray[np.bool_]:
    """What lies next to an allowed landmark is allowed. allowed: (L, M). distances: (M, M)."""
    near = distances <= MARGIN / np.sqrt(len(distances))
    return (allowed.astype(np.float32) @ near.astype(np.float32)) > 0
