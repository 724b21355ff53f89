# SPDX-License-Identifier: GPL-3.0-or-later
"""Left never binds to right: the side of a limb is decided once, by all its vertices together.

Single vertices are often wrong about their side, limbs hardly ever. What hangs together and moves with bones of a side
is a limb; its vertices vote, with their area and confidence, and on a symmetric mesh with the half they lie in. Two
limbs that meet, as legs do below the hips, are parted where their votes part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.components import vertex_components
from ..geometry.reflection import find_mirror_plane
from ..mesh import Float32, TriangleMesh
from .bone_sides import BoneSides

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

LIMB = 0.5  # of a vertex's weights on bones of a side make it part of a limb
MINORITY = 0.3  # of a limb's votes: fewer are overruled as one
REACH = 0.08  # of the extent: how far votes carry where two limbs meet
FACING = 0.3  # least cosine between the normals of pieces that touch
BRIDGE = 0.01  # of the extent: pieces that lie so close to each other hang together
MIDDLE = 0.02  # of the extent: what lies this near to the mirror plane may belong to either side
PLANE_SAY = 1.5  # the mirror plane's vote beside a sure match's


@dataclass(frozen=True, eq=False)
class SettledSides:
    """weights: (V, J) with sides settled. moved: (V,) bool whose side was changed. side: (V,) int8 each vertex's limb's
    side, 0 outside limbs and near the middle."""

    weights: Float32
    moved: Bool
    side: NDArray[np.int8]


def settle_sides(mesh: TriangleMesh, weights: Float32, confidence: Float32, sides: BoneSides) -> SettledSides:
    """mesh: a proxy (see `preflight`), Z up. weights: (V, J). confidence: (V,) 0…1 of the matches they come from."""
    nothing = SettledSides(weights, np.zeros(len(weights), bool), np.zeros(len(weights), np.int8))
    paired = (sides.side != 0) & (sides.twin >= 0)
    if not paired.any():
        return nothing
    left, right = paired & (sides.side > 0), paired & (sides.side < 0)
    vote = (weights[:, left].sum(axis=1) - weights[:, right].sum(axis=1)).astype(np.float64)
    on_limb = weights[:, paired].sum(axis=1) > LIMB
    if not on_limb.any():
        return nothing
    mass = mesh.vertex_areas / max(float(mesh.vertex_areas.sum()), 1e-30)
    trust = np.maximum(confidence.astype(np.float64), 0.05)
    plane = find_mirror_plane(mesh, across_axis(mesh, weights, sides))
    say, half = vote * trust, np.zeros(len(vote))
    if plane.symmetric:
        # Which half is left is the whole mesh's vote. Only what is well off the plane knows its half.
        half = np.clip(plane.across / MIDDLE, -1, 1)
        half = half * np.sign(float((mass * say * half)[on_limb].sum()) or 1.0)
        say = say + PLANE_SAY * half
        trust = trust + PLANE_SAY * np.abs(half)
    decided = np.sign(_decide(mesh, on_limb, say, trust, mass)).astype(np.int8) * on_limb
    wrong = on_limb & (np.sign(vote) * decided < 0)
    # What moves with both sides at once is the middle of the body, whose blend is right as it is.
    settled = weights.copy()
    settled[wrong] = _swapped(weights[wrong], sides)
    # Inside a limb, well away from the middle, no weight of the other side stays.
    strays = on_limb & ((np.abs(half) >= 1) if plane.symmetric else _inside(mesh, decided))
    for side, others in ((1, right), (-1, left)):
        rows = np.flatnonzero(strays & (decided == side))
        settled[rows] = _fold(settled[rows], others, sides)
    return SettledSides(settled, wrong, np.where(strays, decided, 0).astype(np.int8))


def across_axis(mesh: TriangleMesh, weights: Float32, sides: BoneSides) -> int:
    """The axis along which left and right bones' parts lie most apart: 0 X, 1 Y or 2 Z."""
    paired = (sides.side != 0) & (sides.twin >= 0)
    left, right = (weights[:, paired & (sides.side * sign > 0)].sum(axis=1).astype(np.float64) for sign in (1, -1))
    middles = [(one @ mesh.vertices) / max(float(one.sum()), 1e-12) for one in (left, right)]
    return int(np.abs(middles[0] - middles[1]).argmax())


def swap_sides(weights: Float32, sides: BoneSides) -> Float32:
    """(V, J) the weights of every bone on its twin: for a match that took the whole left for the right."""
    return _swapped(weights, sides)


def _swapped(weights: Float32, sides: BoneSides) -> Float32:
    result = weights.copy()
    paired = np.flatnonzero((sides.side != 0) & (sides.twin >= 0))
    result[:, sides.twin[paired]] = weights[:, paired]
    return result


def _fold(weights: Float32, others: Bool, sides: BoneSides) -> Float32:
    """The weights of one side's bones added to their twins."""
    result = weights.copy()
    columns = np.flatnonzero(others)
    result[:, columns] = 0
    result[:, sides.twin[columns]] += weights[:, columns]
    return result


