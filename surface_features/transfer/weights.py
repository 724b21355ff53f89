# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights along a correspondence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..errors import BadInputError
from ..geometry.edge_ways import way_from
from ..geometry.laplacian import inpaint
from ..mesh import Float32, TriangleMesh
from ..preflight import Preflight, preflight
from ..settings import WeightSettings
from .bone_sides import bone_sides
from .limits import MIN_CARRIED, limit_weights
from .loose_parts import bind_loose_parts, carry_between_layers, find_loose_parts, stiffen_sure_parts
from .side_guard import settle_sides, swap_sides
from .symmetry import symmetrise

Int64 = NDArray[np.int64]

TOO_FAR = 0.15  # of the extent: further from every sure match an unsure one is better than none


@dataclass(frozen=True, eq=False)
class TransferredSkin:
    """What a transfer gives, for the target's own vertices.

    weights: (V, J) float32, rows sum to 1. confidence: (V,) float32 0…1 of the matches. side: (V,) int8 1 on a left
    limb, −1 on a right one, 0 elsewhere. side_moved: (V,) bool matched to the wrong side and put right. loose: (V,)
    bool on a rigid part.
    """

    weights: Float32
    confidence: Float32
    side: NDArray[np.int8]
    side_moved: NDArray[np.bool_]
    loose: NDArray[np.bool_]


def transfer_weights(
    source: TriangleMesh,
    source_weights: Float32,
    target: TriangleMesh,
    onto_source: Correspondence,
    settings: WeightSettings | None = None,
) -> Float32:
    """The target's skin weights, (Vt, J) float32: non-negative rows that sum to 1; see `transfer_skin`."""
    return transfer_skin(source, source_weights, target, onto_source, settings).weights


def transfer_skin(
    source: TriangleMesh,
    source_weights: Float32,
    target: TriangleMesh,
    onto_source: Correspondence,
    settings: WeightSettings | None = None,
    names: Sequence[str] = (),
) -> TransferredSkin:
    """The target's skin weights along a correspondence.

    source_weights: (Vs, J), any sum per row; negative ones count as 0. onto_source: for every target vertex a point of
    the source. names: the J bones' names, for the side guard. What matches below `settings.min_confidence`, and points
    that carry no weight, are inpainted over the target's surface from the others (when no match is that sure, from all
    that carry weight), the more by their own matches the surer these are; see `geometry.laplacian.inpaint`. Target
    vertices on one place get the same weights.
    Raises `BadInputError` with fault "no_weights", "non_finite_weights", "bad_correspondence" or one of `preflight`.
    """
    settings = settings or WeightSettings()
    weights = per_vertex_shares(source, source_weights)
    _check(source, target, onto_source)
    match = _surest_duplicate(preflight(target), onto_source.confidence)
    corners = source.faces[onto_source.face[match]]
    bary = np.clip(onto_source.bary[match], 0, 1).astype(np.float32)
    matched = np.einsum("vc,vcj->vj", bary, weights[corners], optimize=True)
    if not (matched.sum(axis=1) > MIN_CARRIED).any():
        raise BadInputError(
            f"{source.name}: no part of it that {target.name} matches has any weight. Assign its vertex groups and run "
            "again.",
            fault="no_weights",
        )
    return finish_weights(target, matched, onto_source.confidence, settings, names)


def finish_weights(
    target: TriangleMesh, matched: Float32, confidence: Float32, settings: WeightSettings, names: Sequence[str] = ()
) -> TransferredSkin:
    """What is done with guessed weights before they are given to a mesh.

    matched: (P, J) of the target's proxy, at least one row above 0. confidence: (V,) of the target's own vertices.
    """
    checked = preflight(target)
    proxy = checked.proxy
    trust = confidence[_surest_duplicate(checked, confidence)]
    sides = bone_sides(names)
    carried = matched.sum(axis=1)
    has_weight = carried > MIN_CARRIED
    matched = np.divide(matched, carried[:, None], out=np.zeros_like(matched), where=has_weight[:, None])
    if settings.swap_sides:
        matched = swap_sides(matched, sides)
    moved = np.zeros(len(matched), bool)
    if settings.side_guard:
        settled = settle_sides(proxy, matched, np.where(has_weight, trust, 0), sides)
        matched, moved = settled.weights, settled.moved
    sure = has_weight & (trust >= settings.min_confidence)
    known = sure if sure.any() else has_weight
    pull = np.where(has_weight, (trust / max(settings.min_confidence, 1e-6)) ** 2, 0).clip(0, 1)
    loose = find_loose_parts(proxy, matched, trust) if settings.loose_parts else []
    matched, settled_parts, seated = stiffen_sure_parts(matched, np.where(has_weight, trust, 0), loose)
    filled = _fill(proxy, matched, known | settled_parts, pull, seated)
    side = np.zeros(len(matched), np.int8)
    if settings.side_guard:
        # Once more: what was filled in took its side from its surroundings.
        settled = settle_sides(proxy, filled, np.ones(len(filled), np.float32), sides)
        filled, side = settled.weights, settled.side
    if settings.symmetrise:
        filled = symmetrise(proxy, filled, sides)
    limited = limit_weights(filled, settings)
    rigid = np.zeros(len(matched), bool)
    for rows in loose:
        rigid[rows] = True
    own = checked.proxy_vertex
    return TransferredSkin(limited[own], confidence, side[own], moved[own], rigid[own])


def _fill(
    proxy: TriangleMesh, matched: Float32, known: NDArray[np.bool_], pull: Float32, loose: list[Int64]
) -> Float32:
    """(P, J) weights of every vertex: layers from each other, the rest inpainted, loose parts from what they sit on."""
    seated = np.zeros(len(matched), bool)
    for rows in loose:
        seated[rows] = True
    if (known & ~seated).any():
        known, pull = known & ~seated, np.where(seated, 0, pull)
    layered, known = carry_between_layers(proxy, matched, known)
    extent = float(np.ptp(proxy.vertices, axis=0).max())
    remote = ~np.isfinite(way_from(proxy, np.flatnonzero(known), TOO_FAR * extent))
    used = layered.any(axis=0)
    filled = np.zeros_like(matched)
    filled[:, used] = inpaint(proxy, layered[:, used], known, np.where(remote, pull, 0))
    filled = np.clip(filled, 0, 1)
    return bind_loose_parts(proxy, filled, loose)


def per_vertex_shares(source: TriangleMesh, source_weights: Float32) -> Float32:
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
