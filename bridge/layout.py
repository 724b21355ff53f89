# SPDX-License-Identifier: GPL-3.0-or-later
"""How the triangles sent to the engine belong to the artist's faces, corners and edges."""

from __future__ import annotations

import bpy
import numpy as np

from .mesh import WholeMesh


def read_layout(obj: bpy.types.Object, whole: WholeMesh) -> dict[str, np.ndarray]:
    """Arrays of a `transfer.layout.Layout`, without the mesh itself; call right after `read_whole_mesh`."""
    mesh = obj.data
    triangles = mesh.loop_triangles
    corner = np.empty(3 * len(triangles), np.int32)
    triangles.foreach_get("loops", corner)
    polygon = np.empty(len(triangles), np.int32)
    triangles.foreach_get("polygon_index", polygon)
    corner_vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner_vertex)
    edges = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", edges)
    # Reflected triangles repeat the artist's; their corners may come in another order.
    faces = whole.mesh.faces
    repeats = len(faces) // max(len(triangles), 1)
    corner = np.tile(corner.reshape(-1, 3), (repeats, 1))
    of_vertex = whole.origin[faces]
    order = (corner_vertex[corner][:, None, :] == of_vertex[:, :, None]).argmax(axis=2)
    return {
        "vertex": whole.origin.astype(np.int32),
        "corner": np.take_along_axis(corner, order, axis=1),
        "polygon": np.tile(polygon, repeats),
        "corner_vertex": corner_vertex,
        "edges": edges.reshape(-1, 2),
        "own_triangles": np.array(len(triangles)),
    }
