# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom normals along a correspondence: how they lean away from the smooth ones, not where they point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.local_frames import turns_between
from ..mesh import Float32
from .attributes import BLEND, AttributeTransfer


def transfer_custom_normals(transfer: AttributeTransfer, normals: NDArray) -> Float32:
    """(Lt, 3) unit normals of the target's face corners in the target's frame.

    normals: (Ls, 3) unit normals of the source's face corners in the source's frame. Each is turned from the source's
    surface to the target's around it, so that a limb in another pose is shaded as it was.
    """
    source, target = transfer.source.mesh, transfer.target.mesh
    carried = transfer.carry(np.asarray(normals, np.float32), "CORNER", BLEND)
    matched = transfer.onto_source.points(source)
    corners = source.vertex_normals[source.faces[transfer.onto_source.face]]
    leaning = np.einsum("vc,vcd->vd", transfer.onto_source.bary, corners)
    turn = turns_between(matched, leaning, target)
    turned = np.einsum("lij,lj->li", turn[transfer.target.corner_vertex], carried)
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    fallback = target.vertex_normals[transfer.target.corner_vertex]
    return np.where(length > 1e-6, turned / np.maximum(length, 1e-6), fallback).astype(np.float32)
