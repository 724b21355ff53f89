# SPDX-License-Identifier: GPL-3.0-or-later
"""The network over the surface: loading, running in parts, and what it is told."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from surface_features import refinement
from surface_features.backbones import load_backbone
from surface_features.backbones.surface_context import SurfaceContext, SurfaceContextConfig
from surface_features.errors import BackboneError
from surface_features.features import compute_features
from surface_features.lifting import Lifted
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext
from surface_features.refinement import describe_points, place, refine
from surface_features.settings import FeatureSettings

from .shapes import icosphere, moved
from .test_backbones import save_tiny


def some_features(mesh: TriangleMesh, dim: int = 16) -> Lifted:
    values = np.random.default_rng(0).normal(size=(len(mesh.vertices), dim)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return Lifted(values, np.ones(len(mesh.vertices), np.float32))


def random_network(dim: int = 16, landmarks: int = 32) -> SurfaceContext:
    """A network that does something: its last layer is not zero."""
    torch.manual_seed(0)
    network = SurfaceContext(SurfaceContextConfig(dim, width=32, layers=2, landmarks=landmarks)).eval()
    torch.nn.init.normal_(network.correct.weight, std=0.2)
    return network


def look_over(network: SurfaceContext, mesh: TriangleMesh, lifted: Lifted, details=None) -> Lifted:
    """`refine` with as many placements of landmarks as inference has."""
    placed = [place(network, mesh, details, placement) for placement in range(refinement.PLACEMENTS)]
    return refine(network, mesh, lifted, JobContext(), placed)


def test_an_untrained_network_changes_nothing():
    sphere = icosphere(3)
    lifted = some_features(sphere)
    refined = look_over(SurfaceContext(SurfaceContextConfig(16, width=32, layers=2)), sphere, lifted)
    assert np.allclose(refined.values, lifted.values, atol=1e-3)
    assert np.array_equal(refined.confidence, lifted.confidence)


def test_a_surface_seen_from_two_distances_becomes_one_feature():
    sphere = icosphere(3)
    looks = [some_features(sphere), some_features(sphere)]
    looks[1].values[:] = looks[1].values[:, ::-1]
    both = Lifted(np.hstack([look.values for look in looks]) / np.float32(np.sqrt(2)), looks[0].confidence)
    network = SurfaceContext(SurfaceContextConfig(16, width=32, layers=2, levels=2))
    refined = look_over(network, sphere, both)
    mean = looks[0].values + looks[1].values
    assert np.allclose(refined.values, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-3)


def test_vertices_in_parts_get_what_they_get_together(monkeypatch):
    sphere = icosphere(3)
    lifted, network = some_features(sphere), random_network()
    together = look_over(network, sphere, lifted)
    monkeypatch.setattr(refinement, "CHUNK", 100)
    in_parts = look_over(network, sphere, lifted)
    assert np.allclose(in_parts.values, together.values, atol=2e-2)
    assert np.allclose(np.linalg.norm(together.values, axis=1), 1, atol=1e-3)
    assert (together.values * lifted.values).sum(axis=1).mean() < 0.99


def test_where_the_landmarks_happen_to_lie_averages_out(monkeypatch):
    sphere = icosphere(4)  # more vertices than landmarks are chosen from
    lifted, network = some_features(sphere), random_network()
    own, at = refinement.place_landmarks, {"first": 0}

    def place(mesh, count, seed, **more):
        return own(mesh, count, at["first"] + seed, **more)

    monkeypatch.setattr(refinement, "place_landmarks", place)
    apart = {}
    for placements in (1, 4):
        monkeypatch.setattr(refinement, "PLACEMENTS", placements)
        found = []
        for at["first"] in (0, 10):
            found.append(look_over(network, sphere, lifted).values)
        assert np.allclose(np.linalg.norm(found[0], axis=1), 1, atol=1e-5)
        apart[placements] = np.linalg.norm(found[0] - found[1], axis=1).mean()
    assert apart[4] < 0.7 * apart[1]


def test_a_mesh_smaller_than_the_landmarks_works():
    triangle = TriangleMesh(np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    refined = look_over(random_network(), triangle, some_features(triangle))
    assert np.isfinite(refined.values).all()


def test_details_are_looked_at_by_landmarks_of_their_own():
    sphere, config = icosphere(3), SurfaceContextConfig(16, width=32, layers=2, landmarks=32, detail_landmarks=16)
    lifted, network = some_features(sphere), random_network()
    finer = SurfaceContext(config).eval()
    finer.load_state_dict(network.state_dict())
    top = np.flatnonzero(sphere.vertices[:, 2] > 0.7)
    without, given = (look_over(finer, sphere, lifted, details).values for details in (None, top))
    assert np.array_equal(without, look_over(network, sphere, lifted).values)
    assert np.abs(given[top] - without[top]).max() > 1e-3


def test_place_and_scale_are_not_told():
    sphere = icosphere(2)
    lifted = some_features(sphere)
    here, there = describe_points(sphere, lifted), describe_points(moved(sphere, (5, 6, 7), 100.0), lifted)
    for own, other in zip(here, there, strict=True):
        assert np.allclose(own, other, atol=1e-4)
    assert np.abs(here[2]).max() == pytest.approx(1, abs=1e-5)


def save_with_context(folder) -> None:
    """A tiny plain backbone of 32 channels with a network over the surface."""
    save_tiny("vit", folder)
    head = {"project.weight": torch.randn(16, 32), "project.bias": torch.zeros(16)}
    save_file(head, folder / "head.safetensors")
    network = random_network()
    save_file(network.state_dict(), folder / "surface_context.safetensors")
    shape = {"width": 32, "layers": 2, "landmarks": 32}
    (folder / "surface_features.json").write_text(json.dumps({"dim": 16, "surface_context": shape}))


def test_a_checkpoint_brings_its_own(tmp_path):
    save_with_context(tmp_path)
    settings = FeatureSettings(backbone=str(tmp_path), views=4, device="cpu")
    context = JobContext()
    features = compute_features(icosphere(3), settings, context)
    assert features.values.shape == (642, 16)
    assert "refine" in context.timings


@pytest.mark.parametrize("damage", ["weights", "shape"])
def test_a_damaged_one_is_one_sentence(damage, tmp_path):
    save_with_context(tmp_path)
    if damage == "weights":
        (tmp_path / "surface_context.safetensors").write_bytes(b"not a tensor")
    else:
        (tmp_path / "surface_features.json").write_text('{"dim": 16, "surface_context": {"depth": 3}}')
    with pytest.raises(BackboneError, match="cannot be loaded") as caught:
        load_backbone(str(tmp_path), "cpu")
    assert "\n" not in str(caught.value)
