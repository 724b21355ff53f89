# SPDX-License-Identifier: GPL-3.0-or-later
"""Which point of one surface means the same as each vertex of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .consensus import allowed_matches, survey
from .features import Features
from .geometry.components import corners_around
from .map_smoothing import smooth_map
from .mesh import Float32, Int32, TriangleMesh
from .parallel import each_on_one_core, one_core, parts
from .progress import JobContext

if TYPE_CHECKING:
    import torch

MAX_CANDIDATES = 25_000
CHUNK = 2048
TOGETHER = 25  # landmarks whose vertices a core matches before it reports
EXACT = 1 - 1e-5  # cosine of a point found again on its own mesh: it stays
LOST_LIKENESS = 0.1  # of the cosine: smoothing the map may cost so much
CYCLE_TOLERANCE = 0.06  # of the source's extent: a round trip that ends this far away halves the confidence or worse


@dataclass(frozen=True, eq=False)
class Correspondence:
    """For every source vertex a point on the target's surface.

    face: (V,) int32 target face. bary: (V, 3) float32, non-negative, rows sum to 1. confidence: (V,) float32 0…1.
    """

    face: Int32
    bary: Float32
    confidence: Float32

    def points(self, target: TriangleMesh) -> Float32:
        """(V, 3) float32 positions on the target."""
        return np.einsum("vc,vcd->vd", self.bary, target.vertices[target.faces[self.face]])


def match_surfaces(
    source: TriangleMesh,
    source_features: Features,
    target: TriangleMesh,
    target_features: Features,
    context: JobContext | None = None,
) -> Correspondence:
    """The most alike target vertex by cosine, moved to the most alike point of the faces around it.

    Only parts that lie alike among their surroundings are matched (`consensus`). Features vary linearly over a face, so
    the point is a projection in feature space; then the map is smoothed (`map_smoothing`). The confidence multiplies
    how alike the features are, how sure both ends were seen, and whether the way back ends where it began.
    """
    context = context or JobContext()
    with context.stage("match"):
        context.report(0.0, f"Matching {source.name} to {target.name}")
        here, there = survey(source, source_features.values), survey(target, target_features.values)
        context.report(0.1, f"Matching {source.name} to {target.name}")
        with one_core():
            onto_target, onto_source = allowed_matches(here, there)
        context.report(0.3, f"Matching {source.name} to {target.name}")
        everything, source_ids, target_ids = np.arange(len(source.vertices)), _candidates(source), _candidates(target)
        start, goal = _Side(source_features.values, here.of_vertex), _Side(target_features.values, there.of_vertex)
        forward = _most_alike(start, everything, goal, target_ids, onto_target, context.span(0.3, 0.7))
        backward = np.zeros(len(target.vertices), np.int64)
        backward[target_ids] = _most_alike(goal, target_ids, start, source_ids, onto_source, context.span(0.7, 0.9))
        face, bary, alike = _refine_on_faces(source_features.values, target, target_features.values, forward)
        face, bary, alike = _smooth(source, source_features, target, target_features, face, bary, alike)
        drift = np.linalg.norm(source.vertices - source.vertices[backward[forward]], axis=1)
        drift = np.nan_to_num(drift, nan=np.inf) / max(_extent(source), 1e-30)
        sureness = np.einsum("vc,vc->v", bary, target_features.confidence[target.faces[face]])
        confidence = np.clip(alike, 0, 1) * np.exp(-((drift / CYCLE_TOLERANCE) ** 2))
        confidence *= np.sqrt(np.clip(source_features.confidence * sureness, 0, 1))
        context.report(1.0, f"Matched {source.name}")
    return Correspondence(face.astype(np.int32), bary.astype(np.float32), confidence.astype(np.float32))


def _extent(mesh: TriangleMesh) -> float:
    finite = mesh.vertices[np.isfinite(mesh.vertices).all(axis=1)]
    return float(np.ptp(finite, axis=0).max())


def _candidates(mesh: TriangleMesh) -> np.ndarray:
    """Vertices that belong to a face, evenly thinned to `MAX_CANDIDATES`; (C,) int64, ascending."""
    used = np.unique(mesh.faces[mesh.face_areas > 0])
    if len(used) == 0:
        used = np.unique(mesh.faces)
    if len(used) <= MAX_CANDIDATES:
        return used
    return np.sort(np.random.default_rng(0).choice(used, MAX_CANDIDATES, replace=False))


@dataclass(frozen=True, eq=False)
class _Side:
    """values: (V, D) float32 features. landmark: (V,) int64."""

    values: Float32
    landmark: np.ndarray


def _most_alike(
    start: _Side, rows: np.ndarray, goal: _Side, columns: np.ndarray, allowed: np.ndarray, context: JobContext
) -> np.ndarray:
    """(R,) int64 the most alike of the goal's vertices `columns` for each of the start's vertices `rows`.

    allowed: (landmarks of start, landmarks of goal) bool, whose surroundings may match.
    """
    import torch

    found = np.zeros(len(rows), np.int64)
    order = np.argsort(start.landmark[rows], kind="stable")
    edges = np.searchsorted(start.landmark[rows][order], np.arange(len(allowed) + 1))
    values, goals = torch.from_numpy(start.values), torch.from_numpy(goal.values)

    def find(numbers: slice) -> int:
        for number in range(len(allowed))[numbers]:
            own = order[edges[number] : edges[number + 1]]
            if len(own) == 0:
                continue
            choice = columns[allowed[number][goal.landmark[columns]]]
            if len(choice) == 0:  # all vertices there were thinned out
                choice = columns
            possible = goals[choice].T
            for part in parts(len(own), CHUNK):
                found[own[part]] = choice[(values[rows[own[part]]] @ possible).argmax(dim=1).numpy()]
        return int(edges[min(numbers.stop, len(allowed))])

    for done in each_on_one_core(find, parts(len(allowed), TOGETHER)):
        context.report(done / len(rows), "Matching surfaces")
    return found


def _smooth(
    source: TriangleMesh,
    source_features: Features,
    target: TriangleMesh,
    target_features: Features,
    face: np.ndarray,
    bary: np.ndarray,
    alike: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`smooth_map`, but where it would lead to something else: a layer of clothes, or the other lip."""
    new_face, new_bary, trusted = smooth_map(source, target, face.astype(np.int32), bary.astype(np.float32))
    goals, wanted = target_features.values, source_features.values
    new_alike = np.empty_like(alike)
    for rows in parts(len(face), CHUNK):
        reached = np.einsum("vc,vcd->vd", new_bary[rows], goals[target.faces[new_face[rows]]])
        new_alike[rows] = 1 - ((reached - wanted[rows]) ** 2).sum(axis=1) / 2
    better = trusted & (new_alike > alike - LOST_LIKENESS) & (alike < EXACT)
    return (
        np.where(better, new_face, face),
        np.where(better[:, None], new_bary, bary),
        np.where(better, new_alike, alike),
    )


