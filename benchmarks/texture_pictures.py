# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of transferred textures: `python -m benchmarks.texture_pictures --data DATA --out docs/images`.

The knight's texture on a barbarian, a toy horse's colours on a horse statue, a checker of letters on a held-out person,
and another person painted from one render of the first, each beside where it came from.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.kaykit_weights import HELD
from examples.installed_extension import disable, install, quiet, select
from training.data_folder import parse_with_data

SIDE = 480


def read_character(path: Path) -> Any:
    """A character without what it holds, as one unrigged object with its materials and UV map."""
    import bpy

    bpy.ops.import_scene.gltf(filepath=str(path))
    imported = list(bpy.context.selected_objects)
    parts = [obj for obj in imported if obj.type == "MESH" and not obj.parent_bone.startswith(HELD)]
    parts = [obj for obj in parts if not obj.name.startswith("Icosphere")]
    next(obj for obj in imported if obj.type == "ARMATURE").data.pose_position = "REST"
    bpy.context.view_layer.update()
    for part in parts:
        world = part.matrix_world.copy()
        part.modifiers.clear()
        part.parent = None
        part.matrix_world = world
    with bpy.context.temp_override(active_object=parts[0], selected_editable_objects=parts):
        bpy.ops.object.join()
    for obj in imported:
        if obj not in parts:
            bpy.data.objects.remove(obj)
    parts[0].name = path.stem
    return parts[0]


def read_statue(path: Path) -> Any:
    """An OBJ file as one object without materials and UV maps."""
    import bpy

    bpy.ops.wm.obj_import(filepath=str(path))
    statue = bpy.context.selected_objects[0]
    statue.data.materials.clear()
    while statue.data.uv_layers:
        statue.data.uv_layers.remove(statue.data.uv_layers[0])
    return statue


def plain_person(data: Path, seed: int, name: str, *, painted: bool) -> Any:
    """A held-out person; the painted one wears the letters on MakeHuman's own UV map."""
    import bpy

    from benchmarks.texture_transfer import FIRST_HELD_OUT_SEED, body_uv, letters
    from training.human_poses import pose_person, sample_pose
    from training.humans import HumanModel, to_z_up

    model, rng = HumanModel(data), np.random.default_rng(FIRST_HELD_OUT_SEED + seed)
    person = model.sample_person(rng)
    posed = pose_person(model, person, sample_pose(model, person, rng, float(rng.uniform(0.3, 1.0))))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(to_z_up(posed[: model.body_vertex_count]).tolist(), [], model.body_faces.tolist())
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    mesh.shade_smooth()
    if painted:
        mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", body_uv(data).ravel())
        pixels = letters()
        image = bpy.data.images.new("Letters", *pixels.shape[1::-1])
        rgba = np.ones((*pixels.shape[:2], 4), np.float32)
        rgba[..., :3] = pixels / np.float32(255)
        image.pixels.foreach_set(rgba.ravel())
        image.pack()
        material = bpy.data.materials.new("Letters")
        material.use_nodes = True
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        shader = material.node_tree.nodes["Principled BSDF"]
        material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
        mesh.materials.append(material)
    return obj


def photograph(obj: Any, path: Path, turn_degrees: float) -> Any:
    """Render one object alone with its own materials; returns a PIL image."""
    import bpy
    from mathutils import Vector
    from PIL import Image

    scene = bpy.context.scene
    for other in scene.objects:
        other.hide_render = other.type == "MESH" and other != obj
    points = np.array([obj.matrix_world @ vertex.co for vertex in obj.data.vertices])
    low, high = points.min(0), points.max(0)
    turn = np.radians(turn_degrees)
    away = Vector((np.sin(turn), -np.cos(turn), 0.12)).normalized()
    scene.camera.location = Vector(((low + high) / 2).tolist()) + 10 * away
    scene.camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()
    scene.camera.data.ortho_scale = 1.08 * float(max(high - low))
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    with Image.open(path) as image:
        return image.convert("RGB").copy()


