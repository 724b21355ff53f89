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
    for number, states in enumerate(bodies):
        subjects = [_Subject(state) for state in states]
        half = max(subject.half_size(AHEAD) for subject in subjects)
        colour = COLOURS[number % len(COLOURS)]
        rows.append(np.concatenate([subject.draw(AHEAD, half, colour) for subject in subjects], axis=1))
    width = max(row.shape[1] for row in rows)
    filled = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER) for row in rows]
    return _png(np.concatenate(filled))


def draw_around(mesh: TriangleMesh, colours: Float32) -> NDArray[np.uint8]:
    """A PNG file's bytes, (N,) uint8: the mesh, Z up, in its vertices' colours (V, 3), from ahead and from behind."""
    subject, sides = _Subject(mesh), (AHEAD, BEHIND)
    half = max(subject.half_size(side) for side in sides)
    return _png(np.concatenate([subject.draw(side, half, colours) for side in sides], axis=1))


class _Subject:
    """A mesh to be drawn, without what is nowhere: vertices that are no numbers, and their faces."""

    def __init__(self, mesh: TriangleMesh) -> None:
        sound = np.isfinite(mesh.vertices).all(axis=1)
        faces = mesh.faces[sound[mesh.faces].all(axis=1)]
        self._mesh = TriangleMesh(np.nan_to_num(mesh.vertices, posinf=0, neginf=0), faces)
        self._raycaster = Raycaster(self._mesh)
        seen = np.zeros(len(mesh.vertices), bool)
        seen[faces] = True
        self._points = self._mesh.vertices[seen]

    def half_size(self, side: Float32) -> float:
        """Half the width of the square picture that shows all of the mesh from this side."""
        place = self._points @ look_from(side)[0].T
        return max(float(np.ptp(place[:, :2], axis=0).max()) / 2 * 1.08, 1e-12)

    def draw(self, side: Float32, half: float, colours: Float32) -> Float32:
        """(SIZE, SIZE, 3) 0…1. colours: (3,), or (V, 3) of the vertices."""
        rotation = look_from(side)
        place = self._points @ rotation[0].T
        centre = ((place.min(axis=0) + place.max(axis=0)) / 2 @ rotation[0])[None].astype(np.float32)
        seen = self._raycaster.view(Cameras(rotation, centre, np.array([half], np.float32)), 0, SIZE)
        face, bary = seen.face_ids[0], seen.bary[0]
        own = colours if colours.ndim == 1 else np.einsum("hwk,hwkc->hwc", bary, colours[self._mesh.faces[face]])
        light = np.clip(seen.normals[0] @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
        return np.where(face[..., None] >= 0, (0.35 + 0.65 * light)[..., None] * own, PAPER).astype(np.float32)


def _png(pixels: Float32) -> NDArray[np.uint8]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).quantize(64).save(file, "PNG", optimize=True)
    return np.frombuffer(file.getvalue(), np.uint8)
