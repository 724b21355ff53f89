# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks an artist's mesh and makes the internal proxy that everything is computed on.

The artist's data is never touched: results on the proxy come back through `Preflight.proxy_vertex`, one for each of
the artist's vertices, in the artist's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .geometry.components import vertex_components, weld
from .geometry.winding import edge_use, inward_faces
from .mesh import Float32, Int32, TriangleMesh
from .wording import how_many

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

# Lengths are in units of the proxy, whose largest extent is 1.
WELD_DISTANCE = 1e-6
MIN_CROSS = 1e-12  # twice the smallest area a face may have: a square of the weld distance
MAX_NON_FINITE_SHARE = 0.05
HUGE_FACE_COUNT = 2_000_000
USUAL_EXTENT = (1e-3, 1e4)


@dataclass(frozen=True)
class Finding:
    """One thing seen in a mesh.

    fault: stable short name, such as ``"loose_vertices"``. severity: "info", or "mended" on the proxy; what cannot be
    mended is raised as `BadInputError`, which `tasks.check` lists as "refused". count: how many elements.
    """

    fault: str
    severity: Literal["info", "mended", "refused"]
    count: int
    message: str


@dataclass(frozen=True, eq=False)
class Preflight:
    """A mesh's proxy, the way back to the artist's mesh, and what was found.

    proxy: welded, finite, without degenerate or duplicate faces or loose vertices, wound outwards, centred and scaled
        so that its largest extent is 1.
    proxy_vertex: (V,) int32 artist vertex -> proxy vertex; vertices without surface get the nearest one.
    artist_vertex: (P,) int32 proxy vertex -> the first artist vertex welded into it.
    proxy_face: (PF,) int32 proxy face -> artist face; its corners may be in another order where winding was mended.
    scale, centre: proxy = (artist - centre) * scale; centre (3,) float32 in the artist's unit.
    """

    proxy: TriangleMesh
    proxy_vertex: Int32
    artist_vertex: Int32
    proxy_face: Int32
    findings: tuple[Finding, ...]
    scale: float
    centre: Float32


_known: WeakKeyDictionary[TriangleMesh, Preflight] = WeakKeyDictionary()


def preflight(mesh: TriangleMesh) -> Preflight:
    """Check a mesh and make its proxy; the same `TriangleMesh` object is only worked on once.

    Non-finite vertices are put at the mean of their finite neighbours, when they are one vertex or at most 5 % of all.
    Raises `BadInputError` with fault "no_faces", "bad_index", "non_finite" or "no_area".
    """
    found = _known.get(mesh)
    if found is None:
        found = _known[mesh] = _make(mesh)
    return found


def _make(mesh: TriangleMesh) -> Preflight:
    findings: list[Finding] = []
    _refuse_unusable(mesh)
    vertices = _mend_non_finite(mesh, findings)
    in_use = np.zeros(len(vertices), bool)
    in_use[mesh.faces] = True
    scale, centre = _normalisation(mesh, vertices[in_use])
    _judge_size(mesh, scale, findings)
    points = (vertices - centre.astype(np.float64)) * scale

    used = np.flatnonzero(in_use).astype(np.int32)
    welded_of_used, first_used = weld(points[used], WELD_DISTANCE)
    merged = len(used) - len(first_used)
    if merged:
        note = f"{how_many(merged, 'duplicate vertex', 'duplicate vertices')} on top of others; each place counts once"
        findings.append(_finding(mesh, "duplicate_vertices", "mended", merged, note))
    welded_of = np.full(len(vertices), -1, np.int32)
    welded_of[used] = welded_of_used
    points_of_welded = points[used[first_used]]

    faces, proxy_face = _sound_faces(mesh, points_of_welded, welded_of[mesh.faces], findings)
    kept, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int32)
    proxy_of_welded = np.full(len(points_of_welded), -1, np.int32)
    proxy_of_welded[kept] = np.arange(len(kept), dtype=np.int32)
    proxy_points = points_of_welded[kept].astype(np.float32)
    faces = _mend_winding(mesh, proxy_points, faces, findings)

    proxy_vertex = np.where(welded_of >= 0, proxy_of_welded[welded_of], -1).astype(np.int32)
    _place_loose(mesh, points, proxy_points, in_use, proxy_vertex, findings)
    _describe_parts(mesh, faces, len(kept), findings)
    proxy = TriangleMesh(proxy_points, faces, mesh.name)
    return Preflight(proxy, proxy_vertex, used[first_used][kept], proxy_face, tuple(findings), scale, centre)


