# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source's materials show, channel by channel, and new materials that show it on a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bpy

# The type stubs know neither a node's own properties nor a socket's value.
Node = NodeSocket = NodeTree = Any

SHADERS = {"BSDF_PRINCIPLED": "Base Color", "BSDF_DIFFUSE": "Color", "EMISSION": "Color"}


@dataclass(frozen=True)
class Channel:
    """One input of the Principled BSDF that can be transferred.

    kind: "colour", "value" or "normal". default: of a material that has no such input.
    """

    name: str
    socket: str
    label: str
    kind: str
    default: tuple[float, ...]

    @property
    def channels(self) -> int:
        return 1 if self.kind == "value" else 3


CHANNELS = (
    Channel("base_color", "Base Color", "Base Color", "colour", (0.8, 0.8, 0.8)),
    Channel("metallic", "Metallic", "Metallic", "value", (0.0,)),
    Channel("roughness", "Roughness", "Roughness", "value", (0.5,)),
    Channel("alpha", "Alpha", "Alpha", "value", (1.0,)),
    Channel("emission", "Emission Color", "Emission", "colour", (0.0, 0.0, 0.0)),
    Channel("normal", "Normal", "Normal Map", "normal", (0.5, 0.5, 1.0)),
)


@dataclass(frozen=True, eq=False)
class Use:
    """How a material feeds one channel.

    constant: linear values, when nothing else is there. image: read through `uv_map` (empty: the rendered one);
    component: "RGB", "R", "G", "B", "A" or "Y" (luminance). procedural: neither; it has to be baked.
    """

    constant: tuple[float, ...]
    image: bpy.types.Image | None = None
    component: str = "RGB"
    uv_map: str = ""
    extension: str = "REPEAT"
    procedural: bool = False


def find_use(material: bpy.types.Material | None, channel: Channel) -> Use:
    """What this material gives to the channel."""
    shader = find_shader(material)
    if shader is None:
        colour = tuple(material.diffuse_color)[:3] if material is not None else channel.default
        return Use(colour if channel.name == "base_color" else channel.default)
    socket = find_socket(shader, channel)
    if socket is None:
        return Use(channel.default)
    if channel.name == "emission" and _strength(shader) == 0:
        return Use(channel.default)
    if channel.kind == "normal":
        return _normal_use(socket, channel)
    return _follow(socket, channel)


def find_socket(shader: Node, channel: Channel) -> NodeSocket | None:
    """The shader's input for the channel; plain shaders only have a base colour."""
    if shader.type == "BSDF_PRINCIPLED":
        return shader.inputs.get(channel.socket)
    return shader.inputs.get(SHADERS[shader.type]) if channel.name == "base_color" else None


def find_shader(material: bpy.types.Material | None) -> Node | None:
    """The first shader behind the material's output that is understood."""
    if material is None or material.node_tree is None:
        return None
    output = material.node_tree.get_output_node("ALL") or material.node_tree.get_output_node("CYCLES")
    if output is None:
        return None
    return next((node for node in _upstream(output.inputs["Surface"]) if node.type in SHADERS), None)


def emission_strength(material: bpy.types.Material | None) -> float:
    shader = find_shader(material)
    return _strength(shader) if shader is not None else 0.0


def _strength(shader: Node) -> float:
    socket = shader.inputs.get("Emission Strength") if shader.type == "BSDF_PRINCIPLED" else None
    if socket is None:
        return 0.0
    return 1.0 if socket.is_linked else float(socket.default_value)


def _upstream(socket: NodeSocket) -> Iterator[Node]:
    """Nodes behind a socket, nearest first."""
    waiting, seen = [link.from_node for link in socket.links], set()
    while waiting:
        node = waiting.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        yield node
        waiting += [link.from_node for entry in node.inputs for link in entry.links]


def _origin(socket: NodeSocket) -> NodeSocket | None:
    """The output that feeds a socket, through reroutes."""
    while socket.is_linked:
        output = socket.links[0].from_socket
        if output.node.type != "REROUTE":
            return output
        socket = output.node.inputs[0]
    return None


