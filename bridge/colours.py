# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours per vertex as a colour attribute, and a viewport that shows them."""

from __future__ import annotations

import bpy
import numpy as np

from ..surface_features.mesh import Float32

ATTRIBUTE_NAME = "Surface Features"


def point_attribute(attributes: bpy.types.bpy_prop_collection, name: str, data_type: str) -> bpy.types.Attribute:
    """A mesh's own point attribute of this name and type; one of another kind is replaced. Object Mode only."""
    attribute = attributes.get(name)
    if attribute is not None and (attribute.domain != "POINT" or attribute.data_type != data_type):
        attributes.remove(attribute)
        attribute = None
    return attribute if attribute is not None else attributes.new(name, data_type, "POINT")


def write_colours(obj: bpy.types.Object, colours: Float32) -> None:
    """Store display colours (V, 3) in 0…1 in the colour attribute *Surface Features* and make it the active one.

    An attribute of that name is this extension's own and is replaced. Object Mode only.
    """
    mesh = obj.data
    attribute = point_attribute(mesh.color_attributes, ATTRIBUTE_NAME, "FLOAT_COLOR")
    with_alpha = np.ones((len(colours), 4), np.float32)
    with_alpha[:, :3] = colours
    attribute.data.foreach_set("color_srgb", with_alpha.ravel())
    mesh.color_attributes.active_color = attribute
    mesh.update()


def show_colours(screen: bpy.types.Screen) -> None:
    """Let every 3D viewport of a screen draw the active colour attribute."""
    for area in screen.areas:
        if area.type == "VIEW_3D":
            shading = area.spaces.active.shading
            shading.type = "SOLID"
            shading.color_type = "VERTEX"
