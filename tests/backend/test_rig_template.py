# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped templates, their names in other conventions, and the groups for what Rigify generates."""

from __future__ import annotations

import numpy as np
import pytest

from surface_features.correspondence import Correspondence
from surface_features.errors import BadInputError
from surface_features.geometry.inside import winding_numbers
from surface_features.mesh import TriangleMesh
from surface_features.preset_rig import _unevenness, rig_from_nothing
from surface_features.rig_names import NAMINGS, name_bones
from surface_features.rig_template import FOLDER, KINDS, load_template
from surface_features.rigging import fit_joints
from surface_features.rigify_weights import deform_groups

from .shapes import icosphere


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_small_sound_and_have_their_joints_inside(kind: str) -> None:
    template = load_template(kind)
    assert (FOLDER / f"{kind}.npz").stat().st_size < 400_000
    assert template.parents[0] == -1
    assert (template.parents[1:] < np.arange(1, len(template.bones))).all()
    np.testing.assert_allclose(template.weights.sum(axis=1), 1, atol=1e-5)
    for shape in template.shapes:
        assert (winding_numbers(shape.mesh, shape.ends[:, 0]) > 0.5).all(), shape.name
        assert shape.mesh.face_areas.min() > 0


@pytest.mark.parametrize("naming", NAMINGS)
def test_names_are_unique_and_sides_are_told(naming: str) -> None:
    bones = load_template("human").bones
    names = name_bones(bones, naming)
    assert len(set(names)) == len(bones)
    left, right = {"plain": (".L", ".R"), "rigify": (".L", ".R"), "unreal": ("_l", "_r")}.get(naming, ("Left", "Right"))
    assert {name.replace(left, right) for name in names} == {name for name in names if left not in name}


def test_halved_limbs_share_their_weight_along_the_bone() -> None:
    template = load_template("human")
    shape = template.shapes[0]
    names, weights = deform_groups(template.bones, shape.ends, shape.mesh.vertices, template.weights)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert len(names) == len(set(names)) == weights.shape[1]
    height = [shape.mesh.vertices[weights[:, names.index(n)] > 0.9, 2].mean() for n in ("DEF-shin.L", "DEF-shin.L.001")]
    assert height[0] > height[1] + 0.1


def test_fingers_whose_matches_fall_into_one_point_stay_in_the_hand() -> None:
    template = load_template("human")
    shape = template.shapes[0]
    mesh, count = shape.mesh, len(shape.mesh.vertices)
    face = np.zeros(count, np.int32)
    corner = np.zeros(count, np.int64)
    for column in range(3):
        face[mesh.faces[:, column]] = np.arange(len(mesh.faces))
        corner[mesh.faces[:, column]] = column
    finger = template.weights[:, template.bones.index("index_03_l")] > 0.2
    bary = np.eye(3, dtype=np.float32)[corner]
    face[finger], bary[finger] = face[finger][0], bary[finger][0]
    match = Correspondence(face, bary, np.ones(count, np.float32))
    fitted = fit_joints(mesh, shape.ends, template.weights, mesh, match)
    assert np.linalg.norm(fitted - shape.ends, axis=-1).max() < 0.03


def test_unknown_preset_is_told() -> None:
    with pytest.raises(BadInputError, match="quadruped"):
        rig_from_nothing(icosphere(), "fish")


def test_a_body_like_one_shape_of_a_template_gets_that_shape_s_skeleton() -> None:
    shape = next(shape for shape in load_template("human").shapes if shape.name == "chibi")
    rough = shape.mesh.vertices + np.random.default_rng(0).normal(0, 0.001, shape.mesh.vertices.shape)
    rig = rig_from_nothing(TriangleMesh(rough.astype(np.float32), shape.mesh.faces), "human")
    assert rig.shape == shape.name
    height = np.ptp(shape.mesh.vertices[:, 2])
    assert np.linalg.norm(rig.ends - shape.ends, axis=-1).mean() < 0.01 * height


def test_proportions_count_beside_likeness() -> None:
    man, chibi = (next(s for s in load_template("human").shapes if s.name == name) for name in ("man", "chibi"))
    assert _unevenness(man.ends, 2 * man.ends) < 1e-6
    assert _unevenness(man.ends, chibi.ends) > 0.1
