# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a picture and the active mesh: its colours and keypoints on the mesh, the mesh's keypoints in the picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..bridge.images import read_image, to_srgb
from ..bridge.job import JobPlan, Outcome
from ..bridge.mesh import read_whole_mesh
from ..bridge.scene import SentObject, check_editable
from ..bridge.texture_source import SourceTextures
from ..properties import JobSettings, TextureOptions, get_settings, job_settings, texture_options
from ..surface_features.engine import JobRequest, JobResult
from ..surface_features.errors import BadInputError
from ..surface_features.wording import how_many
from .base import JobOperator
from .selection import source_and_others
from .transfer_keypoints import UNSURE
from .transfer_texture import Target, check_unchanged, give_material, images_of, make_images, read_target

EMPTY_SIZE = 0.03  # of the mesh's largest extent
Keypoints = dict[str, tuple[float, float]]


def plan_texture_from_picture(
    obj: bpy.types.Object,
    image: bpy.types.Image | None,
    geometry: bpy.types.Image | None,
    settings: JobSettings,
    options: TextureOptions,
    *,
    replace: bool,
) -> JobPlan:
    """The job that paints a mesh as a like subject looks in a picture. Raises `BadInputError`."""
    check_editable(obj)
    warnings: list[str] = []
    pictures = _read_pictures(image, geometry)
    target = read_target(obj, options, warnings)
    name = image.name if image is not None else ""
    layer = {"name": "base_color"}
    textures = SourceTextures({}, [layer], {}, 0.0)
    arrays = {**_mesh_arrays(target), **pictures, "target_uv": target.corners}
    params = _params(obj.name, name, settings) | {"texture_settings": options.settings.to_json()}

    def finish(objects: Any, results: Any) -> Outcome:
        result: JobResult = results[0]
        (found,) = objects
        painted = images_of(result, textures, 0, target)
        check_unchanged(found, target)
        (made,) = make_images(name, [target], [painted], textures, options)
        give_material(found, target, made, textures, name, replace=replace)
        return Outcome(
            f"{found.name}: painted from {name}, which shows {result.info['seen']:.0%} of it; "
            f"{result.info['sure'][0]:.0%} found or mirrored, the rest filled in."
        )

    request = JobRequest("paint_from_picture", arrays, params)
    return JobPlan("Texture from Picture", (request,), (target.sent,), finish, tuple(warnings))


def plan_keypoints_from_picture(
    obj: bpy.types.Object,
    image: bpy.types.Image | None,
    geometry: bpy.types.Image | None,
    keypoints: Keypoints,
    settings: JobSettings,
) -> JobPlan:
    """The job that puts a named empty on the mesh for every keypoint of the picture. Raises `BadInputError`.

    keypoints: name → pixel, x to the right and y downwards from the picture's upper left corner.
    """
    pictures = _read_pictures(image, geometry)
    height, width = pictures["picture"].shape[:2]
    places = np.array(list(keypoints.values()), np.float32) / (width, height)
    if not ((places >= 0) & (places <= 1)).all():
        outside = next(n for n, p in zip(keypoints, places, strict=True) if not ((p >= 0) & (p <= 1)).all())
        raise BadInputError(
            f"“{outside}” lies outside the picture of {width} × {height} pixels. Correct it and run again.",
            fault="bad_keypoints",
        )
    whole = read_whole_mesh(obj)
    size = EMPTY_SIZE * float(np.ptp(whole.mesh.vertices, axis=0).max())
    arrays = {"target_vertices": whole.mesh.vertices, "target_faces": whole.mesh.faces, **pictures}
    arrays["picture_places"] = places.astype(np.float32)
    names = tuple(keypoints)

    def finish(objects: Any, results: Any) -> Outcome:
        points, confidence = results[0].arrays["points"], results[0].arrays["point_confidence"]
        (mesh_object,) = objects
        for name, point, sure in zip(names, points.tolist(), confidence.tolist(), strict=True):
            empty = bpy.data.objects.new(name, None)
            empty.empty_display_size, empty.empty_display_type = size, "SPHERE"
            empty["confidence"] = sure
            bpy.context.scene.collection.objects.link(empty)
            empty.parent = mesh_object
            empty.matrix_parent_inverse = mesh_object.matrix_world.inverted_safe()
            empty.location = point
        unsure = int((confidence < UNSURE).sum())
        told = f"{mesh_object.name}: {how_many(len(names), 'keypoint')}"
        return Outcome(f"{told}, {unsure} of them unsure: see their property “confidence”." if unsure else f"{told}.")

    request = JobRequest("picture_points", arrays, _params(obj.name, image.name if image else "", settings))
    return JobPlan("Keypoints from Picture", (request,), (SentObject.remember(obj, written=True),), finish)


