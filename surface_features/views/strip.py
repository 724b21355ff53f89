# SPDX-License-Identifier: GPL-3.0-or-later
"""A strip of small pictures of bodies in several states, for reports; not what the backbone looks at."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh
from .cameras import Cameras, look_from
from .render import Raycaster

SIZE = 240  # pixels of one picture's sides
FROM = np.array([[0.45, -1.0, 0.25]], np.float32)  # ahead, a little from the side and from above; bodies face −Y
LIGHT = np.array([-0.4, 0.5, 0.75], np.float32)  # in the camera's frame
COLOURS = np.array([(0.55, 0.62, 0.72), (0.85, 0.6, 0.4)], np.float32)  # of the bodies in turn
PAPER = 0.97


def draw_strip(bodies: Sequence[Sequence[TriangleMesh]]) -> NDArray[np.uint8]:
    """A PNG file's bytes, (N,) uint8. bodies: states of each, Z up; all states of a body are drawn to one scale."""
    from PIL import Image

    rows = [_draw_body(states, COLOURS[number % len(COLOURS)]) for number, states in enumerate(bodies) if states]
    width = max(row.shape[1] for row in rows)
    filled = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER) for row in rows]
    pixels = (np.concatenate(filled) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).quantize(64).save(file, "PNG", optimize=True)
    return np.frombuffer(file.getvalue(), np.uint8)


def _draw_body(states: Sequence[TriangleMesh], colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """(SIZE, SIZE · states, 3) 0…1."""
    rotation = look_from(FROM)
    places = [state.vertices[state.faces.reshape(-1)] @ rotation[0].T for state in states]
    boxes = [(place.min(axis=0), place.max(axis=0)) for place in places]
    half = max(max(float((high - low)[:2].max()) for low, high in boxes) / 2 * 1.08, 1e-12)
    pictures = []
    for state, (low, high) in zip(states, boxes, strict=True):
        centre = ((low + high) / 2 @ rotation[0])[None].astype(np.float32)
        seen = Raycaster(state).view(Cameras(rotation, centre, np.array([half], np.float32)), 0, SIZE)
        light = seen.normals[0] @ (LIGHT / np.linalg.norm(LIGHT))
        shade = (0.35 + 0.65 * np.clip(light, 0, 1))[..., None] * colour
        pictures.append(np.where(seen.face_ids[0][..., None] >= 0, shade, np.float32(PAPER)))
    return np.concatenate(pictures, axis=1)
