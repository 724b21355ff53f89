# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Weights: the active character's skin on the other selected meshes, deformed by the same armature."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..bridge.armature import find_armature
from ..bridge.compat import is_selected
from ..bridge.job import JobPlan, Outcome
from ..bridge.pins import read_pins
from ..bridge.selection import selected_vertices
from ..bridge.weight_report import write_report
from ..bridge.weights import groups_with_weights
from ..properties import JobSettings, WriteOptions, get_settings, job_settings, write_options
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from ..surface_features.mesh import Float32
from ..surface_features.quality_report import WeightQuality
from ..surface_features.wording import how_many, name_or_count
from .base import JobOperator
from .selection import source_and_others
from .skin_writing import Writing, give_merged_skin
from .skinning import (
    Skin,
    check_free,
    read_skin,
    read_targets,
    sure_share,
    target_weights,
    transfer_arrays,
    transfer_params,
)

FAR = 0.12  # of the target's largest extent; a person's arms in T-pose against A-pose are well beyond


def plan_transfer_weights(
    source: bpy.types.Object,
    others: Sequence[bpy.types.Object],
    settings: JobSettings,
    *,
    replace: bool,
    options: WriteOptions | None = None,
    whole_character: bool = False,
    save_model: str = "",
) -> JobPlan:
    """The job that gives the source's skin to the meshes among the others.

    options: what of a target may change. whole_character: all meshes of the source's armature, which are not among the
    others, are part of the source. save_model: a file for the skinning model learned from the source.
    Raises `BadInputError`.
    """
    options = options or WriteOptions()
    skin = read_skin(source, character_parts(source, others) if whole_character else ())
    targets = read_targets(source, others, skin.bones, replace=replace, keep_locked=True)
    chosen = chosen_bones(source, skin, options)
    arrays, params = transfer_arrays(skin, targets), transfer_params(skin, targets, settings)
    meshes = [bpy.data.objects[sent.name] for sent in targets.sent]
    for index, obj in enumerate(meshes):
        pins = read_pins(source, obj)
        if pins is not None:
            arrays[f"pins_source_{index}"], arrays[f"pins_target_{index}"] = pins
        if options.selected_vertices:
            arrays[f"selected_{index}"] = _selection(obj, targets.wholes[index].origin)
    params |= {"soft_edge": options.soft_edge_m, "save_model": save_model}
    request = JobRequest("transfer_weights", arrays, params)

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        armature, *meshes = objects
        all_weights = target_weights(results[0], targets, skin.columns)
        for obj in meshes:
            check_free(obj, armature, skin.bones, replace=replace, keep_locked=True)
        first, rest = meshes[: len(targets.sent)], iter(meshes[len(targets.sent) :])
        warnings = []
        for index, (obj, weights) in enumerate(zip(first, all_weights, strict=True)):
            sharing = [next(rest) for _ in targets.sharing[index]]
            share = _share(results[0], index, len(weights), options)
            writing = Writing(skin.columns, skin.bones, chosen, share, settings.weights)
            give_merged_skin([obj, *sharing], armature, writing, weights)
            warnings += _judge(obj, results[0], index, len(weights))
            if _lies_elsewhere(skin, targets.wholes[index].mesh.vertices[: len(weights)], weights):
                warnings.append(
                    f"{obj.name}: the joints of {armature.name} lie far from where it bends. "
                    "Use Rig for an armature that is fitted to it."
                )
        sure = sure_share(results[0], targets)
        return Outcome(_told(skin, [obj.name for obj in first], sure), tuple(warnings))

    return JobPlan(
        "Transfer Weights", (request,), (skin.armature, *targets.all_sent), finish, skin.warnings + targets.warnings
    )


