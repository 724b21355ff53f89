# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty patches share tokens: what is seen keeps its features, alone or beside fuller pictures."""

import numpy as np
import pytest
import torch

from examples.characters import HumanoidSpec, build_humanoid
from surface_features.backbones import load_backbone
from surface_features.backbones.checkpoint import MODELS
from surface_features.backbones.dense import DenseHead, DenseModel
from surface_features.backbones.merging import count_tokens, merge_blocks
from surface_features.mesh import TriangleMesh
from surface_features.views.cameras import place_cameras
from surface_features.views.render import Raycaster, render_views

PATCH = 8


def pictures(*sides):
    """(N, 4, 64, 64): a square of noise so many pixels wide in the middle of nothing."""
    torch.manual_seed(0)
    found = torch.zeros(len(sides), 4, 64, 64)
    for picture, side in zip(found, sides, strict=True):
        start = 32 - side // 2
        picture[:, start : start + side, start : start + side] = torch.rand(4, side, side) * 0.5 + 0.5
    return found


def tiny(merged):
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(1)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = ViTConfig(**size, image_size=64, patch_size=PATCH, num_channels=4, attn_implementation="eager")
    return DenseModel(ViTModel(config, add_pooling_layer=False), DenseHead(32, 8, 2), PATCH, merged).eval()


def test_every_patch_that_shows_something_has_its_own_token_and_empty_ones_share():
    merged = merge_blocks(pictures(16), PATCH, 4)  # 8 × 8 patches in 2 × 2 blocks; 2 × 2 patches in the middle are full
    assert merged.count.tolist() == [[15.0] * 4 + [1.0] * 4]
    assert count_tokens(merged).tolist() == [8]
    slots = merged.slot.reshape(8, 8)
    assert len(slots[3:5, 3:5].unique()) == 4
    assert slots[0, 0] == slots[3, 2] != slots[0, 4]


def test_a_block_of_one_patch_changes_nothing():
    with torch.inference_mode():
        torch.testing.assert_close(tiny(1)(pictures(16, 40)), tiny(0)(pictures(16, 40)), atol=1e-5, rtol=0)


def test_a_picture_is_the_same_beside_one_that_shows_more():
    model, both = tiny(4), pictures(16, 64)
    with torch.inference_mode():
        assert count_tokens(merge_blocks(both, PATCH, 4)).tolist() == [8, 64]
        torch.testing.assert_close(model(both)[:1], model(both[:1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(model.in_groups(both.flip(0), 2), model(both).flip(0), atol=1e-5, rtol=0)
        assert model.by_tokens(both.flip(0)).tolist() == [1, 0]


def test_it_can_be_trained():
    model = tiny(4)
    model(pictures(16, 40))[:, :1].sum().backward()
    assert model.body.embeddings.position_embeddings.grad.abs().sum() > 0


@pytest.mark.skipif(not (MODELS / "bundled" / "config.json").exists(), reason="the bundled model is not built yet")
def test_the_bundled_model_sees_nearly_the_same_and_keeps_the_order_of_pictures():
    backbone = load_backbone("bundled", "cpu")
    character = build_humanoid(HumanoidSpec())
    mesh = TriangleMesh(character.vertices, character.faces)
    views = render_views(Raycaster(mesh), place_cameras(mesh.vertices, 12), backbone.checkpoint.image_size)
    told = backbone.encode(backbone.pictures(views), print, lambda done: None)
    whole = DenseModel(backbone._model.body, backbone._model.head, backbone.checkpoint.patch_size)
    with torch.inference_mode():
        cells = whole(torch.from_numpy(backbone.pictures(views))).permute(0, 2, 3, 1).numpy()
    seen = views.depth[:, 2::4, 2::4] > 0
    likeness = (told * cells).sum(axis=-1)[seen]
    assert likeness.mean() > 0.99
    assert np.quantile(likeness, 0.01) > 0.93
