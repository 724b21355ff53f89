# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights along a correspondence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..errors import BadInputError
from ..geometry.laplacian import inpaint
from ..mesh import Float32, TriangleMesh
from ..preflight import Preflight, preflight
from ..settings import WeightSettings

Int64 = NDArray[np.int64]

MIN_CARRIED = 1e-6  # a matched point whose corners carry less weight than this says nothing


def transfer_weights(
    source: TriangleMesh,
    source_weights: Float32,
    target: TriangleMesh,
    onto_source: Correspondence,
    settings: WeightSettings | None = None,
) -> Float32:
    """The target's skin weights, (Vt, J) float32: non-negative rows that sum to 1.

    source_weights: (Vs, J), any sum per row; negative ones count as 0. onto_source: for every target vertex a point of
    the source. Matches below `settings.min_confidence`, and points that carry no weight, are inpainted over the
    target's surface from the others (when no match is that sure, from all that carry weight); see
    `geometry.laplacian.inpaint`. Target vertices on one place get the same weights.
    Raises `BadInputError` with fault "no_weights", "non_finite_weights", "bad_correspondence" or one of `preflight`.
    """
    settings = settings or WeightSettings()
    weights = _per_vertex_shares(source, source_weights)
    _check(source, target, onto_source)
    checked = preflight(target)
    match = _surest_duplicate(checked, onto_source.confidence)

    corners = source.faces[onto_source.face[match]]
    bary = np.clip(onto_source.bary[match], 0, 1).astype(np.float32)
    matched = np.einsum("vc,vcj->vj", bary, weights[corners], optimize=True)
    carried = matched.sum(axis=1)
    has_weight = carried > MIN_CARRIED
    if not has_weight.any():
        raise BadInputError(
            f"{source.name}: no part of it that {target.name} matches has any weight. Assign its vertex groups and run "
            "again.",
            fault="no_weights",
        )
    matched[has_weight] /= carried[has_weight, None]
    sure = has_weight & (onto_source.confidence[match] >= settings.min_confidence)
    known = sure if sure.any() else has_weight

    used = matched[known].any(axis=0)
    filled = np.zeros_like(matched)
    filled[:, used] = inpaint(checked.proxy, matched[:, used], known)
    return _limit(filled, settings)[checked.proxy_vertex]


def _per_vertex_shares(source: TriangleMesh, source_weights: Float32) -> Float32:
    """(Vs, J) rows that sum to 1, or to 0 where a vertex has no weight."""
    weights = np.asarray(source_weights, np.float32)
    if weights.ndim != 2 or len(weights) != len(source.vertices):
        raise BadInputError(
            f"{source.name}: {len(source.vertices):,} vertices, but weights of shape {weights.shape}.",
            fault="bad_correspondence",
        )
    if not np.isfinite(weights).all():
        count = int(np.count_nonzero(~np.isfinite(weights).all(axis=1)))
        raise BadInputError(
            f"{source.name}: {count:,} of its vertices have weights that are not numbers. Assign or normalise them "
            "(Weights ▸ Normalize All) and run again.",
            fault="non_finite_weights",
        )
    weights = np.maximum(weights, 0)
    total = weights.sum(axis=1, keepdims=True)
    if not (total > MIN_CARRIED).any():
        raise BadInputError(
            f"{source.name}: it has no skin weights to transfer. Assign its vertex groups to bones and run again.",
            fault="no_weights",
        )
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > MIN_CARRIED)


def _check(source: TriangleMesh, target: TriangleMesh, onto_source: Correspondence) -> None:
    face = onto_source.face
    fits = len(face) == len(onto_source.bary) == len(onto_source.confidence) == len(target.vertices)
    if not fits or (len(face) and (face.min() < 0 or face.max() >= len(source.faces))):
        raise BadInputError(
            f"{target.name}: its correspondence does not belong to {source.name}. Match them again.",
            fault="bad_correspondence",
        )


def _surest_duplicate(checked: Preflight, confidence: Float32) -> Int64:
    """(P,) for every proxy vertex the artist's vertex whose match is trusted: of duplicates the most confident."""
    order = np.lexsort((-confidence, checked.proxy_vertex))
    first = np.unique(checked.proxy_vertex[order], return_index=True)[1]
    return order[first]


def _limit(weights: Float32, settings: WeightSettings) -> Float32:
    """Clip, keep the strongest influences, prune and normalise; the strongest one of a vertex always stays."""
    weights = np.clip(weights, 0, 1)
    strongest = weights.argmax(axis=1)
    rows = np.arange(len(weights))
    if 0 < settings.max_influences < weights.shape[1]:
        dropped = np.argpartition(weights, -settings.max_influences, axis=1)[:, : -settings.max_influences]
        np.put_along_axis(weights, dropped, 0, axis=1)
    total = weights.sum(axis=1, keepdims=True)
    empty = total[:, 0] <= MIN_CARRIED
    weights[rows[empty], strongest[empty]] = 1
    weights /= np.where(empty[:, None], 1, total)
    pruned = weights < settings.prune_below
    pruned[rows, strongest] = False
    weights[pruned] = 0
    return weights / weights.sum(axis=1, keepdims=True)
