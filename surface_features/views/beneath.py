# SPDX-License-Identifier: GPL-3.0-or-later
"""What other pieces hide: legs under a robe, a body under its clothes are looked at with those pieces taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.components import face_components
from ..mesh import Float32, Int32, TriangleMesh
from .render import RAY_OFFSET, Raycaster

HIDDEN = 0.5  # 0…1: what lacks more than that to be well seen
LEAST = 0.02  # of the area: less that is hidden is not worth pictures
COVER = 0.005  # of the area: what is smaller covers nothing worth while
WORTH = 0.003  # share of all area that a piece hides, times the same over its own: gloves are worth it, heads not
LEAST_LEFT = 0.25  # of the area: eyes and teeth without a head are not known better
SMALL = 0.02  # of the area: so small a piece, an eye or a strand of hair, is known by what surrounds it
POINTS = 1500  # whose rays tell what hides them
MOST = 12  # pieces are taken off
SEEN = 0.5  # sum of cosines at which a vertex is no longer hidden


@dataclass(frozen=True, eq=False)
class Beneath:
    """raycaster: of the pieces that are left. left: (V,) bool, the vertices that belong to them."""

    raycaster: Raycaster
    left: NDArray[np.bool_]


def look_beneath(
    raycaster: Raycaster, surface: TriangleMesh, pieces: Int32, unseen: Float32, directions: Float32
) -> Beneath | None:
    """Take off the pieces that hide more of others than is hidden of themselves; None where that shows hardly more.

    surface: the raycaster's mesh, or a coarser one of the same surface, V vertices. pieces: (V,) the component
    (`geometry.components`) of the raycaster's mesh that each of them belongs to. unseen: (V,) 0…1 how much each lacks
    to be well seen. directions: (N, 3) towards the cameras.
    """
    area = surface.vertex_areas
    of_piece = np.bincount(pieces, area)
    hidden = area * ((unseen > HIDDEN) & (of_piece >= SMALL * area.sum())[pieces])
    if np.count_nonzero(of_piece) == 1 or hidden.sum() < LEAST * area.sum():
        return None
    dressed = _Dressed(raycaster, surface, pieces, hidden, directions)
    for _ in range(MOST):
        if not dressed.take_off():
            break
    if dressed.left.all():
        return None
    return Beneath(dressed.raycaster, dressed.left[pieces])


class _Dressed:
    """left: (P,) bool, which pieces have not been taken off; `raycaster` sees only those."""

    def __init__(
        self,
        raycaster: Raycaster,
        surface: TriangleMesh,
        pieces: Int32,
        hidden: NDArray[np.float64],
        directions: Float32,
    ) -> None:
        """hidden: (V,) area of the surface's vertices that no picture shows, 0 for the others."""
        self.raycaster, self._mesh = raycaster, raycaster.mesh
        self._surface, self._pieces, self._directions = surface, pieces, directions
        self._piece_of_face = face_components(self._mesh.faces, len(self._mesh.vertices))
        self._area = np.bincount(self._piece_of_face, weights=self._mesh.face_areas)
        self._points = np.flatnonzero(hidden)
        if len(self._points) > POINTS:
            self._points = np.random.default_rng(0).choice(self._points, POINTS, replace=False)
        self._hidden = hidden * (hidden.sum() / hidden[self._points].sum())
        self._covers = np.flatnonzero(self._area >= COVER * self._area.sum())
        self._column = np.full(len(self._area), len(self._covers))  # of what hides something: the last is of the others
        self._column[self._covers] = np.arange(len(self._covers))
        self.left = np.ones(len(self._area), bool)

    def take_off(self) -> bool:
        """Take off the piece that is worth most; whether any is worth it."""
        hides, hidden, shown = self._areas()
        everything, kept = self._area.sum(), self._area[self.left].sum()
        worth = (hides**2 >= WORTH * everything * self._area) & (hides > shown)
        worth &= kept - self._area >= LEAST_LEFT * everything
        if not worth.any():
            return False
        self.left[np.where(worth, hides - hidden - shown, -np.inf).argmax()] = False
        faces = self._mesh.faces[self.left[self._piece_of_face]]
        self.raycaster = Raycaster(TriangleMesh(self._mesh.vertices, faces, self._mesh.name))
        return True

    def _areas(self) -> tuple[NDArray[np.float64], ...]:
        """(P,) area that a piece hides of others, several that hide one share it, and what is hidden and shown of it.

        Only what lies before a point hides it: a body does not cover its shirt. What a point's own piece hides stays
        hidden whatever is taken off. Shown is what had been hidden at first.
        """
        points = self._points[self.left[self._pieces[self._points]]]
        places, normals = self._surface.vertices[points], self._surface.vertex_normals[points]
        own, area = self._pieces[points], self._hidden[points]
        piece_of_face = self._piece_of_face[self.left[self._piece_of_face]]
        start = RAY_OFFSET * float(np.ptp(self._surface.vertices, axis=0).max())
        blocked, free = np.zeros((len(points), len(self._covers) + 1)), np.zeros(len(points))
        for direction in self._directions:
            face = self.raycaster.hits(places + start * direction, np.tile(direction, (len(points), 1)))[0]
            cosine, piece = normals @ direction, piece_of_face[face]
            free += np.abs(cosine) * (face < 0)
            others = np.flatnonzero((face >= 0) & (piece != own) & (cosine > 0))
            blocked[others, self._column[piece[others]]] += cosine[others]
        blocked /= np.maximum(blocked.sum(axis=1, keepdims=True), 1e-9)
        open_now = free >= SEEN
        hides = np.zeros(len(self._area))
        hides[self._covers] = ((area * ~open_now) @ blocked)[:-1]
        found = (np.bincount(own, area * rows, len(self._area)) for rows in (~open_now, open_now))
        return hides, *(areas.astype(np.float64) for areas in found)
