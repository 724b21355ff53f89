# SPDX-License-Identifier: GPL-3.0-or-later
"""What *Transfer Pose*, *Transfer Motion* and *Make Bone Map* share: a source character and its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..bridge.character import Character, body_of, character_weights, read_character, refuse_mirror
from ..bridge.pose import Bones, read_bones_for_pose
from ..bridge.scene import SentObject, check_editable, find_again
from ..properties import JobSettings, get_settings
from ..surface_features.errors import BadInputError


@dataclass(frozen=True)
class PoseOptions:
    """force: bodies that hardly match too. mute_constraints: constraints of target bones are muted."""

    force: bool = False
    mute_constraints: bool = False


class PosingProperties:
    """What both transfers of poses ask for; what the sidebar says counts as well."""

    force: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Do It Anyway", description="Transfer between bodies that hardly match, too", options={"SKIP_SAVE"}
    )
    mute_constraints: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Mute Constraints",
        description="Mute constraints on the target's bones that would keep them from what is transferred",
        options={"SKIP_SAVE"},
    )

    def pose_options(self, context: bpy.types.Context) -> PoseOptions:
        pose = get_settings(context).pose
        return PoseOptions(self.force or pose.force, self.mute_constraints or pose.mute_constraints)


@dataclass(frozen=True, eq=False)
class PoseTarget:
    """A character that will be posed; bones is None for one without an armature."""

    character: Character
    bones: Bones | None


def source_and_others(context: bpy.types.Context) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """The active character, by its mesh or its armature, and what else is selected. Raises `BadInputError`."""
    source = context.view_layer.objects.active
    if source is None or source.type not in ("MESH", "ARMATURE"):
        raise BadInputError(
            f"{source.name if source else 'Scene'}: the active object is no character. "
            "Select the targets, then Shift-click the source's mesh or armature last.",
            fault="no_source",
        )
    return source, [obj for obj in context.view_layer.objects.selected if obj != source]


def read_source(source: bpy.types.Object) -> tuple[Character, list[bpy.types.Object]]:
    """The source at rest, and its meshes. Raises `BadInputError`."""
    _, meshes = body_of(source)
    refuse_mirror(meshes)
    return read_character(source), meshes


def read_targets(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], options: PoseOptions, *, need_bones: bool
) -> tuple[list[PoseTarget], list[str]]:
    """The characters among the other selected objects, each once, and why others are left out.

    Raises `BadInputError` where none is left: with the one reason, or with all of them.
    """
    source_armature, source_meshes = body_of(source)
    taken = {obj.session_uid for obj in source_meshes}
    armatures = {source_armature.session_uid} if source_armature is not None else set()
    targets: list[PoseTarget] = []
    refusals: list[str] = []
    for obj in sorted(others, key=lambda obj: obj.type == "ARMATURE"):  # meshes lend their names
        if obj.session_uid in taken | armatures or obj.type not in ("MESH", "ARMATURE"):
            continue
        try:
            targets.append(_read_target(obj, options, taken, armatures, need_bones=need_bones))
        except BadInputError as error:
            refusals.append(str(error))
    if not targets:
        if refusals:
            raise BadInputError("  ".join(refusals), fault="target_refused")
        raise BadInputError(
            f"{source.name}: only the source is selected. Select the target characters too and run again.",
            fault="no_target",
        )
    return targets, refusals


def _read_target(
    obj: bpy.types.Object, options: PoseOptions, taken: set[int], armatures: set[int], *, need_bones: bool
) -> PoseTarget:
    armature, meshes = body_of(obj)
    taken.update(mesh.session_uid for mesh in meshes)
    if armature is None:
        if need_bones:
            raise BadInputError(f"{obj.name}: it has no armature to move. Rig it first and run again.", fault="no_rig")
        check_editable(obj)
        if any(modifier.type == "MIRROR" and modifier.show_viewport for modifier in obj.modifiers):
            raise BadInputError(
                f"{obj.name}: a Mirror modifier would make both sides alike. Apply it and run again.", fault="mirror"
            )
        return PoseTarget(read_character(obj), None)
    armatures.add(armature.session_uid)
    check_editable(armature)
    character = read_character(obj)
    weights = character_weights(character, armature, meshes)
    return PoseTarget(character, read_bones_for_pose(armature, weights, free_constrained=options.mute_constraints))


def request_arrays(source: Character, targets: Sequence[PoseTarget]) -> dict[str, np.ndarray]:
    """Arrays of the tasks in `tasks.pose`, but for the pose or clip itself."""
    arrays: dict[str, np.ndarray] = {"source_vertices": source.mesh.vertices, "source_faces": source.mesh.faces}
    for index, target in enumerate(targets):
        arrays[f"target_vertices_{index}"] = target.character.mesh.vertices
        arrays[f"target_faces_{index}"] = target.character.mesh.faces
        if target.bones is not None:
            arrays |= target.bones.with_suffix(index)
    return arrays


def request_params(
    source: Character, targets: Sequence[PoseTarget], settings: JobSettings, options: PoseOptions
) -> dict[str, Any]:
    return {
        "source_name": source.name,
        "target_names": [target.character.name for target in targets],
        "feature_settings": settings.features.to_json(),
        "force": options.force,
        **settings.cache_params,
    }


def written_objects(targets: Sequence[PoseTarget]) -> tuple[SentObject, ...]:
    """What a job changes: the armature of each target, or its mesh."""
    chosen = []
    for target in targets:
        sent = target.character.armature or target.character.parts[0]
        chosen.append(SentObject(sent.name, sent.session_uid, sent.size, written=True))
    return tuple(chosen)


def check_unchanged(targets: Sequence[PoseTarget]) -> None:
    """Raises `BadInputError` where a mesh of a target has changed while the job ran."""
    for target in targets:
        for part in target.character.parts:
            find_again(part)


def warnings_of(targets: Sequence[PoseTarget], options: PoseOptions) -> list[str]:
    """What holds bones of the targets: each in one sentence."""
    told = []
    for target in targets:
        bones, name = target.bones, target.character.name
        if bones is None:
            continue
        if bones.constrained and not options.mute_constraints:
            told.append(
                f"{name}: {_list(bones.constrained)} kept as constraints place them. "
                "Tick Mute Constraints to pose them too."
            )
        if bones.driven:
            told.append(f"{name}: {_list(bones.driven)} left to their drivers.")
        if bones.locked:
            told.append(f"{name}: locked channels of {_list(bones.locked)} kept as they are.")
    return told


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more bones"
