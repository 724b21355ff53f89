# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way up a mesh was made: the way in which it is most like the people and quadrupeds of the rig templates.

The backbone has seen most bodies standing, and knows those that lie only half as well. A glance from a few sides is
enough to tell: of 142 bodies, statues and chairs in any pose one, an animal that rears, was taken for lying; solids,
which are like nothing known, are taken as they stand.
"""

from __future__ import annotations

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

VIEWS = 3  # for each axis
MOST_VERTICES = 3000
COMPARED = 500  # of them
FEWEST = 100  # vertices: what a crate's eight corners are like is chance
BODIES = {"human": ("man", "stout", "chibi"), "quadruped": ("wolf", "cat", "cow")}  # of the rig templates
LEAST = 0.2  # likeness below which a mesh is like nothing that is known
SURE = 0.03  # of likeness: an axis is taken for up if it does that much better than Z
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


def find_up(mesh: TriangleMesh, device: str) -> str:
    """Which of `TURNS` is the mesh's up axis, by the bundled backbone; "Z" unless another does clearly better."""
    if len(mesh.vertices) < FEWEST:
        return "Z"
    alike = _alike(mesh, device)
    best = max(alike, key=lambda up: alike[up])
    return best if alike[best] > max(LEAST, alike["Z"] + SURE) else "Z"


def _alike(mesh: TriangleMesh, device: str) -> dict[str, float]:
    """How alike the mesh is to the most alike body, by which way up it is."""
    surface = coarsen(mesh, MOST_VERTICES).mesh if len(mesh.vertices) > MOST_VERTICES else mesh
    glances = _glance(mesh, surface, list(TURNS.values()), device)
    return {
        up: max(likeness(surface, features, *body, COMPARED) for body in _known_bodies(device))
        for up, features in zip(TURNS, glances, strict=True)
    }


@lru_cache(maxsize=1)
def _known_bodies(device: str) -> list[tuple[TriangleMesh, Features]]:
    shapes = [shape for kind, names in BODIES.items() for shape in load_template(kind).shapes if shape.name in names]
    meshes = [coarsen(shape.mesh, MOST_VERTICES).mesh for shape in shapes]
    return [(mesh, _glance(mesh, mesh, [TURNS["Z"]], device)[0]) for mesh in meshes]


def _glance(mesh: TriangleMesh, surface: TriangleMesh, turns: list[np.ndarray], device: str) -> list[Features]:
    """Features of the surface's vertices as a few whole views of the mesh show them, for every turn of it."""
    from .backbones import load_backbone
    from .features import Features
    from .lifting import lift, read_cells

    backbone, raycaster = load_backbone("bundled", device), Raycaster(mesh)
    around = [place_cameras((mesh.vertices @ turn.T).astype(np.float32), VIEWS) for turn in turns]
    cameras = Cameras(
        np.concatenate([own.rotations @ turn for own, turn in zip(around, turns, strict=True)]).astype(np.float32),
        np.concatenate([own.centres @ turn for own, turn in zip(around, turns, strict=True)]).astype(np.float32),
        np.concatenate([own.half_sizes for own in around]),
    )
    views = render_views(raycaster, cameras, backbone.checkpoint.image_size)
    cells = backbone.encode(backbone.pictures(views), lambda _: None, lambda _: None)
    reading = read_cells(surface, raycaster, cameras, views, cells.shape[1], backbone.checkpoint.cell_shift)
    each = VIEWS * cells.shape[1] * cells.shape[2]
    found = []
    for number in range(len(turns)):
        lifted = lift(surface, reading[:, number * each : (number + 1) * each], cells[number * VIEWS :][:VIEWS])
        found.append(Features(lifted.values, lifted.confidence))
    return found
