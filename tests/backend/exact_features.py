# SPDX-License-Identifier: GPL-3.0-or-later
"""Features with a known answer: the direction from a mesh's centre, so that spheres match point by point."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features import features
from surface_features.features import Features
from surface_features.mesh import TriangleMesh


def direction_features(mesh: TriangleMesh, settings=None, context=None, cache=None) -> Features:
    """Stands in for `compute_features`."""
    if context is not None:
        context.report(0.5, f"Looking at {mesh.name}")
    centred = mesh.vertices - mesh.vertices.mean(axis=0)
    values = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return Features(values.astype(np.float32), np.ones(len(values), np.float32))


def opposite_features(mesh: TriangleMesh, settings=None, context=None, cache=None) -> Features:
    """As `direction_features`, but meshes named “Opposite…” are turned inside out: everything matches its antipode."""
    found = direction_features(mesh)
    return Features(-found.values, found.confidence) if mesh.name.lower().startswith("opposite") else found


@pytest.fixture
def exact_features(monkeypatch):
    monkeypatch.setattr(features, "compute_features", direction_features)
