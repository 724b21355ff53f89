# SPDX-License-Identifier: GPL-3.0-or-later
"""How alike two bodies are by their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .mesh import TriangleMesh

if TYPE_CHECKING:
    from .features import Features

COMPARED = 1200  # vertices of either mesh
DRIFT = 0.06  # of the first mesh's extent: a way there and back that ends this far off counts little


def likeness(
    mesh: TriangleMesh, features: Features, other: TriangleMesh, other_features: Features, compared: int = COMPARED
) -> float:
    """0…1: how alike the mesh's vertices are to the other's, where the way back ends where it began."""
    rng = np.random.default_rng(0)
    here, there = (
        np.sort(rng.choice(len(one.vertices), min(compared, len(one.vertices)), replace=False)) for one in (mesh, other)
    )
    alike = features.values[here] @ other_features.values[there].T
    match = alike.argmax(axis=1)
    back = alike.argmax(axis=0)[match]
    places = np.nan_to_num(mesh.vertices[here])
    drift = np.linalg.norm(places - places[back], axis=1) / max(float(np.ptp(places, axis=0).max()), 1e-30)
    return float((np.clip(alike.max(axis=1), 0, 1) * np.exp(-((drift / DRIFT) ** 2))).mean())
