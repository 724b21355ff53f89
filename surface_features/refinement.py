# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifted features corrected by what the whole surface knows (`backbones.surface_context`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .backbones.precision import fast_numbers
from .backbones.surface_context import SurfaceContext, SurfacePoints
from .geometry.landmarks import Landmarks, place_landmarks
from .geometry.vectors import unit_rows
from .lifting import Lifted
from .mesh import Float32, TriangleMesh
from .parallel import each_on, parts
from .progress import JobContext

CHUNK = 1024  # vertices that look at the landmarks at once
PLACEMENTS = 2  # of the landmarks: what depends on where they happen to lie averages out
Points: TypeAlias = tuple[Float32, Float32, Float32, Float32]  # see `describe_points`


def place(network: SurfaceContext, mesh: TriangleMesh, details: NDArray[np.int64] | None, placement: int) -> Landmarks:
    """One of the `PLACEMENTS`: the network's landmarks on a mesh, for which no feature has to be known.

    mesh: a proxy, Z up. details: its vertices that are looked at most closely (`views.details`).
    placement: its number.
    """
    config = network.config
    return place_landmarks(mesh, config.landmarks, placement, details=details, more=config.detail_landmarks)


def refine(
    network: SurfaceContext,
    mesh: TriangleMesh,
    lifted: Lifted,
    context: JobContext,
    placed: Iterable[Landmarks],
) -> Lifted:
    """The same features, with limbs and sides settled over the whole surface.

    mesh: a proxy, Z up. placed: its landmarks, `PLACEMENTS` times by `place`.
    """
    points = describe_points(mesh, lifted)

    def look(landmarks: Landmarks) -> _Surroundings:
        return _look_around(network, points, landmarks)

    known = list(each_on(network.device.type, look, list(placed)))
    context.report(0.3, "Looking at the whole surface")
    chunks = parts(len(mesh.vertices), CHUNK)
    values = []
    for found in each_on(network.device.type, lambda rows: _read(network, points, known, rows), chunks):
        values.append(found)
        context.report(0.3 + 0.7 * len(values) / len(chunks), "Looking at the whole surface")
    return Lifted(np.concatenate(values), lifted.confidence)


@dataclass(frozen=True, eq=False)
class _Surroundings:
    """What one placement's landmarks know. nearest: (V,) int64. distances: (1, L, L). known: (1, L, width)."""

    nearest: NDArray[np.int64]
    distances: torch.Tensor
    known: torch.Tensor


@torch.inference_mode()
def _look_around(network: SurfaceContext, points: Points, landmarks: Landmarks) -> _Surroundings:
    device = network.device
    distances = torch.from_numpy(landmarks.distances)[None].to(device)
    with fast_numbers(device):
        known = network.look_around(take_points(points, landmarks.vertices, device), distances)
    return _Surroundings(landmarks.nearest.astype(np.int64), distances, known)


@torch.inference_mode()
def _read(network: SurfaceContext, points: Points, placements: Sequence[_Surroundings], rows: slice) -> Float32:
    """(R, D) what the network says of these vertices, by all placements of its landmarks."""
    device = network.device
    total = np.zeros((len(points[0][rows]), network.config.dim), np.float32)
    with fast_numbers(device):
        own = take_points(points, rows, device)
        for around in placements:
            nearest = torch.from_numpy(around.nearest[rows])[None].to(device)
            total += network.read_points(around.known, around.distances, own, nearest)[0].float().cpu().numpy()
    return unit_rows(total)


def describe_points(mesh: TriangleMesh, lifted: Lifted) -> Points:
    """What the network is told of every vertex: features, confidence, centred positions of extent 2, normals."""
    used = mesh.vertices[mesh.faces.reshape(-1)]
    low, high = used.min(axis=0), used.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return lifted.values, lifted.confidence, (mesh.vertices - (low + high) / 2) / half, mesh.vertex_normals


def take_points(points: Points, rows: np.ndarray | slice, device: torch.device) -> SurfacePoints:
    """Some of `describe_points`' vertices as a batch of one."""
    return SurfacePoints(*(torch.from_numpy(part[rows].astype(np.float32))[None].to(device) for part in points))