class SURFACE_FEATURES_OT_transfer_weights(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.transfer_weights"
    bl_label = "Transfer Weights"
    bl_description = (
        "Give the skin weights of the active character to the other selected meshes, and let its armature deform them. "
        "The meshes may differ in topology, proportion and pose"
    )
    bl_options = {"UNDO"}

    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Replace weights and armature that a target already has. Vertex groups that are locked, or not "
        "named after a deforming bone of the source's armature, are never changed",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        scene = get_settings(context)
        return plan_transfer_weights(
            source,
            others,
            job_settings(context),
            replace=self.replace or scene.replace,
            options=write_options(scene.weights),
            whole_character=scene.weights.whole_character,
        )


def character_parts(source: bpy.types.Object, others: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """The other meshes of the scene that the source's armature deforms, without those that are to be targets."""
    armature = find_armature(source)
    if armature is None:
        return []
    bones = [bone.name for bone in armature.data.bones]
    parts, seen = [], {source.data}
    for obj in bpy.context.scene.objects:
        if obj.type != "MESH" or obj.data in seen or obj in others or find_armature(obj) != armature:
            continue
        if len(obj.data.polygons) and groups_with_weights(obj, bones):
            seen.add(obj.data)
            parts.append(obj)
    return parts


def chosen_bones(source: bpy.types.Object, skin: Skin, options: WriteOptions) -> tuple[str, ...]:
    """Names of the bones whose groups may change. Raises `BadInputError` where none is selected but should be."""
    if not options.selected_bones:
        return skin.bones
    armature = find_armature(source)
    assert armature is not None  # or there would be no skin
    chosen = tuple(bone.name for bone in armature.pose.bones if bone.name in skin.columns and is_selected(bone))
    if not chosen:
        raise BadInputError(
            f"{armature.name}: none of its selected bones moves {source.name}. Select bones in Pose Mode, or untick "
            "Selected Bones Only.",
            fault="no_bones_selected",
        )
    return chosen


def _selection(obj: bpy.types.Object, origin: np.ndarray) -> np.ndarray:
    selected = selected_vertices(obj)
    if not selected.any():
        raise BadInputError(
            f"{obj.name}: no vertex is selected. Select some in Edit Mode, or untick Selected Vertices Only.",
            fault="no_vertices_selected",
        )
    return selected[origin]


def _share(result: JobResult, index: int, count: int, options: WriteOptions) -> Float32:
    """(V,) how much of the new weights each vertex gets."""
    share = result.arrays.get(f"share_{index}")
    whole = np.ones(count, np.float32) if share is None else np.asarray(share, np.float32)[:count]
    return whole * np.float32(options.mix)


def _judge(obj: bpy.types.Object, result: JobResult, index: int, count: int) -> list[str]:
    """Keep the quality report with the object; a warning where it is bad."""
    quality = WeightQuality.from_json(result.info["quality"][index])
    doubt = np.asarray(result.arrays[f"doubt_{index}"], np.float32)[:count]
    write_report(obj, quality, doubt, result.arrays[f"picture_{index}"].tobytes())
    if quality.coverage < 0.5:
        warning = f"{obj.name}: only {quality.coverage:.0%} matched surely. Look at the worst vertices, or pin points."
        return [warning]
    return []


def _told(skin: Skin, names: Sequence[str], sure: float) -> str:
    targets = name_or_count(names, "mesh", "meshes")
    bones = how_many(len(skin.columns), "bone")
    return f"{targets}: weights of {bones} from {skin.name}, {sure:.0%} of the vertices matched surely."


def _lies_elsewhere(skin: Skin, vertices: Float32, weights: Float32) -> bool:
    """Whether most bones would turn the target about a point far from the part they move."""
    moved = (weights.sum(axis=0) > 0) & (skin.weights.sum(axis=0) > 0)
    if not moved.any():
        return False
    offset = _centres(vertices, weights[:, moved]) - _centres(skin.whole.mesh.vertices, skin.weights[:, moved])
    return bool(np.median(np.linalg.norm(offset, axis=1)) > FAR * np.ptp(vertices, axis=0).max())


def _centres(vertices: Float32, weights: Float32) -> Float32:
    """(J, 3) weighted centre of what each bone moves."""
    return (weights.T @ vertices) / weights.sum(axis=0)[:, None]


CLASSES = (SURFACE_FEATURES_OT_transfer_weights,)