def _refine_on_faces(
    values: Float32, target: TriangleMesh, target_values: Float32, vertex: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most alike point of the faces around `vertex` (V,): face (V,), bary (V, 3), cosine (V,)."""
    import torch

    around = corners_around(target.faces, len(target.vertices))
    goals = torch.from_numpy(target_values)
    sides = _squared_sides(target.faces, goals)

    def refine(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _refine_some(torch.from_numpy(values[rows]), target.faces, goals, sides, around, vertex[rows])

    found = each_on_one_core(refine, parts(len(vertex), CHUNK))
    face, bary, gap = (np.concatenate(column) for column in zip(*found, strict=True))
    return face, bary, 1 - gap / 2


def _refine_some(
    values: torch.Tensor,
    faces: Int32,
    goals: torch.Tensor,
    sides: np.ndarray,
    around: tuple[np.ndarray, np.ndarray],
    vertex: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_refine_on_faces` of few enough to stay in the processor's cache; the last is the squared distance.

    goals: (Vt, D) features of the faces' vertices. sides: `_squared_sides`. around: `corners_around`.
    """
    import torch

    corners, slots = around
    count = slots[vertex + 1] - slots[vertex]
    apart = values - goals[torch.from_numpy(vertex)]
    start = (apart * apart).sum(dim=1).numpy()
    best = np.full(len(values), np.inf)
    face, bary = np.zeros(len(values), np.int64), np.zeros((len(values), 3))
    for turn in range(int(count.max())):
        rows = np.flatnonzero(count > turn)
        own, corner = np.divmod(corners[slots[vertex[rows]] + turn], 3)
        order = (corner[:, None] + np.arange(3)) % 3  # the vertex itself, then the other two
        ring = faces[own[:, None], order]
        far = apart if len(rows) == len(apart) else apart[torch.from_numpy(rows)]
        a, b, c = (goals[torch.from_numpy(column)] for column in ring.T)
        towards = ((far * (other - a)).sum(dim=1).numpy() for other in (b, c))
        weights, gap = _closest_in_triangle(start[rows], *towards, *sides[own[:, None], order].T)
        better = gap < best[rows]
        kept = rows[better]
        best[kept], face[kept] = gap[better], own[better]
        bary[kept[:, None], order[better]] = weights[better]
    return face, bary, best


def _squared_sides(faces: Int32, values: torch.Tensor) -> np.ndarray:
    """(F, 3) squared lengths of every triangle's sides from its corners 0, 1 and 2 to the next. values: (V, D)."""
    import torch

    result = np.empty((len(faces), 3), np.float32)
    for first in range(0, len(faces), CHUNK):
        corners = values[torch.from_numpy(faces[first : first + CHUNK].astype(np.int64))]
        result[first : first + CHUNK] = ((corners.roll(-1, dims=1) - corners) ** 2).sum(dim=2).numpy()
    return result


def _closest_in_triangle(
    start: np.ndarray, to_b: np.ndarray, to_c: np.ndarray, ab: np.ndarray, bc: np.ndarray, ca: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric (R, 3) and squared distance (R,) of each triangle's point closest to a point p, in any dimension.

    start: |p − a|². to_b, to_c: (p − a)·(b − a) and (p − a)·(c − a). ab, bc, ca: the squared lengths of the sides.
    Inside: the projection. Outside: the closest of the three sides' clamped projections.
    """
    dot = (ab + ca - bc) / 2  # (b − a)·(c − a)

    def squared(v: np.ndarray, w: np.ndarray) -> np.ndarray:
        return start - 2 * (v * to_b + w * to_c) + v * v * ab + 2 * v * w * dot + w * w * ca

    determinant = ab * ca - dot * dot
    safe = np.where(determinant > 1e-12, determinant, 1.0)
    v, w = (ca * to_b - dot * to_c) / safe, (ab * to_c - dot * to_b) / safe
    inside = (determinant > 1e-12) & (v >= 0) & (w >= 0) & (v + w <= 1)
    on_ab = np.clip(to_b / np.maximum(ab, 1e-20), 0, 1)
    on_ca = np.clip(to_c / np.maximum(ca, 1e-20), 0, 1)
    on_bc = np.clip((to_c - to_b - dot + ab) / np.maximum(bc, 1e-20), 0, 1)
    none = np.zeros_like(on_ab)
    sides_v, sides_w = np.stack([on_ab, none, 1 - on_bc]), np.stack([none, on_ca, on_bc])
    nearest = squared(sides_v, sides_w).argmin(axis=0)[None]
    v = np.where(inside, v, np.take_along_axis(sides_v, nearest, axis=0)[0])
    w = np.where(inside, w, np.take_along_axis(sides_w, nearest, axis=0)[0])
    return np.stack([1 - v - w, v, w], axis=1), np.maximum(squared(v, w), 0)
