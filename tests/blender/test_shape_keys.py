# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Shape Keys: shapes, values, ranges, relative keys and drivers."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .scenes import add_mesh, add_source, add_target, failure, fingerprint, hero, select


def transfer(**options: object) -> set[str]:
    return bpy.ops.surface_features.transfer_shape_keys(**options)


def nod(scale):
    """Displacement of the head alone."""
    height = hero().vertices[:, 2:3]
    return np.clip(height - 0.88 * height.max(), 0, None) * np.array([0.0, -2.0 * scale, 0])


def add_key(obj, name, displacement, relative=None):
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name=name, from_mix=False)
    origin = relative or obj.data.shape_keys.reference_key
    places = np.array([point.co for point in origin.data]) + displacement
    key.data.foreach_set("co", places.astype(np.float32).ravel())
    key.relative_key = origin
    return key


def places(key):
    return np.array([point.co for point in key.data])


@pytest.fixture
def pair():
    character = hero()
    order = np.random.default_rng(0).permutation(len(character.vertices))
    source = add_source()
    target = add_mesh("Twin", character.vertices[order], np.argsort(order)[character.faces])
    target.location.x = 2
    key = add_key(source, "Nod", nod(1))
    key.slider_min, key.slider_max, key.value = -0.5, 2.0, 1.5
    more = add_key(source, "More", nod(0.5), key)
    more.mute = True
    driver = more.driver_add("value").driver
    variable = driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id = source
    driver.expression = "var"
    select(source, target)
    return source, target, order


def test_shapes_and_settings_arrive(pair) -> None:
    _, target, order = pair
    assert transfer() == {"FINISHED"}
    keys = target.data.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis", "Nod", "More"]
    moved = places(keys["Nod"]) - places(keys["Basis"])
    truth = nod(1)[order]
    assert np.linalg.norm(moved - truth, axis=1).sum() < 0.25 * np.linalg.norm(truth, axis=1).sum()
    assert not moved[hero().vertices[order][:, 2] < 0.6 * hero().vertices[:, 2].max()].any()
    assert (keys["Nod"].slider_min, keys["Nod"].slider_max, keys["Nod"].value) == (-0.5, 2.0, 1.5)
    assert keys["More"].mute
    assert keys["More"].relative_key == keys["Nod"]
    more = places(keys["More"]) - places(keys["Nod"])
    assert np.linalg.norm(more, axis=1).max() == pytest.approx(np.linalg.norm(nod(0.5), axis=1).max(), rel=0.25)
    (driver,) = target.data.shape_keys.animation_data.drivers
    assert driver.data_path == 'key_blocks["More"].value'
    assert driver.driver.variables[0].targets[0].id == target


def test_names_taken_choose_replace(pair, capfd) -> None:
    _, target, _ = pair
    add_key(target, "Nod", np.zeros(3))
    transfer(names="Nod, Wink")
    keys = target.data.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis", "Nod", "Nod.001"]
    assert np.allclose(places(keys["Nod"]), places(keys["Basis"]))
    assert "“Wink”" in capfd.readouterr().out
    transfer(names="Nod", replace=True)
    assert [key.name for key in keys] == ["Basis", "Nod", "Nod.001"]
    assert not np.allclose(places(keys["Nod"]), places(keys["Basis"]))


def test_drivers_whose_targets_are_gone_are_left_out(pair, capfd) -> None:
    source, target, _ = pair
    source.data.shape_keys.animation_data.drivers[0].driver.variables[0].targets[0].id = None
    transfer()
    assert not target.data.shape_keys.animation_data
    assert "drivers were left out" in capfd.readouterr().out


def test_no_keys_is_one_sentence_and_no_change() -> None:
    source, target = add_source(), add_target()
    select(source, target)
    before = fingerprint()
    assert "no shape keys" in failure(transfer)
    add_key(source, "Nod", nod(1))
    assert "named Wink" in failure(transfer, names="Wink")
    bpy.data.objects["Hero"].shape_key_clear()
    assert fingerprint() == before
