# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface-aware embedding tells apart what its input confuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from surface_features.__main__ import main
from surface_features.backbones.checkpoint import fingerprint
from surface_features.embedding.network import EmbeddingConfig, SurfaceAwareEmbedding, geodesic_loss
from surface_features.embedding.samples import EmbeddingSample, sample_mesh
from surface_features.embedding.store import (
    CODE_SHARE,
    append_codes,
    embed,
    embedding_fingerprint,
    find_embedding,
    save_embedding,
)
from surface_features.embedding.training import EmbeddingRecipe, EmbeddingScore, EmbeddingTrainer, spread_rows
from surface_features.errors import BackboneError, BadInputError, JobCancelled
from surface_features.features import Features, compute_features, feature_colours, model_fingerprint
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings

from .shapes import box, cylinder, grid, icosphere, join, moved
from .test_backbones import save_tiny
from .test_cli import write_obj

CONFIG = EmbeddingConfig((8, 64, 32, 16))


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def two_ended(seed: int, side: float = 0.25) -> EmbeddingSample:
    """A rod whose two ends have nearly the same features: how far from the middle, and a whisper of the side."""
    rng = np.random.default_rng(seed)
    place = np.sort(rng.uniform(-1, 1, 400))
    waves = [np.cos(np.abs(place)[:, None] * k * np.pi) for k in (0.5, 1, 2)]
    features = unit(np.hstack([*waves, side * place[:, None], 0.02 * rng.normal(size=(400, 4))]))
    anchors = np.linspace(0, 399, 64).astype(np.int32)
    distances = np.abs(place[anchors][:, None] - place[None]) / 2
    return EmbeddingSample(f"rod {seed}", features, anchors, distances.astype(np.float32))


def ends_alike(values: np.ndarray) -> float:
    """Mean cosine between one end and the other."""
    return float((values[:40] @ values[-40:].T).mean())


def test_it_tells_two_like_ends_apart():
    training, held_out = [two_ended(seed) for seed in range(3)], [two_ended(9)]
    trainer = EmbeddingTrainer(CONFIG, EmbeddingRecipe(steps=400, learning_rate=1e-3, validate_every=100))
    score = trainer.train(training, held_out, JobContext())
    assert score.embedded < 0.6 * score.base
    with torch.no_grad():
        codes = trainer.average.encode(torch.from_numpy(held_out[0].features)).numpy()
    assert ends_alike(held_out[0].features) > 0.8
    assert ends_alike(codes) < 0.2


def test_the_loss_is_zero_where_cosines_are_the_distances():
    angle = torch.linspace(0, np.pi, 50)
    codes = torch.stack([angle.cos(), angle.sin()], dim=1)
    anchors = torch.tensor([0, 20])
    distances = (1 - torch.cos(angle[anchors][:, None] - angle[None])) / 2
    assert float(geodesic_loss(codes, anchors, distances)) < 1e-6
    distances[0, -1] = torch.inf
    assert float(geodesic_loss(codes, anchors, distances)) < 1e-6


def test_training_goes_on_where_it_stopped(tmp_path):
    samples = [two_ended(0)], [two_ended(1)]
    first = EmbeddingTrainer(CONFIG, EmbeddingRecipe(steps=40, validate_every=20))
    first.train(*samples, JobContext())
    first.save(tmp_path / "state.pt")
    second = EmbeddingTrainer(CONFIG, EmbeddingRecipe(steps=60, validate_every=20), seed=5)
    second.load(tmp_path / "state.pt")
    assert second.steps == 40
    assert second.score(samples[1]) == first.score(samples[1])
    second.train(*samples, JobContext())
    assert second.steps == 60


def test_it_can_be_cancelled():
    trainer = EmbeddingTrainer(CONFIG, EmbeddingRecipe(steps=100_000))
    with pytest.raises(JobCancelled):
        trainer.train([two_ended(0)], [two_ended(1)], JobContext(is_cancelled=lambda: trainer.steps > 50))
    assert trainer.steps < 100


def test_one_mesh_is_too_few():
    with pytest.raises(BadInputError, match="at least two"):
        EmbeddingTrainer(CONFIG, EmbeddingRecipe()).train([two_ended(0)], [], JobContext())


def test_anchors_are_spread_and_start_anywhere():
    line = np.abs(np.arange(50.0)[:, None] - np.arange(50.0))
    first = spread_rows(line, 5, np.random.default_rng(0))
    assert len(set(first)) == 5
    assert np.abs(np.subtract.outer(np.sort(first), np.sort(first)) + 99 * np.eye(5)).min() > 4
    assert first[0] != spread_rows(line, 5, np.random.default_rng(1))[0]


def test_a_sample_measures_along_the_surface_and_over_gaps():
    left, right = cylinder(0.2, 2.0), moved(cylinder(0.2, 2.0), (0, 0, 2.05))
    mesh = join(left, right)
    features = Features(
        unit(np.random.default_rng(0).normal(size=(len(mesh.vertices), 8))), np.ones(len(mesh.vertices))
    )
    sample = sample_mesh(mesh, features, seed=0)
    assert sample.features.shape[1] == 8
    assert np.isfinite(sample.distances).all()
    assert sample.distances.max() == pytest.approx(1)
    assert sample.distances[0, sample.anchors[0]] == 0


