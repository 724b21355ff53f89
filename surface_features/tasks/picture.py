# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks between a picture and a mesh: its colours on the mesh, its points on the mesh, the mesh's points in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine.protocol import JobRequest
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings, TextureSettings
from .common import Answer, compute, match_meshes, open_cache, read_mesh

if TYPE_CHECKING:
    from ..correspondence import Correspondence
    from ..feature_field import Sighting
    from ..picture import PixelFeatures


def paint_from_picture(request: JobRequest, context: JobContext) -> Answer:
    """A base colour for a mesh from one picture of a like subject.

    arrays: target_vertices, target_faces, target_uv (U, 3, 2), picture (H, W, 4) float32, row 0 at the top, and
    geometry (H, W, 4) where there is one, see `picture.SubjectPicture`. params: target_name, picture_name,
    feature_settings, texture_settings. Returns base_color_0_<UDIM number> and confidence_0_<UDIM number>; info: tiles,
    overlap, sure as “transfer_texture”, and seen, the share of the vertices that the picture shows.
    """
    from ..feature_field import SURE, as_correspondence, complete_by_symmetry
    from ..transfer.sampling import Picture
    from ..transfer.texture import Fill, Layer, Textured, transfer_texture

    params = request.params
    target = read_mesh(request, "target_", "", params.get("target_name"))
    sighting, _ = _look(request, target, context.span(0.0, 0.4))
    seen = float((sighting.confidence > SURE).mean())
    whole = complete_by_symmetry(target, sighting, _twins(request, target, context.span(0.4, 0.8)))
    sheet, uv, match = as_correspondence(whole)
    colours = np.asarray(request.arrays["picture"], np.float32)[::-1, :, :3]
    pixels = np.ascontiguousarray(np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8))
    layer = Layer("base_color", "colour", 3, (Fill((0.8, 0.8, 0.8), Picture({1001: pixels}, "EXTEND")),))
    textured = Textured(sheet, (uv,), np.zeros(len(sheet.faces), np.int32), (layer,))
    settings = TextureSettings.from_json(dict(params.get("texture_settings", {})))
    target_uv = np.asarray(request.arrays["target_uv"], np.float32)
    with context.stage("texture"):
        painted = transfer_texture(textured, target, target_uv, match, settings, context.span(0.8, 1.0))
    arrays = {f"base_color_0_{number}": image for number, image in painted.images["base_color"].items()}
    arrays |= {f"confidence_0_{number}": image for number, image in painted.confidence.items()}
    info = {"tiles": [sorted(painted.confidence)], "overlap": [painted.overlap], "sure": [painted.sure], "seen": seen}
    return arrays, info


def picture_points(request: JobRequest, context: JobContext) -> Answer:
    """Points of a picture on a mesh, and points of the mesh in the picture.

    arrays: target_vertices, target_faces, picture, geometry as `paint_from_picture`; picture_places (K, 2) float32, x
    to the right and y downwards, 0…1; mesh_points (M, 3) float32 near the surface; each may be left out. Returns points
    (K, 3) with point_confidence (K,), and places (M, 2) with place_confidence (M,).
    """
    from ..feature_field import points_on_mesh
    from ..geometry.closest import closest_points

    target = read_mesh(request, "target_", "", request.params.get("target_name"))
    sighting, pixels = _look(request, target, context)
    arrays: dict[str, np.ndarray] = {}
    if "picture_places" in request.arrays:
        wanted = np.asarray(request.arrays["picture_places"], np.float32)
        vertex, confidence = points_on_mesh(target, sighting, pixels, wanted)
        arrays |= {"points": target.vertices[vertex], "point_confidence": confidence}
    if "mesh_points" in request.arrays:
        face, bary, _ = closest_points(target, np.asarray(request.arrays["mesh_points"], np.float32))
        corner = target.faces[face]
        arrays["places"] = np.einsum("nc,ncd->nd", bary, sighting.places[corner])
        arrays["place_confidence"] = np.einsum("nc,nc->n", bary, sighting.confidence[corner])
    return arrays, {}


def _look(request: JobRequest, target: TriangleMesh, context: JobContext) -> tuple[Sighting, PixelFeatures]:
    from ..backbones import load_backbone
    from ..feature_field import find_in_picture
    from ..features import compute_view_features
    from ..picture import SubjectPicture, picture_features

    settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
    geometry = request.arrays.get("geometry")
    picture = SubjectPicture(
        np.asarray(request.arrays["picture"], np.float32),
        None if geometry is None else np.asarray(geometry, np.float32),
        str(request.params.get("picture_name", "Picture")),
    )
    context.report(0.0, f"Looking at {picture.name}")
    backbone = load_backbone(settings.backbone, settings.device)
    pixels = picture_features(picture, backbone, context.span(0.0, 0.2))
    features = compute_view_features(target, settings, context.span(0.2, 0.9), open_cache(request.params))
    context.report(0.9, f"{target.name}: looking for it in {picture.name}")
    return find_in_picture(target, features, pixels, picture.name), pixels


def _twins(request: JobRequest, target: TriangleMesh, context: JobContext) -> Correspondence:
    """For every vertex the point of the same mesh on the body's other side."""
    from ..correspondence import Correspondence as Match
    from ..feature_field import mirrored

    settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
    image = mirrored(target)
    features = compute(target, settings, context.span(0.0, 0.4), request.params)
    image_features = compute(image, settings, context.span(0.4, 0.8), request.params)
    found = match_meshes(target, features, image, image_features, context.span(0.8, 1.0))
    # The mirror image's faces are the mesh's own with their corners in the other order.
    return Match(found.face, found.bary[:, ::-1], found.confidence)
