# SPDX-License-Identifier: GPL-3.0-or-later
"""A match of two surfaces made exact where it matters: one is laid onto the other, lids on lids and lips on lips.

Features say which part is which to about a centimetre on a person; a blinking eyelid needs a millimetre. Non-rigid ICP
as in "Optimal Step Nonrigid ICP Algorithms for Surface Registration" (Amberg et al. 2007), with a smoothness that gives
way step by step, and neighbours sought by place, normal and curvature together, from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .correspondence import Correspondence
from .geometry.closest import closest_points
from .geometry.laplacian import factorise, robust_laplacian
from .geometry.sampling import with_middles
from .geometry.similarity import fit_similarity
from .geometry.vectors import unit_rows
from .mesh import Float32, TriangleMesh
from .preflight import preflight
from .progress import JobContext

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

STEPS, ROUNDS = 10, 3
STIFFNESS = (10**-1.5, 1e-8)  # of the first and of the last step
# All lengths are in units of the region's radius.
NORMAL_SAY = (0.12, 0.035)  # how far apart opposite normals are, by half, first and last
CURVATURE_SAY = (0.24, 0.06)
CURVATURE_REACH = (0.025, 0.12)
OUTLIER = 0.06  # a neighbour this far away has half the say
MARGIN, OUTER = 0.6, 1.3  # what is registered beyond the centre of the region's own extent; and of the other side
LEAST_RADIUS = 0.08  # of the whole mesh's extent
FEWEST = 50


def register_region(
    mesh: TriangleMesh,
    goal: TriangleMesh,
    onto_goal: Correspondence,
    region: NDArray[np.bool_],
    context: JobContext | None = None,
) -> Correspondence:
    """The correspondence made exact around a region of the goal, and as it was elsewhere.

    onto_goal: per vertex of `mesh` a point of `goal`. region: (Vg,) bool vertices of the goal. Surfaces of unlike shape
    stay as they were matched where no near neighbour agrees.
    """
    context = context or JobContext()
    area = _Area.around(goal, region)
    if area is None:
        return onto_goal
    here, there = preflight(mesh), preflight(goal)
    matched = onto_goal.points(goal).astype(np.float64)[here.artist_vertex]
    fixed = _Patch.cut(there.proxy, (goal.vertices[there.artist_vertex] - area.centre) / area.radius, OUTER)
    moving = _Patch.cut(here.proxy, (matched - area.centre) / area.radius, 1.0)
    if min(len(fixed.vertex), len(moving.vertex)) < FEWEST:
        return onto_goal
    start = mesh.vertices[here.artist_vertex[moving.vertex]].astype(np.float64)
    say = onto_goal.confidence[here.artist_vertex[moving.vertex]] + 0.01
    laid = fit_similarity(start, moving.points, say)(start)
    registered = _Registration(laid, moving, fixed, say).run(context)
    face, bary, distance = closest_points(fixed.mesh, registered.astype(np.float32))
    # back to the artist's faces, whose corners the proxy may have turned round
    artist_face = there.proxy_face[fixed.face[face]]
    corner = there.proxy_vertex[goal.faces[artist_face]]
    own = fixed.vertex[fixed.mesh.faces[face]]
    turned = (own[:, None, :] == corner[:, :, None]).argmax(axis=2)
    new_bary = np.take_along_axis(bary, turned, axis=1)

    place = np.full(len(here.proxy.vertices), -1)
    place[moving.vertex] = np.arange(len(moving.vertex))
    index = place[here.proxy_vertex]
    better = (index >= 0) & (distance[index] < OUTLIER)
    return Correspondence(
        np.where(better, artist_face[index], onto_goal.face).astype(np.int32),
        np.where(better[:, None], new_bary[index], onto_goal.bary).astype(np.float32),
        onto_goal.confidence,
    )


@dataclass(frozen=True, eq=False)
class _Area:
    """A ball around a region. centre: (3,)."""

    centre: Float64
    radius: float

    @classmethod
    def around(cls, mesh: TriangleMesh, region: NDArray[np.bool_]) -> _Area | None:
        points = mesh.vertices[region].astype(np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) == 0:
            return None
        everything = mesh.vertices[np.isfinite(mesh.vertices).all(axis=1)]
        extent = float(np.ptp(everything, axis=0).max())
        radius = max(0.5 * float(np.ptp(points, axis=0).max()) + 0.04 * extent, LEAST_RADIUS * extent)
        return cls((points.min(axis=0) + points.max(axis=0)) / 2, radius)


@dataclass(frozen=True, eq=False)
class _Patch:
    """Part of a proxy. vertex: (P,) and face: (Q,) of the proxy; points: (P, 3); mesh: of the points."""

    vertex: Int64
    face: Int64
    points: Float64
    mesh: TriangleMesh

    @classmethod
    def cut(cls, proxy: TriangleMesh, points: Float64, reach: float) -> _Patch:
        """points: (V, 3) where the proxy's vertices count as being; those within `reach` of the origin are kept."""
        near = np.linalg.norm(points, axis=1) < reach
        face = np.flatnonzero(near[proxy.faces].all(axis=1))
        vertex, faces = np.unique(proxy.faces[face], return_inverse=True)
        faces = faces.reshape(-1, 3)
        return cls(vertex, face, points[vertex], TriangleMesh(points[vertex].astype(np.float32), faces, proxy.name))


