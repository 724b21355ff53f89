# SPDX-License-Identifier: GPL-3.0-or-later
"""Two people's faces matched by a head that lies on both: what no neighbour can tell, the shapes of heads do."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .correspondence import Correspondence
from .face_model import FittedFace, fit_face, load_face_model
from .features import Features
from .geometry.closest import closest_points
from .mesh import TriangleMesh
from .progress import JobContext
from .registration import register_region
from .rig_template import load_template

NEAR = 0.004  # metres at the size of the mean head: a vertex this near to the head is on it


def face_body() -> TriangleMesh:
    """The body whose features tell where a face is, Z up; compute them with the backbone that the meshes have."""
    return load_template("human").shapes[0].mesh


class FaceFinder:
    """Finds people's heads; the same `TriangleMesh` object is only searched once."""

    def __init__(self, body_features: Features) -> None:
        """body_features: of `face_body()`."""
        self._model = load_face_model()
        self._features = self._model.on_body(body_features.values, face_body())
        self._found: WeakKeyDictionary[TriangleMesh, FittedFace] = WeakKeyDictionary()

    def find(self, mesh: TriangleMesh, features: Features, context: JobContext | None = None) -> FittedFace | None:
        """The head on a mesh with these features; None where it has nobody's."""
        fitted = self._found.get(mesh)
        if fitted is None:
            fitted = self._found[mesh] = fit_face(self._model, self._features, mesh, features.values, context)
        return fitted if fitted.is_face else None


def register_expressions(
    mesh: TriangleMesh,
    features: Features,
    goal: TriangleMesh,
    goal_features: Features,
    onto_goal: Correspondence,
    region: NDArray[np.bool_],
    finder: FaceFinder,
    context: JobContext | None = None,
) -> Correspondence:
    """The correspondence made exact around a region of the goal, (Vg,) bool: by the head that both have, else by
    `registration.register_region`. onto_goal: per vertex of `mesh` a point of `goal`.
    """
    context = context or JobContext()
    there = finder.find(goal, goal_features, context.span(0.0, 0.2))
    here = None
    if there is not None and _on_face(there, goal)[region].any():
        here = finder.find(mesh, features, context.span(0.2, 0.4))
    if here is None or there is None:
        return register_region(mesh, goal, onto_goal, region, context.span(0.4, 1.0))
    if not _on_face(there, goal)[region].all():
        onto_goal = register_region(mesh, goal, onto_goal, region, context.span(0.4, 0.8))
    context.report(0.8, "Laying one face onto the other")
    face, bary, distance = closest_points(here.surface, np.nan_to_num(mesh.vertices))
    on_goal = np.einsum("vc,vcd->vd", bary, there.surface.corners[face])
    new_face, new_bary, off = closest_points(goal, on_goal)
    better = (distance < NEAR * here.unit) & (off < NEAR * there.unit)
    return Correspondence(
        np.where(better, new_face, onto_goal.face).astype(np.int32),
        np.where(better[:, None], new_bary, onto_goal.bary).astype(np.float32),
        onto_goal.confidence,
    )


def _on_face(fitted: FittedFace, mesh: TriangleMesh) -> NDArray[np.bool_]:
    """(V,) which of the mesh's vertices the head lies on."""
    return closest_points(fitted.surface, np.nan_to_num(mesh.vertices))[2] < NEAR * fitted.unit