def plan_keypoints_to_picture(
    obj: bpy.types.Object,
    empties: list[bpy.types.Object],
    image: bpy.types.Image | None,
    geometry: bpy.types.Image | None,
    settings: JobSettings,
) -> JobPlan:
    """The job that finds empties of the mesh in the picture and writes a JSON text. Raises `BadInputError`."""
    if not empties:
        raise BadInputError(
            f"{obj.name}: no empty is selected. Select the keypoints, then Shift-click the mesh.", fault="no_keypoints"
        )
    pictures = _read_pictures(image, geometry)
    height, width = pictures["picture"].shape[:2]
    whole = read_whole_mesh(obj)
    names = tuple(empty.name for empty in empties)
    arrays = {"target_vertices": whole.mesh.vertices, "target_faces": whole.mesh.faces, **pictures}
    arrays["mesh_points"] = np.array([empty.matrix_world.translation for empty in empties], np.float32)
    name = image.name if image is not None else ""

    def finish(objects: Any, results: Any) -> Outcome:
        places = results[0].arrays["places"] * (width, height)
        confidence = results[0].arrays["place_confidence"]
        found = {
            key: {"x": round(float(x), 2), "y": round(float(y), 2), "confidence": round(float(sure), 3)}
            for key, (x, y), sure in zip(names, places, confidence, strict=True)
        }
        text = bpy.data.texts.new(f"{name} keypoints.json")
        text.write(json.dumps(found, indent=1, ensure_ascii=False))
        return Outcome(f"{name}: {how_many(len(found), 'keypoint')}, written to the text “{text.name}”.")

    request = JobRequest("picture_points", arrays, _params(obj.name, name, settings))
    return JobPlan("Keypoints to Picture", (request,), (SentObject.remember(obj, written=False),), finish)


def read_keypoints(path: str) -> Keypoints:
    """Keypoints of a JSON file: {"name": [x, y]} or {"name": {"x": …, "y": …}}. Raises `BadInputError`."""
    try:
        content = json.loads(Path(bpy.path.abspath(path)).read_text(encoding="utf-8"))
        points = {
            str(name): (float(at["x"]), float(at["y"])) if isinstance(at, dict) else (float(at[0]), float(at[1]))
            for name, at in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadInputError(
            f"“{path}” is no list of keypoints ({type(error).__name__}). "
            'It should hold {"name": [x, y]} in pixels from the upper left corner.',
            fault="bad_keypoints",
        ) from error
    if not points:
        raise BadInputError(f"“{path}” holds no keypoints.", fault="bad_keypoints")
    return points


def _read_pictures(image: bpy.types.Image | None, geometry: bpy.types.Image | None) -> dict[str, NDArray[Any]]:
    """Arrays picture and geometry, row 0 at the top. Raises `BadInputError`."""
    if image is None:
        raise BadInputError("No picture is chosen. Choose one under Picture and run again.", fault="no_picture")
    arrays = {"picture": _read_picture(image)}
    if geometry is not None:
        arrays["geometry"] = _read_picture(geometry, is_data=True)
        if arrays["geometry"].shape != arrays["picture"].shape:
            raise BadInputError(
                f"{geometry.name}: its size is not that of {image.name}. Render both at one size and run again.",
                fault="other_size",
            )
    return arrays


def _read_picture(image: bpy.types.Image, *, is_data: bool = False) -> NDArray[np.float32]:
    found = read_image(image)
    if found is None:
        raise BadInputError(
            f"Image “{image.name}” is missing. Find it (File ▸ External Data ▸ Find Missing Files) and run again.",
            fault="missing_image",
        )
    pixels = np.array(next(iter(found.tiles.values()))[::-1])
    if found.is_float and not is_data:
        pixels[..., :3] = to_srgb(pixels[..., :3])
    return pixels


def _mesh_arrays(target: Target) -> dict[str, NDArray[Any]]:
    return {"target_vertices": target.whole.mesh.vertices, "target_faces": target.whole.mesh.faces}


def _params(target: str, picture: str, settings: JobSettings) -> dict[str, Any]:
    return {
        "target_name": target,
        "picture_name": picture,
        "feature_settings": settings.features.to_json(),
        **settings.cache_params,
    }


class SURFACE_FEATURES_OT_texture_from_picture(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.texture_from_picture"
    bl_label = "Texture from Picture"
    bl_description = (
        "Paint the active mesh as a like subject looks in the chosen picture. What the picture does not show is taken "
        "from the other side of the body, then filled in"
    )
    bl_options = {"UNDO"}

    def plan(self, context: bpy.types.Context) -> JobPlan:
        obj, _ = source_and_others(context)
        settings = get_settings(context)
        texture = settings.texture
        return plan_texture_from_picture(
            obj,
            texture.picture,
            texture.geometry,
            job_settings(context),
            texture_options(texture),
            replace=settings.replace,
        )


class SURFACE_FEATURES_OT_keypoints_from_picture(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.keypoints_from_picture"
    bl_label = "Keypoints from Picture"
    bl_description = "Put a named empty on the active mesh for every keypoint of the chosen picture"
    bl_options = {"UNDO"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Keypoints",
        description='JSON file: {"name": [x, y]} in pixels from the upper left corner. Empty: the one of the settings',
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def plan(self, context: bpy.types.Context) -> JobPlan:
        obj, _ = source_and_others(context)
        texture = get_settings(context).texture
        keypoints = read_keypoints(self.filepath or texture.keypoints)
        return plan_keypoints_from_picture(obj, texture.picture, texture.geometry, keypoints, job_settings(context))


class SURFACE_FEATURES_OT_keypoints_to_picture(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.keypoints_to_picture"
    bl_label = "Keypoints to Picture"
    bl_description = "Find the selected empties on the active mesh in the chosen picture; writes a JSON text"
    bl_options = {"UNDO"}

    def plan(self, context: bpy.types.Context) -> JobPlan:
        obj, others = source_and_others(context)
        texture = get_settings(context).texture
        empties = [other for other in others if other.type == "EMPTY"]
        return plan_keypoints_to_picture(obj, empties, texture.picture, texture.geometry, job_settings(context))


CLASSES = (
    SURFACE_FEATURES_OT_texture_from_picture,
    SURFACE_FEATURES_OT_keypoints_from_picture,
    SURFACE_FEATURES_OT_keypoints_to_picture,
)