class _Registration:
    def __init__(self, laid: Float64, moving: _Patch, fixed: _Patch, say: NDArray) -> None:
        from scipy.sparse import diags

        self.laid, self.moving, self.fixed = laid, moving, fixed
        self.faces = moving.mesh.faces
        laplacian, mass = robust_laplacian(TriangleMesh(laid.astype(np.float32), self.faces))
        masses = mass.diagonal()
        self.energy = (laplacian @ diags(1 / masses) @ laplacian) * masses.sum()
        self.weight = masses / masses.sum()
        self.say = say
        # Neighbours are sought among vertices, and middles of faces and edges: vertices alone would be too few.
        self.fixed_points = with_middles(fixed.points, fixed.mesh.faces)
        self.fixed_normals = unit_rows(with_middles(fixed.mesh.vertex_normals.astype(np.float64), fixed.mesh.faces))
        self.fixed_curvature = with_middles(curvatures(fixed.mesh, CURVATURE_REACH), fixed.mesh.faces)
        self.inner = np.flatnonzero(np.linalg.norm(fixed.points, axis=1) < 0.95)
        self.inner_weight = (robust_laplacian(fixed.mesh)[1].diagonal() / masses.sum())[self.inner]

    def run(self, context: JobContext) -> Float64:
        """(P, 3) where the moving patch's vertices lie on the fixed one."""
        stiffness = np.geomspace(*STIFFNESS, STEPS)
        moved = self._solve(self.moving.points, self.weight * self.say, stiffness[0])
        for step in range(STEPS):
            context.report(step / STEPS, "Laying one surface onto the other")
            share = step / (STEPS - 1)
            by_normal = NORMAL_SAY[0] + share * (NORMAL_SAY[1] - NORMAL_SAY[0])
            by_curvature = CURVATURE_SAY[0] + share * (CURVATURE_SAY[1] - CURVATURE_SAY[0])
            mesh = TriangleMesh(moved.astype(np.float32), self.faces)
            curvature = by_curvature * curvatures(mesh, CURVATURE_REACH)
            there = np.hstack([self.fixed_points, by_normal * self.fixed_normals, by_curvature * self.fixed_curvature])
            for _ in range(ROUNDS):
                normals = TriangleMesh(moved.astype(np.float32), self.faces).vertex_normals
                here = np.hstack([moved, by_normal * normals, curvature])
                moved = self._solve(*self._neighbours(moved, normals, here, there), stiffness[step])
        return moved

    def _neighbours(self, moved: Float64, normals: Float32, here: Float64, there: Float64) -> tuple[Float64, Float64]:
        """(P, 3) where each vertex is drawn to by neighbours both ways, and (P,) with what weight."""
        from scipy.spatial import cKDTree

        nearest = cKDTree(there).query(here)[1]
        goal = self.fixed_points[nearest]
        weight = self.weight * _trust(goal - moved, normals, self.fixed_normals[nearest])
        back = cKDTree(here).query(there[self.inner])[1]
        places = self.fixed.points[self.inner]
        pull = self.inner_weight * _trust(places - moved[back], normals[back], self.fixed_normals[self.inner])
        total = weight[:, None] * goal
        for axis in range(3):
            total[:, axis] += np.bincount(back, pull * places[:, axis], len(moved))
        weight = weight + np.bincount(back, pull, len(moved))
        return total / np.maximum(weight, 1e-30)[:, None], weight

    def _solve(self, goal: Float64, weight: Float64, stiffness: float) -> Float64:
        from scipy.sparse import diags

        factors = factorise(diags(weight) + stiffness * self.energy + 1e-12 * diags(self.weight))
        return self.laid + factors.solve(weight[:, None] * (goal - self.laid))


def _trust(gap: Float64, normals: NDArray, others: NDArray) -> Float64:
    agrees = (normals * others).sum(axis=1) > 0.5
    return agrees / (1 + (np.linalg.norm(gap, axis=1) / OUTLIER) ** 2)


def curvatures(mesh: TriangleMesh, reaches: tuple[float, ...]) -> Float64:
    """(V, R) how far each vertex stands out from the surface smoothed over each reach, along its normal, per reach."""
    laplacian, mass = robust_laplacian(mesh)
    points, normals = mesh.vertices.astype(np.float64), mesh.vertex_normals
    columns = []
    for reach in reaches:
        factors = factorise(mass - reach**2 * laplacian)
        columns.append(((points - factors.solve(mass @ points)) * normals).sum(axis=1) / reach)
    return np.stack(columns, axis=1)
