# SPDX-License-Identifier: GPL-3.0-or-later
"""Solids that bodies are made of, as signed distances, and three ways to make a surface of them.

Metres, negative inside. A solid's distance is exact in the squeezed space only, hence a lower bound of the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .skeleton import Float32, Int32

_FAR = np.float32(10.0)


@dataclass(frozen=True, eq=False)
class Solid:
    """A tapered capsule or a box between two points, belonging to one or several bones.

    start, end: (3,) the axis of a capsule; the two opposite corners of a box.
    start_radius, end_radius: of a capsule, in squeezed space; `start_radius` of a box rounds its edges.
    squeeze: (3,) factors that space is multiplied by first: (0.5, 1, 1) makes a capsule twice as wide as it is deep.
    bones: the names of the bones it may move with, nearest first to win.
    blend: how softly it melts into its neighbours, metres.
    floor: what lies lower is cut away, flat.
    body: whether it takes part in saying which bone is near (clothes do not).
    rigid: moves with its bone alone.
    """

    bones: tuple[str, ...]
    start: Float32
    end: Float32
    start_radius: float
    end_radius: float = 0.0
    squeeze: Float32 = field(default_factory=lambda: np.ones(3, np.float32))
    blend: float = 0.01
    floor: float | None = None
    box: bool = False
    body: bool = True
    rigid: bool = False

    @classmethod
    def limb(
        cls,
        bone: str,
        ends: Float32,
        start_radius: float,
        end_radius: float,
        squeeze: Float32 | None = None,
        blend: float = 0.01,
        floor: float | None = None,
    ) -> Solid:
        """A capsule between the two ends (2, 3) of a bone."""
        even = np.ones(3, np.float32) if squeeze is None else squeeze
        return cls((bone,), ends[0], ends[1], start_radius, end_radius, even, blend, floor)

    def bounds(self) -> tuple[Float32, Float32]:
        """Least and greatest corner, (3,) each."""
        if self.box:
            return np.minimum(self.start, self.end), np.maximum(self.start, self.end)
        radii = np.array([[self.start_radius], [self.end_radius]]) / self.squeeze
        ends = np.stack([self.start, self.end])
        return (ends - radii).min(0), (ends + radii).max(0)

    def distance(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """Signed distance at points whose coordinates broadcast against each other."""
        if self.box:
            centre, half = (self.start + self.end) / 2, np.abs(self.end - self.start) / 2 - self.start_radius
            outside = [np.abs(p - c) - h for p, c, h in zip((x, y, z), centre, half, strict=True)]
            above = [np.maximum(gap, 0) for gap in outside]
            inside = np.minimum(np.maximum(np.maximum(outside[0], outside[1]), outside[2]), 0)
            found = np.sqrt(above[0] ** 2 + above[1] ** 2 + above[2] ** 2) + inside - np.float32(self.start_radius)
        else:
            origin = (self.start * self.squeeze).astype(np.float32)
            axis = (self.end * self.squeeze - origin).astype(np.float32)
            scale = self.squeeze.astype(np.float32)
            dx, dy, dz = x * scale[0] - origin[0], y * scale[1] - origin[1], z * scale[2] - origin[2]
            length = max(float(axis @ axis), 1e-12)
            t = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) / np.float32(length), 0, 1)
            radius = np.float32(self.start_radius) + t * np.float32(self.end_radius - self.start_radius)
            found = np.sqrt((dx - t * axis[0]) ** 2 + (dy - t * axis[1]) ** 2 + (dz - t * axis[2]) ** 2) - radius
        return found if self.floor is None else np.maximum(found, np.float32(self.floor) - z)

    def distance_to(self, points: Float32) -> Float32:
        """points (N, 3) -> (N,) signed distances."""
        return self.distance(points[:, 0], points[:, 1], points[:, 2])


@dataclass(frozen=True, eq=False)
class Lattice:
    """A grid whose rows shrink towards `centre` far out along X, so that hands are sampled finer than bodies.

    x: (U,) node positions; shrink: (U,) factor of the Y-Z plane at each; y, z: (V,), (W,) nodes where shrink is 1.
    """

    x: Float32
    shrink: Float32
    y: Float32
    z: Float32
    centre: tuple[float, float]

    def coordinates(self) -> tuple[Float32, Float32, Float32]:
        """Broadcastable (U, 1, 1), (U, V, 1) and (U, 1, W) coordinates of the nodes."""
        y = self.centre[0] + self.shrink[:, None] * (self.y - self.centre[0])
        z = self.centre[1] + self.shrink[:, None] * (self.z - self.centre[1])
        return self.x[:, None, None], y[:, :, None], z[:, None, :]


def make_lattice(solids: Sequence[Solid], cell: float, elbow_x: float, wrist_x: float, arm_z: float) -> Lattice:
    """A lattice around the solids with cells of `cell` metres, down to a third of it at the hands of a T-pose."""
    lows, highs = zip(*(solid.bounds() for solid in solids), strict=True)
    low, high = np.min(lows, 0) - 2.5 * cell, np.max(highs, 0) + 2.5 * cell
    begin = max(
        [elbow_x] + [float(np.abs([a[0], b[0]]).max()) for a, b in zip(lows, highs, strict=True) if -a[0] * b[0] > 0]
    )
    # What reaches past the elbow must still fit into the shrunken rows.
    needed = 0.33
    for a, b in zip(lows, highs, strict=True):
        if max(b[0], -a[0]) > begin:
            needed = max(needed, (b[1] + cell) / high[1], (a[1] - cell) / low[1])
            needed = max(needed, (b[2] + cell - arm_z) / (high[2] - arm_z), (a[2] - cell - arm_z) / (low[2] - arm_z))
    needed = min(1.0, needed)
    end = max(wrist_x, begin + 0.02)
    right, left = [0.0], [0.0]
    for nodes, reach in ((right, high[0]), (left, -low[0])):
        while nodes[-1] < reach:
            nodes.append(nodes[-1] + cell * float(_shrink(np.float32(nodes[-1]), begin, end, needed)))
    x = np.array([-node for node in left[:0:-1]] + right, np.float32)
    shrink = np.asarray(_shrink(np.abs(x), begin, end, needed), np.float32)
    y = np.arange(low[1], high[1] + cell, cell, dtype=np.float32)
    z = np.arange(low[2], high[2] + cell, cell, dtype=np.float32)
    return Lattice(x, shrink, y, z, (0.0, arm_z))


def _shrink(x: Any, begin: float, end: float, least: float) -> Any:
    t = np.clip((x - begin) / (end - begin), 0, 1)
    return 1 - (1 - least) * t * t * (3 - 2 * t)


def sample_union(solids: Sequence[Solid], lattice: Lattice, cell: float) -> Float32:
    """(U, V, W) float32 signed distance of the solids melted together; only trustworthy near the surface."""
    x, y, z = lattice.coordinates()
    values = np.full((len(lattice.x), len(lattice.y), len(lattice.z)), _FAR, np.float32)
    for solid in solids:
        low, high = solid.bounds()
        margin = 2 * cell + solid.blend
        u = _covering(x[:, 0, 0][None], low[0] - margin, high[0] + margin)
        v = _covering(y[u, :, 0], low[1] - margin, high[1] + margin)
        w = _covering(z[u, 0, :], low[2] - margin, high[2] + margin)
        block = values[u, v, w]
        new = solid.distance(x[u], y[u, v], z[u, :, w])
        overlap = np.maximum(np.float32(solid.blend) - np.abs(block - new), 0)
        values[u, v, w] = np.minimum(block, new) - overlap * overlap / np.float32(4 * max(solid.blend, 1e-6))
    return values


def _covering(nodes: Float32, low: float, high: float) -> slice:
    inside = np.flatnonzero(((nodes >= low) & (nodes <= high)).any(0))
    return slice(0, 0) if len(inside) == 0 else slice(int(inside[0]), int(inside[-1]) + 1)


def extract_surface(values: Float32, lattice: Lattice) -> tuple[Float32, Int32]:
    """The zero surface as a closed mesh: one vertex per cell it crosses (naive surface nets, Gibson 1998).

    values (U, V, W), positive on the lattice's border. Returns vertices (N, 3) float32 and outward faces (F, 3) int32.
    """
    inside = values < 0
    corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    shape = tuple(size - 1 for size in values.shape)
    count = np.zeros(shape, np.int8)
    for i, j, k in corners:
        count += inside[i : i + shape[0], j : j + shape[1], k : k + shape[2]]
    cells = np.argwhere((count > 0) & (count < 8))
    number = np.full(shape, -1, np.int32)
    number[tuple(cells.T)] = np.arange(len(cells))

    x, y, z = lattice.coordinates()
    level = np.empty((len(cells), 8), np.float32)
    place = np.empty((len(cells), 8, 3), np.float32)
    for n, corner in enumerate(corners):
        u, v, w = (cells + corner).T
        level[:, n] = values[u, v, w]
        place[:, n] = np.stack([x[u, 0, 0], y[u, v, 0], z[u, 0, w]], 1)
    total = np.zeros((len(cells), 3), np.float32)
    crossings = np.zeros((len(cells), 1), np.float32)
    for n in range(8):
        for m in (n | 1, n | 2, n | 4):
            if m == n:
                continue
            crossed = (level[:, n] < 0) != (level[:, m] < 0)
            a, b = level[crossed, n, None], level[crossed, m, None]
            t = a / (a - b)
            total[crossed] += place[crossed, n] * (1 - t) + place[crossed, m] * t
            crossings[crossed] += 1
    vertices = total / crossings

    quads = []
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        ahead = tuple(slice(s, None) for s in step)
        behind = tuple(slice(None, -s or None) for s in step)
        edges = np.argwhere(inside[behind] != inside[ahead])
        second, third = np.eye(3, dtype=int)[(axis + 1) % 3], np.eye(3, dtype=int)[(axis + 2) % 3]
        ring = [edges - second - third, edges - third, edges, edges - second]
        quad = np.stack([number[tuple(cell.T)] for cell in ring], 1)
        leaving = inside[tuple(edges.T)]
        quads.append(np.where(leaving[:, None], quad, quad[:, ::-1]))
    quad = np.concatenate(quads)
    # Cut along the shorter diagonal: folds follow the shape.
    first = np.linalg.norm(vertices[quad[:, 0]] - vertices[quad[:, 2]], axis=1)
    other = np.linalg.norm(vertices[quad[:, 1]] - vertices[quad[:, 3]], axis=1)
    turned = np.where((first <= other)[:, None], quad, np.roll(quad, 1, axis=1))
    return vertices, np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]]).astype(np.int32)


def mesh_solid(solid: Solid, sides: int) -> tuple[Float32, Int32]:
    """One solid as a closed mesh of its own, low-poly. vertices (N, 3) float32, faces (F, 3) int32."""
    return _mesh_box(solid, sides) if solid.box else _mesh_capsule(solid, sides)


def melt_solids(solids: Sequence[Solid], lattice: Lattice, cell: float) -> tuple[Float32, Int32, Int32]:
    """All solids as one surface, as `mesh_pieces` has it: a vertex is of the solid it lies deepest in or nearest to."""
    vertices, faces = extract_surface(sample_union(solids, lattice, cell), lattice)
    owner = np.argmin([solid.distance_to(vertices) for solid in solids], axis=0)
    return vertices, faces, owner.astype(np.int32)


def mesh_pieces(solids: Sequence[Solid], resolution: int) -> tuple[Float32, Int32, Int32]:
    """Every solid as a closed mesh: vertices (N, 3), faces (F, 3), and (N,) int32 the solid each vertex is of."""
    vertices, faces, owner, count = [], [], [], 0
    for number, solid in enumerate(solids):
        low, high = solid.bounds()
        big = float((high - low).max())
        sides = int(np.clip(resolution * (0.11 if big > 0.1 else 0.07), 6, 16))
        points, triangles = mesh_solid(solid, sides)
        vertices.append(points)
        faces.append(triangles + count)
        owner.append(np.full(len(points), number, np.int32))
        count += len(points)
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32), np.concatenate(owner)


def _mesh_capsule(solid: Solid, sides: int) -> tuple[Float32, Int32]:
    start, end = solid.start * solid.squeeze, solid.end * solid.squeeze
    length = float(np.linalg.norm(end - start))
    axis = (end - start) / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    across = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    over = np.cross(axis, across)
    caps = max(2, sides // 4)
    rings = max(1, round(length / max(1e-6, 0.9 * (solid.start_radius + solid.end_radius) / 2)))
    profile = [
        (-np.cos(a) * solid.start_radius, np.sin(a) * solid.start_radius)
        for a in np.linspace(0, np.pi / 2, caps + 1)[:-1]
    ]
    profile += [
        (length * t, solid.start_radius + t * (solid.end_radius - solid.start_radius))
        for t in np.linspace(0, 1, rings + 1)
    ]
    profile += [
        (length + np.sin(a) * solid.end_radius, np.cos(a) * solid.end_radius)
        for a in np.linspace(0, np.pi / 2, caps + 1)[1:]
    ]
    angle = np.arange(sides) * 2 * np.pi / sides
    circle = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * over
    body = np.concatenate([start + along * axis + radius * circle for along, radius in profile[1:-1]])
    poles = [start + profile[0][0] * axis, start + profile[-1][0] * axis]
    vertices = np.concatenate([body, poles]) / solid.squeeze
    if solid.floor is not None:
        vertices[:, 2] = np.maximum(vertices[:, 2], solid.floor)
    here = np.arange(sides)
    after = (here + 1) % sides
    faces = [np.stack([np.full(sides, len(body)), after, here], 1)]
    for ring in range(len(profile) - 3):
        low, high = ring * sides, (ring + 1) * sides
        faces += [
            np.stack([low + here, low + after, high + after], 1),
            np.stack([low + here, high + after, high + here], 1),
        ]
    last = (len(profile) - 3) * sides
    faces.append(np.stack([np.full(sides, len(body) + 1), last + here, last + after], 1))
    return vertices.astype(np.float32), np.concatenate(faces).astype(np.int32)


def _mesh_box(solid: Solid, sides: int) -> tuple[Float32, Int32]:
    low, high = solid.bounds()
    size = high - low
    cuts = np.maximum(1, np.round(size / size.max() * max(2, sides // 2))).astype(int)
    points: list[Float32] = []
    faces: list[Int32] = []
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, 1):
            grid = np.zeros((cuts[a] + 1, cuts[b] + 1, 3), int)
            grid[..., a], grid[..., b] = np.mgrid[: cuts[a] + 1, : cuts[b] + 1]
            grid[..., axis] = side * cuts[axis]
            number = np.arange(grid[..., 0].size).reshape(grid.shape[:2]) + sum(map(len, points))
            quad = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1).reshape(-1, 4)
            quad = quad if side else quad[:, ::-1]
            points.append(grid.reshape(-1, 3))
            faces += [quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]
    welded, index = np.unique(np.concatenate(points), axis=0, return_inverse=True)
    return (low + welded / cuts * size).astype(np.float32), index.reshape(-1)[np.concatenate(faces)].astype(np.int32)
