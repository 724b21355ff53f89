# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped heads on meshes that have such a head, and on some that have not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surface_features.correspondence import Correspondence
from surface_features.errors import JobCancelled
from surface_features.face_model import FaceModel, load_face_model
from surface_features.face_registration import FaceFinder, face_body, register_expressions
from surface_features.features import Features
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext

from .shapes import icosphere

WAVES = np.random.default_rng(5).normal(0, 4.0, (3, 16))


def say_place(places: np.ndarray) -> Features:
    """Features that tell the place on the rig template's man."""
    phase = places @ WAVES
    values = np.concatenate([np.cos(phase), np.sin(phase)], axis=1).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return Features(values, np.ones(len(values), np.float32))


def someone(model: FaceModel, seed: int) -> tuple[TriangleMesh, Features]:
    """A random head somewhere in space, of some size; its features are right to a centimetre."""
    rng = np.random.default_rng(seed)
    shape = model.mean + np.einsum("k,khi->hi", rng.normal(0, 1, len(model.spread)), model.spread)
    turn = Rotation.from_euler("z", rng.uniform(-180, 180), degrees=True)
    mesh = TriangleMesh(turn.apply(shape * rng.uniform(0.7, 9)) + rng.normal(0, 3, 3), model.faces, f"Person {seed}")
    body = face_body()
    places = np.einsum("hc,hcd->hd", model.tie_bary, body.vertices[body.faces[model.tie_face]])
    return mesh, say_place(places + rng.normal(0, 0.01, places.shape))


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model()


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(say_place(face_body().vertices))


def test_a_head_is_laid_onto_a_face_to_a_fraction_of_a_millimetre(model, finder):
    mesh, features = someone(model, 1)
    fitted = finder.find(mesh, features)
    assert fitted is not None
    off = np.linalg.norm(fitted.surface.vertices - mesh.vertices, axis=1) / fitted.unit
    assert np.median(off) < 0.0006
    assert np.quantile(off, 0.95) < 0.003
    assert finder.find(mesh, features) is fitted


def test_a_search_tells_how_far_it_is_and_can_be_cancelled(model, finder):
    mesh, features = someone(model, 2)
    said: list[float] = []
    finder.find(mesh, features, JobContext(lambda fraction, message: said.append(fraction)))
    assert said == sorted(said)
    assert len(said) > 10
    assert said[-1] == 1.0
    again = TriangleMesh(mesh.vertices, mesh.faces)
    with pytest.raises(JobCancelled):
        finder.find(again, features, JobContext(is_cancelled=lambda: True))


def test_what_is_nobodys_head_is_left_alone(finder):
    ball = icosphere(4, 0.12)
    features = say_place(ball.vertices + np.float32([0, 0, 1.6]))
    assert finder.find(ball, features) is None
    where = Correspondence(
        np.arange(len(ball.vertices), dtype=np.int32) % len(ball.faces),
        np.full((len(ball.vertices), 3), 1 / 3, np.float32),
        np.ones(len(ball.vertices), np.float32),
    )
    region = np.zeros(len(ball.vertices), bool)
    assert register_expressions(ball, features, ball, features, where, region, finder) is where


def test_two_faces_are_matched_by_the_head_that_both_have(model, finder):
    (mesh, features), (goal, goal_features) = someone(model, 2), someone(model, 3)
    corner = np.zeros(len(mesh.vertices), np.int32)
    corner[mesh.faces.reshape(-1)] = np.repeat(np.arange(len(mesh.faces)), 3)
    rough = Correspondence(  # each vertex on some face at its own vertex
        corner, np.full((len(corner), 3), 1 / 3, np.float32), np.full(len(corner), 0.5, np.float32)
    )
    face = np.linalg.norm(model.mean - model.mean.mean(axis=0), axis=1) < 0.1
    found = register_expressions(mesh, features, goal, goal_features, rough, face, finder)
    unit = finder.find(goal, goal_features).unit
    off = np.linalg.norm(found.points(goal) - goal.vertices, axis=1)[face] / unit
    assert np.median(off) < 0.0008
    assert (found.confidence == rough.confidence).all()
