# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of two surfaces may match: those that lie from their surroundings as their surroundings' matches do.

A hand whose features are nearer to the other hand still hangs on its own elbow. Landmarks vote for each other: a match
is good where distances along the source to the landmarks nearby are the distances along the target to their matches.
And what many landmarks want is dear, so that of two legs that look like one the less alike takes the leg that is left
over: entropic optimal transport between landmarks, unbalanced, since one surface may have what the other lacks
(Séjourné, Peyré, Vialard, Unbalanced Optimal Transport, 2023). Between a part and a whole, a bust and a body, what is
left over has no counterpart: there only what more want than there is room for is dear, which is partial transport
(Benamou et al., Iterative Bregman Projections for Regularized Transportation Problems, 2015).
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
WHOLE = (0.5, 0.8)  # of a surface's landmarks: fewer that are matched both ways are a part's, more are a whole's
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
    score, longer = alike, 1.0
    for reach in REACHES:
        to_source, to_target = _discounts(score, source_distances, target_distances, longer)
        match = (score + to_target).argmax(dim=1)
        back = (score + to_source).argmax(dim=0)[match]
        drift = source_distances[torch.arange(len(back)), back]
        stretch = _stretch(source_distances, target_distances, match, drift)
        target_distances, longer = target_distances / stretch, longer * stretch
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
    to_source, to_target = _discounts(score, source_distances, target_distances, longer)
    forward, backward = score + to_target, score + to_source
    forward = forward >= forward.max(dim=1, keepdim=True).values - SLACK
    backward = backward >= backward.max(dim=0, keepdim=True).values - SLACK
    return _widen(forward.numpy(), target.distances), _widen(backward.T.numpy(), source.distances)


def _discounts(
    score: torch.Tensor, source_distances: torch.Tensor, target_distances: torch.Tensor, longer: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Ls, 1) and (1, Lt), what is to be added to a (Ls, Lt) score: less for landmarks that more want than others.

    longer: how much longer ways are on the target, see `_stretch`; a bust's neighbours all want a few of a body's.
    """
    forward, backward = score.argmax(dim=1), score.argmax(dim=0)
    whole_source = _wholeness(source_distances, backward[forward])
    whole_target = _wholeness(target_distances, forward[backward])
    kernel = ((score - score.max()) / BLUR).exp()
    of_source, of_target = _balanced(kernel)
    ratio = len(score) / score.shape[1]
    scarce_source = _scarce(kernel.T, room=max(1.0, longer**2) / ratio)
    scarce_target = _scarce(kernel, room=max(1.0, longer**-2) * ratio)
    to_source = whole_source * of_source + (1 - whole_source) * scarce_source
    to_target = whole_target * of_target + (1 - whole_target) * scarce_target
    return BLUR * to_source[:, None], BLUR * to_target[None]


def _wholeness(distances: torch.Tensor, back: torch.Tensor) -> float:
    """0 where hardly a landmark comes back from its match, as most of a body's from a bust, 1 where most of them do.

    distances: (L, L). back: (L,) the landmark that each one's match is matched with.
    """
    import torch

    low, high = WHOLE
    returns = float((distances[torch.arange(len(back)), back] < CYCLE).float().mean())
    return min(max((returns - low) / (high - low), 0.0), 1.0)


def _balanced(kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(Ls,) and (Lt,) log scalings, of mean 0, by which all landmarks are matched about equally often."""
    import torch

    of_target = torch.ones_like(kernel[0])
    for _ in range(PRICE_ROUNDS):  # Sinkhorn's
        of_source = (len(kernel) * (kernel @ of_target)).clamp_(min=TINY) ** -BALANCE
        of_target = (kernel.shape[1] * (of_source @ kernel)).clamp_(min=TINY) ** -BALANCE
    logs = of_source.log(), of_target.log()
    return logs[0] - logs[0].mean(), logs[1] - logs[1].mean()


def _scarce(kernel: torch.Tensor, room: float) -> torch.Tensor:
    """(M,) log scaling, of mean 0, by which columns that more than `room` of the (L, M) kernel's rows want are dear."""
    import torch

    of_column = torch.ones_like(kernel[0])
    for _ in range(PRICE_ROUNDS):
        of_row = (kernel @ of_column).clamp_(min=TINY).reciprocal()
        of_column = (room / (of_row @ kernel).clamp_(min=TINY)).clamp_(max=1) ** BALANCE
    log = of_column.log()
    return log - log.mean()


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
