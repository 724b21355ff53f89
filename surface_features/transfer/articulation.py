# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged source bent into a target's shape and pose, so that what is near in space is the same part.

Features say which finger is a finger; where two shapes lie on each other, distance and direction say which one, to the
millimetre. Every bone gets an affine map, found by linear least squares from the matches, held together at the joints
and kept close to a similarity; then matches are sought again near the bent source, and so on (articulated ICP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..features import Features
from ..geometry.closest import closest_barycentrics, closest_points
from ..geometry.components import corners_around
from ..mesh import Float32, TriangleMesh
from ..parallel import each, parts
from ..preflight import Preflight, preflight
from ..progress import JobContext

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SAMPLES = 5000  # target vertices that the bones are fitted to
ROUNDS = 8
CANDIDATES = 12  # near points of the bent source that are judged by their features too
MOST_SEARCHED = 25_000  # of the source's vertices; the faces around the best of them are searched too
CHUNK = 4096  # points matched at once
MOST_SHARED = 1000  # of the vertices that two bones share: what holds the bones together
SPREAD = (0.06, 0.012)  # of the extent, first and last round: how far off a match may be and still count
JOINT = 0.2  # how strongly bones hold together where both move a vertex
SIMILARITY = 0.1  # how strongly a bone keeps its shape
FOLLOW = 0.01  # how strongly a bone turns as its neighbours do
NORMAL = 0.03  # of the extent: a right angle between normals is as bad as this distance
MEANING = 0.09  # of the extent: features as unlike as can be are as bad as this distance
REACH = 0.04  # of the extent: a bent source that is further away says nothing
FACING = 0.3  # least cosine between normals
LOST_LIKENESS = 0.02  # of the cosine: what the bent source leads to may be so much less alike than the first match
ANCHOR = 0.5  # how strongly the first matches hold on where the bent source is near already
AVERAGED = 0.5  # share of the first match in the last one,
AGREE = 0.04  # of the extent: where they lie so near to each other; and
WORTH = 1.25  # how much worse the source as it stands may lie on the target before bending it pays
EXACT = 0.003  # of the extent: less of it where the bent source lies closer than that on the target


@dataclass(frozen=True, eq=False)
class _Body:
    """What is moved: the source's vertices and faces. weights: (V, J). centres: (J, 3), radii: (J,) of the bones.

    proxy_faces, artist_vertex, proxy_vertex: as of `Preflight`, for normals that know of welds and of the outside.
    joint_terms: (4J, 4J), see `_joint_terms`.
    """

    points: Float64
    faces: NDArray[np.int32]
    proxy_faces: NDArray[np.int32]
    artist_vertex: NDArray[np.int32]
    proxy_vertex: NDArray[np.int32]
    weights: Float64
    centres: Float64
    radii: Float64
    joint_terms: Float64


def follow_bones(
    source: TriangleMesh,
    source_features: Features,
    source_weights: Float32,
    target: TriangleMesh,
    target_features: Features,
    onto_source: Correspondence,
    context: JobContext | None = None,
) -> Correspondence:
    """The correspondence, corrected where the bent source lies on the target. Arguments as of `transfer_weights`.

    Matches stay as they are where nothing of the bent source is near and faces the same way, and where what is there
    means something else by its features. A source that needs no bending, because the target already lies on it, is
    taken as it stands.
    """
    context = context or JobContext()
    # Everything in the frame of the target's proxy: unit size, finite, one normal for each place.
    checked = preflight(target)
    goal = checked.proxy.vertices[checked.proxy_vertex].astype(np.float64)
    normals = checked.proxy.vertex_normals[checked.proxy_vertex].astype(np.float64)
    body = _make_body(source, source_weights, checked)
    start = _Match(onto_source.face.astype(np.int64), onto_source.bary.astype(np.float64))
    trust = np.maximum(onto_source.confidence.astype(np.float64), 0.02)
    chosen = checked.artist_vertex[_sample(checked.proxy, SAMPLES)].astype(np.int64)
    fit = _Fit(body, source_features.values, goal[chosen], normals[chosen], target_features.values[chosen])
    maps = fit.solve(start.take(chosen), trust[chosen], None, SPREAD[0] * 2)
    for number in range(ROUNDS):
        context.report(number / ROUNDS, f"Bending {source.name} into {target.name}")
        share = number / (ROUNDS - 1)
        spread = SPREAD[0] ** (1 - share) * SPREAD[1] ** share
        match, gap, facing = fit.match(maps)
        near = np.exp(-((gap / spread) ** 2)) * (facing > FACING)
        # Where nothing is near yet, the features keep pulling; a little they always do, or bones slide along limbs.
        own = fit.gap_of(start.take(chosen), maps)
        far = np.exp(-((own / (4 * spread)) ** 2)) * trust[chosen] * ((1 - share) * 0.3 * (near < 0.3) + ANCHOR)
        maps = fit.solve_both(match, near, start.take(chosen), far, maps, spread)
    still, residual = _identity(body), fit.residual(maps)
    if fit.residual(still) <= residual * WORTH:
        maps, residual = still, 0.0
    whole = _Fit(body, source_features.values, goal, normals, target_features.values)
    match, gap, facing = whole.match(maps)
    context.report(1.0, f"Bent {source.name} into {target.name}")
    taken = (gap < REACH) & (facing > FACING)
    taken &= whole.likeness(match) > whole.likeness(start) - LOST_LIKENESS
    own = whole.gap_of(start, maps)
    likely = np.exp(-((gap / (REACH / 2)) ** 2)) * np.clip(facing, 0, 1)
    confidence = np.where(taken, np.maximum(onto_source.confidence, likely), onto_source.confidence)
    # A match far from where its bone brings it, with something else near, was wrong; with nothing near it is unsure.
    confidence = np.where(~taken & (own > 2 * REACH), confidence * 0.5, confidence)
    match = _average(source, match, start, AVERAGED * min(1.0, residual / EXACT), taken)
    return Correspondence(
        np.where(taken, match.face, start.face).astype(np.int32),
        np.where(taken[:, None], match.bary, start.bary).astype(np.float32),
        confidence.astype(np.float32),
    )


def _average(source: TriangleMesh, match: _Match, first: _Match, share: float, wanted: NDArray[np.bool_]) -> _Match:
    """Two guesses with errors of their own, features and nearness, are better together where they agree.

    share: 0…1, of `first`. wanted: (N,), where that is asked. Points of the source between both, brought back to its
    surface.
    """
    if share == 0:
        return match
    checked = preflight(source)  # finite, its extent is 1
    surface = TriangleMesh(checked.proxy.vertices[checked.proxy_vertex], source.faces, source.name)
    places = [np.einsum("nc,nci->ni", one.bary, surface.corners[one.face]) for one in (match, first)]
    rows = np.flatnonzero(wanted & (np.linalg.norm(places[1] - places[0], axis=1) < AGREE))
    face, bary = match.face.copy(), match.bary.copy()
    between = (1 - share) * places[0][rows] + share * places[1][rows]
    face[rows], bary[rows] = closest_points(surface, between.astype(np.float32))[:2]
    return _Match(face, bary)


@dataclass(frozen=True, eq=False)
class _Match:
    """Points of the source: face (N,) and bary (N, 3)."""

    face: Int64
    bary: Float64

    def take(self, rows: Int64) -> _Match:
        return _Match(self.face[rows], self.bary[rows])


class _Fit:
    """Target points, and the maps of the source's bones that bring the source to them.

    Maps are (J, 4, 3): x ↦ [(x − centre) / radius, 1] · map.
    """

    def __init__(self, body: _Body, source_values: Float32, goal: Float64, normals: Float64, values: Float32) -> None:
        from scipy.sparse import csr_array

        self.body = body
        self._sparse_weights = csr_array(body.weights)
        self.goal, self.normals, self.values = goal, normals, values
        self.source_values = source_values
        self._searched = np.unique(body.faces)  # what is on no face can be no match
        if len(self._searched) > MOST_SEARCHED:
            chosen = np.random.default_rng(0).choice(self._searched, MOST_SEARCHED, replace=False)
            self._searched = np.sort(chosen)
        self._corners, self._slots = corners_around(body.faces, len(body.points))

    def bend(self, maps: Float64) -> Float64:
        """(V, 3) the source's vertices."""
        body, moved = self.body, np.zeros_like(self.body.points)
        for bone in range(len(maps)):
            rows = np.flatnonzero(body.weights[:, bone] > 0)
            local = (body.points[rows] - body.centres[bone]) / body.radii[bone]
            moved[rows] += body.weights[rows, bone, None] * (local @ maps[bone, :3] + maps[bone, 3])
        return moved

    def match(self, maps: Float64) -> tuple[_Match, Float64, Float64]:
        """Of the bent source's points near each target point the best, its distance, and the cosine of normals."""
        from scipy.spatial import cKDTree

        points = self.bend(maps)
        normals = self._normals(points)
        tree = cKDTree(np.concatenate([points, NORMAL * normals], axis=1)[self._searched])
        count = min(CANDIDATES, len(self._searched))

        def nearest(part: slice) -> Int64:
            goal, facing, values = self.goal[part], self.normals[part], self.values[part]
            _, near = tree.query(np.concatenate([goal, NORMAL * facing], axis=1), count)
            near = self._searched[near.reshape(len(goal), count)]
            cost = ((points[near] - goal[:, None]) ** 2).sum(axis=2)
            cost += NORMAL**2 * (1 - np.einsum("nki,ni->nk", normals[near], facing))
            alike = np.einsum("nkd,nd->nk", self.source_values[near], values)
            cost += MEANING**2 * np.clip(1 - alike, 0, 2) / 2
            return near[np.arange(len(near)), cost.argmin(axis=1)]

        vertex = np.concatenate(list(each(nearest, parts(len(self.goal), CHUNK))))
        match, gap = self._onto_faces(points, vertex)
        facing = np.einsum("nc,nci,ni->n", match.bary, normals[self.body.faces[match.face]], self.normals)
        return match, gap, facing

    def _normals(self, points: Float64) -> Float64:
        body = self.body
        welded = TriangleMesh(points[body.artist_vertex].astype(np.float32), body.proxy_faces)
        return welded.vertex_normals.astype(np.float64)[body.proxy_vertex]

    def _onto_faces(self, points: Float64, vertex: Int64) -> tuple[_Match, Float64]:
        """The nearest point of the faces around each vertex."""

        def nearest(part: slice) -> tuple[Int64, Float64, Float64]:
            return self._onto_faces_around(points, self.goal[part], vertex[part])

        found = each(nearest, parts(len(vertex), CHUNK))
        face, bary, gap = (np.concatenate(column) for column in zip(*found, strict=True))
        return _Match(face, bary), gap

    def _onto_faces_around(self, points: Float64, goal: Float64, vertex: Int64) -> tuple[Int64, Float64, Float64]:
        slots = self._slots
        count = slots[vertex + 1] - slots[vertex]
        best = np.full(len(vertex), np.inf)
        face, bary = np.zeros(len(vertex), np.int64), np.zeros((len(vertex), 3))
        bary[:, 0] = 1
        for turn in range(int(count.max(initial=0))):
            rows = np.flatnonzero(count > turn)
            own = self._corners[slots[vertex[rows]] + turn] // 3
            corners = points[self.body.faces[own]]
            weights = closest_barycentrics(corners, goal[rows])
            gap = np.linalg.norm(np.einsum("nc,nci->ni", weights, corners) - goal[rows], axis=1)
            better = gap < best[rows]
            best[rows[better]], face[rows[better]], bary[rows[better]] = gap[better], own[better], weights[better]
        return face, bary, best

    def gap_of(self, match: _Match, maps: Float64) -> Float64:
        """(N,) how far the matches' points are from their goals once bent."""
        points = self.bend(maps)
        return np.linalg.norm(
            np.einsum("nc,nci->ni", match.bary, points[self.body.faces[match.face]]) - self.goal, axis=1
        )

    def likeness(self, match: _Match) -> Float64:
        """(N,) cosine of each target point's features and those of its match."""
        result = np.empty(len(self.goal))
        for part in parts(len(result), CHUNK):
            corners = self.source_values[self.body.faces[match.face[part]]]
            found, own = np.einsum("nc,ncd->nd", match.bary[part].astype(np.float32), corners), self.values[part]
            length = np.linalg.norm(found, axis=1) * np.linalg.norm(own, axis=1)
            result[part] = np.einsum("nd,nd->n", found, own) / np.maximum(length, 1e-12)
        return result

    def residual(self, maps: Float64) -> float:
        """How badly the bent source lies on the target: the mean distance, what faces away counts as far."""
        _, gap, facing = self.match(maps)
        return float(np.where(facing > FACING, np.minimum(gap, REACH), REACH).mean())

    def solve(self, match: _Match, trust: Float64, maps: Float64 | None, spread: float) -> Float64:
        """Maps that bring matched points to their goals; those far off are weighted down over a few rounds."""
        for _ in range(4):
            if maps is None:
                maps = self._least_squares([(match, trust)], None)
                continue
            gap = self.gap_of(match, maps)
            scale = max(spread, float(np.median(gap)))
            maps = self._least_squares([(match, trust / (1 + (gap / scale) ** 2) ** 2)], maps)
        assert maps is not None
        return maps

    def solve_both(
        self, near: _Match, trust: Float64, first: _Match, far: Float64, maps: Float64, spread: float
    ) -> Float64:
        for _ in range(2):
            maps = self._least_squares([(near, trust), (first, far)], maps)
        return maps

    def _least_squares(self, pairs: list[tuple[_Match, Float64]], maps: Float64 | None) -> Float64:
        body, count = self.body, len(self.body.centres)
        normal, right = body.joint_terms.copy(), np.zeros((4 * count, 3))
        mass = np.zeros(count)
        total = max(sum(float(trust.sum()) for _, trust in pairs), 1e-12)
        for match, trust in pairs:
            kept = np.flatnonzero(trust > 1e-4)
            corners = body.faces[match.face[kept]]
            bary = match.bary[kept]
            points = np.einsum("nc,nci->ni", bary, body.points[corners])
            share = trust[kept] / total
            weights = _blend(self._sparse_weights, corners, bary)
            rows = _equations(weights, points, body.centres, body.radii)
            weighted = rows.multiply(share[:, None]).tocsr()
            normal += (rows.T @ weighted).toarray()
            right += weighted.T @ self.goal[kept]
            mass += weights.T @ share
        shapes = (
            np.einsum("j,ik->jik", body.radii, np.eye(3))
            if maps is None
            else np.stack([_similar(own[:3]) for own in maps])
        )
        keep = SIMILARITY * (mass + 0.02 / count) / 3
        for axis in range(3):
            at = np.arange(count) * 4 + axis
            normal[at, at] += keep
            right[at] += keep[:, None] * shapes[:, axis]
        normal[np.diag_indices_from(normal)] += 1e-9
        return np.linalg.solve(normal, right).reshape(count, 4, 3)


def _blend(weights: Any, corners: NDArray[np.int32], bary: Float64) -> Any:
    """(N, J) sparse weights of points of faces. weights: (V, J) sparse. corners, bary: (N, 3)."""
    from scipy.sparse import csr_array

    count = len(corners)
    blend = csr_array((bary.reshape(-1), corners.reshape(-1), 3 * np.arange(count + 1)), (count, weights.shape[0]))
    return blend @ weights


def _equations(weights: Any, points: Float64, centres: Float64, radii: Float64) -> Any:
    """(N, 4J) sparse: times the maps' rows, one under the other, it gives where the (N, 3) points come to lie."""
    from scipy.sparse import csr_array

    entries = weights.tocoo()
    row, bone = entries.coords
    local = (points[row] - centres[bone]) / radii[bone, None]
    values = np.concatenate([local, np.ones((len(row), 1))], axis=1) * entries.data[:, None]
    columns = 4 * bone[:, None] + np.arange(4)
    shape = (len(points), 4 * len(centres))
    return csr_array((values.reshape(-1), (np.repeat(row, 4), columns.reshape(-1))), shape)


def _make_body(source: TriangleMesh, source_weights: Float32, target: Preflight) -> _Body:
    own = preflight(source)
    finite = own.proxy.vertices[own.proxy_vertex].astype(np.float64) / own.scale + own.centre
    points = (finite - target.centre) * target.scale
    weights = np.maximum(source_weights.astype(np.float64), 0)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 1e-6)
    # What no bone moves goes with one of its own, or it would fall to the origin.
    loose = total[:, 0] <= 1e-6
    weights = weights[:, weights.any(axis=0)]
    if loose.any():
        weights = np.concatenate([weights, loose[:, None].astype(np.float64)], axis=1)
    mass = weights.sum(axis=0)
    centres = (weights.T @ points) / mass[:, None]
    squared = (weights.T @ (points**2).sum(axis=1)) / mass - (centres**2).sum(axis=1)
    radii = np.sqrt(np.maximum(squared, 1e-6))
    return _Body(
        points,
        source.faces,
        own.proxy.faces,
        own.artist_vertex,
        own.proxy_vertex,
        weights,
        centres,
        radii,
        _joint_terms(points, weights, centres, radii),
    )


