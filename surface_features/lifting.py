# SPDX-License-Identifier: GPL-3.0-or-later
"""From pictures back to the surface: features of cells become features of vertices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .geometry.vectors import unit_rows
from .mesh import Float32, Int32, TriangleMesh
from .parallel import each
from .progress import JobContext
from .views.cameras import Cameras
from .views.render import RAY_OFFSET, Raycaster, ViewBuffers

DEPTH_TOLERANCE = 0.04  # of the picture's half width: a cell this much nearer or farther shows something else
SMOOTHING_LENGTH = 0.04  # of √area
MOST_SMOOTHING_STEPS = 30
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int32)  # row and column of the cells around a place
SEEN_WEIGHT = 1.0  # sum of cosines at which a vertex counts as fully seen


@dataclass(frozen=True, eq=False)
class Lifted:
    """values: (V, D) float32 unit rows. confidence: (V,) float32 0…1; 0 where only neighbours were seen."""

    values: Float32
    confidence: Float32


def lift(mesh: TriangleMesh, reading: sparse.csr_array, cells: Float32, otherwise: Lifted | None = None) -> Lifted:
    """The visibility- and angle-weighted mean of every vertex's cells over all views.

    reading: (V, N·G·G), see `read_cells`. cells: (N, G, G, D) float32 unit vectors.

    Vertices that no view sees take the mean of their neighbours along the surface, or stay as they are in `otherwise`.
    The confidence is how well the views agree, less where few of them saw the vertex.
    """
    total = reading @ cells.reshape(-1, cells.shape[-1])
    weight = np.asarray(reading.sum(axis=1), np.float32).ravel()
    length = np.linalg.norm(total, axis=1)
    seen = length > 1e-6
    values = np.divide(total, length[:, None], out=np.zeros_like(total), where=seen[:, None])
    agreement = np.divide(length, weight, out=np.zeros_like(length), where=weight > 0)
    trust = np.clip(agreement, 0, 1) * np.clip(weight / SEEN_WEIGHT, 0, 1)
    confidence: Float32 = np.where(seen, trust, 0).astype(np.float32)
    if otherwise is not None:
        share = np.clip(weight / SEEN_WEIGHT, 0, 1)[:, None]  # at a detail's rim one look fades into the other
        values = share * values + (1 - share) * otherwise.values
        return Lifted(unit_rows(values).astype(np.float32), np.where(seen, confidence, otherwise.confidence))
    return Lifted(smooth_along_surface(mesh, fill_unseen(mesh, values, seen), confidence), confidence)


class LiftedLooks:
    """What several looks at one surface showed, from afar to near."""

    def __init__(self, mesh: TriangleMesh) -> None:
        self._mesh = mesh
        self._looks: list[Lifted] = []
        self._beneath: tuple[sparse.csr_array, Float32] | None = None

    def add(
        self,
        reading: sparse.csr_array,
        cells: Float32,
        beneath: sparse.csr_array | None = None,
        *,
        details: bool = False,
    ) -> None:
        """reading, beneath, cells: see `lift`; `beneath` reads only what is shown without what covers other pieces.

        details: the look shows only some of the surface; the rest stays as the look before showed it.
        """
        self._looks.append(lift(self._mesh, reading, cells, self._looks[-1] if details else None))
        if beneath is not None:
            self._beneath = beneath, cells

    def side_by_side(self, *, beneath: bool) -> Lifted:
        """All looks' features, (V, D) each, as one (V, levels · D) unit feature.

        beneath: last what was seen of each vertex without what covers it, or, where nothing was, the mean of the looks.
        """
        looks = list(self._looks)
        if beneath:
            known = _average(looks)
            looks.append(known if self._beneath is None else lift(self._mesh, *self._beneath, known))
        values = np.concatenate([look.values for look in looks], axis=1) / np.float32(np.sqrt(len(looks)))
        return Lifted(values, np.mean([look.confidence for look in looks], axis=0))


def _average(looks: Sequence[Lifted]) -> Lifted:
    values = unit_rows(np.sum([look.values for look in looks], axis=0)).astype(np.float32)
    return Lifted(values, np.mean([look.confidence for look in looks], axis=0))


def read_cells(
    mesh: TriangleMesh,
    raycaster: Raycaster,
    cameras: Cameras,
    views: ViewBuffers,
    grid: int,
    cell_shift: float,
    context: JobContext | None = None,
) -> sparse.csr_array:
    """(V, N·G·G) float32: with what weight every vertex reads the cells of N views of G × G each.

    mesh: what the features are for; the raycaster's, or a coarser one of the same surface.

    A vertex takes part in a view where no triangle hides it, with the cosine of its angle as weight, and reads the four
    cells around it, weighted bilinearly and by how close the cells' own depth is to its depth, so that an arm never
    reads the chest behind it.
    """
    offset = RAY_OFFSET * float(np.ptp(mesh.vertices, axis=0).max())
    raycaster.prepare()
    _ = mesh.vertex_normals  # computed once, before several threads ask

    def read(index: int) -> tuple[NDArray[np.int64], NDArray[np.int32], Float32]:
        return _read_view(mesh, raycaster, cameras, views, index, grid, cell_shift, offset)

    rows, columns, data = [], [], []
    for index, (row, column, share) in enumerate(each(read, range(len(cameras)))):
        rows.append(row)
        columns.append(column + index * grid * grid)
        data.append(share)
        if context is not None:
            context.report((index + 1) / len(cameras), "Lifting features onto the surface")
    where = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array((np.concatenate(data), where), shape=(len(mesh.vertices), len(cameras) * grid * grid))


def _read_view(
    mesh: TriangleMesh,
    raycaster: Raycaster,
    cameras: Cameras,
    views: ViewBuffers,
    index: int,
    grid: int,
    cell_shift: float,
    offset: float,
) -> tuple[NDArray[np.int64], NDArray[np.int32], Float32]:
    """Which vertex (M,) reads which of a view's cells (M,), and with what weight (M,)."""
    back = cameras.rotations[index][2]
    cosine = np.abs(mesh.vertex_normals @ back)
    place = cameras.project(mesh.vertices, index)
    candidates = np.flatnonzero((np.abs(place[:, 0]) < 1) & (np.abs(place[:, 1]) < 1) & (cosine > 0.05))
    cosine, (x, y, z) = cosine[candidates], place[candidates].T
    column = (x + 1) / 2 * grid - 0.5 - cell_shift
    row = (1 - y) / 2 * grid - 0.5 - cell_shift
    cell_depth = _cell_depths(views.depth[index], grid, cell_shift)
    i = np.floor(row).astype(np.int32) + CORNERS[:, :1]  # (4, M), as all that follow
    j = np.floor(column).astype(np.int32) + CORNERS[:, 1:]
    bilinear = (1 - np.abs(row - i)) * (1 - np.abs(column - j))
    inside = (i >= 0) & (i < grid) & (j >= 0) & (j < grid)
    cell = np.clip(i, 0, grid - 1) * grid + np.clip(j, 0, grid - 1)
    there = cell_depth.reshape(-1)[cell]
    apart = (there - (0.5 + 0.5 * z)) / DEPTH_TOLERANCE
    share = bilinear * cosine * np.exp(-0.5 * apart**2) * (inside & (there > 0))
    shares = share > 1e-4
    near = np.flatnonzero(shares.any(axis=0))  # what lies far behind a picture's surface needs no ray
    shares[:, near] &= raycaster.visible(mesh.vertices[candidates[near]], back, offset)
    corner, vertex = np.nonzero(shares)
    return candidates[vertex], cell[corner, vertex], share[corner, vertex].astype(np.float32)


