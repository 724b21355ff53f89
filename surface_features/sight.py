# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a backbone is shown of a surface, and which vertex reads which cell of it; needs no backbone itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .geometry.coarse import CoarseMesh
from .geometry.components import vertex_components
from .lifting import SEEN_WEIGHT, read_cells
from .mesh import Float32, TriangleMesh
from .progress import JobContext
from .views.beneath import HIDDEN, Beneath, look_beneath
from .views.cameras import Cameras, close_ups
from .views.looks import Looks
from .views.render import Raycaster, ViewBuffers, join_views, render_views


@dataclass(frozen=True)
class Format:
    """What a backbone is shown. size: pixels of a picture's side. grid, cell_shift, layers: see `Checkpoint`."""

    size: int
    grid: int
    cell_shift: float
    layers: int


@dataclass(frozen=True, eq=False)
class Sight:
    """One look. views: N pictures' buffers. reading: (V, N·G·G), see `lifting.read_cells`.

    beneath: likewise, but from pictures without what covers other pieces only; by all that those show.
    """

    views: ViewBuffers
    reading: sparse.csr_array
    beneath: sparse.csr_array | None = None


class Observer:
    """Takes the looks at a surface one after another, and with each what other pieces hide (`views.beneath`).

    layers: what is left without covers, known from the first look on.
    """

    def __init__(
        self, raycaster: Raycaster, surface: TriangleMesh, looks: Looks, form: Format, coarse: CoarseMesh | None = None
    ) -> None:
        """surface: what features are for, the raycaster's mesh or a coarser one, as `coarse` was made of it."""
        self._raycaster, self._surface, self._coarse = raycaster, surface, coarse
        self.looks, self._form = looks, form
        self.layers: list[Beneath] = []

    def look(self, number: int, context: JobContext | None = None) -> Sight:
        """The look of that number; the first one, from afar, finds out what is hidden."""
        context = context or JobContext()
        sight = self._take(self._raycaster, self.looks.cameras[number], context)
        if number == 0:
            return self._undress(sight)
        if self.looks.shows_details(number):
            return sight
        around, zoom = self.looks.going_closer, self.looks.close_up_zoom
        for beneath in self.layers:
            unseen = _unseen(sight)
            hidden = beneath.left & (unseen > HIDDEN)
            if not hidden.any():  # the close-ups have shown it
                continue
            closer = close_ups(self._surface.vertices[hidden], around, zoom)
            sight = _with_hidden(sight, self._take(beneath.raycaster, closer), beneath.left, unseen)
        return sight

    def _undress(self, sight: Sight) -> Sight:
        if self._form.layers == 0:
            return sight
        around, mesh = self.looks.cameras[0], self._raycaster.mesh
        pieces = vertex_components(mesh.faces, len(mesh.vertices))
        if self._coarse:
            pieces = self._coarse.bring(pieces)
        for _ in range(self._form.layers):
            unseen = _unseen(sight)
            beneath = look_beneath(self._raycaster, self._surface, pieces, unseen, around.rotations[:, 2])
            if beneath is None or any((beneath.left == layer.left).all() for layer in self.layers):
                break
            self.layers.append(beneath)
            sight = _with_hidden(sight, self._take(beneath.raycaster, around), beneath.left, unseen)
        return sight

    def _take(self, raycaster: Raycaster, cameras: Cameras, context: JobContext | None = None) -> Sight:
        form = self._form
        views = render_views(raycaster, cameras, form.size)
        return Sight(views, read_cells(self._surface, raycaster, cameras, views, form.grid, form.cell_shift, context))


def _unseen(sight: Sight) -> Float32:
    """(V,) 0…1, 1 for what is not seen at all and 0 for what is seen well."""
    weight = np.asarray(sight.reading.sum(axis=1), np.float32).ravel()
    return np.clip(1 - weight / SEEN_WEIGHT, 0, 1).astype(np.float32)


def _with_hidden(sight: Sight, more: Sight, left: NDArray[np.bool_], unseen: Float32) -> Sight:
    """Both, but of `more` only what is `left` there (V,), and as much as a vertex lacks: `unseen` (V,) of `sight`."""
    own = sparse.diags_array(left.astype(np.float32)) @ more.reading
    lacking = sparse.diags_array(unseen) @ own
    nothing = sparse.csr_array(sight.reading.shape, dtype=np.float32) if sight.beneath is None else sight.beneath
    return Sight(
        join_views(sight.views, more.views),
        sparse.hstack([sight.reading, lacking], format="csr"),
        sparse.hstack([nothing, own], format="csr"),
    )
