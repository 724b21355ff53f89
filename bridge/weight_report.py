# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest transfer said of its own weights, kept with the object: the report, and each vertex's doubt."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32
from ..surface_features.quality_report import WeightQuality
from .colours import point_attribute, write_colours

REPORT, DOUBT = "surface_features_weights", "Weight Doubt"
# Blue, green, yellow, red: what Weight Paint shows.
_RAMP = np.array([(0.0, 0.1, 0.6), (0.0, 0.6, 0.4), (0.9, 0.8, 0.1), (0.9, 0.1, 0.05)], np.float32)


def write_report(obj: bpy.types.Object, quality: WeightQuality, doubt: Float32) -> None:
    """Keep the report in a custom property, and doubt (V,) 0…1 in the attribute *Weight Doubt*. Object Mode only."""
    obj[REPORT] = json.dumps(quality.to_json())
    attribute = point_attribute(obj.data.attributes, DOUBT, "FLOAT")
    attribute.data.foreach_set("value", np.ascontiguousarray(doubt, np.float32))


def read_report(obj: bpy.types.Object) -> WeightQuality | None:
    """The latest report, or None where there is none that can be read."""
    try:
        return WeightQuality.from_json(json.loads(obj[REPORT]))
    except (KeyError, TypeError, ValueError):
        return None


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


def heat(values: Float32) -> Float32:
    """(V, 3) colours of values 0…1."""
    place = np.clip(values, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(place.astype(int), len(_RAMP) - 2)
    part = (place - low)[:, None]
    return (_RAMP[low] * (1 - part) + _RAMP[low + 1] * part).astype(np.float32)
