# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest transfer said of its own weights, kept with the object: the report, and each vertex's doubt."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ..surface_features.errors import BadInputError
from ..surface_features.heat import heat
from ..surface_features.mesh import Float32
from ..surface_features.quality_report import WeightQuality
from .colours import point_attribute, write_colours

REPORT, DOUBT = "surface_features_weights", "Weight Doubt"
_pictures: dict[int, bytes] = {}  # by the object's session_uid; a picture is too large to keep in the blend file


def write_report(obj: bpy.types.Object, quality: WeightQuality, doubt: Float32, picture: bytes) -> None:
    """Keep the report in a custom property, and doubt (V,) 0…1 in the attribute *Weight Doubt*. Object Mode only.

    picture: a PNG file, kept for this session of Blender.
    """
    _pictures[obj.session_uid] = picture
    obj[REPORT] = json.dumps(quality.to_json())
    attribute = point_attribute(obj.data.attributes, DOUBT, "FLOAT")
    attribute.data.foreach_set("value", np.ascontiguousarray(doubt, np.float32))


def read_report(obj: bpy.types.Object) -> WeightQuality | None:
    """The latest report, or None where there is none that can be read."""
    try:
        return WeightQuality.from_json(json.loads(obj[REPORT]))
    except (KeyError, TypeError, ValueError):
        return None


def read_picture(obj: bpy.types.Object) -> bytes:
    """The latest report's picture as a PNG file; nothing where it was made in another session."""
    return _pictures.get(obj.session_uid, b"")


def read_doubt(obj: bpy.types.Object) -> Float32:
    """(V,) 0…1. Raises `BadInputError` where no transfer has written it, or the mesh was edited since."""
    attribute = obj.data.attributes.get(DOUBT)
    if attribute is None or attribute.domain != "POINT" or attribute.data_type != "FLOAT":
        raise BadInputError(
            f"{obj.name}: no weights were transferred to it yet. Run Transfer Weights.", fault="no_report"
        )
    doubt = np.empty(len(attribute.data), np.float32)
    attribute.data.foreach_get("value", doubt)
    return doubt


def show_doubt(obj: bpy.types.Object, doubt: Float32) -> None:
    """Colour the mesh from blue (sure) to red (doubtful)."""
    write_colours(obj, heat(doubt))
