# SPDX-License-Identifier: GPL-3.0-or-later
"""How shapes are made harder for the network over the surface. Needs no data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.surface_examples import Characters, SurfaceRecipe

POINTS, LANDMARKS, LEVELS, DIM = 600, 64, 4, 8


@pytest.fixture
def characters(tmp_path: Path) -> Characters:
    """A person and an object on a line of landmarks, features all different."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(POINTS, LEVELS * DIM))
    along = np.linspace(-1, 1, LANDMARKS)
    nearest = np.r_[np.arange(LANDMARKS), rng.integers(0, LANDMARKS, POINTS - LANDMARKS)]
    for name, label in (("objects", -1), ("people", 0)):
        np.savez(
            tmp_path / f"{name}_000000.npz",
            features=(features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float16),
            confidence=np.ones(POINTS, np.float16),
            positions=np.stack([along[nearest], 0 * nearest, 0 * nearest], axis=1).astype(np.float16),
            normals=np.tile(np.float16([0, 0, 1]), (POINTS, 1)),
            nearest=nearest.astype(np.int16),
            distances=np.abs(along[:, None] - along).astype(np.float16),
            labels=np.full(POINTS, label, np.int16),
            twins=np.arange(POINTS).astype(np.int16),
            evenly=np.array(LANDMARKS),
        )
    return Characters(tmp_path)


def draw(characters: Characters, kind: str, smeared: float) -> torch.Tensor:
    """(N, LEVELS · DIM) features of one drawn example; sides are left as they are."""
    file = next(file for file in (*characters.training, *characters.held_out) if file.stem.startswith(kind))
    recipe = SurfaceRecipe(points=500, corrupted=0, smeared=smeared)
    return characters.draw(file, recipe, np.random.default_rng(3), augment=True).landmarks[0]


def test_regions_of_a_body_look_like_others_of_it(characters):
    seen = draw(characters, "people", smeared=1.0)
    assert torch.allclose(seen.norm(dim=1), torch.ones(len(seen)), atol=1e-3)
    known = characters.draw(
        characters.training[0], SurfaceRecipe(corrupted=0, smeared=0), np.random.default_rng(0), augment=False
    )
    told = known.landmarks[0][:LANDMARKS]
    as_before = ((seen[:, None] - told).abs().amax(dim=2) < 1e-3).any(dim=1).float().mean()
    assert 0.05 < as_before < 0.95


def test_what_lies_open_looks_the_same_without_covers(characters):
    for file in (*characters.training, *characters.held_out):
        with np.load(file) as stored:
            arrays = dict(stored)
        looks = arrays["features"].reshape(POINTS, LEVELS, DIM).astype(np.float32)
        looks /= np.linalg.norm(looks, axis=2, keepdims=True)
        mean = looks[:, :-1].sum(axis=1)
        looks[:, -1] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        looks /= LEVELS**0.5
        arrays["features"] = looks.reshape(POINTS, LEVELS * DIM).astype(np.float16)
        np.savez(file, **arrays)
    seen = draw(characters, "people", smeared=1.0).unflatten(1, (LEVELS, DIM))
    mean = torch.nn.functional.normalize(seen[:, :-1].sum(dim=1), dim=1) / LEVELS**0.5
    assert torch.allclose(seen[:, -1], mean, atol=2e-3)


def test_what_has_no_template_keeps_its_features(characters):
    assert torch.equal(draw(characters, "objects", smeared=1.0), draw(characters, "objects", smeared=0.0))
