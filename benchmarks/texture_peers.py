# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own ways to bring a texture to another mesh, measured beside this project's."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surface_features.geometry.uv_raster import rasterise
from surface_features.mesh import TriangleMesh
from surface_features.transfer.sampling import Picture

CAGE = 0.05  # of the target's largest extent
UV = "Source"
Result = tuple[NDArray[np.uint8], NDArray[np.float32], float]


def transfer_uvs(source: TriangleMesh, target: TriangleMesh, uv: NDArray, picture: NDArray, size: int) -> Result:
    """Data Transfer: the target's corners get the UVs of the nearest face, interpolated, and read the picture there."""
    import bpy

    target = _beside(target, source)
    objects = [_add(source, uv, UV), _add(target, uv, UV)]
    begun = time.perf_counter()
    bpy.context.view_layer.objects.active = objects[1]
    modifier = objects[1].modifiers.new("Transfer", "DATA_TRANSFER")
    modifier.object, modifier.use_loop_data = objects[0], True
    modifier.data_types_loops, modifier.loop_mapping = {"UV"}, "POLYINTERP_NEAREST"
    bpy.ops.object.modifier_apply(modifier=modifier.name)
    flat = np.empty(len(objects[1].data.loops) * 2, np.float32)
    objects[1].data.uv_layers[UV].data.foreach_get("uv", flat)
    seconds = time.perf_counter() - begun
    carried = flat.reshape(-1, 3, 2)
    positions = np.zeros((size * size, 3), np.float32)
    for texels in rasterise(uv, size):
        positions[texels.place] = np.einsum("nc,ncd->nd", texels.bary, source.corners[texels.face])
    places = Picture({1001: positions.reshape(size, size, 3)})
    colours = Picture({1001: picture}).reduced(1)
    image, points = (np.zeros((size * size, 3), np.float32) for _ in range(2))
    for texels in rasterise(uv, size):
        read = np.einsum("nc,ncd->nd", texels.bary, carried[texels.face])
        image[texels.place], points[texels.place] = colours.sample(read), places.sample(read)
    _remove(objects)
    shape = (size, size, 3)
    return np.rint(image * 255).astype(np.uint8).reshape(shape), points.reshape(shape), seconds


def bake_selected_to_active(
    source: TriangleMesh, target: TriangleMesh, uv: NDArray, picture: NDArray, size: int
) -> Result:
    """Cycles, selected to active with a cage: once the picture, once the source's positions."""
    import bpy

    target = _beside(target, source)
    objects = [_add(source, uv, UV), _add(target, uv, UV)]
    positions = objects[0].data.attributes.new("where", "FLOAT_VECTOR", "POINT")
    positions.data.foreach_set("vector", source.vertices.ravel())
    bpy.context.scene.render.engine = "CYCLES"
    bpy.context.scene.cycles.samples = 1
    shown = bpy.data.images.new("picture", *picture.shape[1::-1])
    rgba = np.ones((*picture.shape[:2], 4), np.float32)
    rgba[..., :3] = picture / np.float32(255)
    shown.pixels.foreach_set(rgba.ravel())
    made, seconds = [], 0.0
    for is_data in (False, True):
        material, image = (
            bpy.data.materials.new("source"),
            bpy.data.images.new("made", size, size, float_buffer=is_data, is_data=is_data),
        )
        _emit(material, None if is_data else shown)
        objects[0].data.materials.clear()
        objects[0].data.materials.append(material)
        place = bpy.data.materials.new("target")
        place.use_nodes = True
        node = place.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        place.node_tree.nodes.active = node
        objects[1].data.materials.clear()
        objects[1].data.materials.append(place)
        for obj in bpy.context.view_layer.objects:
            obj.select_set(obj in objects)
        bpy.context.view_layer.objects.active = objects[1]
        begun = time.perf_counter()
        extrusion = CAGE * float(np.ptp(target.vertices, axis=0).max())
        bpy.ops.object.bake(
            type="EMIT", use_selected_to_active=True, cage_extrusion=extrusion, max_ray_distance=4 * extrusion, margin=0
        )
        seconds = seconds or time.perf_counter() - begun
        pixels = np.empty(size * size * 4, np.float32)
        image.pixels.foreach_get(pixels)
        made.append(pixels.reshape(size, size, 4)[..., :3])
        bpy.data.images.remove(image)
        bpy.data.batch_remove([material, place])
    bpy.data.images.remove(shown)
    _remove(objects)
    return np.rint(np.clip(made[0], 0, 1) * 255).astype(np.uint8), made[1], seconds


def _beside(target: TriangleMesh, source: TriangleMesh) -> TriangleMesh:
    """The target brought to the source's place and size, as an artist would before such a transfer."""
    low, high = source.vertices.min(axis=0), source.vertices.max(axis=0)
    own_low, own_high = target.vertices.min(axis=0), target.vertices.max(axis=0)
    scale = (high - low)[2] / (own_high - own_low)[2]
    moved = (target.vertices - (own_low + own_high) / 2) * scale + (low + high) / 2
    return TriangleMesh(moved, target.faces, target.name)


def _add(mesh: TriangleMesh, uv: NDArray, name: str) -> Any:
    import bpy

    data = bpy.data.meshes.new(mesh.name)
    data.from_pydata(mesh.vertices.tolist(), [], mesh.faces.tolist())
    data.uv_layers.new(name=name).data.foreach_set("uv", uv.ravel())
    obj = bpy.data.objects.new(mesh.name, data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.update()
    return obj


def _emit(material: Any, image: Any) -> None:
    """Let a material shine with an image, or with the attribute of the source's positions."""
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output, emission = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeEmission")
    tree.links.new(emission.outputs[0], output.inputs["Surface"])
    if image is not None:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        tree.links.new(node.outputs["Color"], emission.inputs["Color"])
    else:
        node = tree.nodes.new("ShaderNodeAttribute")
        node.attribute_name = "where"
        tree.links.new(node.outputs["Vector"], emission.inputs["Color"])


def _remove(objects: list[Any]) -> None:
    import bpy

    meshes = [obj.data for obj in objects]
    bpy.data.batch_remove([*objects, *meshes])
