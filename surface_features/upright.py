# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way up a mesh was made: the way in which it is most like the people and quadrupeds of the rig templates.

The backbone has seen most bodies standing, and knows those that lie only half as well. A glance from a few sides tells
most; where it is for turning the mesh, a look from more sides has to agree. Of 325 standing people, characters and
animals in any pose two, which rear, were turned; of 176 laid on their backs 3 were left so, 3 turned wrongly. Solids,
which are like nothing known, are taken as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .geometry.coarse import coarsen
from .likeness import likeness
from .mesh import TriangleMesh
from .rig_template import load_template
from .views.cameras import Cameras, place_cameras
from .views.render import Raycaster, render_views

if TYPE_CHECKING:
    from .features import Features

GLANCE, LOOK = 3, 24  # views for each axis
MOST_VERTICES = 3000
COMPARED = 500  # of them
FEWEST = 100  # vertices: what a crate's eight corners are like is chance
BODIES = {"human": ("man", "stout", "chibi"), "quadruped": ("wolf", "cat", "cow")}  # of the rig templates
LEAST = 0.2  # likeness below which a mesh is like nothing that is known
SURE = 0.03  # of likeness: an axis is taken for up if it does that much better than Z
NEARLY = 0.08  # of likeness: axes that do at most so much worse at a glance than the best are looked at
TURNS: dict[str, Any] = {  # rows are where X, Y and Z of the standing mesh are in the given one
    "Z": np.eye(3),
    "Y": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "X": np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]),
    "-Z": np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]]),
    "-Y": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-X": np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
}


def to_z_up(mesh: TriangleMesh, up: str) -> TriangleMesh:
    """The same mesh with Z up; "Y" turns +90° about X (a character facing +Z then faces −Y), "auto" leaves it."""
    if up in ("Z", "auto"):
        return mesh
    return TriangleMesh((mesh.vertices @ TURNS[up].T).astype(np.float32), mesh.faces, mesh.name)


def find_up(raycaster: Raycaster, surface: TriangleMesh, device: str) -> str:
    """Which of `TURNS` is the up axis of the raycaster's mesh, by the bundled backbone.

    surface: that mesh, or a coarser one of the same surface. "Z" unless another axis does clearly better.
    """
    if len(raycaster.mesh.vertices) < FEWEST:
        return "Z"
    if len(surface.vertices) > MOST_VERTICES:
        surface = coarsen(surface, MOST_VERTICES).mesh
    alike = _alike(raycaster, surface, list(TURNS), GLANCE, device)
    if _best(alike) == "Z":
        return "Z"
    least = max(alike.values()) - NEARLY
    likely = [up for up in TURNS if up == "Z" or alike[up] >= least]
    return _best(_alike(raycaster, surface, likely, LOOK, device))


def _best(alike: dict[str, float]) -> str:
    best = max(alike, key=lambda up: alike[up])
    return best if alike[best] > max(LEAST, alike["Z"] + SURE) else "Z"


def _alike(
    raycaster: Raycaster, surface: TriangleMesh, ups: Sequence[str], views: int, device: str
) -> dict[str, float]:
    """How alike the mesh is to the most alike body, for some ways up."""
    seen = _see(raycaster, surface, [TURNS[up] for up in ups], views, device)
    return {
        up: max(likeness(surface, features, *body, COMPARED) for body in _known_bodies(views, device))
        for up, features in zip(ups, seen, strict=True)
    }


@lru_cache(maxsize=2)
def _known_bodies(views: int, device: str) -> list[tuple[TriangleMesh, Features]]:
    shapes = [shape for kind, names in BODIES.items() for shape in load_template(kind).shapes if shape.name in names]
    meshes = [coarsen(shape.mesh, MOST_VERTICES).mesh for shape in shapes]
    return [(mesh, _see(Raycaster(mesh), mesh, [TURNS["Z"]], views, device)[0]) for mesh in meshes]


def _see(
    raycaster: Raycaster, surface: TriangleMesh, turns: Sequence[np.ndarray], count: int, device: str
) -> list[Features]:
    """Features of the surface's vertices as `count` whole views of the mesh show them, for every turn of it."""
    from .backbones import load_backbone
    from .features import Features
    from .lifting import lift, read_cells

    backbone, vertices = load_backbone("bundled", device), raycaster.mesh.vertices
    around = [place_cameras((vertices @ turn.T).astype(np.float32), count) for turn in turns]
    cameras = Cameras(
        np.concatenate([own.rotations @ turn for own, turn in zip(around, turns, strict=True)]).astype(np.float32),
        np.concatenate([own.centres @ turn for own, turn in zip(around, turns, strict=True)]).astype(np.float32),
        np.concatenate([own.half_sizes for own in around]),
    )
    views = render_views(raycaster, cameras, backbone.checkpoint.image_size)
    cells = backbone.encode(backbone.pictures(views), lambda _: None, lambda _: None)
    reading = read_cells(surface, raycaster, cameras, views, cells.shape[1], backbone.checkpoint.cell_shift)
    each = count * cells.shape[1] * cells.shape[2]
    found = []
    for number in range(len(turns)):
        lifted = lift(surface, reading[:, number * each : (number + 1) * each], cells[number * count :][:count])
        found.append(Features(lifted.values, lifted.confidence))
    return found