def _refuse_unusable(mesh: TriangleMesh) -> None:
    if len(mesh.vertices) == 0:
        raise BadInputError(f"{mesh.name}: the mesh is empty. Choose a mesh with faces.", fault="no_faces")
    if len(mesh.faces) == 0:
        raise BadInputError(
            f"{mesh.name}: the mesh has no faces, so there is no surface. Add faces and run again.", fault="no_faces"
        )
    outside = int(np.count_nonzero(((mesh.faces < 0) | (mesh.faces >= len(mesh.vertices))).any(axis=1)))
    if outside:
        raise BadInputError(
            f"{mesh.name}: {how_many(outside, 'face')} with corners that do not exist. Repair the mesh "
            "(in Blender: Mesh ▸ Clean Up, or export it again) and run again.",
            fault="bad_index",
        )


def _mend_non_finite(mesh: TriangleMesh, findings: list[Finding]) -> Float64:
    vertices = mesh.vertices.astype(np.float64)
    bad = ~np.isfinite(vertices).all(axis=1)
    count = int(bad.sum())
    if count == 0:
        return vertices
    refusal = BadInputError(
        f"{mesh.name}: {how_many(count, 'vertex', 'vertices')} of {len(vertices):,} have coordinates that are not "
        "numbers. Delete or move them and run again.",
        fault="non_finite",
    )
    if count > max(1, MAX_NON_FINITE_SHARE * len(vertices)):
        raise refusal
    start, end = mesh.faces[:, [0, 1, 1, 2, 2, 0]].ravel(), mesh.faces[:, [1, 0, 2, 1, 0, 2]].ravel()
    waiting = bad.copy()
    while waiting.any():  # from the rim of a bad region inwards
        usable = waiting[start] & ~waiting[end]
        number = np.bincount(start[usable], minlength=len(vertices))
        reached = number > 0
        if not reached.any():
            break
        for axis in range(3):
            total = np.bincount(start[usable], vertices[end[usable], axis], len(vertices))
            vertices[reached, axis] = total[reached] / number[reached]
        waiting &= ~reached
    if waiting[mesh.faces].any():
        raise refusal
    vertices[waiting] = np.median(vertices[~waiting], axis=0)  # loose ones: anywhere will do
    note = f"{how_many(count, 'vertex', 'vertices')} without a valid position; placed between their neighbours"
    findings.append(_finding(mesh, "non_finite", "mended", count, note))
    return vertices


def _normalisation(mesh: TriangleMesh, used_vertices: Float64) -> tuple[float, Float32]:
    low, high = used_vertices.min(axis=0), used_vertices.max(axis=0)
    extent = float((high - low).max())
    if extent == 0 or not np.isfinite(1 / extent):
        raise _no_area(mesh)
    return 1 / extent, ((low + high) / 2).astype(np.float32)


def _judge_size(mesh: TriangleMesh, scale: float, findings: list[Finding]) -> None:
    extent = 1 / scale
    if not USUAL_EXTENT[0] <= extent <= USUAL_EXTENT[1]:
        note = f"unusual size, {extent:.3g} units at its largest; worked on at unit size, check the scale if unintended"
        findings.append(_finding(mesh, "extreme_scale", "mended", 1, note))
    if len(mesh.faces) > HUGE_FACE_COUNT:
        note = f"{len(mesh.faces):,} triangles; this takes long and much memory, a decimated copy gives the same result"
        findings.append(_finding(mesh, "huge", "info", len(mesh.faces), note))


