# SPDX-License-Identifier: GPL-3.0-or-later
"""The loading code on real, tiny checkpoints of the kinds users download."""

import json

import numpy as np
import pytest
import torch

from surface_features.backbones import load_backbone
from surface_features.backbones.backbone import Backbone
from surface_features.backbones.checkpoint import MODELS, fingerprint
from surface_features.backbones.precision import has_fast_bfloat16
from surface_features.errors import BackboneError, EngineError
from surface_features.features import compute_features
from surface_features.settings import FeatureSettings

from .shapes import box

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 56,
    "patch_size": 14,
}


def save_tiny(kind: str, folder) -> None:
    import transformers

    torch.manual_seed(0)
    config, model = {
        "vit": (transformers.ViTConfig, transformers.ViTModel),
        "dinov2": (transformers.Dinov2Config, transformers.Dinov2Model),
        "dinov3": (transformers.DINOv3ViTConfig, transformers.DINOv3ViTModel),
    }[kind]
    model(config(**TINY)).save_pretrained(folder)
    size = {"height": 56, "width": 56}
    image = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "crop_size": size}
    (folder / "preprocessor_config.json").write_text(json.dumps(image))


@pytest.mark.parametrize("kind", ["vit", "dinov2", "dinov3"])
def test_a_downloaded_checkpoint_folder_works_as_it_is(kind, tmp_path):
    save_tiny(kind, tmp_path)
    mesh = box((0.5, 1, 1.5), subdivisions=2)
    features = compute_features(mesh, FeatureSettings(backbone=str(tmp_path), views=6, device="cpu"))
    assert features.values.shape == (len(mesh.vertices), 32)
    assert np.allclose(np.linalg.norm(features.values, axis=1), 1, atol=1e-4)


@pytest.mark.skipif(not (MODELS / "bundled" / "config.json").exists(), reason="the bundled model is not built yet")
def test_the_bundled_model_loads_small_and_says_unit_vectors():
    backbone = load_backbone("bundled", "cpu")
    grid = backbone.checkpoint.grid
    pictures = np.zeros((3, 4, 128, 128), np.float32)
    cells = backbone.encode(pictures, pytest.fail, lambda share: None)
    assert cells.shape == (3, grid, grid, backbone.checkpoint.dim)
    assert np.allclose(np.linalg.norm(cells, axis=-1), 1, atol=1e-3)
    assert sum(f.stat().st_size for f in (MODELS / "bundled").glob("*.safetensors")) < 16e6


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(BackboneError, match=r"config\.json"):
        load_backbone(str(tmp_path))


def test_a_model_that_is_not_here_is_never_downloaded():
    with pytest.raises(BackboneError, match="not on this machine"):
        load_backbone("somebody/some-model")


def test_a_damaged_checkpoint_is_one_sentence(tmp_path):
    save_tiny("vit", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(BackboneError, match="cannot be loaded") as caught:
        load_backbone(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_missing_device_is_named():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(EngineError, match="CUDA"):
        load_backbone("bundled", "cuda")


@pytest.mark.parametrize(("unit", "fast"), [("avx512_f", False), ("avx512_bf16", True), ("amx_bf16", True)])
def test_a_processor_that_would_have_to_convert_computes_in_fp32(unit, fast, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", unit: True})
    assert has_fast_bfloat16(torch.device("cpu")) == (fast and torch.backends.mkldnn.is_available())


def test_the_fingerprint_changes_with_the_weights(tmp_path):
    save_tiny("vit", tmp_path)
    before = fingerprint(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes() + b" ")
    assert fingerprint(str(tmp_path)) != before


def test_out_of_memory_halves_the_batch_and_says_so(tmp_path, monkeypatch):
    save_tiny("vit", tmp_path)
    backbone = Backbone(str(tmp_path), "cpu")
    forward, warnings = backbone._forward, []

    def crowded(pictures):
        if len(pictures) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return forward(pictures)

    pictures = np.random.default_rng(0).normal(size=(8, 3, 56, 56)).astype(np.float32)
    wanted = backbone.encode(pictures, pytest.fail, lambda share: None)
    monkeypatch.setattr(backbone, "_forward", crowded)
    cells = backbone.encode(pictures, warnings.append, lambda share: None)
    assert np.allclose(cells, wanted, atol=0.05)
    assert any("going on with 2" in line for line in warnings)


def test_other_errors_are_not_taken_for_memory(tmp_path, monkeypatch):
    save_tiny("vit", tmp_path)
    backbone = Backbone(str(tmp_path), "cpu")
    with pytest.raises(ValueError, match="channel"):
        backbone.encode(np.zeros((1, 7, 56, 56), np.float32), pytest.fail, lambda share: None)