def _decide(mesh: TriangleMesh, on_limb: Bool, say: Float64, trust: Float64, mass: Float64) -> Float64:
    """(V,) the settled vote: one sign for a limb, or for each of two limbs that meet."""
    bridges = _bridges(mesh, on_limb)
    limb = _limbs(mesh, on_limb, bridges)
    count = int(limb.max()) + 1
    positive = np.bincount(limb[on_limb], (mass * np.maximum(say, 0))[on_limb], count)
    negative = np.bincount(limb[on_limb], (mass * np.maximum(-say, 0))[on_limb], count)
    total = np.maximum(positive + negative, 1e-30)
    clear = np.minimum(positive, negative) / total < MINORITY
    decided = np.zeros(len(say))
    own = np.maximum(limb, 0)
    decided[on_limb] = (np.where(clear, np.sign(positive - negative), 0.0))[own[on_limb]]
    mixed = on_limb & ~clear[own]
    if mixed.any():
        decided[mixed] = _diffused(mesh, mixed, bridges, say, trust, mass)
    return decided


def _bridges(mesh: TriangleMesh, on_limb: Bool) -> Int64:
    """(B, 2) vertices of different pieces that touch and face the same way: one lies on the other, or goes on from it.

    Two limbs of one piece are not joined through the air.
    """
    from scipy.spatial import cKDTree

    extent = float(np.ptp(mesh.vertices, axis=0).max())
    body = vertex_components(mesh.faces, len(mesh.vertices))
    rows = np.flatnonzero(on_limb)
    if len(np.unique(body[rows])) == 1:
        return np.zeros((0, 2), np.int64)
    # One vertex of a piece for each small cell: dense meshes would have millions of pairs.
    cell = np.floor(mesh.vertices[rows] / (BRIDGE * extent / 4)).astype(np.int64)
    rows = rows[np.unique(np.column_stack([cell, body[rows]]), axis=0, return_index=True)[1]]
    near = rows[cKDTree(mesh.vertices[rows]).query_pairs(BRIDGE * extent, output_type="ndarray")].reshape(-1, 2)
    near = near[body[near[:, 0]] != body[near[:, 1]]]
    normals = mesh.vertex_normals
    return near[(normals[near[:, 0]] * normals[near[:, 1]]).sum(axis=1) > FACING]


def _limbs(mesh: TriangleMesh, on_limb: Bool, bridges: Int64) -> Int64:
    """(V,) number of the limb of each vertex, −1 off limbs; pieces that touch are one limb."""
    faces = mesh.faces[on_limb[mesh.faces].all(axis=1)]
    joined = np.concatenate([faces, np.concatenate([bridges, bridges[:, :1]], axis=1).astype(np.int32)])
    return np.where(on_limb, vertex_components(joined, len(mesh.vertices)), -1).astype(np.int64)


def _diffused(mesh: TriangleMesh, rows: Bool, bridges: Int64, say: Float64, trust: Float64, mass: Float64) -> Float64:
    """Votes carried along the surface and over bridges: minimises Σ trust·(x − vote)² + reach²·|∇x|² over the rows."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import spsolve

    index = np.cumsum(rows) - 1
    faces = mesh.faces[rows[mesh.faces].all(axis=1)]
    over = bridges[rows[bridges].all(axis=1)]
    start = np.concatenate([faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel(), over.ravel()])
    end = np.concatenate([faces[:, [1, 2, 0]].ravel(), faces[:, [0, 1, 2]].ravel(), over[:, ::-1].ravel()])
    count = int(rows.sum())
    weights = coo_matrix((np.ones(len(start)), (index[start], index[end])), shape=(count, count)).tocsr()
    weights.data[:] = 1
    degree = np.asarray(weights.sum(axis=1)).ravel()
    # Uniform weights need no metric of their own: REACH is turned into steps by the mean length of an edge.
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    length = float(np.linalg.norm(mesh.vertices[start] - mesh.vertices[end], axis=1).mean()) if len(start) else extent
    steps = (REACH * extent / max(length, 1e-12)) ** 2
    own = mass[rows] / max(float(mass[rows].mean()), 1e-30)
    matrix = diags(own * trust[rows] + 1e-6) + steps / 6 * (diags(degree) - weights)
    found = spsolve(matrix.tocsc(), own * say[rows])
    return np.where(found == 0, say[rows], found)


def _inside(mesh: TriangleMesh, decided: NDArray[np.int8]) -> Bool:
    """Vertices with no vertex of the other side's limb next to them, twice removed."""
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    border = np.zeros(len(decided), bool)
    border[edges[(decided[edges[:, 0]] * decided[edges[:, 1]] < 0)].ravel()] = True
    for _ in range(2):
        border[edges[border[edges].any(axis=1)].ravel()] = True
    return (decided != 0) & ~border
