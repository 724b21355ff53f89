# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vertices of a mesh are selected."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray


def selected_vertices(obj: bpy.types.Object) -> NDArray[np.bool_]:
    """(V,) bool, in Edit Mode as it is now."""
    obj.update_from_editmode()
    selected = np.zeros(len(obj.data.vertices), np.bool_)
    obj.data.vertices.foreach_get("select", selected)
    return selected


def select_vertices(obj: bpy.types.Object, chosen: NDArray[np.bool_]) -> None:
    """Select these vertices and no others, and the edges and faces they make up. Object Mode only."""
    mesh = obj.data
    mesh.vertices.foreach_set("select", chosen)
    for elements, corners in ((mesh.edges, "vertices"), (mesh.polygons, "vertices")):
        flags = [bool(chosen[list(getattr(one, corners))].all()) for one in elements]
        elements.foreach_set("select", flags)
    mesh.update()
