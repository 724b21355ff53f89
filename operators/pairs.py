# SPDX-License-Identifier: GPL-3.0-or-later
"""What transfers along the surface share: the active mesh as the source, which others may be targets, their arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..bridge.mesh import WholeMesh, mesh_arrays, read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..properties import JobSettings
from ..surface_features.engine import JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.wording import name_or_count
from .selection import split_meshes


@dataclass(frozen=True)
class SurfaceTargets:
    """One object for each mesh that gets something. warnings: what was left out, and why."""

    sent: tuple[SentObject, ...]
    wholes: tuple[WholeMesh, ...]
    warnings: tuple[str, ...]


def read_surface_targets(source: bpy.types.Object, others: Sequence[bpy.types.Object]) -> SurfaceTargets:
    """Choose the targets among the other selected objects. Raises `BadInputError` where none is left."""
    meshes, refusals = split_meshes([obj for obj in others if obj.type != "EMPTY"])
    if not meshes and not refusals:
        raise BadInputError(
            f"{source.name}: only the source is selected. Select the target meshes too and run again.",
            fault="no_target",
        )
    chosen: list[bpy.types.Object] = []
    for obj in meshes:
        twin = next((other for other in chosen if other.data == obj.data), None)
        try:
            if obj.data == source.data:
                raise BadInputError(
                    f"{obj.name}: skipped, it shares its mesh with the source. Make it single-user first.",
                    fault="same_mesh",
                )
            check_editable(obj)
        except BadInputError as error:
            refusals.append(str(error))
            continue
        if twin is not None:
            refusals.append(f"{obj.name}: shares its mesh with {twin.name}, which is worked on.")
            continue
        chosen.append(obj)
    if not chosen:
        raise BadInputError("  ".join(refusals), fault="no_target" if len(refusals) != 1 else "target_refused")
    return SurfaceTargets(
        tuple(SentObject.remember(obj, written=True) for obj in chosen),
        tuple(read_whole_mesh(obj) for obj in chosen),
        tuple(refusals),
    )


def pair_arrays(source: WholeMesh, targets: SurfaceTargets) -> dict[str, np.ndarray]:
    """Arrays of all tasks that have one source and several targets."""
    arrays: dict[str, np.ndarray] = {"source_vertices": source.mesh.vertices, "source_faces": source.mesh.faces}
    return arrays | mesh_arrays(targets.wholes, "target_")


def pair_params(source: WholeMesh, targets: SurfaceTargets, settings: JobSettings) -> dict[str, Any]:
    """Parameters of all tasks that have one source and several targets."""
    return {
        "source_name": source.mesh.name,
        "target_names": [sent.name for sent in targets.sent],
        "feature_settings": settings.features.to_json(),
        **settings.cache_params,
    }


def answer(result: JobResult, key: str, shape: tuple[int, ...], name: str) -> np.ndarray:
    """An array of the engine's answer. Raises `EngineError` for one that does not fit the mesh `name`."""
    array = np.asarray(result.arrays[key])
    if array.shape != shape or not np.isfinite(array).all():
        raise EngineError(f"{name}: the engine's answer does not fit the mesh; nothing was changed. Run again.")
    return array


def told_targets(targets: SurfaceTargets) -> str:
    return name_or_count([one.name for one in targets.sent], "mesh", "meshes")
