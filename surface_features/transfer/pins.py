# SPDX-License-Identifier: GPL-3.0-or-later
"""Matches corrected around points the artist has pinned, in a fraction of a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..features import Features
from ..geometry.closest import closest_points
from ..geometry.edge_ways import way_from
from ..mesh import Float32, TriangleMesh
from ..preflight import Preflight, preflight

Float64 = NDArray[np.float64]

REACH = 0.15  # of the extent: how far around a pin matches are sought anew
WIDER = 1.6  # how much further the source is searched
PLACE = 3.0  # how much lying elsewhere about the pin counts beside the features' cosine


@dataclass(frozen=True, eq=False)
class Pins:
    """Pairs of points that belong together. source, target: (N, 3) float32 in the meshes' own frames."""

    source: Float32
    target: Float32


def match_around_pins(
    source: TriangleMesh,
    source_features: Features,
    target: TriangleMesh,
    target_features: Features,
    onto_source: Correspondence,
    pins: Pins,
) -> Correspondence:
    """`onto_source` with the target's vertices around each pin matched anew around the pin's point of the source.

    A vertex as far from the pin along the target's surface as a source vertex is along its own is likely the same; of
    those the features choose. Away from the pins, and beyond `REACH`, nothing changes.
    """
    here, there = preflight(target), preflight(source)
    here_unit = float(np.ptp(here.proxy.vertices, axis=0).max())
    there_unit = float(np.ptp(there.proxy.vertices, axis=0).max())
    face, bary = onto_source.face.copy(), onto_source.bary.copy()
    confidence = onto_source.confidence.copy()
    on_target = [_ways(here, point, REACH * here_unit) / here_unit for point in pins.target]
    on_source = [_ways(there, point, WIDER * REACH * there_unit) / there_unit for point in pins.source]
    nearest = np.min(on_target, axis=0)
    old_points = there.proxy.vertices[there.proxy_vertex[source.faces[face[here.artist_vertex], 0]]]
    for own, goal, here_pin, there_pin in zip(on_target, on_source, pins.target, pins.source, strict=True):
        rows = np.flatnonzero(np.isfinite(own) & (own <= nearest))
        choice = np.flatnonzero(np.isfinite(goal))
        if len(rows) == 0 or len(choice) == 0:
            continue
        alike = target_features.values[here.artist_vertex[rows]] @ source_features.values[there.artist_vertex[choice]].T
        off = (own[rows, None] - goal[choice]) / REACH
        cost = 1 - alike + PLACE * off**2
        # The old matches know the directions. They move as the pin moves its own, less the further out.
        moved = there.proxy.vertices[_nearest_vertex(there, there_pin)] - old_points[_nearest_vertex(here, here_pin)]
        fade = np.clip(own[rows] / REACH, 0, 1)[:, None] ** 2
        wanted = old_points[rows] + moved * (1 - fade)
        drift = np.linalg.norm(there.proxy.vertices[choice][None] - wanted[:, None], axis=2) / (REACH * there_unit)
        cost = cost + PLACE * np.minimum(drift, 1.0)
        best = choice[cost.argmin(axis=1)]
        chosen = here.artist_vertex[rows]
        face[chosen], bary[chosen] = _corner_of(source, there.artist_vertex[best])
        confidence[chosen] = np.maximum(confidence[chosen], 1 - 0.4 * fade[:, 0])
    for point, goal_point in zip(pins.target, pins.source, strict=True):
        at = here.artist_vertex[_nearest_vertex(here, point)]
        found, where, _ = closest_points(source, goal_point[None])
        face[at], bary[at], confidence[at] = found[0], where[0], 1.0
    # Vertices on one place have one match.
    twin = here.artist_vertex[here.proxy_vertex]
    touched = np.isfinite(nearest)[here.proxy_vertex]
    return Correspondence(
        np.where(touched, face[twin], face).astype(np.int32),
        np.where(touched[:, None], bary[twin], bary).astype(np.float32),
        np.where(touched, confidence[twin], confidence).astype(np.float32),
    )


def _ways(checked: Preflight, point: Float32, limit: float) -> Float64:
    """(P,) ways along the proxy's edges from the vertex nearest to a point of the artist's mesh."""
    return way_from(checked.proxy, np.array([_nearest_vertex(checked, point)]), limit)


def _nearest_vertex(checked: Preflight, point: Float32) -> int:
    place = (np.asarray(point, np.float32) - checked.centre) * np.float32(checked.scale)
    return int(((checked.proxy.vertices - place) ** 2).sum(axis=1).argmin())


def _corner_of(mesh: TriangleMesh, vertex: NDArray[np.int64]) -> tuple[NDArray[np.int32], Float32]:
    """A face of each vertex, and the corner it is there."""
    order = np.argsort(mesh.faces.reshape(-1), kind="stable")
    first = order[np.searchsorted(mesh.faces.reshape(-1)[order], vertex)]
    bary = np.zeros((len(vertex), 3), np.float32)
    bary[np.arange(len(vertex)), first % 3] = 1
    return (first // 3).astype(np.int32), bary
