# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig from nothing: a new armature, fitted to each unrigged character, with weights."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..bridge.armature import ensure_armature_modifier, find_armature
from ..bridge.fitted_armature import place_bones
from ..bridge.job import JobPlan, Outcome
from ..bridge.new_armature import NewBones, check_rigify, make_armature, make_metarig
from ..bridge.weights import groups_with_weights, locked_groups, write_weights
from ..properties import JobSettings, RigSettings
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from ..surface_features.metarig import Skeleton, fit_metarig, metarig_for
from ..surface_features.rig_names import name_bones
from ..surface_features.rig_template import KINDS, RigTemplate, load_template
from ..surface_features.rigify_weights import deform_groups, group_names
from ..surface_features.wording import how_many
from .rig_characters import CharacterMeshes, gather_characters

ROOTS = {"UNREAL": "root"}  # Unreal wants a bone on the ground above all others


def plan_rig_preset(
    objects: Sequence[bpy.types.Object], settings: JobSettings, rig: RigSettings, *, replace: bool
) -> JobPlan:
    """The job that gives each character among the meshes a skeleton of its own. Raises `BadInputError`."""
    if rig.skeleton == "METARIG":
        check_rigify()
    names = _group_names(rig)
    characters, warnings = gather_characters(
        objects, together=rig.together, refuse=lambda obj: _check(obj, names, replace)
    )
    arrays: dict[str, np.ndarray] = {}
    for index, character in enumerate(characters):
        arrays |= {
            f"target_vertices_{index}": character.mesh.vertices,
            f"target_faces_{index}": character.mesh.faces,
        }
    params = {
        "target_names": [character.name for character in characters],
        "kind": rig.kind,
        "feature_settings": settings.features.to_json(),
        "weight_settings": settings.weights.to_json(),
        **settings.cache_params,
    }

    def finish(found: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        fits = [_Fit(results[0], index, character) for index, character in enumerate(characters)]
        if rig.skeleton == "METARIG":
            check_rigify()
        for obj in found:
            _check(obj, names, replace)
            _check_in_view(obj)
        rest, made = iter(found), []
        for fit, character in zip(fits, characters, strict=True):
            own = [next(rest) for _ in character.sent]
            made.append(_rig(own, character, fit, rig).name)
        return Outcome(_told(characters, fits, made, rig))

    sent = tuple(one for character in characters for one in character.sent)
    return JobPlan("Rig", (JobRequest("rig_preset", arrays, params),), sent, finish, tuple(warnings))


class _Fit:
    """The engine's answer for one character. Raises `EngineError` for one that does not fit."""

    def __init__(self, result: JobResult, index: int, character: CharacterMeshes) -> None:
        self.kind, self.shape = str(result.info["kinds"][index]), str(result.info["shapes"][index])
        self.template: RigTemplate = load_template(self.kind)
        self.bones, self.z_axes, self.landmarks, self.weights = (
            np.asarray(result.arrays[f"{name}_{index}"], np.float32)
            for name in ("bones", "z_axes", "landmarks", "weights")
        )
        self.front = np.asarray(result.arrays[f"front_{index}"], np.float32)
        count = len(self.template.bones)
        fits = self.bones.shape == (count, 2, 3) and self.weights.shape == (len(character.mesh.vertices), count)
        if not fits or not (np.isfinite(self.bones).all() and np.isfinite(self.weights).all()):
            raise EngineError(
                f"{character.name}: the engine's skeleton does not fit the mesh; nothing was changed. Run again."
            )


def _check(obj: bpy.types.Object, names: Collection[str], replace: bool) -> None:
    """Raises `BadInputError` for a mesh whose present skin would be overwritten without the user's word for it."""
    locked = locked_groups(obj, names)
    if locked:
        raise BadInputError(
            f"{obj.name}: {len(locked)} of the vertex groups are locked (“{locked[0]}”). Unlock them and run again.",
            fault="locked_groups",
        )
    if replace:
        return
    other = find_armature(obj)
    if other is not None:
        raise BadInputError(
            f"{obj.name}: {other.name} already deforms it. Tick Replace Existing and run again.", fault="has_armature"
        )
    existing = groups_with_weights(obj, names)
    if existing:
        raise BadInputError(
            f"{obj.name}: already has weights for {how_many(len(existing), 'bone')} (“{existing[0]}”). "
            "Tick Replace Existing and run again.",
            fault="has_weights",
        )


def _group_names(rig: RigSettings) -> set[str]:
    """Every vertex group that the job may write."""
    kinds = KINDS if rig.kind == "auto" else (rig.kind,)
    if rig.skeleton == "METARIG":
        return set(group_names(load_template("human").bones)) if "human" in kinds else set()
    return {name for kind in kinds for name in name_bones(load_template(kind).bones, rig.skeleton.lower())}


def _check_in_view(obj: bpy.types.Object) -> None:
    if bpy.context.view_layer.objects.get(obj.name) != obj:
        raise BadInputError(
            f"{obj.name}: not in the scene that is shown now; nothing was changed. Go back to its scene and run again.",
            fault="other_scene",
        )


def _rig(
    objects: Sequence[bpy.types.Object], character: CharacterMeshes, fit: _Fit, rig: RigSettings
) -> bpy.types.Object:
    """The character's new armature, with the character bound to it."""
    context, first = bpy.context, objects[0]
    collections = list(first.users_collection)
    weights = fit.weights
    if rig.skeleton == "METARIG":
        metarig = metarig_for(fit.kind, fit.shape)
        names, weights = _metarig_groups(fit, character)
        armature = make_metarig(context, metarig, f"{character.name} Metarig", collections)
    else:
        names = name_bones(fit.template.bones, rig.skeleton.lower())
        bones = NewBones(names, fit.template.parents.tolist(), fit.bones, fit.z_axes)
        origin: Vector = first.matrix_world.translation.copy()
        root = ROOTS.get(rig.skeleton, "") if fit.kind == "human" else ""
        armature = make_armature(context, f"{character.name} Rig", origin, bones, collections, root)
    try:
        if rig.skeleton == "METARIG":
            _fit_metarig(armature, metarig, fit)
        _bind(objects, character, armature, names, weights, deforms=rig.skeleton != "METARIG")
    except BaseException:
        bpy.data.batch_remove([armature, armature.data])  # no half-made rig is left behind
        raise
    return armature


def _metarig_groups(fit: _Fit, character: CharacterMeshes) -> tuple[list[str], np.ndarray]:
    """Vertex groups for what Generate Rig makes; none for animals, whose deform bones differ between metarigs."""
    if fit.kind != "human":
        return [], np.zeros((len(character.mesh.vertices), 0), np.float32)
    return deform_groups(fit.template.bones, fit.bones, character.mesh.vertices, fit.weights)


def _fit_metarig(armature: bpy.types.Object, metarig: str, fit: _Fit) -> None:
    names = [bone.name for bone in armature.data.bones]
    ends = np.array([(bone.head_local, bone.tail_local) for bone in armature.data.bones], np.float32).reshape(-1, 2, 3)
    points: dict[str, Any] = dict(zip(fit.template.landmarks, fit.landmarks, strict=True))
    fitted = fit_metarig(metarig, names, ends, Skeleton(fit.template.bones, fit.bones, points), fit.front)
    place_bones(bpy.context, armature, names, fitted)


def _bind(
    objects: Sequence[bpy.types.Object],
    character: CharacterMeshes,
    armature: bpy.types.Object,
    names: Sequence[str],
    weights: np.ndarray,
    *,
    deforms: bool,
) -> None:
    written = set()
    for obj, rows in zip(objects, character.rows, strict=True):
        if obj.data.name not in written:
            stale = groups_with_weights(obj, names)
            write_weights(obj, names, weights[rows], clear=stale)
            written.add(obj.data.name)
        if deforms:
            ensure_armature_modifier(obj, armature)
            if obj.parent is None:  # moving the armature then moves the character
                obj.parent = armature
                obj.matrix_parent_inverse = armature.matrix_world.inverted()


def _told(characters: Sequence[CharacterMeshes], fits: Sequence[_Fit], made: Sequence[str], rig: RigSettings) -> str:
    what = "metarig" if rig.skeleton == "METARIG" else f"{fits[0].kind} skeleton"
    if len(made) == 1:
        told = f"{characters[0].name}: {made[0]} made, a {what} of {len(fits[0].bones)} joints."
    else:
        told = f"{len(made)} characters: a skeleton made for each, with weights."
    if rig.skeleton == "METARIG":
        told += " Press Generate Rig, then give the mesh an Armature modifier with the generated rig"
        told += "." if all(fit.kind == "human" for fit in fits) else " and weights: animals have none yet."
    return told
