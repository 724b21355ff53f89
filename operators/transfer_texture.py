# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer Texture: what the active object's materials show, on the UV maps of the other selected meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..bridge.images import make_image
from ..bridge.job import JobPlan, Outcome
from ..bridge.materials import CHANNELS, make_material
from ..bridge.mesh import WholeMesh, read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..bridge.stand_in import UV_NAME
from ..bridge.texture_source import SourceTextures, read_source_textures
from ..bridge.uv import loop_uv, new_loop_uv, own_corner_uv, usable_uv, write_loop_uv
from ..properties import JobSettings, TextureOptions, get_settings, job_settings, texture_options
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError, EngineError
from .base import JobOperator
from .selection import source_and_others, split_meshes

MUCH_OVERLAP = 0.05
LITTLE_FOUND = 0.5
MUCH_MEMORY_MB = 2000


@dataclass(frozen=True, eq=False)
class Target:
    """A mesh that will be painted.

    uv: name of its UV map; empty where `loops` (L, 2) are those of a new one.
    """

    sent: SentObject
    whole: WholeMesh
    uv: str
    loops: NDArray[np.float32]
    corners: NDArray[np.float32]


def plan_transfer_texture(
    source: bpy.types.Object,
    others: Sequence[bpy.types.Object],
    settings: JobSettings,
    options: TextureOptions,
    *,
    replace: bool,
) -> JobPlan:
    """The job that paints the meshes among the others as the source is. Raises `BadInputError`."""
    whole = read_whole_mesh(source)
    targets, warnings = _read_targets(source, others, options)
    textures = read_source_textures(source, whole, options.channels, options.settings.size)
    memory = options.memory_mb(len(textures.layers) + 1) * len(targets)
    if memory > MUCH_MEMORY_MB:
        warnings.append(f"{len(textures.layers) + 1} images of {options.settings.size}² take about {memory:,.0f} MB.")
    request = JobRequest("transfer_texture", _arrays(whole, textures, targets), {
        "source_name": source.name,
        "target_names": [target.sent.name for target in targets],
        "feature_settings": settings.features.to_json(),
        "texture_settings": options.settings.to_json(),
        "uv_count": textures.uv_count,
        "layers": textures.layers,
        **settings.cache_params,
    })  # fmt: skip
    name = source.name

    def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
        painted = [images_of(results[0], textures, index, target) for index, target in enumerate(targets)]
        for obj, target in zip(objects, targets, strict=True):
            check_unchanged(obj, target)
        told, told_warnings = [], []
        made = make_images(name, targets, painted, textures, options)
        for index, (obj, target) in enumerate(zip(objects, targets, strict=True)):
            give_material(obj, target, made[index], textures, name, replace=replace)
            sure, overlap = results[0].info["sure"][index], results[0].info["overlap"][index]
            told.append(f"{obj.name}: painted from {name} at {options.settings.size}², {sure:.0%} of it found surely.")
            told_warnings += _second_looks(obj.name, target, sure, overlap)
            if not replace and len(obj.data.materials) > 1:
                told_warnings.append(
                    f"{obj.name}: the new material is in its last slot, not yet on any face. Assign it, or tick "
                    "Replace Existing and run again."
                )
        message = told[0] if len(told) == 1 else f"{len(told)} meshes painted from {name}."
        return Outcome(message, tuple(told_warnings))

    sent = tuple(target.sent for target in targets)
    return JobPlan("Transfer Texture", (request,), sent, finish, tuple(textures.warnings + warnings))