def _cell_depths(depth: Float32, grid: int, cell_shift: float) -> Float32:
    """(G, G) depth at the pixel each cell stands for."""
    step = depth.shape[0] / grid
    pixel = np.clip(((np.arange(grid) + 0.5 + cell_shift) * step).astype(np.int64), 0, depth.shape[0] - 1)
    return depth[np.ix_(pixel, pixel)]


def smooth_along_surface(mesh: TriangleMesh, values: Float32, confidence: Float32) -> Float32:
    """Confidence-weighted diffusion over `SMOOTHING_LENGTH`: most of a neighbourhood outvotes the rest.

    values: (V, D) unit rows. Returns (V, D) unit rows. Meshes whose edges are longer than that stay as they are.
    """
    edges = _face_edges(mesh)
    length = float(np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1).mean())
    reach = SMOOTHING_LENGTH * float(np.sqrt(mesh.face_areas.sum()))
    steps = min(round(2 * (reach / max(length, 1e-12)) ** 2), MOST_SMOOTHING_STEPS)
    if steps == 0:
        return values
    adjacency = _adjacency(mesh)
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    half = np.float32(0.5)
    average = sparse.diags_array(half / degree.astype(np.float32)) @ adjacency
    average = (average + half * sparse.eye_array(len(degree), dtype=np.float32)).tocsr()
    mean = values * np.maximum(confidence, 0.02)[:, None]
    for _ in range(steps):
        mean = average @ mean
    norm = np.linalg.norm(mean, axis=1, keepdims=True)
    return np.where(norm > 1e-9, mean / np.maximum(norm, 1e-9), values).astype(np.float32)


def _face_edges(mesh: TriangleMesh) -> Int32:
    """(3F, 2) the edges of every face, shared ones once per face."""
    return np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])


def _adjacency(mesh: TriangleMesh) -> sparse.csr_array:
    """(V, V) float32, how many faces' edges join two vertices, in both directions."""
    edges = _face_edges(mesh)
    ones = np.ones(len(edges), np.float32)
    adjacency = sparse.csr_array((ones, (edges[:, 0], edges[:, 1])), shape=(len(mesh.vertices),) * 2)
    return (adjacency + adjacency.T).tocsr()


def fill_unseen(mesh: TriangleMesh, values: Float32, seen: np.ndarray) -> Float32:
    """Rings of unseen vertices take the mean of their known neighbours; pieces never seen, the nearest vertex's.

    values: (V, D) float32, meaningless where `seen` (V,) is False. Returns (V, D) float32 unit rows.
    """
    if seen.all():
        return values
    if not seen.any():
        return np.full_like(values, 1 / np.sqrt(values.shape[1]))
    values, known = values.copy(), seen.copy()
    adjacency = _adjacency(mesh)
    waiting = np.flatnonzero(~known)
    while len(waiting):
        links = adjacency[waiting]
        reached = (links @ known.astype(np.float32)) > 0
        if not reached.any():
            break
        ring = waiting[reached]
        mean = links[reached] @ (values * known[:, None])
        values[ring] = unit_rows(mean)
        known[ring] = True
        waiting = waiting[~reached]
    if len(waiting):
        from scipy.spatial import cKDTree

        source = np.flatnonzero(known)
        values[waiting] = values[source[cKDTree(mesh.vertices[source]).query(mesh.vertices[waiting])[1]]]
    return values