def _sound_faces(mesh: TriangleMesh, points: Float64, faces: Int32, findings: list[Finding]) -> tuple[Int32, Int32]:
    """Faces with an area, each only once: (PF, 3) over the welded points, and (PF,) the artist's face of each."""
    corners = points[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    has_area = np.linalg.norm(cross, axis=1) > MIN_CROSS
    degenerate = int(np.count_nonzero(~has_area))
    if degenerate == len(faces):
        raise _no_area(mesh)
    if degenerate:
        note = f"{how_many(degenerate, 'face')} without area; left out of the computation"
        findings.append(_finding(mesh, "degenerate_faces", "mended", degenerate, note))
    index = np.flatnonzero(has_area)
    low, middle, high = np.sort(faces[index], axis=1).astype(np.int64).T
    count = len(points)
    # Two steps, because the product of three vertex numbers of a huge mesh would not fit 64 bits.
    pair = np.unique(low * count + middle, return_inverse=True)[1]
    first = np.sort(np.unique(pair * count + high, return_index=True)[1])
    duplicates = len(index) - len(first)
    if duplicates:
        note = f"{how_many(duplicates, 'duplicate face')} on top of others; each counts once"
        findings.append(_finding(mesh, "duplicate_faces", "mended", duplicates, note))
    index = index[first].astype(np.int32)
    return faces[index], index


def _mend_winding(mesh: TriangleMesh, points: Float32, faces: Int32, findings: list[Finding]) -> Int32:
    edges = edge_use(faces, len(points))
    crowded = int(np.count_nonzero(edges.count > 2))
    if crowded:
        note = f"{how_many(crowded, 'edge')} shared by more than two faces; distances across them are approximate"
        findings.append(_finding(mesh, "non_manifold_edges", "info", crowded, note))
    flip = inward_faces(points, faces, edges)
    flipped = int(flip.sum())
    if flipped:
        note = f"{how_many(flipped, 'face')} of {len(faces):,} facing inwards; turned round for the computation"
        findings.append(_finding(mesh, "flipped_normals", "mended", flipped, note))
    return np.where(flip[:, None], faces[:, [0, 2, 1]], faces)


def _place_loose(
    mesh: TriangleMesh,
    points: Float64,
    proxy_points: Float32,
    in_use: Bool,
    proxy_vertex: Int32,
    findings: list[Finding],
) -> None:
    """Give every vertex that is on no face of the proxy the nearest proxy vertex, in place."""
    homeless = np.flatnonzero(proxy_vertex < 0)
    if len(homeless) == 0:
        return
    from scipy.spatial import cKDTree

    proxy_vertex[homeless] = cKDTree(proxy_points).query(points[homeless])[1]
    loose = int(np.count_nonzero(~in_use))
    if loose:
        note = f"{how_many(loose, 'loose vertex', 'loose vertices')} without surface; each takes the nearest result"
        findings.append(_finding(mesh, "loose_vertices", "mended", loose, note))


def _describe_parts(mesh: TriangleMesh, faces: Int32, vertex_count: int, findings: list[Finding]) -> None:
    parts = int(vertex_components(faces, vertex_count).max()) + 1
    if parts > 1:
        note = f"{parts:,} separate parts; each is worked on by itself where the surface matters"
        findings.append(_finding(mesh, "components", "info", parts, note))


def _no_area(mesh: TriangleMesh) -> BadInputError:
    return BadInputError(
        f"{mesh.name}: no face has any area, all are collapsed to points or lines. Check the object's scale and run "
        "again.",
        fault="no_area",
    )


def _finding(mesh: TriangleMesh, fault: str, severity: Literal["info", "mended"], count: int, note: str) -> Finding:
    return Finding(fault, severity, count, f"{mesh.name}: {note}.")
