# SPDX-License-Identifier: GPL-3.0-or-later
"""What is inside a surface, and where its middle is: generalised winding numbers and medial points.

Both work on what artists make: open, overlapping and many-piece meshes (Jacobson, Kavan and Sorkine-Hornung 2013,
“Robust Inside-Outside Segmentation using Generalized Winding Numbers”). Faces must be wound outwards: give the proxy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh

Float64 = NDArray[np.float64]

INSIDE = 0.5  # winding number from which a point is inside
MEDIAL = 0.6  # of half the way through: nearer to the surface a point is not in the middle
_MAX_PAIRS = 1_000_000  # point-triangle pairs at once: about 150 MB in all
_LIFT = 1e-5  # of the extent: how far below its face a ray starts


def winding_numbers(mesh: TriangleMesh, points: Float64) -> Float64:
    """(N,) how many times the surface winds round each point (N, 3): 1 inside, 0 outside, in between where it is open.

    The sum of the faces' signed solid angles over 4π (van Oosterom and Strackee 1983).
    """
    queries = np.asarray(points, np.float64).reshape(-1, 3)
    vertices, (i, j, k) = mesh.vertices.astype(np.float64), mesh.faces.T
    a, b, c = vertices[i], vertices[j], vertices[k]
    volume = np.einsum("fi,fi->f", a, np.cross(b, c))
    area = np.cross(a, b) + np.cross(b, c) + np.cross(c, a)
    products = [np.einsum("fi,fi->f", x, y) for x, y in ((a, b), (b, c), (c, a))]
    total = np.empty(len(queries))
    step = max(1, _MAX_PAIRS // max(len(volume), 1))
    for begin in range(0, len(queries), step):
        part = queries[begin : begin + step]
        # Everything about the triangles as seen from a point is bilinear in what is known of both.
        toward, square = part @ vertices.T, (part**2).sum(axis=1)[:, None]
        length = np.sqrt(np.maximum((vertices**2).sum(axis=1) - 2 * toward + square, 0))
        (ta, tb, tc), (la, lb, lc) = (toward[:, x] for x in (i, j, k)), (length[:, x] for x in (i, j, k))
        ab, bc, ca = (known - x - y + square for known, x, y in zip(products, (ta, tb, tc), (tb, tc, ta), strict=True))
        seen = np.arctan2(volume - part @ area.T, la * lb * lc + ab * lc + bc * la + ca * lb)
        total[begin : begin + step] = seen.sum(axis=1) / (2 * np.pi)
    return total


def medial_points(mesh: TriangleMesh, count: int = 1500) -> Float64:
    """(M, 3) points half-way through a body: from places spread evenly over its surface straight inwards.

    Only those that no other side is much nearer to: a stick's are on its axis, whether seen from its side or its end.
    Where the mesh is wound wrongly or open, some lie outside. None for a flat sheet.
    """
    from ..views.render import Raycaster

    extent = float(np.ptp(mesh.vertices, axis=0).max())
    face, places = spread_over_surface(mesh, count)
    inward = -mesh.face_normals[face]
    starts = (places + _LIFT * extent * inward).astype(np.float32)
    hit, _, distance = Raycaster(mesh).hits(starts, inward.astype(np.float32))
    across = np.where(hit >= 0, distance, 0.0).astype(np.float64)
    usable = across > 10 * _LIFT * extent
    middle, half = places[usable] + 0.5 * across[usable, None] * inward[usable], 0.5 * across[usable]
    return middle[distance_to_surface(mesh, middle) > MEDIAL * half]


def spread_over_surface(mesh: TriangleMesh, count: int) -> tuple[NDArray[np.int64], Float64]:
    """`count` points evenly over the surface, the same each time: face (count,) and place (count, 3)."""
    edges = np.cumsum(mesh.face_areas.astype(np.float64))
    rng = np.random.default_rng(0)
    face = np.searchsorted(edges, (np.arange(count) + rng.random(count)) / count * edges[-1]).clip(max=len(edges) - 1)
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    bary = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    return face, np.einsum("nc,nci->ni", bary, mesh.corners[face].astype(np.float64))


def distance_to_surface(mesh: TriangleMesh, points: Float64) -> Float64:
    """(N,) distance of each point (N, 3) to the nearest point of the surface."""
    from .closest import closest_points

    return closest_points(mesh, np.asarray(points, np.float32))[2].astype(np.float64)
