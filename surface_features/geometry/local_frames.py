# SPDX-License-Identifier: GPL-3.0-or-later
"""How a surface is turned, place by place, against another it is matched with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh
from .vectors import unit_rows

Float64 = NDArray[np.float64]


def turns_between(positions: NDArray, normals: NDArray, mesh: TriangleMesh) -> Float64:
    """(V, 3, 3) rotation at each vertex of `mesh`, from the other surface's directions to the mesh's own.

    positions, normals: (V, 3) the other surface's at each vertex's match. The rotation that best takes the matched
    edges and the normal around a vertex to its own (Kabsch; as in "As-Rigid-As-Possible Surface Modeling", 2007).
    """
    count = len(mesh.vertices)
    sides = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    start, end = np.concatenate([sides, sides[:, ::-1]]).T
    there = positions[end].astype(np.float64) - positions[start]
    here = mesh.vertices[end].astype(np.float64) - mesh.vertices[start]
    total = np.zeros((count, 9))
    outer = np.einsum("ni,nj->nij", unit_rows(here), unit_rows(there)).reshape(-1, 9)
    for column in range(9):
        total[:, column] = np.bincount(start, outer[:, column], count)
    number = np.bincount(start, minlength=count)
    upright = np.einsum("ni,nj->nij", mesh.vertex_normals, unit_rows(np.asarray(normals, np.float64)))
    u, _, vt = np.linalg.svd(total.reshape(-1, 3, 3) + (number[:, None, None] + 1e-6) * upright)
    sign = np.ones((count, 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[:, None, :]) @ vt
