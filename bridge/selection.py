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
    """Select these vertices and no others, and the faces they make up. Object Mode only.

    Edges are left to Edit Mode, which selects those between selected vertices: writing them here crashes Blender 5.0.
    """
    mesh = obj.data
    chosen = np.ascontiguousarray(chosen, np.bool_)
    mesh.vertices.foreach_set("select", chosen)
    if len(mesh.polygons):
        corners = np.empty(len(mesh.loops), np.int32)
        starts = np.empty(len(mesh.polygons), np.int32)
        mesh.loops.foreach_get("vertex_index", corners)
        mesh.polygons.foreach_get("loop_start", starts)
        mesh.polygons.foreach_set("select", np.logical_and.reduceat(chosen[corners], starts))
    mesh.update()


def edge_vertices(obj: bpy.types.Object) -> NDArray[np.int32]:
    """(E, 2) the vertices of every edge."""
    ends = np.empty(2 * len(obj.data.edges), np.int32)
    obj.data.edges.foreach_get("vertices", ends)
    return ends.reshape(-1, 2)
