# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of bodies on their own: busts, torsos, lower halves, single arms, and what is worn: trousers, jackets, boots.

Some are cut along a plane, some around a place, others follow the parts that the labels name. Half of those that are
cut are closed where they were, as sculptures are; what closes them has no label.
"""

from __future__ import annotations

import numpy as np

from surface_features.geometry.components import face_components, weld
from surface_features.geometry.vectors import unit_rows
from surface_features.mesh import TriangleMesh

from .dressing import SAME_PLACE, Labelled
from .families import LIMB_PARTS, PARTS

LEAST_AREA, LEAST_FACES = 0.02, 60  # of the whole: less is no part of a body that anyone could tell
LARGEST = 3  # pieces that hold most of a part; where they do not, scraps are left
TRIES = 8
ARM, LEG = LIMB_PARTS[:3], LIMB_PARTS[3:]
PIECES: tuple[tuple[str, ...], ...] = (
    ("head",), ("head", "neck"), ("head", "neck", "chest"), ("chest", "hips"), ("neck", "chest", "hips"),
    ("head", "neck", "chest", "hips", "tail", *ARM), ("head", "neck", "chest", *ARM),
    ("chest", "hips", "tail", *ARM, *LEG),
    ("hips", *LEG[:2]), ("hips", LEG[0]), ("hips", "tail", *LEG), LEG, LEG[1:], LEG[2:],
    ("chest", ARM[0]), ("chest", "hips", *ARM[:2]), ("chest", "neck", "hips", *ARM[:2], LEG[0]), ARM, ARM[1:], ARM[2:],
)  # fmt: skip
ONE_SIDED = (ARM, LEG, ARM[1:], LEG[1:], ARM[2:], LEG[2:])


def cut_out(mesh: Labelled, part_of: np.ndarray, rng: np.random.Generator) -> Labelled:
    """A part of a body that stands Z up; all of it where no part that was drawn is large enough.

    part_of: (N,) index into `PARTS` of every template vertex.
    """
    size = float(np.ptp(mesh.vertices, axis=0).max())
    place, first = weld(mesh.vertices / size, SAME_PLACE)
    faces, areas = place[mesh.faces], TriangleMesh(mesh.vertices, mesh.faces).face_areas
    for _ in range(TRIES):
        way = rng.choice(["plane", "piece", "ball"], p=[0.45, 0.45, 0.1])
        if way == "plane":
            kept = _beyond_plane(mesh, areas, rng)
        elif way == "piece":
            kept = _piece(mesh, part_of, rng)
        else:
            seat = mesh.vertices[mesh.faces[rng.integers(len(mesh.faces)), 0]]
            kept = np.linalg.norm(_middles(mesh) - seat, axis=1) < size * rng.uniform(0.15, 0.4)
        if _is_a_part(faces, areas, kept):
            break
    else:
        return mesh
    if way != "piece":
        part = _keep(mesh, kept)
        if rng.uniform() < 0.5:
            _close(part, _rims(mesh.vertices[first], faces, kept), size)
        return part
    if rng.uniform() < 0.5:  # worn over what it was
        normals = TriangleMesh(mesh.vertices[first], faces).vertex_normals[place]
        mesh = Labelled(mesh.vertices + normals * np.float32(size * rng.uniform(0.002, 0.02)), mesh.faces, mesh.labels)
    return _keep(mesh, kept)


def _is_a_part(faces: np.ndarray, areas: np.ndarray, kept: np.ndarray) -> bool:
    """Whether what is kept of the welded faces (F, 3) of areas (F,) is enough to be told, and no scraps."""
    if kept.sum() < LEAST_FACES or areas[kept].sum() < LEAST_AREA * areas.sum():
        return False
    piece = face_components(faces[kept], int(faces.max()) + 1)
    sizes = np.sort(np.bincount(piece, weights=areas[kept]))[::-1]
    return bool(sizes[:LARGEST].sum() > 0.75 * areas[kept].sum())


def _middles(mesh: Labelled) -> np.ndarray:
    return mesh.vertices[mesh.faces].mean(axis=1)


def _beyond_plane(mesh: Labelled, areas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F,) bool: what lies above, below, left or right of a plane, by a share of the area. areas: (F,) of the faces."""
    normal = {"level": [0.0, 0.0, 1.0], "upright": [1.0, 0.0, 0.0]}.get(
        str(rng.choice(["level", "upright", "any"], p=[0.65, 0.2, 0.15])), rng.normal(size=3)
    )
    normal = unit_rows((np.array(normal) + rng.normal(0, 0.12, 3))[None])[0] * rng.choice([-1, 1])
    along = _middles(mesh) @ normal
    order = np.argsort(along)
    share = np.empty(len(along))
    share[order] = np.cumsum(areas[order]) / max(float(areas.sum()), 1e-30)
    return share > 1 - rng.uniform(0.12, 0.8)


def _piece(mesh: Labelled, part_of: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F,) bool: what belongs to one of `PIECES`, of one side or both."""
    piece = PIECES[rng.integers(len(PIECES))]
    sides = "LR"
    if piece in ONE_SIDED and rng.uniform() < 0.6:
        sides = str(rng.choice(["L", "R"]))
    names = [f"{name}.{side}" for name in piece if name in LIMB_PARTS for side in sides]
    wanted = np.isin(np.arange(len(PARTS)), [PARTS.index(name) for name in (*names, *(set(piece) & set(PARTS)))])
    inside = np.where(mesh.labels >= 0, wanted[part_of[mesh.labels]], False)
    return inside[mesh.faces].all(axis=1)


def _keep(mesh: Labelled, kept: np.ndarray) -> Labelled:
    used, faces = np.unique(mesh.faces[kept], return_inverse=True)
    return Labelled(mesh.vertices[used], faces.reshape(-1, 3).astype(np.int32), mesh.labels[used])


def _rims(vertices: np.ndarray, faces: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """(E, 2, 3) ends of the edges along which faces were cut off, loop by loop, as the cut-off faces ran along them.

    vertices: (W, 3) welded ones, faces: (F, 3) of them.
    """
    count = len(vertices)
    ways = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).astype(np.int64)
    gone = ways[~kept].reshape(-1, 2)
    stays = ways[kept].reshape(-1, 2)
    rim = gone[np.isin(gone[:, 1] * count + gone[:, 0], stays[:, 0] * count + stays[:, 1])]
    loop = face_components(rim[:, [0, 1, 1]], count)
    return [vertices[rim[loop == number]] for number in np.unique(loop)]


def _close(mesh: Labelled, rims: list[np.ndarray], size: float) -> None:
    """Fans from every loop's middle, in place."""
    for rim in rims:
        if len(rim) < 3 or np.ptp(rim.reshape(-1, 3), axis=0).max() < 0.01 * size:
            continue
        middle = rim.reshape(-1, 3).mean(axis=0)
        count = len(rim)
        corners = np.concatenate([rim[:, 0], rim[:, 1], np.tile(middle, (count, 1))])
        faces = np.stack([np.arange(count), count + np.arange(count), 2 * count + np.arange(count)], axis=1)
        mesh.add(corners, faces, np.full(3 * count, -1))
