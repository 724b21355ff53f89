# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions whose triangles deform as asked, held near given places: local deformation transfer's linear system."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh
from .gradients import gradient_operator
from .laplacian import factorise

Float64 = NDArray[np.float64]


class HeldPoisson:
    """Factorises once for a mesh, then answers for any number of deformations of it.

    Minimises Σ area·‖∇x − J‖² + Σ hold·‖x − place‖² over the vertices: "Deformation Transfer for Triangle Meshes"
    (Sumner and Popović 2004) in the form of "Mesh Editing with Poisson-Based Gradient Field Manipulation" (Yu 2004).
    """

    def __init__(self, mesh: TriangleMesh, hold: NDArray) -> None:
        """hold: (V,) ≥ 0 how firmly each vertex is held, relative to the surface's own stiffness; 0 is free."""
        from scipy.sparse import diags

        gradient, area = gradient_operator(mesh)
        self._divergence: Any = (gradient.T @ diags(np.repeat(area, 3))).tocsr()
        stiffness = self._divergence @ gradient
        usual = float(stiffness.diagonal().mean())
        self._hold = np.asarray(hold, np.float64) * usual + 1e-9 * usual
        matrix = (stiffness + diags(self._hold)).tocsc()
        self._factors = factorise(matrix)

    def solve(self, jacobians: NDArray, places: NDArray) -> Float64:
        """(V, C) values whose gradients are nearest to jacobians (F, C, 3), held near places (V, C)."""
        flat = np.asarray(jacobians, np.float64).transpose(0, 2, 1).reshape(-1, places.shape[1])
        return self._factors.solve(self._divergence @ flat + self._hold[:, None] * places)
