# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not one surface with the rest: small pieces that must not bend, and layers that hide each other.

Both look at pieces of a proxy, the connected components of its welded surface.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.components import vertex_components
from ..geometry.edge_ways import way_from
from ..mesh import Float32, TriangleMesh

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]

SMALL_EXTENT = 0.08  # of the mesh's: a button, an eye, a tooth, a buckle
SMALL_AREA = 0.02  # of the mesh's
STIFF_EXTENT = 0.16  # an armour plate, a pouch; stiff only where its vertices follow one bone anyhow
STIFF_SHARE = 0.65
BENT_SHARE = 0.5  # a small piece that bends by its own sure matches is a finger, not a button
SURE = 0.5  # mean confidence of matches that are taken for what a piece itself is, wherever it sits
CONTACT = 0.25  # of a piece's vertices: those nearest to what it sits on
LAYER = 0.04  # of the extent: how far apart two layers of clothes may be
DETOUR = 3.0  # the way along the surface to a sure match, in distances to the next layer
SAME_WAY = 0.3  # least cosine between the normals of two layers


def find_loose_parts(mesh: TriangleMesh, weights: Float32, confidence: Float32) -> list[Int64]:
    """Vertices of every piece that is to stay rigid, the smallest first; never the largest piece.

    Small pieces are, unless sure matches spread over several bones; larger ones where one bone moves them.
    """
    piece = vertex_components(mesh.faces, len(mesh.vertices))
    order = np.argsort(piece, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(piece[order])) + 1)
    if len(groups) == 1:
        return []
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    area = np.bincount(piece[mesh.faces[:, 0]], mesh.face_areas, len(groups)).astype(np.float64)
    area /= max(float(area.sum()), 1e-30)
    found = []
    for number, rows in enumerate(groups):
        if number == int(area.argmax()):
            continue
        size = float(np.linalg.norm(np.ptp(mesh.vertices[rows], axis=0))) / extent
        trusted = np.maximum(confidence[rows], 1e-3)
        share = float(((trusted @ weights[rows]) / trusted.sum()).max())
        bends = share < BENT_SHARE and float(confidence[rows].mean()) > SURE
        small = size < SMALL_EXTENT and area[number] < SMALL_AREA and not bends
        if small or (size < STIFF_EXTENT and share > STIFF_SHARE):
            found.append((size, rows))
    return [rows for _, rows in sorted(found, key=lambda item: item[0])]


def stiffen_sure_parts(weights: Float32, confidence: Float32, parts: list[Int64]) -> tuple[Float32, Bool, list[Int64]]:
    """A loose finger follows its own bone, not the hand it sits on: surely matched parts take the mean of their rows.

    Returns the weights (V, J), (V,) bool which rows were settled so, and the parts that remain to be bound.
    """
    result, settled, others = weights.copy(), np.zeros(len(weights), bool), []
    for rows in parts:
        if float(confidence[rows].mean()) > SURE:
            result[rows] = np.average(weights[rows], axis=0, weights=confidence[rows])
            settled[rows] = True
        else:
            others.append(rows)
    return result, settled, others


def bind_loose_parts(mesh: TriangleMesh, weights: Float32, parts: list[Int64]) -> Float32:
    """(V, J) weights with one row for each loose part: those of the surface it sits on, where it touches it."""
    from scipy.spatial import cKDTree

    result = weights.copy()
    loose = np.zeros(len(weights), bool)
    for rows in parts:
        loose[rows] = True
    held = np.flatnonzero(~loose)
    if len(held) == 0:
        return result
    tree = cKDTree(mesh.vertices[held])
    for rows in parts:
        away, seat = tree.query(mesh.vertices[rows])
        touching = away <= 1.1 * np.quantile(away, CONTACT)  # what is level with it touches too
        result[rows] = weights[held[seat[touching]]].mean(axis=0)
    return result


def carry_between_layers(mesh: TriangleMesh, weights: Float32, known: Bool) -> tuple[Float32, Bool]:
    """Weights and `known` with what lies right under or over a sure match taken from it.

    A leg inside a boot is seen by no camera; the surface leads from it to the thigh, but the boot is next to it. Only
    where the way along its own surface is `DETOUR` times longer, or there is none.
    """
    from scipy.spatial import cKDTree

    unknown = np.flatnonzero(~known)
    if len(unknown) == 0 or not known.any():
        return weights, known
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    sure = np.flatnonzero(known)
    away, near = cKDTree(mesh.vertices[sure]).query(mesh.vertices[unknown], 8, distance_upper_bound=LAYER * extent)
    normals = mesh.vertex_normals
    padded = np.append(sure, 0)[np.minimum(near, len(sure))]
    alike = np.einsum("nki,ni->nk", normals[padded], normals[unknown])
    away = np.where((near < len(sure)) & (alike > SAME_WAY), away, np.inf)
    best = away.argmin(axis=1)
    gap, layer = away[np.arange(len(best)), best], padded[np.arange(len(best)), best]
    way = way_from(mesh, sure, DETOUR * LAYER * extent)[unknown]
    taken = np.isfinite(gap) & (way > DETOUR * gap)
    result, now_known = weights.copy(), known.copy()
    result[unknown[taken]] = weights[layer[taken]]
    now_known[unknown[taken]] = True
    return result, now_known
