# SPDX-License-Identifier: GPL-3.0-or-later
"""A correspondence of vertices as a map of surfaces: every point of a target's face has its point of the source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..geometry.vectors import unit_rows
from ..mesh import Float32, Int32, TriangleMesh
from ..preflight import preflight
from ..views.render import Raycaster

Bool = NDArray[np.bool_]

# Lengths are in units of the source's largest extent.
REACH = 0.04  # how far the surface may bulge between matched points
NEAR = 0.01  # a hit this near is taken without a look in the other direction
LIFT = 1e-5  # how far a ray starts off the surface it looks for
TORN = 0.02  # corners of one face matched further apart than this …
STRETCH = 4.0  # … and than this times the face's own size: they lie on different parts


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points of the source: (N,) int32 face, (N, 3) float32 bary, (N,) float32 confidence 0…1."""

    face: Int32
    bary: Float32
    confidence: Float32


class SurfaceMap:
    """Continues a correspondence over the target's faces.

    Between the corners of a face the matched points are interpolated in space and brought back to the source's surface
    by a ray along the interpolated normal: neighbouring points stay neighbours, whatever the two topologies are. The
    corners of a torn face lie on different parts of the source: there each point takes the match of its nearest corner,
    with a confidence of 0.

    onto_source: for every target vertex a point of the source.
    """

    def __init__(self, source: TriangleMesh, target: TriangleMesh, onto_source: Correspondence) -> None:
        self._checked = preflight(source)
        self._target = target
        self._match = onto_source
        proxy, corner = self._checked.proxy, self._checked.proxy_vertex[source.faces[onto_source.face]]
        self._points = np.einsum("vc,vcd->vd", onto_source.bary, proxy.vertices[corner])
        self._normals = np.einsum("vc,vcd->vd", onto_source.bary, proxy.vertex_normals[corner])
        self._raycaster = Raycaster(proxy)
        # Corners of a proxy face in the order of the artist's face, which differs where winding was mended.
        own = self._checked.proxy_vertex[source.faces[self._checked.proxy_face]]
        self._turned = own[:, 1] != proxy.faces[:, 1]

    @property
    def matched_corners(self) -> Float32:
        """(F, 3, 3) where the corners of every target face are matched, in the source's frame but at unit size."""
        return self._points[self._target.faces]

    @cached_property
    def torn(self) -> Bool:
        """(F,) which target faces have their corners on different parts of the source."""
        there = self._points[self._target.faces]
        here = self._target.corners * np.float32(self._scale)
        longest = _longest_side(there)
        return longest > TORN + STRETCH * _longest_side(np.nan_to_num(here))

    @cached_property
    def _scale(self) -> float:
        """Length on the source's proxy per length on the target, by their areas."""
        area = float(np.nan_to_num(self._target.face_areas).sum(dtype=np.float64))
        return float(np.sqrt(self._checked.proxy.face_areas.sum(dtype=np.float64) / max(area, 1e-30)))

    def at(self, face: Int32, bary: Float32) -> SurfacePoints:
        """The source's points for points of the target: (N,) face, (N, 3) bary."""
        corner = self._target.faces[face]
        strongest = corner[np.arange(len(face)), bary.argmax(axis=1)]
        torn = self.torn[face]
        points = _blend(self._points, corner, bary)
        normals = _blend(self._normals, corner, bary)
        points[torn], normals[torn] = self._points[strongest[torn]], self._normals[strongest[torn]]
        found, found_bary, distance = self._nearest_along(points, unit_rows(normals))
        confidence = _blend(self._match.confidence[:, None], corner, bary)[:, 0]
        confidence *= np.exp(-((np.minimum(distance, REACH) / REACH) ** 2))
        confidence[torn] = 0
        missed = np.flatnonzero(found < 0)
        found[missed] = self._match.face[strongest[missed]]
        found_bary[missed] = self._match.bary[strongest[missed]]
        return SurfacePoints(found, found_bary, confidence)

    def _nearest_along(self, points: Float32, normals: Float32) -> tuple[Int32, Float32, Float32]:
        """Artist's face (−1: none within reach), bary and distance of the surface up or down the normal."""
        face, bary, distance = self._hit(points, normals)
        again = np.flatnonzero(distance > NEAR)
        other_face, other_bary, other_distance = self._hit(points[again], -normals[again], inwards=True)
        nearer = other_distance < distance[again]
        chosen = again[nearer]
        face[chosen], bary[chosen], distance[chosen] = other_face[nearer], other_bary[nearer], other_distance[nearer]
        lost = distance > REACH
        turned = self._turned[np.where(lost, 0, face)]
        bary[turned] = bary[turned][:, [0, 2, 1]]
        artist = np.where(lost, -1, self._checked.proxy_face[np.where(lost, 0, face)])
        return artist.astype(np.int32), bary, distance

    def _hit(self, points: Float32, directions: Float32, *, inwards: bool = False) -> tuple[Int32, Float32, Float32]:
        """Proxy face, bary and distance of the first surface that faces as the normal does; infinite where none is."""
        if len(points) == 0:
            return np.zeros(0, np.int32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
        face, bary, distance = self._raycaster.hits(
            np.ascontiguousarray(points - directions * np.float32(LIFT), np.float32),
            np.ascontiguousarray(directions, np.float32),
        )
        proxy = self._checked.proxy
        facing = np.einsum("nd,nd->n", proxy.face_normals[face], directions)
        good = (face >= 0) & ((facing < 0) if inwards else (facing > 0))
        distance = np.where(good, np.abs(distance - LIFT), np.inf).astype(np.float32)
        return np.where(good, face, -1).astype(np.int32), bary.astype(np.float32), distance


def _blend(values: Float32, corner: Int32, bary: Float32) -> Float32:
    """(N, K) values of vertices interpolated in faces; one corner at a time, which is the fastest in numpy."""
    result = values[corner[:, 0]] * bary[:, :1]
    for index in (1, 2):
        result += values[corner[:, index]] * bary[:, index : index + 1]
    return result.astype(np.float32, copy=False)


def _longest_side(corners: Float32) -> Float32:
    return np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1)