def _follow(socket: NodeSocket, channel: Channel) -> Use:
    output = _origin(socket)
    if output is None:
        return Use(_constant(socket, channel) if not socket.is_linked else channel.default)
    node, is_value = output.node, channel.kind == "value"
    if node.mute:
        return Use(channel.default, procedural=True)
    if node.type in ("RGB", "VALUE"):
        return Use(_constant(output, channel))
    if node.type in ("SEPARATE_COLOR", "SEPRGB") and getattr(node, "mode", "RGB") == "RGB":
        component = {"Red": "R", "Green": "G", "Blue": "B"}.get(output.name, output.name)
        inner = _origin(node.inputs[0])
        if inner is not None and inner.node.type == "TEX_IMAGE" and inner.name == "Color" and component in "RGB":
            return _image_use(inner.node, component, channel)
    if node.type == "TEX_IMAGE":
        component = "A" if output.name == "Alpha" else "Y" if is_value else "RGB"
        return _image_use(node, component, channel)
    return Use(channel.default, procedural=True)


def _normal_use(socket: NodeSocket, channel: Channel) -> Use:
    output = _origin(socket)
    if output is None:
        return Use(channel.default)
    node = output.node
    if (
        node.type == "NORMAL_MAP"
        and not node.mute
        and node.space == "TANGENT"
        and not node.inputs["Strength"].is_linked
    ):
        inner = _origin(node.inputs["Color"])
        if inner is not None and inner.node.type == "TEX_IMAGE" and node.inputs["Strength"].default_value == 1.0:
            use = _image_use(inner.node, "RGB", channel)
            if use.image is not None:
                return Use(use.constant, use.image, "RGB", node.uv_map or use.uv_map, use.extension)
    return Use(channel.default, procedural=True)


def _image_use(node: Node, component: str, channel: Channel) -> Use:
    uv_map = _uv_map(node.inputs["Vector"])
    if node.image is None or node.mute or node.projection != "FLAT" or uv_map is None:
        return Use(channel.default, procedural=node.image is not None)
    return Use(channel.default, node.image, component, uv_map, node.extension)


def _uv_map(socket: NodeSocket) -> str | None:
    """Name of the UV map that feeds a texture's vector, empty for the rendered one; None for anything else."""
    output = _origin(socket)
    if output is None:
        return ""
    if output.node.type == "UVMAP" and not output.node.from_instancer:
        return output.node.uv_map
    return "" if output.node.type == "TEX_COORD" and output.name == "UV" else None


def _constant(socket: NodeSocket, channel: Channel) -> tuple[float, ...]:
    value = socket.default_value
    values = tuple(value)[:3] if hasattr(value, "__len__") else (float(value),) * 3
    return values[: channel.channels]


def make_material(
    name: str,
    images: Mapping[str, bpy.types.Image],
    constants: Mapping[str, tuple[float, ...]],
    strength: float,
    uv_map: str,
    confidence: bpy.types.Image,
) -> bpy.types.Material:
    """A new Principled material that shows the images through a UV map.

    images, constants: by channel name; constants linear. confidence: beside them, for the artist to look at.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    coordinates = tree.nodes.new("ShaderNodeUVMap")
    coordinates.uv_map, coordinates.location = uv_map, (-900, 0)
    for channel in CHANNELS:
        socket = shader.inputs[channel.socket]
        if channel.name in images:
            row = list(images).index(channel.name)
            texture = _texture(tree, images[channel.name], coordinates, (-600, 300 - 290 * row))
            _connect(tree, texture, socket, channel, uv_map)
        elif channel.name in constants and channel.kind != "normal":
            values = constants[channel.name]
            socket.default_value = (*values, 1.0) if channel.kind == "colour" else values[0]
    shader.inputs["Emission Strength"].default_value = strength
    node = _texture(tree, confidence, coordinates, (-600, 300 - 290 * len(images)))
    node.label = "Confidence"
    first = images.get("base_color")
    tree.nodes.active = next((n for n in tree.nodes if n.type == "TEX_IMAGE" and n.image == first), node)
    return material


def _texture(tree: NodeTree, image: bpy.types.Image, coordinates: Node, place: tuple[float, float]) -> Node:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.location = image, place
    tree.links.new(coordinates.outputs["UV"], node.inputs["Vector"])
    return node


def _connect(tree: NodeTree, texture: Node, socket: NodeSocket, channel: Channel, uv_map: str) -> None:
    if channel.kind != "normal":
        tree.links.new(texture.outputs["Color"], socket)
        return
    node = tree.nodes.new("ShaderNodeNormalMap")
    node.uv_map, node.location = uv_map, (-300, texture.location[1])
    tree.links.new(texture.outputs["Color"], node.inputs["Color"])
    tree.links.new(node.outputs["Normal"], socket)
