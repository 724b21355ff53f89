# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbours on one surface have neighbouring matches on the other: small errors that point all ways average out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .geometry.closest import closest_points
from .geometry.coarse import coarsen
from .geometry.laplacian import robust_laplacian
from .mesh import Float32, Int32, TriangleMesh
from .preflight import preflight

Float64 = NDArray[np.float64]

REACH = 0.03  # of the source's √area
MOST_STEPS = 30
MOST_VERTICES = 30_000  # a finer mesh is diffused on about so many
TEAR = 0.05  # of the target's √area: neighbours whose matches lie this far apart hardly pull at each other
FARTHEST = 0.05  # of the target's √area: a point that was pulled this far off the surface stays where it was


def smooth_map(
    source: TriangleMesh, target: TriangleMesh, face: Int32, bary: Float32
) -> tuple[Int32, Float32, NDArray[np.bool_]]:
    """Diffuse the matched points along the source and bring them back to the target's surface.

    face: (V,), bary: (V, 3) for every source vertex a point of the target. Returns both anew, and (V,) bool where that
    is to be trusted. Cotangent weights, so that a map without errors stays as it is wherever it is linear; coarse
    meshes, whose neighbours lie far apart, hardly change. Nothing is pulled across a tear of the map.
    """
    checked = preflight(source)
    points = np.einsum("vc,vcd->vd", bary.astype(np.float64), target.vertices[target.faces[face]].astype(np.float64))
    usable = np.isfinite(target.corners).all(axis=(1, 2)) & (target.face_areas > 0)
    unit = float(np.sqrt(target.face_areas[usable].sum(dtype=np.float64)))
    if not unit > 0:
        return face, bary, np.zeros(len(face), bool)
    diffuse = _diffuse if len(checked.proxy.vertices) <= MOST_VERTICES else _diffuse_coarsely
    diffused = diffuse(checked.proxy, points[checked.artist_vertex], unit)[checked.proxy_vertex]
    surface = TriangleMesh(target.vertices, target.faces[usable], target.name)
    new_face, new_bary, distance = closest_points(surface, diffused.astype(np.float32))
    return np.flatnonzero(usable)[new_face].astype(np.int32), new_bary, distance < FARTHEST * unit


def _diffuse_coarsely(mesh: TriangleMesh, points: Float64, unit: float) -> Float64:
    """`_diffuse` on a coarse mesh: every vertex is moved as its surroundings are."""
    coarse = coarsen(mesh, MOST_VERTICES)
    middle = coarse.average(points)
    moved = (_diffuse(coarse.mesh, middle, unit) - middle).astype(np.float32)
    return points + coarse.at(moved.T, np.arange(len(points))).T


def _diffuse(mesh: TriangleMesh, points: Float64, unit: float) -> Float64:
    """(P, 3) points over a mesh's vertices after explicit steps of robust diffusion. unit: the target's √area."""
    from scipy.sparse import csr_array

    weights = robust_laplacian(mesh)[0].tocoo()
    off_diagonal = (weights.row != weights.col) & (weights.data > 0)
    start, end, weight = weights.row[off_diagonal], weights.col[off_diagonal], weights.data[off_diagonal]
    if len(start) == 0:
        return points
    count = len(points)
    degree = np.maximum(np.bincount(start, weights=weight, minlength=count), 1e-12)[:, None]
    length = float(np.linalg.norm(mesh.vertices[start] - mesh.vertices[end], axis=1).mean())
    reach = REACH * float(np.sqrt(mesh.face_areas.sum(dtype=np.float64)))
    pulling = csr_array((weight, (start, end)), shape=(count, count))
    start, end, weight = np.repeat(np.arange(count), np.diff(pulling.indptr)), pulling.indices, pulling.data.copy()
    for _ in range(min(round(2 * (reach / max(length, 1e-12)) ** 2), MOST_STEPS)):
        apart = points[end] - points[start]
        pulling.data = weight * np.exp(-np.einsum("ei,ei->e", apart, apart) / (TEAR * unit) ** 2)
        points = points + (pulling @ points - pulling.sum(axis=1)[:, None] * points) / degree / 2
    return points
