# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that carries attributes from mesh to mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine.protocol import JobRequest
from ..mesh import TriangleMesh
from ..progress import JobContext
from .common import Answer
from .pairs import Pairs

if TYPE_CHECKING:
    from ..transfer.layout import Layout


def transfer_attributes(request: JobRequest, context: JobContext) -> Answer:
    """Values of vertices, edges, faces and corners of the source on every target.

    arrays: those of `Pairs`; of each mesh its `Layout` (source_vertex, source_corner, source_polygon,
    source_corner_vertex, source_edges; target_vertex_0…); values_0, values_1… (N, C). params: items, for each values
    array a dict of domain and kind (of `AttributeTransfer`, or "paths" for edges, "normals" for corners). Returns
    values_<item>_<target>.
    """
    from ..transfer.attributes import AttributeTransfer
    from ..transfer.custom_normals import transfer_custom_normals
    from ..transfer.edge_paths import transfer_edges

    items = list(request.params["items"])
    arrays: dict[str, np.ndarray] = {}
    for index, pair in Pairs(request).targets(context):
        source = _layout(request, pair.source, "source_", "")
        target = _layout(request, pair.target, "target_", f"_{index}")
        transfer = AttributeTransfer(source, target, pair.onto_source())
        needs_paths = any(item["domain"] == "EDGE" for item in items)
        onto_target = pair.onto_target() if needs_paths else None
        for number, item in enumerate(items):
            pair.context.report(0.5 + 0.5 * number / len(items), f"{pair.target.name}: transferring attributes")
            values = request.arrays[f"values_{number}"]
            carried: np.ndarray
            with pair.context.stage("transfer"):
                if item["domain"] == "EDGE":
                    assert onto_target is not None
                    columns = [
                        transfer_edges(source, column, target, transfer.onto_source, onto_target) for column in values.T
                    ]
                    carried = np.stack(columns, axis=1)
                elif item["kind"] == "normals":
                    carried = transfer_custom_normals(transfer, values)
                else:
                    carried = transfer.carry(values, item["domain"], item["kind"])
            arrays[f"values_{number}_{index}"] = carried.astype(values.dtype)
    return arrays, {}


def _layout(request: JobRequest, mesh: TriangleMesh, prefix: str, suffix: str) -> Layout:
    from ..transfer.layout import Layout

    parts = {
        name: request.arrays[f"{prefix}{name}{suffix}"]
        for name in ("vertex", "corner", "polygon", "corner_vertex", "edges")
    }
    return Layout(mesh, **parts, own_triangles=int(request.arrays[f"{prefix}own_triangles{suffix}"]))
