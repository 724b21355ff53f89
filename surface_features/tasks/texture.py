# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that paints a source's textures on other meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.protocol import JobRequest
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings, TextureSettings
from .common import Answer, compute, match_meshes, read_mesh

if TYPE_CHECKING:
    from ..correspondence import Correspondence
    from ..geometry.subdivide import Subdivision
    from ..transfer.texture import Layer, Textured

LONGEST_EDGE = 0.02  # of the largest extent: between matches so far apart a texture would be guessed
COARSE_SHARE = 0.1  # of the area in faces with longer edges: from here on a mesh is too coarse to be matched as it is
MOST_FACES = 150_000


def transfer_texture(request: JobRequest, context: JobContext) -> Answer:
    """Images of the source's materials on every target's UV map.

    arrays: source_vertices, source_faces, source_slots (F,), source_uv_0 (F, 3, 2) …, image_0 (H, W, C) …,
    target_vertices_0, target_faces_0, target_uv_0 (U, 3, 2) ….
    params: source_name, target_names, feature_settings, texture_settings, uv_count, and layers: a list of {name, kind,
    channels, fills: [{constant, uv, extension, tiled, tiles: {UDIM number: index of its image}}]}.
    Returns <layer>_<target>_<UDIM number> (S, S, C) and confidence_<target>_<UDIM number> (S, S) uint8; info: tiles,
    overlap and sure of every target.
    """
    from ..transfer.texture import transfer_texture as paint

    settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
    texture_settings = TextureSettings.from_json(dict(request.params.get("texture_settings", {})))
    names = list(request.params["target_names"])
    source = _read_source(request)
    share = 1.0 / (len(names) + 1)
    fine = dense_enough(source.mesh)
    source_features = compute(fine.mesh, settings, context.span(0.0, share), request.params)
    arrays: dict[str, np.ndarray] = {}
    info: dict[str, list[Any]] = {"tiles": [], "overlap": [], "sure": []}
    for index, name in enumerate(names):
        part = context.span((index + 1) * share, (index + 2) * share)
        target = dense_enough(read_mesh(request, "target_", f"_{index}", name))
        target_features = compute(target.mesh, settings, part.span(0.0, 0.4), request.params)
        match = match_meshes(target.mesh, target_features, fine.mesh, source_features, part.span(0.4, 0.6))
        uv = _target_uv(request, index, target)
        with part.stage("texture"):
            painted = paint(source, target.mesh, uv, _on_original(match, fine), texture_settings, part.span(0.6, 1.0))
        for layer, tiles in painted.images.items():
            arrays |= {f"{layer}_{index}_{number}": image for number, image in tiles.items()}
        arrays |= {f"confidence_{index}_{number}": image for number, image in painted.confidence.items()}
        info["tiles"].append(sorted(painted.confidence))
        info["overlap"].append(painted.overlap)
        info["sure"].append(painted.sure)
    return arrays, info


def dense_enough(mesh: TriangleMesh) -> Subdivision:
    """The mesh, its long edges split where many of its faces are large: features are only known at vertices."""
    from ..geometry.subdivide import subdivide

    used = mesh.vertices[np.unique(mesh.faces)] if len(mesh.faces) else mesh.vertices
    extent = float(np.ptp(used[np.isfinite(used).all(axis=1)], axis=0).max()) if len(used) else 0.0
    sides = np.linalg.norm(mesh.corners - np.roll(mesh.corners, -1, axis=1), axis=2).max(axis=1)
    areas = np.nan_to_num(mesh.face_areas)
    coarse = areas[sides > LONGEST_EDGE * extent].sum() > COARSE_SHARE * areas.sum()
    return subdivide(mesh, LONGEST_EDGE * extent if coarse else np.inf, MOST_FACES)


def _on_original(match: Correspondence, fine: Subdivision) -> Correspondence:
    from ..correspondence import Correspondence

    return Correspondence(*fine.to_parent(match.face, match.bary), match.confidence)


def _target_uv(request: JobRequest, index: int, target: Subdivision) -> np.ndarray:
    """(U', 3, 2) UV corners of the first faces of the subdivided mesh: those whose parents have any."""
    given = np.asarray(request.arrays[f"target_uv_{index}"], np.float32)
    own = int(np.searchsorted(target.parent, len(given)))
    return np.einsum("fic,fcd->fid", target.corners[:own], given[target.parent[:own]])


def _read_source(request: JobRequest) -> Textured:
    from ..transfer.texture import Textured

    arrays = request.arrays
    return Textured(
        read_mesh(request, "source_", "", request.params.get("source_name")),
        tuple(np.asarray(arrays[f"source_uv_{k}"], np.float32) for k in range(int(request.params["uv_count"]))),
        np.asarray(arrays["source_slots"], np.int32),
        tuple(_read_layer(request, spec) for spec in request.params["layers"]),
    )


def _read_layer(request: JobRequest, spec: dict[str, Any]) -> Layer:
    from ..transfer.sampling import Picture
    from ..transfer.texture import Fill, Layer

    fills = []
    for fill in spec["fills"]:
        picture = None
        if fill.get("tiles"):
            tiles = {int(number): request.arrays[f"image_{image}"] for number, image in fill["tiles"].items()}
            picture = Picture(tiles, fill.get("extension", "REPEAT"), bool(fill.get("tiled", False)))
        fills.append(Fill(tuple(fill["constant"]), picture, int(fill.get("uv", 0))))
    return Layer(spec["name"], spec["kind"], int(spec["channels"]), tuple(fills))