def _joint_terms(points: Float64, weights: Float64, centres: Float64, radii: Float64) -> Float64:
    """(4J, 4J) how much it costs that two bones bring the vertices they share to different places."""
    count = len(centres)
    terms = np.zeros((4 * count, 4 * count))
    shared = weights.T @ weights
    np.fill_diagonal(shared, 0)
    total = max(float(weights.sum()), 1e-12)
    columns = np.ascontiguousarray(weights.T)
    mass = columns.sum(axis=1)
    for first, second in zip(*np.nonzero(np.triu(shared > 1e-3)), strict=True):
        both = columns[first] * columns[second]
        rows = np.flatnonzero(both > 1e-4)
        if len(rows) == 0:
            continue
        shared_mass = float(both[rows].sum())
        rows = rows[:: -(-len(rows) // MOST_SHARED)]
        ends = []
        for bone, sign in ((first, 1.0), (second, -1.0)):
            local = (points[rows] - centres[bone]) / radii[bone]
            ends.append(sign * np.concatenate([local, np.ones((len(rows), 1))], axis=1))
        pair = np.concatenate(ends, axis=1)
        # Few vertices may join two bones, and must still hold them: a ring counts no less than a share of its bones.
        hold = max(shared_mass, 0.05 * float(min(mass[first], mass[second])))
        moment = pair.T @ (pair * both[rows, None]) * (JOINT * hold / float(both[rows].sum()) / total)
        at = np.concatenate([first * 4 + np.arange(4), second * 4 + np.arange(4)])
        terms[np.ix_(at, at)] += moment
        # Turning alike: the linear parts per unit of length.
        for axis in range(3):
            i, j = first * 4 + axis, second * 4 + axis
            a, b = 1 / radii[first], 1 / radii[second]
            weight = FOLLOW * hold / total * min(radii[first], radii[second]) ** 2
            terms[i, i] += weight * a * a
            terms[j, j] += weight * b * b
            terms[i, j] -= weight * a * b
            terms[j, i] -= weight * a * b
    return terms


def _identity(body: _Body) -> Float64:
    maps = np.zeros((len(body.centres), 4, 3))
    maps[:, :3] = np.einsum("j,ik->jik", body.radii, np.eye(3))
    maps[:, 3] = body.centres
    return maps


def _similar(linear: Float64) -> Float64:
    """The rotation times a scale that is nearest to a (3, 3) matrix."""
    u, stretch, vt = np.linalg.svd(linear)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    return (u * sign) @ vt * max(float((stretch * sign).mean()), 1e-6)


def _sample(target: TriangleMesh, count: int) -> Int64:
    """Vertices drawn by the area around them, each at most once."""
    area = target.vertex_areas
    usable = np.flatnonzero(area > 0)
    if len(usable) <= count:
        return usable
    # The root keeps small parts with many vertices, such as fingers, from being drawn too rarely.
    share = np.sqrt(area[usable])
    return np.sort(np.random.default_rng(0).choice(usable, count, replace=False, p=share / share.sum()))
