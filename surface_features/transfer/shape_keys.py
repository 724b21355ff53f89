# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys along a correspondence: how the source's surface bends and stretches, in the target's proportions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..errors import BadInputError
from ..geometry.gradients import vertex_gradients
from ..geometry.held_poisson import HeldPoisson
from ..geometry.local_frames import turns_between
from ..geometry.similarity import fit_similarity
from ..mesh import Float32, TriangleMesh
from ..preflight import preflight

STILL = 0.005  # of a key's largest displacement: a vertex that moves less is not moved
FIRM, LOOSE = 100.0, 1.0  # how firmly still and moving vertices are held at their places; see `HeldPoisson`
TURN_ROUNDS = 150  # of averaging rotations over neighbours
LIKE, UNLIKE = 1.8, 3.0  # sizes that count as the same, and as different, see `effective_scale`
FEWEST = 12  # matches that tell how large the target is where a key moves it


@dataclass(frozen=True, eq=False)
class ShapeKeyTransfer:
    """One source, one target and their correspondence; then key after key.

    onto_source: per target vertex a point of the source. proportional: displacements grow with the target in any case;
    otherwise they keep their lengths on a target of about the source's size (`effective_scale`).
    """

    source: TriangleMesh
    target: TriangleMesh
    onto_source: Correspondence
    proportional: bool = False

    def carry(self, displacements: NDArray) -> Float32:
        """(Vt, 3) float32 displacement of the target's vertices for one of the source's, (Vs, 3), each in its frame.

        Each of the target's triangles bends and stretches as the source's surface does at its match, turned as the
        target's surface is turned there: the gradients of the source's displacement, averaged at its vertices so that a
        coarse source leaves no facets. A Poisson system puts them together; it holds still what the source holds still,
        and the rest loosely at the match's displacement, turned, and scaled by the target's size where it moves.
        Raises `BadInputError` with fault "non_finite" for a key with invalid positions.
        """
        displacements = np.asarray(displacements, np.float64)
        if not np.isfinite(displacements).all():
            raise BadInputError(
                f"{self.source.name}: a shape key has positions that are not numbers. "
                "Remove or repair it and run again.",
                fault="non_finite",
            )
        largest = float(np.linalg.norm(displacements, axis=1).max(initial=0.0))
        result = np.zeros((len(self.target.vertices), 3))
        if largest == 0:
            return result.astype(np.float32)
        matched = self._at_matches(displacements)
        moving = np.linalg.norm(matched, axis=1) > STILL * largest
        if not moving.any():
            return result.astype(np.float32)
        turns, size = self._turns, self._size(moving)
        scale = size if self.proportional else effective_scale(size)
        led = scale * np.einsum("vij,vj->vi", turns, matched)
        led[~moving] = 0
        bent = self._at_matches(vertex_gradients(self.source, displacements).reshape(-1, 9)).reshape(-1, 3, 3)
        bent = scale / size * turns @ bent @ turns.transpose(0, 2, 1)
        return self._put_together(bent, led, moving).astype(np.float32)

    def _at_matches(self, values: NDArray) -> NDArray[np.float64]:
        corners = values[self.source.faces[self.onto_source.face]]
        return np.einsum("vc,vcd->vd", self.onto_source.bary, corners)

    @cached_property
    def _turns(self) -> NDArray[np.float64]:
        """(Vt, 3, 3) from the source's directions to the target's, averaged over the surface around each vertex."""
        positions = self.onto_source.points(self.source)
        turn = turns_between(positions, self._at_matches(self.source.vertex_normals), self.target)
        checked = preflight(self.target)
        mean = _average(checked.proxy, turn.reshape(-1, 9)[checked.artist_vertex], TURN_ROUNDS)
        u, _, vt = np.linalg.svd(mean.reshape(-1, 3, 3))
        sign = np.ones((len(u), 3))
        sign[:, 2] = np.sign(np.linalg.det(u @ vt))
        return ((u * sign[:, None, :]) @ vt)[checked.proxy_vertex]

    def _size(self, moving: NDArray[np.bool_]) -> float:
        """How much larger the target is than the source where the key moves it."""
        rows = np.flatnonzero(moving)
        if len(rows) < FEWEST:
            rows = np.arange(len(moving))
        positions = self.onto_source.points(self.source)
        say = self.onto_source.confidence[rows] + 0.01
        return fit_similarity(positions[rows], self.target.vertices[rows], say).scale

    def _put_together(self, bent: NDArray, led: NDArray, moving: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(Vt, 3) displacements with the gradients bent (Vt, 3, 3), held at led (Vt, 3)."""
        checked = preflight(self.target)
        first = checked.artist_vertex
        at_faces = bent[first][checked.proxy.faces].mean(axis=1)
        # What is held loosely may give way over one of the source's faces, so that its facets do not show.
        coarser = len(preflight(self.source).proxy.faces) / len(checked.proxy.faces)
        solver = HeldPoisson(checked.proxy, np.where(moving[first], LOOSE * min(1.0, coarser), FIRM))
        # the proxy is the target at unit size: displacements are too, gradients have no unit
        solved = solver.solve(at_faces, led[first] * checked.scale) / checked.scale
        return np.where(moving[:, None], solved[checked.proxy_vertex], 0.0)


def effective_scale(size: float) -> float:
    """What displacements are scaled by on a target `size` times as large where it moves.

    Two people's mouths open by about the same length, a child's and a giant's too (MakeHuman's expressions are the same
    millimetres at every age); a doll's does not, nor does one measured in other units. Up to `LIKE` times larger or
    smaller nothing is scaled, from `UNLIKE` times on everything.
    """
    share = np.clip((abs(np.log(size)) - np.log(LIKE)) / (np.log(UNLIKE) - np.log(LIKE)), 0, 1)
    return float(size**share)


def _average(mesh: TriangleMesh, values: NDArray, rounds: int) -> NDArray[np.float64]:
    """Values (V, C) each mixed half and half with its neighbours' mean, `rounds` times."""
    from scipy.sparse import coo_matrix, diags

    sides = mesh.faces[:, [0, 1, 1, 2, 2, 0, 1, 0, 2, 1, 0, 2]].reshape(-1, 2)
    count = len(mesh.vertices)
    graph = coo_matrix((np.ones(len(sides)), sides.T), shape=(count, count)).tocsr()
    mean = diags(1 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)) @ graph
    values = np.asarray(values, np.float64)
    for _ in range(rounds):
        values = (values + mean @ values) / 2
    return values
