# SPDX-License-Identifier: GPL-3.0-or-later
"""What is hidden by other pieces is looked at without them."""

import numpy as np
import pytest

from surface_features import sight
from surface_features.geometry.components import vertex_components
from surface_features.mesh import TriangleMesh
from surface_features.sight import Format, Observer
from surface_features.views.beneath import look_beneath
from surface_features.views.cameras import fibonacci_directions
from surface_features.views.looks import place_looks
from surface_features.views.render import Raycaster

from .shapes import cylinder, icosphere, join

ROUND = fibonacci_directions(24)
NAKED, SHIRT, COAT = cylinder(0.2, 2.0), cylinder(0.25, 1.0, rings=20), cylinder(0.3, 1.2, rings=24)


def pieces_of(mesh: TriangleMesh) -> np.ndarray:
    return vertex_components(mesh.faces, len(mesh.vertices))


def observer_of(mesh: TriangleMesh, layers: int) -> Observer:
    raycaster = Raycaster(mesh)
    looks = place_looks(raycaster, mesh, 24, 1.8, 6.0)
    return Observer(raycaster, mesh, looks, Format(128, 32, 0.125, layers))


def weights(observer: Observer, look: int) -> np.ndarray:
    return np.asarray(observer.look(look).reading.sum(axis=1)).ravel()


def test_a_robe_is_taken_off_what_it_hides():
    mesh = join(NAKED, SHIRT)
    body = np.arange(len(mesh.vertices)) < len(NAKED.vertices)
    inside = body & (mesh.vertices[:, 2] < 0.99)
    beneath = look_beneath(Raycaster(mesh), mesh, pieces_of(mesh), inside.astype(np.float32), ROUND)
    assert beneath is not None
    assert (beneath.left == body).all()
    assert np.ptp(beneath.raycaster.mesh.corners[..., 0]) == pytest.approx(0.4)


def test_a_body_is_not_taken_off_its_clothes():
    mesh = join(NAKED, SHIRT, COAT)
    own = np.repeat([0, 1, 2], [len(part.vertices) for part in (NAKED, SHIRT, COAT)])
    hidden = (own < 2) & (mesh.vertices[:, 2] < 1.19)
    beneath = look_beneath(Raycaster(mesh), mesh, pieces_of(mesh), hidden.astype(np.float32), ROUND)
    assert beneath is not None
    assert (beneath.left == (own < 2)).all()


def test_a_glove_is_taken_off_and_what_is_small_itself_is_left_alone():
    glove = cylinder(0.22, 0.12, rings=6)
    body, ring = len(NAKED.vertices), np.float32([0, 0, -0.01])
    mesh = join(NAKED, TriangleMesh(glove.vertices + ring, glove.faces))
    hidden = (np.arange(len(mesh.vertices)) < body) & (mesh.vertices[:, 2] < 0.1)
    beneath = look_beneath(Raycaster(mesh), mesh, pieces_of(mesh), hidden.astype(np.float32), ROUND)
    assert beneath is not None
    assert (beneath.left == (np.arange(len(mesh.vertices)) < body)).all()
    hidden = np.arange(len(mesh.vertices)) >= body
    assert look_beneath(Raycaster(mesh), mesh, pieces_of(mesh), hidden.astype(np.float32), ROUND) is None


@pytest.mark.parametrize(
    ("mesh", "hidden"),
    [
        (NAKED, NAKED.vertices[:, 2] < 1),  # by itself
        (join(icosphere(4), icosphere(2, 0.3)), np.arange(2562 + 162) >= 2562),  # an eye, all that would be left
        (join(NAKED, SHIRT), np.zeros(len(NAKED.vertices) + len(SHIRT.vertices), bool)),  # nothing
    ],
)
def test_nothing_is_taken_off_where_that_is_no_use(mesh, hidden):
    assert look_beneath(Raycaster(mesh), mesh, pieces_of(mesh), hidden.astype(np.float32), ROUND) is None


def test_what_a_piece_hides_is_read_from_the_pictures_without_it():
    mesh = join(NAKED, SHIRT)
    inside = (np.arange(len(mesh.vertices)) < len(NAKED.vertices)) & (np.abs(mesh.vertices[:, 2] - 0.5) < 0.4)
    for look in (0, 1):
        plain, layered = observer_of(mesh, 0), observer_of(mesh, 1)
        before, after = weights(plain, 0), weights(layered, 0)
        if look == 1:
            before, after = weights(plain, 1), weights(layered, 1)
        assert before[inside].max() == 0
        assert after[inside].min() > 1
        seen = before > 1
        assert (after[seen] == before[seen]).all()


def test_the_shirt_under_a_coat_and_the_body_under_both_are_seen():
    mesh = join(NAKED, SHIRT, COAT)
    own = np.repeat([0, 1], [len(NAKED.vertices), len(SHIRT.vertices)])
    found = weights(observer_of(mesh, 2), 0)[: len(own)]
    middle = np.abs(mesh.vertices[: len(own), 2] - 0.5) < 0.3
    assert found[(own == 0) & middle].min() > 1
    assert found[(own == 1) & middle].min() > 1
    shown = weights(observer_of(mesh, 0), 0)[: len(own)]
    assert shown[middle].max() == 0


@pytest.mark.parametrize(("views", "closer"), [(1, 1), (6, 6), (16, 16), (24, 12), (50, 13)])
def test_about_a_dozen_cameras_go_closer(views, closer):
    looks = place_looks(Raycaster(NAKED), NAKED, views, 1.8, 6.0)
    assert len(looks.cameras[0]) == views
    assert len(looks.going_closer) == closer
    assert len(looks.cameras[1]) <= 4 * closer
    assert set(map(bytes, looks.cameras[1].rotations)) == set(map(bytes, looks.going_closer.rotations))


def test_details_are_looked_at_as_they_are():
    mesh = join(NAKED, SHIRT)
    observer = observer_of(mesh, 2)
    assert len(observer.look(0).views.depth) > len(observer.looks.cameras[0])
    assert len(observer.look(2).views.depth) == len(observer.looks.cameras[2])


def test_nothing_more_is_taken_of_what_close_ups_show(monkeypatch):
    mesh = join(NAKED, SHIRT)
    observer = observer_of(mesh, 1)
    assert observer.look(0).beneath is not None
    monkeypatch.setattr(sight, "HIDDEN", 1.0)  # nothing lacks more than everything
    assert observer.look(1).beneath is None
