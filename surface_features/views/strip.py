# SPDX-License-Identifier: GPL-3.0-or-later
"""A strip of small pictures of bodies in several states, for reports; not what the backbone looks at."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, TriangleMesh
from .cameras import Cameras, look_from
from .render import Raycaster

SIZE = 240  # pixels of one picture's sides
AHEAD = np.array([[0.45, -1.0, 0.25]], np.float32)  # a little from the side and from above; bodies face −Y
BEHIND = np.array([[-0.45, 1.0, 0.25]], np.float32)
LIGHT = np.array([-0.4, 0.5, 0.75], np.float32)  # in the camera's frame
COLOURS = np.array([(0.55, 0.62, 0.72), (0.85, 0.6, 0.4)], np.float32)  # of the bodies in turn
PAPER = 0.97


def draw_strip(bodies: Sequence[Sequence[TriangleMesh]]) -> NDArray[np.uint8]:
    """A PNG file's bytes, (N,) uint8. bodies: states of each, Z up; all states of a body are drawn to one scale."""
    rows = []
    for number, states in enumerate([list(map(_sound, states)) for states in bodies]):
        half = max(_half_size(state, AHEAD) for state in states)
        colour = COLOURS[number % len(COLOURS)]
        rows.append(np.concatenate([_draw(state, AHEAD, half, colour) for state in states], axis=1))
    width = max(row.shape[1] for row in rows)
    filled = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER) for row in rows]
    return _png(np.concatenate(filled))


def draw_around(mesh: TriangleMesh, colours: Float32) -> NDArray[np.uint8]:
    """A PNG file's bytes, (N,) uint8: the mesh, Z up, in its vertices' colours (V, 3), from ahead and from behind."""
    mesh = _sound(mesh)
    half = max(_half_size(mesh, side) for side in (AHEAD, BEHIND))
    return _png(np.concatenate([_draw(mesh, side, half, colours) for side in (AHEAD, BEHIND)], axis=1))


def _sound(mesh: TriangleMesh) -> TriangleMesh:
    """The same mesh without what is nowhere: vertices that are no numbers, and their faces."""
    sound = np.isfinite(mesh.vertices).all(axis=1)
    return TriangleMesh(np.nan_to_num(mesh.vertices, posinf=0, neginf=0), mesh.faces[sound[mesh.faces].all(axis=1)])


def _corners(mesh: TriangleMesh, side: Float32) -> Float32:
    """(N, 3) all that can be seen, in the frame of a camera that stands there."""
    return mesh.vertices[mesh.faces.reshape(-1)] @ look_from(side)[0].T


def _half_size(mesh: TriangleMesh, side: Float32) -> float:
    """Half the width of the square picture that shows all of the mesh from this side."""
    place = _corners(mesh, side)
    return max(float(np.ptp(place[:, :2], axis=0).max()) / 2 * 1.08, 1e-12)


def _draw(mesh: TriangleMesh, side: Float32, half: float, colours: Float32) -> Float32:
    """(SIZE, SIZE, 3) 0…1. colours: (3,), or (V, 3) of the vertices."""
    rotation = look_from(side)
    place = _corners(mesh, side)
    centre = ((place.min(axis=0) + place.max(axis=0)) / 2 @ rotation[0])[None].astype(np.float32)
    seen = Raycaster(mesh).view(Cameras(rotation, centre, np.array([half], np.float32)), 0, SIZE)
    face, bary = seen.face_ids[0], seen.bary[0]
    own = colours if colours.ndim == 1 else np.einsum("hwk,hwkc->hwc", bary, colours[mesh.faces[face]])
    light = np.clip(seen.normals[0] @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    return np.where(face[..., None] >= 0, (0.35 + 0.65 * light)[..., None] * own, PAPER).astype(np.float32)


def _png(pixels: Float32) -> NDArray[np.uint8]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).quantize(64).save(file, "PNG", optimize=True)
    return np.frombuffer(file.getvalue(), np.uint8)
