# SPDX-License-Identifier: GPL-3.0-or-later
"""Train Embedding, and keeping or discarding its result."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from .scenes import add_target, hero, select, stout


@pytest.fixture(autouse=True)
def own_embeddings(preferences, extension):
    yield
    preferences.embedding, preferences.embedding_folder = "auto", ""
    bpy.ops.surface_features.discard_embedding()


def test_it_trains_on_the_selected_meshes_and_is_used_when_kept(preferences, capfd) -> None:
    select(add_target("First", hero()), add_target("Second", stout()))
    assert bpy.ops.surface_features.train_embedding(steps=40) == {"FINISHED"}
    assert "held-out" in capfd.readouterr().out
    assert preferences.embedding == "auto"
    assert bpy.ops.surface_features.keep_embedding() == {"FINISHED"}
    assert preferences.embedding == "FOLDER"
    assert (Path(preferences.embedding_folder) / "embedding.safetensors").is_file()
    assert bpy.ops.surface_features.compute_features() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="Train Embedding first"):
        bpy.ops.surface_features.keep_embedding()


def test_it_trains_on_the_active_collection_where_nothing_is_selected(preferences, capfd) -> None:
    add_target("First", hero())
    add_target("Second", stout())
    bpy.ops.object.select_all(action="DESELECT")
    assert bpy.ops.surface_features.train_embedding(steps=10) == {"FINISHED"}
    assert bpy.ops.surface_features.discard_embedding() == {"FINISHED"}
    assert preferences.embedding_folder == ""


def test_one_mesh_is_one_sentence() -> None:
    select(add_target("Alone", hero()))
    with pytest.raises(RuntimeError, match="Alone: an embedding learns from several meshes"):
        bpy.ops.surface_features.train_embedding()


def test_no_mesh_is_one_sentence() -> None:
    with pytest.raises(RuntimeError, match="No mesh is selected"):
        bpy.ops.surface_features.train_embedding()