def geometry_of(obj: Any, away: NDArray, half: float) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) normals and depth of an object, row 0 at the top, as `photograph` sees it from `away`."""
    from surface_features.mesh import TriangleMesh
    from surface_features.views.cameras import Cameras, look_from
    from surface_features.views.render import Raycaster

    vertices = np.array([obj.matrix_world @ vertex.co for vertex in obj.data.vertices], np.float32)
    mesh = TriangleMesh.from_polygons(vertices, [list(face.vertices) for face in obj.data.polygons])
    centre = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    cameras = Cameras(look_from(np.asarray(away, np.float32)[None]), centre[None], np.array([half], np.float32))
    view = Raycaster(mesh).view(cameras, 0, SIDE)
    seen = (view.face_ids[0] >= 0)[..., None]
    return np.concatenate([view.normals[0] / 2 + 0.5, view.depth[0][..., None]], axis=2) * seen


def show_from_picture(subject: Any, target: Any, out: Path, folder: Path) -> None:
    """Paint the target from one render of the subject, and save the render and the target from three sides."""
    import bpy
    from PIL import Image

    photo = photograph(subject, folder / "photo.png", 20)
    scene = bpy.context.scene
    away = np.array(scene.camera.matrix_world.to_3x3().col[2])
    pixels = geometry_of(subject, away, scene.camera.data.ortho_scale / 2)
    geometry = bpy.data.images.new("Geometry", SIDE, SIDE, alpha=True, float_buffer=True, is_data=True)
    geometry.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    geometry.update()
    texture = scene.surface_features.texture
    texture.picture, texture.geometry = bpy.data.images.load(str(folder / "photo.png")), geometry
    select(target)
    bpy.ops.surface_features.texture_from_picture()
    views = [photo, *(photograph(target, folder / "view.png", turn) for turn in (20, 110, 200))]
    sheet = Image.new("RGB", (SIDE * len(views), SIDE))
    for index, view in enumerate(views):
        sheet.paste(view, (SIDE * index, 0))
    sheet.quantize(128).save(out, optimize=True)


def show(source: Any, target: Any, out: Path, folder: Path) -> None:
    """Transfer, and save source and target from the front and from behind."""
    import bpy
    from PIL import Image

    bpy.context.scene.surface_features.texture.new_uvs = True
    select(source, target)
    bpy.ops.surface_features.transfer_texture(replace=True)
    views = [photograph(obj, folder / "view.png", turn) for obj in (source, target) for turn in (20, 200)]
    sheet = Image.new("RGB", (SIDE * len(views), SIDE))
    for index, view in enumerate(views):
        sheet.paste(view, (SIDE * index, 0))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(128).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of transferred textures.")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parse_with_data(parser, "kaykit/Knight.glb")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "blender.log"
        with quiet(log):
            install(Path(folder) / "user")
            from examples.blender_scene import set_up_stage

            set_up_stage(SIDE, 24)
            knight, barbarian = (
                read_character(options.data / "kaykit" / f"{name}.glb") for name in ("Knight", "Barbarian")
            )
            barbarian.data.materials.clear()
            show(knight, barbarian, options.out / "knight_on_barbarian.png", Path(folder))
            horse = read_character(options.data / "quaternius" / "animals" / "Horse.glb")
            statue = read_statue(options.data / "polyhaven" / "horse_statue_01_1k.obj")
            show(horse, statue, options.out / "horse_statue.png", Path(folder))
            written, blank = [plain_person(options.data, seed, name, painted=painted)
                      for seed, name, painted in ((0, "Written", True), (1, "Blank", False))]  # fmt: skip
            show(written, blank, options.out / "letters_on_person.png", Path(folder))
            third = plain_person(options.data, 3, "From Picture", painted=False)
            show_from_picture(written, third, options.out / "person_from_picture.png", Path(folder))
        print("\n".join(line for line in log.read_text().splitlines() if line.startswith(("Info: ", "Warning: "))))
        disable()


if __name__ == "__main__":
    main()
