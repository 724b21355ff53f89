# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions whose triangles deform as asked, held near given places: local deformation transfer's linear system."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh

Float64 = NDArray[np.float64]


class HeldPoisson:
    """Factorises once for a mesh, then answers for any number of deformations of it.

    Minimises Σ area·‖∇x − J‖² + Σ hold·‖x − place‖² over the vertices: "Deformation Transfer for Triangle Meshes"
    (Sumner and Popović 2004) in the form of "Mesh Editing with Poisson-Based Gradient Field Manipulation" (Yu 2004).
    """

    def __init__(self, mesh: TriangleMesh, hold: NDArray) -> None:
        """hold: (V,) ≥ 0 how firmly each vertex is held, relative to the surface's own stiffness; 0 is free."""
        from scipy.sparse import diags
        from scipy.sparse.linalg import splu

        gradient, area = gradient_operator(mesh)
        self._divergence: Any = (gradient.T @ diags(np.repeat(area, 3))).tocsr()
        stiffness = self._divergence @ gradient
        usual = float(stiffness.diagonal().mean())
        self._hold = np.asarray(hold, np.float64) * usual + 1e-9 * usual
        matrix = (stiffness + diags(self._hold)).tocsc()
        self._factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def solve(self, jacobians: NDArray, places: NDArray) -> Float64:
        """(V, C) values whose gradients are nearest to jacobians (F, C, 3), held near places (V, C)."""
        flat = np.asarray(jacobians, np.float64).transpose(0, 2, 1).reshape(-1, places.shape[1])
        return self._factors.solve(self._divergence @ flat + self._hold[:, None] * places)


def gradient_operator(mesh: TriangleMesh) -> tuple[Any, Float64]:
    """Sparse (3F, V): the gradient of values at vertices on each triangle, and (F,) areas. Zero without an area."""
    from scipy.sparse import csr_matrix

    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    opposite = np.roll(corners, -2, axis=1) - np.roll(corners, -1, axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(normal, axis=1)
    sound = double > 1e-9 * max(float(double.max(initial=0.0)), 1e-30)
    double = np.where(sound, double, 1.0)
    # gradient of a linear function: Σ value_c · (n × opposite edge_c) / 2·area
    gradients = np.cross((normal / double[:, None])[:, None], opposite) / double[:, None, None]
    gradients[~sound] = 0
    faces = len(mesh.faces)
    row = np.repeat(np.arange(3 * faces).reshape(faces, 1, 3), 3, axis=1)
    column = np.repeat(mesh.faces[:, :, None], 3, axis=2)
    shape = (3 * faces, len(mesh.vertices))
    return csr_matrix((gradients.ravel(), (row.ravel(), column.ravel())), shape=shape), np.where(sound, double / 2, 0.0)


def vertex_jacobians(mesh: TriangleMesh, values: NDArray) -> Float64:
    """(V, C, 3) gradient of values (V, C), averaged over the faces around each vertex by their area."""
    operator, area = gradient_operator(mesh)
    columns = values.shape[1]
    flat = (
        (operator @ np.asarray(values, np.float64)).reshape(-1, 3, columns).transpose(0, 2, 1).reshape(-1, 3 * columns)
    )
    total = np.zeros((len(mesh.vertices), 3 * columns))
    mass = np.zeros(len(mesh.vertices))
    for corner in mesh.faces.T:
        mass += np.bincount(corner, area, len(mass))
        for number in range(3 * columns):
            total[:, number] += np.bincount(corner, area * flat[:, number], len(mass))
    return (total / np.maximum(mass, 1e-30)[:, None]).reshape(-1, columns, 3)
