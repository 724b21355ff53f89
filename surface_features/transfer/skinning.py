# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from a rigged shape to another mesh's skin weights: for tasks, scripts and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..correspondence import Correspondence, match_surfaces
from ..features import Features
from ..mesh import Float32, TriangleMesh
from ..progress import JobContext
from ..settings import WeightSettings
from .articulation import follow_bones
from .pins import Pins, match_around_pins
from .weights import TransferredSkin, per_vertex_shares, transfer_skin


class Remembers(Protocol):
    """Keeps correspondences between calls, so that pins are answered at once."""

    def get(self, key: str) -> Correspondence | None: ...
    def put(self, key: str, value: Correspondence) -> None: ...


@dataclass(frozen=True, eq=False)
class SkinnedShape:
    """A mesh, its features, and its weights (V, J) for the named bones."""

    mesh: TriangleMesh
    features: Features
    weights: Float32
    bones: tuple[str, ...]


def skin_by_matching(
    source: SkinnedShape,
    target: TriangleMesh,
    target_features: Features,
    settings: WeightSettings | None = None,
    pins: Pins | None = None,
    context: JobContext | None = None,
    memory: Remembers | None = None,
) -> tuple[TransferredSkin, Correspondence]:
    """The target's weights by the mode *match*, and the correspondence they came along.

    Features match the surfaces; the source, bent by its own bones, makes the match exact where it comes to lie on the
    target; pins correct it; then `transfer_skin`. Raises as `transfer_skin`.
    """
    settings, context = settings or WeightSettings(), context or JobContext()
    shares = per_vertex_shares(source.mesh, source.weights)
    key = match_key(source, target, settings)
    match = memory.get(key) if memory is not None else None
    if match is None:
        match = match_surfaces(target, target_features, source.mesh, source.features, context.span(0.0, 0.6))
        if settings.follow_bones and (shares > 0).any(axis=0).sum() > 1:  # one bone bends nothing
            with context.stage("articulation"):
                match = follow_bones(
                    source.mesh, source.features, shares, target, target_features, match, context.span(0.6, 0.8)
                )
        if memory is not None:
            memory.put(key, match)
    if pins is not None and len(pins.target):
        with context.stage("pins"):
            match = match_around_pins(source.mesh, source.features, target, target_features, match, pins)
    context.report(0.85, f"{target.name}: transferring weights")
    with context.stage("transfer"):
        skin = transfer_skin(source.mesh, source.weights, target, match, settings, source.bones)
    return skin, match


def match_key(source: SkinnedShape, target: TriangleMesh, settings: WeightSettings) -> str:
    """A hash of everything the correspondence depends on."""
    import hashlib

    digest = hashlib.blake2b(str(settings.follow_bones).encode(), digest_size=16)
    weights = source.weights if settings.follow_bones else np.zeros(0)
    for array in (source.mesh.vertices, source.mesh.faces, source.features.values, weights):
        digest.update(np.ascontiguousarray(array).tobytes())
    for array in (target.vertices, target.faces):
        digest.update(array.tobytes())
    return digest.hexdigest()


def join_shapes(shapes: list[tuple[TriangleMesh, Float32]], name: str) -> tuple[TriangleMesh, Float32]:
    """Several meshes of one character as one, and their weights (V, J) one under the other."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh, _ in shapes[:-1])])
    faces = [mesh.faces + offset for (mesh, _), offset in zip(shapes, offsets, strict=True)]
    mesh = TriangleMesh(np.concatenate([mesh.vertices for mesh, _ in shapes]), np.concatenate(faces), name)
    return mesh, np.concatenate([weights for _, weights in shapes])
