# SPDX-License-Identifier: GPL-3.0-or-later
"""Check, Compute Features, Show Features, Test Engine, Clear Cache."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .scenes import add_mesh, add_target, hero, select, stout


def colours(obj) -> np.ndarray:
    attribute = obj.data.color_attributes["Surface Features"]
    values = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get("color_srgb", values)
    return values.reshape(-1, 4)[:, :3]


def test_engine_tells_what_it_runs_on(capfd) -> None:
    assert bpy.ops.surface_features.test_engine() == {"FINISHED"}
    assert "torch" in capfd.readouterr().out


def test_check_names_faults_and_never_fails(capfd) -> None:
    vertices = np.concatenate([hero().vertices, [(5, 5, 5)]])
    select(add_mesh("Sauber", hero().vertices, hero().faces), add_mesh("Loose", vertices, hero().faces),
           add_mesh("Empty", np.zeros((0, 3)), []))  # fmt: skip
    assert bpy.ops.surface_features.check() == {"FINISHED"}
    told = capfd.readouterr().out
    assert "Loose" in told
    assert "Empty" in told
    assert "Traceback" not in told


def test_computed_features_are_on_disk_and_can_be_cleared(preferences, tmp_path) -> None:
    preferences.cache_folder = str(tmp_path / "cache")
    select(add_target())
    assert bpy.ops.surface_features.compute_features() == {"FINISHED"}
    folder = Path(preferences.cache_folder)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > 1000
    assert bpy.ops.surface_features.clear_cache() == {"FINISHED"}
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 1000


def test_shown_features_are_comparable_and_undoable() -> None:
    first, second = add_target("First", hero()), add_target("Second", stout())
    select(first, second)
    bpy.ops.ed.undo_push(message="Before")
    assert bpy.ops.surface_features.show_features() == {"FINISHED"}
    for obj in (first, second):
        assert obj.data.color_attributes.active_color.name == "Surface Features"
        assert colours(obj).min() >= 0
        assert colours(obj).max() <= 1
        assert colours(obj).std() > 0.05
    parts = [np.array([colours(o)[c.bone == b].mean(axis=0) for b in range(len(c.joints)) if (c.bone == b).any()
                       and (hero().bone == b).any() and (stout().bone == b).any()])
             for o, c in ((first, hero()), (second, stout()))]  # fmt: skip
    apart = np.linalg.norm(parts[0][:, None] - parts[1][None], axis=2)
    same = np.diag(apart).mean()
    assert same < 0.5 * apart.mean()
    bpy.ops.ed.undo_push(message="Show Features")
    bpy.ops.ed.undo()
    assert "Surface Features" not in bpy.data.objects["First"].data.color_attributes


def test_showing_again_replaces_its_own_attribute_only() -> None:
    obj = add_target()
    obj.data.color_attributes.new("Paint", "BYTE_COLOR", "CORNER")
    obj.data.color_attributes.new("Surface Features", "BYTE_COLOR", "CORNER")
    select(obj)
    bpy.ops.surface_features.show_features()
    bpy.ops.surface_features.show_features()
    assert sorted(attribute.name for attribute in obj.data.color_attributes) == ["Paint", "Surface Features"]
    assert len(obj.data.color_attributes["Surface Features"].data) == len(obj.data.vertices)