class SURFACE_FEATURES_OT_transfer_texture(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.transfer_texture"
    bl_label = "Transfer Texture"
    bl_description = (
        "Paint the other selected meshes as the active one is: every texel takes the colours of the same part of the "
        "active mesh, whatever its UV map, topology and pose. New images in a new material"
    )
    bl_options = {"UNDO"}

    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Assign the new material to all faces of a target that has materials already",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        source, others = source_and_others(context)
        settings = get_settings(context)
        replace = self.replace or settings.replace
        options = texture_options(settings.texture)
        return plan_transfer_texture(source, others, job_settings(context), options, replace=replace)


def _read_targets(
    source: bpy.types.Object, others: Sequence[bpy.types.Object], options: TextureOptions
) -> tuple[list[Target], list[str]]:
    """Targets and warnings. Raises `BadInputError` where no target is left."""
    meshes, refusals = split_meshes(others)
    targets: list[Target] = []
    warnings: list[str] = []
    seen: set[str] = set()
    for obj in meshes:
        try:
            if obj.data == source.data:
                raise BadInputError(
                    f"{obj.name}: skipped, it shares its mesh with the source. Make it single-user first.",
                    fault="same_mesh",
                )
            check_editable(obj)
            if obj.data.name in seen:
                warnings.append(f"{obj.name}: shares its mesh with another target and gets the same material.")
                continue
            targets.append(read_target(obj, options, warnings))
            seen.add(obj.data.name)
        except BadInputError as error:
            refusals.append(str(error))
    if not targets:
        reason = (
            "  ".join(refusals) or f"{source.name}: only the source is selected. Select the targets too and run again."
        )
        raise BadInputError(reason, fault="no_target")
    return targets, refusals + warnings


def read_target(obj: bpy.types.Object, options: TextureOptions, warnings: list[str]) -> Target:
    whole = read_whole_mesh(obj)
    if len(whole.mesh.faces) == 0:
        raise BadInputError(f"{obj.name}: the mesh has no faces, so there is no surface to paint.", fault="no_faces")
    name = "" if options.new_uvs else usable_uv(obj)
    if not name and not options.new_uvs:
        warnings.append(f"{obj.name}: it had no usable UV map; a new one was made with Smart UV Project.")
    loops = loop_uv(obj, name) if name else new_loop_uv(obj)
    corners = np.ascontiguousarray(own_corner_uv(obj, loops), np.float32)
    return Target(SentObject.remember(obj, written=True), whole, name, loops, corners)


def _arrays(whole: WholeMesh, textures: SourceTextures, targets: Sequence[Target]) -> dict[str, NDArray[Any]]:
    arrays = {"source_vertices": whole.mesh.vertices, "source_faces": whole.mesh.faces, **textures.arrays}
    for index, target in enumerate(targets):
        arrays[f"target_vertices_{index}"] = target.whole.mesh.vertices
        arrays[f"target_faces_{index}"] = target.whole.mesh.faces
        arrays[f"target_uv_{index}"] = target.corners
    return arrays


def images_of(
    result: JobResult, textures: SourceTextures, index: int, target: Target
) -> dict[str, dict[int, NDArray[Any]]]:
    """Tiles by layer name, the confidence among them. Raises `EngineError` for an answer that is not whole."""
    names = [layer["name"] for layer in textures.layers] + ["confidence"]
    numbers = [int(number) for number in result.info["tiles"][index]]
    try:
        painted = {name: {n: result.arrays[f"{name}_{index}_{n}"] for n in numbers} for name in names}
    except KeyError as error:
        raise EngineError(f"{target.sent.name}: the engine's answer lacks {error}; nothing was changed.") from error
    painted["confidence"] = {n: image[..., None] for n, image in painted["confidence"].items()}
    return painted


def make_images(
    source: str,
    targets: Sequence[Target],
    painted: Sequence[dict[str, dict[int, NDArray[Any]]]],
    textures: SourceTextures,
    options: TextureOptions,
) -> list[dict[str, bpy.types.Image]]:
    """All images of all targets; none is left behind where one fails. Raises `BadInputError`."""
    labels = {channel.name: channel.label for channel in CHANNELS} | {"confidence": "Confidence"}
    colours = {channel.name for channel in CHANNELS if channel.kind == "colour"}
    folder = _image_folder(options)
    made: list[dict[str, bpy.types.Image]] = []
    try:
        for target, layers in zip(targets, painted, strict=True):
            made.append({})
            for name, tiles in layers.items():
                title = f"{target.sent.name} {source} {labels[name]}"
                made[-1][name] = make_image(title, tiles, is_data=name not in colours, folder=folder)
    except (OSError, RuntimeError) as error:
        for images in made:
            for image in images.values():
                bpy.data.images.remove(image)
        raise BadInputError(
            f"The images cannot be saved ({error}); nothing was changed.", fault="unwritable"
        ) from error
    return made


def _image_folder(options: TextureOptions) -> Path | None:
    """Beside the blend file where the user wants them there; None packs them."""
    if not options.save:
        return None
    if not bpy.data.filepath:
        raise BadInputError(
            "The blend file has no place yet, so images cannot be saved beside it; nothing was changed. Save it, or "
            "untick Save Beside File, and run again.",
            fault="unsaved",
        )
    return Path(bpy.data.filepath).parent / "textures"


def check_unchanged(obj: bpy.types.Object, target: Target) -> None:
    if len(obj.data.loops) != len(target.loops) or (target.uv and target.uv not in obj.data.uv_layers):
        raise BadInputError(
            f"{obj.name}: its faces or UV maps were edited while the job ran; nothing was changed. Run again.",
            fault="object_changed",
        )


def give_material(
    obj: bpy.types.Object,
    target: Target,
    images: dict[str, bpy.types.Image],
    textures: SourceTextures,
    source: str,
    *,
    replace: bool,
) -> None:
    uv = target.uv or write_loop_uv(obj, UV_NAME, target.loops)
    shown = {name: image for name, image in images.items() if name != "confidence"}
    material = make_material(
        f"{obj.name} from {source}", shown, textures.constants, textures.strength, uv, images["confidence"]
    )
    was_empty = len(obj.data.materials) == 0
    obj.data.materials.append(material)
    if was_empty or replace:
        slots = np.full(len(obj.data.polygons), len(obj.data.materials) - 1, np.int32)
        obj.data.polygons.foreach_set("material_index", slots)
        obj.active_material_index = len(obj.data.materials) - 1
    obj.data.update()


def _second_looks(name: str, target: Target, sure: float, overlap: float) -> list[str]:
    warnings = []
    if target.uv and overlap > MUCH_OVERLAP:
        warnings.append(
            f"{name}: {overlap:.0%} of its UV map lies on other parts of it and shows the same. Tick New UV Map for an "
            "unwrap without overlaps."
        )
    if sure < LITTLE_FOUND:
        warnings.append(f"{name}: only {sure:.0%} was found on the source, the rest is filled in. Look at the result.")
    return warnings


CLASSES = (SURFACE_FEATURES_OT_transfer_texture,)
