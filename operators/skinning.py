# SPDX-License-Identifier: GPL-3.0-or-later
"""What *Transfer Weights* and *Rig* share: the source's skin, which targets may get it, and giving it to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..bridge.armature import (
    deform_bones,
    ensure_armature_modifier,
    find_armature,
    modifier_armatures,
    other_armature,
)
from ..bridge.mesh import WholeMesh, join_wholes, mesh_arrays, read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..bridge.weights import groups_with_weights, locked_groups, read_weights, weights_on_whole, write_weights
from ..properties import JobSettings
from ..surface_features.engine import JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.mesh import Float32
from ..surface_features.quality_report import SURE
from ..surface_features.wording import how_many
from .selection import split_meshes


@dataclass(frozen=True, eq=False)
class Skin:
    """The source of a transfer.

    armature: the armature that deforms the source.
    bones: names of all its deforming bones; vertex groups of these names belong to the armature.
    columns: those of them that move any vertex of the source.
    weights: (V, J) float32 for the vertices of `whole` and the columns.
    warnings: what of the source is left out.
    """

    name: str
    armature: SentObject
    bones: tuple[str, ...]
    columns: tuple[str, ...]
    whole: WholeMesh
    weights: Float32
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Targets:
    """The meshes that will be skinned.

    sent: one object per mesh that is computed.
    sharing: for each of them the other chosen objects that use the same mesh data.
    """

    sent: tuple[SentObject, ...]
    sharing: tuple[tuple[SentObject, ...], ...]
    wholes: tuple[WholeMesh, ...]
    warnings: tuple[str, ...]

    @property
    def all_sent(self) -> tuple[SentObject, ...]:
        return self.sent + tuple(sent for group in self.sharing for sent in group)


def read_skin(source: bpy.types.Object, parts: Sequence[bpy.types.Object] = ()) -> Skin:
    """parts: other meshes of the same character, deformed by the same armature.

    Raises `BadInputError` for a source without an armature, or without weights for its bones."""
    armature = find_armature(source)
    if armature is None:
        raise BadInputError(
            f"{source.name}: no armature deforms it. The active object is the source: "
            "make the rigged character active and run again.",
            fault="no_armature",
        )
    bones = deform_bones(armature)
    shapes = (source, *parts)
    weighted = {name for obj in shapes for name in groups_with_weights(obj, bones)}
    columns = [name for name in bones if name in weighted]
    if not columns:
        raise BadInputError(
            f"{source.name}: no vertex has a weight for any bone of {armature.name}. Weight-paint the source first.",
            fault="no_weights",
        )
    whole = read_whole_mesh(source)
    weights = weights_on_whole(whole, read_weights(source, columns), columns)
    for obj in parts:
        part = read_whole_mesh(obj)
        weights = np.concatenate([weights, weights_on_whole(part, read_weights(obj, columns), columns)])
        whole = join_wholes(whole, part)
    sent = SentObject.remember(armature, written=False)
    return Skin(source.name, sent, tuple(bones), tuple(columns), whole, weights, _left_out(source, armature, bones))


def _left_out(source: bpy.types.Object, armature: bpy.types.Object, bones: Sequence[str]) -> tuple[str, ...]:
    """A sentence for every other armature that deforms the source with bones of its own."""
    return tuple(
        f"{source.name}: {other.name} deforms it too. Only bones of {armature.name} are given to targets."
        for other in modifier_armatures(source)
        if other != armature and groups_with_weights(source, set(deform_bones(other)) - set(bones))
    )


def read_targets(
    source: bpy.types.Object,
    others: Sequence[bpy.types.Object],
    bones: Sequence[str],
    *,
    replace: bool,
    keep_locked: bool = False,
) -> Targets:
    """Choose the targets among the other selected objects; each that cannot be one is left out with a warning.

    keep_locked: locked vertex groups are no reason to refuse a target, because they will be left alone.

    Raises `BadInputError` where none is left: with the one reason, or with all of them.
    """
    meshes, refusals = split_meshes(others)
    if not meshes and not refusals:
        raise BadInputError(
            f"{source.name}: only the source is selected. Select the target meshes too and run again.",
            fault="no_target",
        )
    armature = find_armature(source)
    chosen: list[bpy.types.Object] = []
    sharing: list[list[bpy.types.Object]] = []
    warnings = []
    for obj in meshes:
        twin = next((index for index, other in enumerate(chosen) if other.data == obj.data), None)
        try:
            _check_target(obj, source, armature, bones, replace=replace, keep_locked=keep_locked)
        except BadInputError as error:
            refusals.append(str(error))
            continue
        if twin is not None:
            sharing[twin].append(obj)
            warnings.append(f"{obj.name}: shares its mesh with {chosen[twin].name} and gets the same weights.")
            continue
        chosen.append(obj)
        sharing.append([])
    if not chosen:
        fault = "no_target" if len(refusals) != 1 or not meshes else "target_refused"
        raise BadInputError("  ".join(refusals), fault=fault)
    for obj, others_sharing in zip(chosen, sharing, strict=True):
        if obj.data.users > 1 + len(others_sharing):
            warnings.append(f"{obj.name}: its mesh is used by other objects too; they get the same vertex groups.")
    return Targets(
        tuple(SentObject.remember(obj, written=True) for obj in chosen),
        tuple(tuple(SentObject.remember(obj, written=True) for obj in group) for group in sharing),
        tuple(read_whole_mesh(obj) for obj in chosen),
        tuple(refusals + warnings),
    )


def _check_target(
    obj: bpy.types.Object,
    source: bpy.types.Object,
    armature: bpy.types.Object | None,
    bones: Sequence[str],
    *,
    replace: bool,
    keep_locked: bool,
) -> None:
    if obj.data == source.data:
        raise BadInputError(
            f"{obj.name}: skipped, it shares its mesh with the source. Make it single-user first.", fault="same_mesh"
        )
    check_editable(obj)
    check_free(obj, armature, bones, replace=replace, keep_locked=keep_locked)


def check_free(
    obj: bpy.types.Object,
    armature: bpy.types.Object | None,
    bones: Sequence[str],
    *,
    replace: bool,
    keep_locked: bool = False,
) -> None:
    """Raises `BadInputError` for a mesh whose present skin would be overwritten without the user's word for it.

    The skin is the weights in vertex groups named after the source's deforming bones, and the armature of its Armature
    modifier. Other vertex groups are never touched, locked ones only by the user.
    """
    locked = locked_groups(obj, bones)
    if locked and not keep_locked:
        raise BadInputError(
            f"{obj.name}: {len(locked)} of the vertex groups are locked (“{locked[0]}”). Unlock them and run again.",
            fault="locked_groups",
        )
    if replace:
        return
    existing = groups_with_weights(obj, [name for name in bones if name not in locked])
    if existing:
        raise BadInputError(
            f"{obj.name}: already has weights for {how_many(len(existing), 'bone')} (“{existing[0]}”). "
            "Tick Replace Existing and run again.",
            fault="has_weights",
        )
    other = other_armature(obj, armature) if armature is not None else None
    if other is not None:
        raise BadInputError(
            f"{obj.name}: {other.name} already deforms it. Tick Replace Existing and run again.", fault="has_armature"
        )


def transfer_arrays(skin: Skin, targets: Targets) -> dict[str, np.ndarray]:
    """Arrays of the tasks “transfer_weights” and “rig”."""
    arrays: dict[str, np.ndarray] = {
        "source_vertices": skin.whole.mesh.vertices,
        "source_faces": skin.whole.mesh.faces,
        "source_weights": skin.weights,
    }
    return arrays | mesh_arrays(targets.wholes, "target_")


def transfer_params(skin: Skin, targets: Targets, settings: JobSettings) -> dict[str, Any]:
    """Parameters of the tasks “transfer_weights” and “rig”."""
    return {
        "source_name": skin.name,
        "bone_names": list(skin.columns),
        "target_names": [sent.name for sent in targets.sent],
        "feature_settings": settings.features.to_json(),
        "weight_settings": settings.weights.to_json(),
        **settings.cache_params,
    }


def target_weights(result: JobResult, targets: Targets, columns: Sequence[str]) -> list[Float32]:
    """(Vt, J) weights of each target's own vertices. Raises `EngineError` for an answer that does not fit."""
    all_weights = []
    for index, (sent, whole) in enumerate(zip(targets.sent, targets.wholes, strict=True)):
        weights = np.asarray(result.arrays[f"weights_{index}"], np.float32)
        if weights.shape != (len(whole.mesh.vertices), len(columns)) or not np.isfinite(weights).all():
            raise EngineError(f"{sent.name}: the engine's weights do not fit the mesh; nothing was changed. Run again.")
        all_weights.append(weights[: whole.own_count])
    return all_weights


def sure_share(result: JobResult, targets: Targets) -> float:
    """Share of the targets' own vertices that were matched surely."""
    confidence = [
        np.asarray(result.arrays[f"confidence_{index}"])[: whole.own_count]
        for index, whole in enumerate(targets.wholes)
    ]
    return float((np.concatenate(confidence) >= SURE).mean())


def give_skin(objects: Sequence[bpy.types.Object], armature: bpy.types.Object, skin: Skin, weights: Float32) -> None:
    """Write the weights to the mesh the objects share, and let the armature deform each of them."""
    write_weights(objects[0], skin.columns, weights, clear=skin.bones)
    for obj in objects:
        ensure_armature_modifier(obj, armature)