def test_a_stored_embedding_knows_its_backbone(tmp_path):
    torch.manual_seed(0)
    network = SurfaceAwareEmbedding(CONFIG)
    values = unit(np.random.default_rng(0).normal(size=(20, 8)))
    save_embedding(tmp_path / "own", network, "backbone A", EmbeddingScore(0.2, 0.1), ["a", "b"])
    codes = embed(tmp_path / "own", "backbone A", values, "cpu")
    assert codes.shape == (20, 16)
    assert np.allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-4)
    with pytest.raises(BackboneError, match="another backbone"):
        embed(tmp_path / "own", "backbone B", values, "cpu")
    before = embedding_fingerprint(tmp_path / "own")
    (tmp_path / "own" / "embedding.safetensors").write_bytes(b"not a tensor")
    assert embedding_fingerprint(tmp_path / "own") != before
    with pytest.raises(BackboneError, match="cannot be loaded"):
        embed(tmp_path / "own", "backbone A", values, "cpu")
    with pytest.raises(BackboneError, match="cannot be read"):
        embed(tmp_path / "none", "backbone A", values, "cpu")


def test_the_command_trains_and_the_result_is_used(tmp_path, capsys):
    save_tiny("vit", tmp_path / "backbone")
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    for index, mesh in enumerate((icosphere(2), box(subdivisions=2), grid(8, 8))):
        write_obj(meshes / f"{index}.obj", mesh)
    backbone = ["--backbone", str(tmp_path / "backbone"), "--views", "4", "--device", "cpu"]
    out = tmp_path / "embedding"
    assert main(["train-embedding", str(meshes), "--out", str(out), "--steps", "30", *backbone]) == 0
    assert "held-out" in capsys.readouterr().out
    assert json.loads((out / "embedding.json").read_text())["meshes"] == ["0", "1", "2"]
    settings = FeatureSettings(str(tmp_path / "backbone"), 4, "cpu")
    alone = compute_features(icosphere(2), settings).values
    with_codes = compute_features(icosphere(2), replace(settings, embedding=str(out))).values
    assert with_codes.shape == (162, alone.shape[1] + 64)
    assert np.allclose(np.linalg.norm(with_codes, axis=1), 1, atol=1e-3)
    assert np.allclose(with_codes[:, : alone.shape[1]], np.sqrt(1 - CODE_SHARE) * alone, atol=1e-5)


def test_a_backbones_own_embedding_is_used_unless_another_or_none_is_asked_for(tmp_path, capsys):
    save_tiny("vit", tmp_path / "backbone")
    settings = FeatureSettings(str(tmp_path / "backbone"), 4, "cpu")
    assert find_embedding("auto", settings.backbone) is None
    before = model_fingerprint(settings)
    alone = compute_features(icosphere(2), settings)
    for index, mesh in enumerate((icosphere(2), box(subdivisions=2))):
        write_obj(tmp_path / f"{index}.obj", mesh)
    command = ["train-embedding", str(tmp_path), "--steps", "5", "--backbone", settings.backbone, "--views", "4"]
    assert main([*command, "--out", str(tmp_path / "backbone" / "embedding")]) == 0
    assert "backbone's own" not in capsys.readouterr().out
    assert model_fingerprint(settings).startswith(before)
    assert model_fingerprint(settings) != before
    assert model_fingerprint(replace(settings, embedding="none")) == before
    own = compute_features(icosphere(2), settings)
    assert own.values.shape[1] == alone.values.shape[1] + 64
    assert np.allclose(compute_features(icosphere(2), replace(settings, embedding="none")).values, alone.values)
    assert main([*command, "--out", str(tmp_path / "other")]) == 0
    assert "backbone's own" in capsys.readouterr().out


def test_the_bundled_embedding_belongs_to_the_bundled_backbone():
    own = find_embedding("auto", "bundled")
    assert own is not None
    values = unit(np.random.default_rng(0).normal(size=(5, 64)))
    assert append_codes(own, fingerprint("bundled"), values, "cpu").shape == (5, 128)


def test_colours_stay_those_of_the_features():
    rng = np.random.default_rng(0)
    values = unit(rng.normal(size=(30, 64)))
    codes = unit(rng.normal(size=(30, 64)))
    both = np.hstack([np.sqrt(1 - CODE_SHARE) * values, np.sqrt(CODE_SHARE) * codes]).astype(np.float32)
    plain, with_codes = feature_colours([Features(values, np.ones(30)), Features(both, np.ones(30))], "bundled")
    assert np.allclose(plain, with_codes, atol=1e-5)


def test_the_command_says_what_is_missing(tmp_path, capsys):
    write_obj(tmp_path / "only.obj", box())
    assert main(["train-embedding", str(tmp_path), "--out", str(tmp_path / "e")]) == 3
    assert "at least two" in capsys.readouterr().err
