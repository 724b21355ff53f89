# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Texture: the source's colours on the same parts of the target, and nothing of the artist's changed."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from .scenes import add_mesh, add_target, failure, fingerprint, hero, select

SIZE = "256"


@pytest.fixture(autouse=True)
def small_images(empty_scene) -> None:
    bpy.context.scene.surface_features.texture.size = SIZE


def run(**options) -> set[str]:
    return bpy.ops.surface_features.transfer_texture(**options)


def halves_image(name: str = "Halves", size: tuple[int, int] = (64, 32), **options) -> bpy.types.Image:
    """Left half red, right half green."""
    image = bpy.data.images.new(name, *size, **options)
    pixels = np.zeros((size[1], size[0], 4), np.float32)
    pixels[..., 3] = 1
    pixels[:, : size[0] // 2, 0] = 1
    pixels[:, size[0] // 2 :, 1] = 1
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    return image


def add_material(obj, image=None, *, socket: str = "Base Color", name: str = "Skin"):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    obj.data.materials.append(material)
    if image is not None:
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        shader = material.node_tree.nodes["Principled BSDF"]
        material.node_tree.links.new(node.outputs["Color"], shader.inputs[socket])
    return material


def add_front_uv(obj, name: str = "UVMap") -> None:
    """A UV map by position: U to the character's left (+X), V upwards."""
    points = np.array([vertex.co for vertex in obj.data.vertices])
    low, high = points.min(axis=0), points.max(axis=0)
    uv = ((points - low) / (high - low))[:, [0, 2]]
    loops = np.array([loop.vertex_index for loop in obj.data.loops])
    layer = obj.data.uv_layers.new(name=name)
    layer.data.foreach_set("uv", uv[loops].astype(np.float32).ravel())


def add_painted_source(name: str = "Painted"):
    """The hero: the right half of the body red, the left half green."""
    obj = add_target(name, hero())
    add_front_uv(obj)
    add_material(obj, halves_image())
    return obj


def new_material(obj) -> bpy.types.Material:
    return obj.data.materials[-1]


def shown_image(material, socket: str = "Base Color") -> bpy.types.Image:
    node = material.node_tree.nodes["Principled BSDF"].inputs[socket].links[0].from_node
    return node.image if node.type == "TEX_IMAGE" else node.inputs["Color"].links[0].from_node.image


def pixels_of(image) -> np.ndarray:
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)


def colour_at_vertices(obj, image) -> np.ndarray:
    """(V, 3) what the image shows at each vertex, through the object's newest UV map."""
    pixels = pixels_of(image)
    layer = obj.data.uv_layers[-1]
    uv = np.empty(len(obj.data.loops) * 2, np.float32)
    layer.data.foreach_get("uv", uv)
    place = np.clip((uv.reshape(-1, 2) * len(pixels)).astype(int), 0, len(pixels) - 1)
    colours = np.zeros((len(obj.data.vertices), 3))
    colours[[loop.vertex_index for loop in obj.data.loops]] = pixels[place[:, 1], place[:, 0], :3]
    return colours


def share_on_the_right_side(obj, image) -> float:
    """Share of vertices clear of the middle that are red on the body's right and green on its left."""
    points = np.array([vertex.co for vertex in obj.data.vertices])
    clear = np.abs(points[:, 0]) > 0.05
    colours = colour_at_vertices(obj, image)[clear]
    is_red = colours[:, 0] > colours[:, 1]
    return float((is_red == (points[clear, 0] < 0)).mean())


def test_a_target_without_uvs_is_unwrapped_and_painted_on_its_own_sides(capfd) -> None:
    source, target = add_painted_source(), add_target()
    select(source, target)
    assert run() == {"FINISHED"}
    assert "Smart UV Project" in capfd.readouterr().out
    assert [layer.name for layer in target.data.uv_layers] == ["Surface Features"]
    material = new_material(target)
    image = shown_image(material)
    assert tuple(image.size) == (256, 256)
    assert image.packed_file is not None
    assert image.colorspace_settings.name == "sRGB"
    assert share_on_the_right_side(target, image) > 0.95
    assert {polygon.material_index for polygon in target.data.polygons} == {0}
    assert any(node.label == "Confidence" for node in material.node_tree.nodes)
    assert len(bpy.data.scenes) == 1
    assert len(source.data.uv_layers) == 1


def test_existing_uvs_and_materials_are_kept_unless_replace_is_ticked() -> None:
    source, target = add_painted_source(), add_target()
    add_front_uv(target, "Mine")
    old = add_material(target, name="Old")
    select(source, target)
    assert run() == {"FINISHED"}
    assert [layer.name for layer in target.data.uv_layers] == ["Mine"]
    assert target.data.materials[0] == old
    assert {polygon.material_index for polygon in target.data.polygons} == {0}
    assert run(replace=True) == {"FINISHED"}
    assert {polygon.material_index for polygon in target.data.polygons} == {2}
    assert target.data.materials[0] == old
    bpy.context.scene.surface_features.texture.new_uvs = True
    assert run(replace=True) == {"FINISHED"}
    assert [layer.name for layer in target.data.uv_layers] == ["Mine", "Surface Features"]
    assert share_on_the_right_side(target, shown_image(new_material(target))) > 0.95


def test_all_channels_of_a_material_arrive_in_their_own_kind() -> None:
    source, target = add_painted_source(), add_target()
    material = source.data.materials[0]
    shader, links, nodes = (
        material.node_tree.nodes["Principled BSDF"],
        material.node_tree.links,
        material.node_tree.nodes,
    )
    deep = bpy.data.images.new("Deep", 1, 1, float_buffer=True, is_data=True)
    deep.pixels.foreach_set(np.float32([0.123456, 0.7, 0.2, 1.0]))
    deep.update()
    texture, separate = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeSeparateColor")
    texture.image = deep
    links.new(texture.outputs["Color"], separate.inputs[0])
    links.new(separate.outputs["Green"], shader.inputs["Roughness"])
    bumps, normal_map = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeNormalMap")
    bumps.image = bpy.data.images.new("Bumps", 4, 4, is_data=True)
    bumps.image.pixels.foreach_set(np.tile(np.float32([0.5, 0.5, 1, 1]), 16))
    links.new(bumps.outputs["Color"], normal_map.inputs["Color"])
    links.new(normal_map.outputs["Normal"], shader.inputs["Normal"])
    shader.inputs["Metallic"].default_value = 0.25
    select(source, target)
    assert run() == {"FINISHED"}
    made = new_material(target)
    roughness = shown_image(made, "Roughness")
    assert roughness.is_float
    assert roughness.colorspace_settings.name == "Non-Color"
    np.testing.assert_allclose(pixels_of(roughness)[..., 0], 0.7, atol=1e-3)
    new_shader = made.node_tree.nodes["Principled BSDF"]
    assert new_shader.inputs["Metallic"].default_value == pytest.approx(0.25)
    assert not new_shader.inputs["Metallic"].is_linked
    np.testing.assert_allclose(
        pixels_of(shown_image(made, "Normal"))[..., :3].mean(axis=(0, 1)), (0.5, 0.5, 1), atol=0.01
    )
    assert not new_shader.inputs["Emission Color"].is_linked


def test_plain_colours_of_several_materials_need_no_uvs() -> None:
    source, target = add_target("Source", hero()), add_target()
    for name, colour in (("Red", (1, 0, 0, 1)), ("Green", (0, 1, 0, 1))):
        add_material(source, name=name).node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = colour
    for polygon in source.data.polygons:
        polygon.material_index = int(polygon.center.x > 0)
    select(source, target)
    assert run() == {"FINISHED"}
    assert share_on_the_right_side(target, shown_image(new_material(target))) > 0.95


def test_a_procedural_material_is_baked_first_and_says_so(capfd) -> None:
    source, target = add_target("Source", hero()), add_target()
    material = add_material(source)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    position, ramp = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeSeparateXYZ")
    compare, mix = nodes.new("ShaderNodeMath"), nodes.new("ShaderNodeMix")
    compare.operation, mix.data_type = "GREATER_THAN", "RGBA"
    compare.inputs[1].default_value = 0.0
    mix.inputs["A"].default_value = mix.inputs[6].default_value = (1, 0, 0, 1)
    mix.inputs[7].default_value = (0, 1, 0, 1)
    links.new(position.outputs["Position"], ramp.inputs[0])
    links.new(ramp.outputs["X"], compare.inputs[0])
    links.new(compare.outputs[0], mix.inputs["Factor"])
    links.new(mix.outputs[2], nodes["Principled BSDF"].inputs["Base Color"])
    before = bpy.context.scene.render.engine, len(bpy.data.images), len(nodes)
    select(source, target)
    assert run() == {"FINISHED"}
    assert "baked at 256" in capfd.readouterr().out
    assert share_on_the_right_side(target, shown_image(new_material(target))) > 0.95
    assert (bpy.context.scene.render.engine, len(nodes)) == (before[0], before[2])
    assert len(bpy.data.images) == before[1] + 2
    assert len(bpy.data.scenes) == 1


def test_udim_tiles_are_read_and_written(tmp_path) -> None:
    source, target = add_target("Source", hero()), add_target()
    for obj in (source, target):
        add_front_uv(obj)
        uv = np.empty(len(obj.data.loops) * 2, np.float32)
        obj.data.uv_layers[0].data.foreach_get("uv", uv)
        uv = uv.reshape(-1, 2)
        loops_of = [list(polygon.loop_indices) for polygon in obj.data.polygons]
        for loops in loops_of:
            if uv[loops, 0].mean() > 0.5:
                uv[loops, 0] += 1
        obj.data.uv_layers[0].data.foreach_set("uv", uv.ravel())
    for number, colour in ((1001, (1, 0, 0, 1)), (1002, (0, 1, 0, 1))):
        tile = bpy.data.images.new("tile", 8, 8)
        tile.pixels.foreach_set(np.tile(np.float32(colour), 64))
        tile.filepath_raw, tile.file_format = str(tmp_path / f"tile.{number}.png"), "PNG"
        tile.save()
    image = bpy.data.images.load(str(tmp_path / "tile.1001.png"))
    image.source, image.filepath = "TILED", str(tmp_path / "tile.<UDIM>.png")
    if 1002 not in {tile.number for tile in image.tiles}:
        image.tiles.new(tile_number=1002)
    add_material(source, image)
    select(source, target)
    assert run() == {"FINISHED"}
    made = shown_image(new_material(target))
    assert made.source == "TILED"
    assert [tile.number for tile in made.tiles] == [1001, 1002]
    for packed in made.packed_files:
        (tmp_path / f"out.{packed.tile_number}.png").write_bytes(packed.packed_file.data)
    for number, channel in ((1001, 0), (1002, 1)):
        tile = pixels_of(bpy.data.images.load(str(tmp_path / f"out.{number}.png")))
        assert tile[..., channel].mean() > 0.9


def test_images_are_saved_beside_the_file_where_wanted(tmp_path) -> None:
    source, target = add_painted_source(), add_target()
    bpy.context.scene.surface_features.texture.save = True
    select(source, target)
    before = fingerprint(), len(bpy.data.images), len(bpy.data.materials)
    assert "Save it" in failure(run)
    assert (fingerprint(), len(bpy.data.images), len(bpy.data.materials)) == before
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    source, target = bpy.data.objects["Painted"], bpy.data.objects["Stout"]
    select(source, target)
    assert run() == {"FINISHED"}
    image = shown_image(new_material(target))
    assert image.packed_file is None
    assert Path(bpy.path.abspath(image.filepath)).parent == tmp_path / "textures"
    assert Path(bpy.path.abspath(image.filepath)).exists()


def test_undo_takes_everything_back() -> None:
    source, target = add_painted_source(), add_target()
    select(source, target)
    bpy.ops.ed.undo_push(message="Before")
    before = fingerprint(), len(bpy.data.images), len(bpy.data.materials), len(target.data.uv_layers)
    run()
    bpy.ops.ed.undo_push(message="Transfer Texture")
    bpy.ops.ed.undo()
    target = bpy.data.objects["Stout"]
    assert (fingerprint(), len(bpy.data.images), len(bpy.data.materials), len(target.data.uv_layers)) == before


def test_missing_images_and_nothing_to_show_are_one_sentence() -> None:
    source, target = add_target("Source", hero()), add_target()
    add_front_uv(source)
    select(source, target)
    assert "nothing to transfer" in failure(run)
    lost = bpy.data.images.new("Lost", 4, 4)
    lost.source, lost.filepath = "FILE", "//nowhere/lost.png"
    add_material(source, lost)
    before = fingerprint(), len(bpy.data.materials)
    assert "“Lost” is missing" in failure(run)
    assert (fingerprint(), len(bpy.data.materials)) == before
    select(source)
    assert "Select the targets" in failure(run)
    empty = add_mesh("Empty", np.zeros((0, 3)), [])
    select(source, empty)
    assert "no faces" in failure(run)


def test_the_command_saves_a_painted_copy(extension, tmp_path) -> None:
    add_painted_source()
    add_target()
    path, out = tmp_path / "scene.blend", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    arguments = ["texture", str(path), "--source", "Painted", "--target", "Stout", "--out", str(out)]
    assert extension("operators.command").main([*arguments, "--size", "256", "--views", "8"]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    target = bpy.data.objects["Stout"]
    assert share_on_the_right_side(target, shown_image(new_material(target))) > 0.9


def test_the_memory_it_will_take_grows_with_the_size(extension) -> None:
    texture = bpy.context.scene.surface_features.texture
    options = extension("properties").texture_options
    small = options(texture).memory_mb(7)
    texture.size = "8192"
    assert options(texture).memory_mb(7) > 2000 > small
