# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and surfaces matched by their features: where each vertex is seen, and which vertex each pixel shows.

The use that FeatureNeRF (ICCV 2023) makes of features that pictures and shapes share, on a given mesh instead of a
radiance field: keypoints, labels and colours go from a picture to the mesh and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .correspondence import Correspondence
from .errors import BadInputError
from .features import Features
from .geometry.laplacian import robust_laplacian
from .mesh import Float32, Int32, TriangleMesh
from .picture import PixelFeatures
from .preflight import preflight

CHUNK = 2048
DRIFT = 0.05  # of the mesh's extent: a vertex whose pixel shows a place this far away is hardly seen there
SAME_WAY = 0.7  # cosine of the normals from which on two places face the same way
LEAST_SEEN = 0.12  # of the vertices: a body from any side shows 0.35, a ball 0.05
SURE = 0.3
TWIN_TRUST = 0.6  # what a colour from the other side of the body counts for
SMOOTHING_STEPS = 10
NEAREST_PIXELS = 9


@dataclass(frozen=True, eq=False)
class Sighting:
    """places: (V, 2) float32 where each vertex is in the picture, x to the right and y downwards, 0…1.

    confidence: (V,) float32 0…1, 0 on what the picture does not show. vertex: (P,) int64 what each pixel shows.
    """

    places: Float32
    confidence: Float32
    vertex: np.ndarray


def find_in_picture(mesh: TriangleMesh, features: Features, pixels: PixelFeatures, name: str = "Picture") -> Sighting:
    """Match a mesh with the subject of a picture.

    A vertex is seen at its most alike pixel if that pixel's own most alike vertex is near it and faces the same way:
    the back has most alike pixels too, but they show the front. Raises `BadInputError` with fault "no_subject" where
    hardly any are seen.
    """
    forward, alike = _most_alike(features.values, pixels.values)
    backward, _ = _most_alike(pixels.values, features.values)
    checked = preflight(mesh)
    points = checked.proxy.vertices[checked.proxy_vertex]
    drift = np.linalg.norm(points - points[backward[forward]], axis=1)
    normals = checked.proxy.vertex_normals[checked.proxy_vertex]
    facing = (normals * normals[backward[forward]]).sum(axis=1)
    confidence = np.clip(alike, 0, 1) * np.exp(-((drift / DRIFT) ** 2)) * np.clip(facing / SAME_WAY, 0, 1)
    confidence *= np.sqrt(np.clip(features.confidence, 0, 1))
    if (confidence > SURE).mean() < LEAST_SEEN:
        raise BadInputError(
            f"{name}: nothing in it is like {mesh.name}. Give a picture of a like subject, whole and the right way up, "
            "and run again.",
            fault="no_subject",
        )
    places = _smooth(mesh, pixels.places[forward], confidence.astype(np.float32))
    return Sighting(places, confidence.astype(np.float32), backward)


def complete_by_symmetry(mesh: TriangleMesh, sighting: Sighting, twin: Correspondence) -> Sighting:
    """Vertices that the picture does not show take the place of their twin on the other side of the body.

    twin: for every vertex of the mesh the point of itself that is its mirror image, see `mirrored`.
    """
    corner = mesh.faces[twin.face]
    places = np.einsum("vc,vcd->vd", twin.bary, sighting.places[corner])
    confidence = TWIN_TRUST * sighting.confidence[corner].min(axis=1) * twin.confidence
    better = (sighting.confidence < SURE) & (confidence > sighting.confidence)
    return Sighting(
        np.where(better[:, None], places, sighting.places).astype(np.float32),
        np.where(better, confidence, sighting.confidence).astype(np.float32),
        sighting.vertex,
    )


def mirrored(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh's mirror image with the same vertices and faces: its left hand has the features of a right one."""
    return TriangleMesh(mesh.vertices * np.array([-1, 1, 1], np.float32), mesh.faces[:, ::-1], f"{mesh.name} mirrored")


def as_correspondence(sighting: Sighting) -> tuple[TriangleMesh, Float32, Correspondence]:
    """The picture as a flat mesh with a UV map, and every vertex's point of it: what textures are transferred with."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    sheet = TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), "Picture")
    x, y = np.clip(np.stack([sighting.places[:, 0], 1 - sighting.places[:, 1]]), 0, 1)
    lower = y <= x
    bary = np.where(lower[:, None], np.stack([1 - x, x - y, y], 1), np.stack([1 - y, x, y - x], 1))
    match = Correspondence(np.where(lower, 0, 1).astype(np.int32), bary.astype(np.float32), sighting.confidence)
    return sheet, sheet.corners[..., :2].copy(), match


def points_on_mesh(
    mesh: TriangleMesh, sighting: Sighting, pixels: PixelFeatures, places: Float32
) -> tuple[Int32, Float32]:
    """(K,) vertex and (K,) confidence of points (K, 2) of the picture: what most of the pixels around them show."""
    from scipy.spatial import cKDTree

    count = min(NEAREST_PIXELS, len(pixels.places))
    near = cKDTree(pixels.places).query(places, count)[1].reshape(len(places), -1)
    candidates = sighting.vertex[near]
    points = mesh.vertices[candidates]
    apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=3).sum(axis=2)
    best = candidates[np.arange(len(places)), apart.argmin(axis=1)]  # the medoid: no mean of two limbs
    return best.astype(np.int32), sighting.confidence[best]


def _most_alike(values: Float32, others: Float32) -> tuple[np.ndarray, Float32]:
    """(N,) index of the most alike of the others, and the cosine."""
    import torch

    theirs = torch.from_numpy(np.ascontiguousarray(others)).T
    index, alike = np.empty(len(values), np.int64), np.empty(len(values), np.float32)
    for start in range(0, len(values), CHUNK):
        best = (torch.from_numpy(values[start : start + CHUNK]) @ theirs).max(dim=1)
        index[start : start + CHUNK], alike[start : start + CHUNK] = best.indices.numpy(), best.values.numpy()
    return index, alike


def _smooth(mesh: TriangleMesh, places: Float32, confidence: Float32) -> Float32:
    """Places averaged among sure neighbours: the backbone's cells are coarse, the surface is not."""
    checked = preflight(mesh)
    weights = robust_laplacian(checked.proxy)[0].tocoo()
    link = (weights.row != weights.col) & (weights.data > 0)
    start, end = weights.row[link], weights.col[link]
    trust = confidence[checked.artist_vertex] + 1e-3
    value = places[checked.artist_vertex].astype(np.float64)
    count = len(value)
    pull = np.minimum(weights.data[link], 10.0) * trust[end]
    own = np.bincount(start, pull, count) * 0.5 + 1e-12
    for _ in range(SMOOTHING_STEPS):
        around = np.stack([np.bincount(start, pull * value[end, axis], count) for axis in (0, 1)], axis=1)
        value = (around + own[:, None] * value) / (np.bincount(start, pull, count) + own)[:, None]
    return value[checked.proxy_vertex].astype(np.float32)
