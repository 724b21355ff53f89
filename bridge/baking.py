# SPDX-License-Identifier: GPL-3.0-or-later
"""What a material computes, as pixels: procedural inputs are baked by Cycles on a copy of the source."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..surface_features.errors import BadInputError
from .materials import Channel, find_shader, find_socket
from .stand_in import stand_in, unwrap

MARGIN = 8


def bake(
    obj: bpy.types.Object, channels: list[Channel], size: int
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Bake channels of all of an object's materials.

    Returns (L, 2) UV coordinates of a new unwrap, and (size, size, 4) float32 pixels by channel name: colours
    sRGB-encoded, row 0 at the bottom. The object, its materials and the scene's settings stay as they are. Raises
    `BadInputError` with fault "bake_failed".
    """
    obj.update_from_editmode()
    made: dict[str, NDArray[np.float32]] = {}
    with stand_in(obj) as copy:
        loops = unwrap(copy)
        scene = bpy.context.scene
        if not hasattr(scene, "cycles"):
            raise BadInputError(
                f"{obj.name}: its materials have to be baked, and Cycles is disabled. Enable it in the preferences "
                "(Add-ons ▸ Cycles Render Engine) and run again.",
                fault="no_cycles",
            )
        scene.render.engine = "CYCLES"
        scene.cycles.device, scene.cycles.samples = "CPU", 1
        for channel in channels:
            made[channel.name] = _bake_channel(obj, copy, channel, size)
    return loops, made


def _bake_channel(obj: bpy.types.Object, copy: bpy.types.Object, channel: Channel, size: int) -> NDArray[np.float32]:
    image = bpy.data.images.new("Surface Features Bake", size, size, is_data=channel.kind != "colour")
    materials = [_material(slot.material, channel, image) for slot in obj.material_slots]
    try:
        # Slots of the object may differ from its mesh's: the copy has the object's.
        for index, material in enumerate(materials):
            copy.material_slots[index].link = "OBJECT"
            copy.material_slots[index].material = material
        bpy.ops.object.bake(
            type="NORMAL" if channel.kind == "normal" else "EMIT", normal_space="TANGENT", margin=MARGIN, use_clear=True
        )
        pixels = np.empty(size * size * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return pixels.reshape(size, size, 4)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInputError(
            f"{obj.name}: its procedural {channel.label} cannot be baked ({reason}). "
            "Bake it to an image and run again.",
            fault="bake_failed",
        ) from error
    finally:
        for material in materials:
            bpy.data.materials.remove(material)
        bpy.data.images.remove(image)


def _material(original: bpy.types.Material | None, channel: Channel, image: bpy.types.Image) -> bpy.types.Material:
    """A copy of the material that emits the channel and has the image as the place to bake to."""
    material = original.copy() if original is not None else bpy.data.materials.new("Surface Features Bake")
    if material.node_tree is None:
        material.use_nodes = True
    tree: Any = material.node_tree
    place = tree.nodes.new("ShaderNodeTexImage")
    place.image = image
    for node in tree.nodes:
        node.select = False
    place.select, tree.nodes.active = True, place
    if channel.kind == "normal":
        return material
    shader = find_shader(material)
    socket = find_socket(shader, channel) if shader is not None else None
    emission = tree.nodes.new("ShaderNodeEmission")
    if socket is not None and socket.is_linked:
        tree.links.new(socket.links[0].from_socket, emission.inputs["Color"])
    else:
        value: Any = socket.default_value if socket is not None else channel.default
        values = tuple(value)[:3] if hasattr(value, "__len__") else (float(value),)
        emission.inputs["Color"].default_value = (*(values * 3)[:3], 1.0) if len(values) == 1 else (*values, 1.0)
    output = tree.get_output_node("CYCLES") or tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    return material
