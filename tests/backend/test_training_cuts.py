# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of bodies on their own."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.mesh import TriangleMesh
from training.cuts import cut_out
from training.dressing import Labelled
from training.families import PARTS

from .shapes import icosphere


def body() -> tuple[Labelled, np.ndarray]:
    """A ball whose upper half is a head, its lower half hips; the vertex number is the label."""
    ball = icosphere(4)
    part = np.where(ball.vertices[:, 2] > 0, PARTS.index("head"), PARTS.index("hips"))
    return Labelled(ball.vertices, ball.faces, np.arange(len(ball.vertices))), part


@pytest.mark.parametrize("seed", range(40))
def test_a_part_keeps_its_places_and_labels(seed):
    mesh, part_of = body()
    part = cut_out(mesh, part_of, np.random.default_rng(seed))
    whole, left = (TriangleMesh(each.vertices, each.faces).face_areas.sum() for each in (mesh, part))
    assert part.faces.max() < len(part.vertices) == len(part.labels)
    assert np.isfinite(part.vertices).all()
    assert 0.02 * whole < left < 1.3 * whole
    known = part.labels >= 0
    away = np.linalg.norm(part.vertices[known] - mesh.vertices[part.labels[known]], axis=1)
    assert away.max() < 0.05
    assert np.allclose(away, away[0], atol=2e-3)  # none, or all of it worn over what it was


def test_what_is_cut_off_is_closed_or_left_open():
    mesh, part_of = body()
    parts = [cut_out(mesh, part_of, np.random.default_rng(seed)) for seed in range(60)]
    smaller = [part for part in parts if len(part.faces) != len(mesh.faces)]
    closed = [part for part in smaller if (part.labels < 0).any()]
    assert len(smaller) > 40
    assert 10 < len(closed) < len(smaller) - 10
    for part in closed:
        surface = TriangleMesh(part.vertices.astype(np.float64), part.faces)
        corners = surface.vertices[surface.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert np.abs(normals.sum(axis=0)).max() < 0.02 * np.abs(normals).sum()  # of a closed surface they add up to 0


def test_what_is_too_small_to_tell_is_not_cut():
    mesh, part_of = body()
    few = Labelled(mesh.vertices, mesh.faces[:40], mesh.labels)
    assert cut_out(few, part_of, np.random.default_rng(0)) is few
