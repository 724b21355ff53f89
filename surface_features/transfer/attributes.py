# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of vertices, faces and face corners along a correspondence. For edges see `edge_paths`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..geometry.closest import closest_points
from ..geometry.vectors import unit_rows
from ..mesh import Float32, TriangleMesh
from ..surface_points import SurfacePoints, carry_points
from .layout import Layout, inset_samples

Int64 = NDArray[np.int64]

MOST_CHARTS = 400  # an attribute broken into more pieces than this is read point by point
SAME = 1e-5  # values of two corners that differ less are continuous, in units of the attribute's range

BLEND, VOTE, UNIT = "blend", "vote", "unit"  # mixed; the most frequent one; mixed and brought back to length 1


class AttributeTransfer:
    """One source, one target and their correspondence; then attribute after attribute.

    onto_source: per target vertex a point of the source. Values are (N, C) arrays of the artist's elements.
    """

    def __init__(self, source: Layout, target: Layout, onto_source: Correspondence) -> None:
        self.source, self.target, self.onto_source = source, target, onto_source

    def carry(self, values: NDArray, domain: str, kind: str) -> NDArray:
        """Values (Ns, C) of the source's domain POINT, FACE or CORNER as values (Nt, C) of the target's.

        kind: "blend" for what can be mixed, "vote" for numbers that are names (and truth values), "unit" for rotations.
        Corner values keep their breaks: where the source's values jump across an edge (UV islands, hard colours), each
        target face takes its values from one side of it.
        """
        if domain == "POINT":
            vertices = self.target.vertex_count
            points = self.onto_source
            corners = self.source.vertex[self.source.mesh.faces[points.face[:vertices]]]
            return _mix(values[corners], points.bary[:vertices], kind)
        if domain == "FACE":
            return self._faces(values, kind)
        if kind == VOTE:
            return self._corners_one_by_one(values, kind)
        return self._corners(values, kind)

    @cached_property
    def _samples(self) -> SurfacePoints:
        """Four points of each of the target's own triangles, on the source."""
        face, bary = inset_samples(np.arange(self.target.own_triangles))
        return carry_points(self.target.mesh, face.astype(np.int32), bary, self.source.mesh, self.onto_source)

    def _faces(self, values: NDArray, kind: str) -> NDArray:
        own = self.target.own_triangles
        polygon = np.repeat(self.target.polygon[:own], 4)
        say = np.repeat(self.target.mesh.face_areas[:own].astype(np.float64) + 1e-12, 4)
        sampled = values[self.source.polygon[self._samples.face]]
        if kind == VOTE:
            return _vote(sampled, polygon, say, self.target.polygon_count)
        total = np.stack(
            [np.bincount(polygon, say * column, self.target.polygon_count) for column in sampled.T], axis=1
        )
        return _as_kind(total / np.bincount(polygon, say, self.target.polygon_count)[:, None], kind, values.dtype)

    def _corners_one_by_one(self, values: NDArray, kind: str) -> NDArray:
        """Each corner by the point near it inside its own triangle."""
        own = self.target.own_triangles
        near = np.arange(4 * own).reshape(own, 4)[:, 1:].ravel()
        points = self._samples
        mixed = _mix(values[self.source.corner[points.face[near]]], points.bary[near], kind)
        result = np.zeros((len(self.target.corner_vertex), values.shape[1]), values.dtype)
        result[self.target.corner[:own].ravel()] = mixed
        return result

    def _corners(self, values: NDArray, kind: str) -> NDArray:
        chart = continuous_charts(self.source, values)
        own = self.target.own_triangles
        polygon = np.repeat(self.target.polygon[:own], 4)
        chosen = _vote(chart[self._samples.face][:, None], polygon, np.ones(len(polygon)), self.target.polygon_count)[
            :, 0
        ]
        used = np.unique(chosen[np.unique(self.target.polygon[:own])])
        if len(used) > MOST_CHARTS:
            return self._corners_one_by_one(values, kind)
        corner = self.target.corner[:own].ravel()
        corner_chart = np.repeat(chosen[self.target.polygon[:own]], 3)
        place = self.onto_source.points(self.source.mesh)[self.target.mesh.faces[:own].ravel()]
        result = np.zeros((len(self.target.corner_vertex), values.shape[1]), values.dtype)
        for one in used:
            rows = np.flatnonzero(corner_chart == one)
            faces = np.flatnonzero(chart == one)
            piece = TriangleMesh(self.source.mesh.vertices, self.source.mesh.faces[faces])
            face, bary, _ = closest_points(piece, place[rows])
            result[corner[rows]] = _mix(values[self.source.corner[faces[face]]], bary, kind)
        return result


def continuous_charts(layout: Layout, values: NDArray) -> Int64:
    """(F,) which piece of the surface each triangle is on; pieces end where corner values (L, C) jump."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, second = layout.twins
    tolerance = SAME * max(float(np.ptp(values.astype(np.float64))), 1e-12)
    corner = layout.corner.ravel()
    following = np.roll(layout.corner, -1, axis=1).ravel()
    vertex = layout.vertex[layout.mesh.faces].ravel()
    turned = vertex[first] != vertex[second]  # the usual case: the neighbour walks the edge the other way
    start = np.where(turned, following[second], corner[second])
    end = np.where(turned, corner[second], following[second])
    joined = (np.abs(values[corner[first]] - values[start]) <= tolerance).all(axis=1)
    joined &= (np.abs(values[following[first]] - values[end]) <= tolerance).all(axis=1)
    count = len(layout.mesh.faces)
    graph = coo_matrix((np.ones(int(joined.sum())), (first[joined] // 3, second[joined] // 3)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _mix(corners: NDArray, bary: Float32, kind: str) -> NDArray:
    """One value (N, C) of the values at a triangle's corners (N, 3, C)."""
    if kind == VOTE:
        alike = (corners[:, :, None] == corners[:, None, :]).all(axis=3)
        best = np.einsum("nij,nj->ni", alike, bary).argmax(axis=1)
        return corners[np.arange(len(corners)), best]
    if kind == UNIT:  # a rotation and its negative are the same one
        corners = corners * np.where(np.einsum("nic,nc->ni", corners, corners[:, 0]) < 0, -1, 1)[:, :, None]
    return _as_kind(np.einsum("nc,ncd->nd", bary, corners), kind, corners.dtype)


def _as_kind(values: NDArray, kind: str, dtype: np.dtype) -> NDArray:
    if kind == UNIT:
        values = unit_rows(values)
    return values.astype(dtype)


def _vote(values: NDArray, group: NDArray, say: NDArray, groups: int) -> NDArray:
    """(G, C) the value (N, C) with the most say in each group; zeros where a group has none."""
    names, name = np.unique(values, axis=0, return_inverse=True)
    name = name.reshape(-1)
    key, inverse = np.unique(group.astype(np.int64) * len(names) + name, return_inverse=True)
    total = np.bincount(inverse, say)
    order = np.lexsort((total, key // len(names)))
    last = np.flatnonzero(np.diff(key[order] // len(names), append=-1))
    winner = key[order][last]
    result = np.zeros((groups, values.shape[1]), values.dtype)
    result[winner // len(names)] = names[winner % len(names)]
    return result
