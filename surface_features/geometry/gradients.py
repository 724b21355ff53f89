# SPDX-License-Identifier: GPL-3.0-or-later
"""How values over a mesh's vertices change along its surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mesh import TriangleMesh

Float64 = NDArray[np.float64]


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


def vertex_gradient_operators(mesh: TriangleMesh) -> list[Any]:
    """Sparse (V, V), one an axis: gradients of values at vertices, the mean over the faces around by their area."""
    from scipy.sparse import csr_matrix, diags

    operator, area = gradient_operator(mesh)
    faces = np.repeat(np.arange(len(mesh.faces)), 3)
    shape = (len(mesh.vertices), len(mesh.faces))
    around = csr_matrix((area[faces], (mesh.faces.reshape(-1), faces)), shape=shape)
    mean = diags(1 / np.maximum(np.asarray(around.sum(axis=1)).ravel(), 1e-30)) @ around
    return [mean @ operator[axis::3] for axis in range(3)]


def vertex_gradients(mesh: TriangleMesh, values: NDArray) -> Float64:
    """(V, C, 3) gradients of values (V, C) as `vertex_gradient_operators` average them."""
    columns = np.asarray(values, np.float64)
    return np.stack([operator @ columns for operator in vertex_gradient_operators(mesh)], axis=-1)
