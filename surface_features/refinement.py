# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifted features corrected by what the whole surface knows (`backbones.surface_context`)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .backbones.precision import fast_numbers
from .backbones.surface_context import SurfaceContext, SurfacePoints
from .geometry.landmarks import place_landmarks
from .geometry.vectors import unit_rows
from .lifting import Lifted
from .mesh import Float32, TriangleMesh
from .progress import JobContext

CHUNK = 8192  # vertices that look at the landmarks at once
PLACEMENTS = 2  # of the landmarks: what depends on where they happen to lie averages out


@torch.inference_mode()
def refine(
    network: SurfaceContext,
    mesh: TriangleMesh,
    lifted: Lifted,
    context: JobContext,
    details: NDArray[np.int64] | None = None,
) -> Lifted:
    """The same features, with limbs and sides settled over the whole surface.

    mesh: a proxy, Z up. details: its vertices that are looked at most closely (`views.details`).
    """
    points = describe_points(mesh, lifted)
    total = np.zeros((len(mesh.vertices), network.config.dim), np.float32)
    for placement in range(PLACEMENTS):
        span = context.span(placement / PLACEMENTS, (placement + 1) / PLACEMENTS)
        total += _look_from(network, mesh, points, details, placement, span)
    return Lifted(unit_rows(total), lifted.confidence)


def _look_from(
    network: SurfaceContext,
    mesh: TriangleMesh,
    points: tuple[Float32, Float32, Float32, Float32],
    details: NDArray[np.int64] | None,
    placement: int,
    context: JobContext,
) -> Float32:
    """(V, D) what the network says of every vertex with one placement of its landmarks. points: `describe_points`."""
    device = next(network.parameters()).device
    config = network.config
    landmarks = place_landmarks(mesh, config.landmarks, placement, details=details, more=config.detail_landmarks)
    distances = torch.from_numpy(landmarks.distances)[None].to(device)
    values = []
    with fast_numbers(device):
        known = network.look_around(take_points(points, landmarks.vertices, device), distances)
        for start in range(0, len(mesh.vertices), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(mesh.vertices)))
            nearest = torch.from_numpy(landmarks.nearest[rows].astype(np.int64))[None].to(device)
            found = network.read_points(known, distances, take_points(points, rows, device), nearest)
            values.append(found[0].float().cpu().numpy())
            context.report((rows[-1] + 1) / len(mesh.vertices), "Looking at the whole surface")
    return np.concatenate(values)


def describe_points(mesh: TriangleMesh, lifted: Lifted) -> tuple[Float32, Float32, Float32, Float32]:
    """What the network is told of every vertex: features, confidence, centred positions of extent 2, normals."""
    used = mesh.vertices[mesh.faces.reshape(-1)]
    low, high = used.min(axis=0), used.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return lifted.values, lifted.confidence, (mesh.vertices - (low + high) / 2) / half, mesh.vertex_normals


def take_points(
    points: tuple[Float32, Float32, Float32, Float32], rows: np.ndarray, device: torch.device
) -> SurfacePoints:
    """Some of `describe_points`' vertices as a batch of one."""
    return SurfacePoints(*(torch.from_numpy(part[rows].astype(np.float32))[None].to(device) for part in points))
