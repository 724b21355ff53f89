# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks share: meshes out of a request, their features through the cache, one source and its targets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.protocol import JobRequest
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings

if TYPE_CHECKING:
    from ..cache import FeatureCache
    from ..correspondence import Correspondence
    from ..features import Features

DEFAULT_CACHE_MB = 2048.0
Answer = tuple[dict[str, np.ndarray], dict[str, Any]]


def read_mesh(request: JobRequest, prefix: str = "", suffix: str = "", name: Any = None) -> TriangleMesh:
    """The mesh in the arrays `<prefix>vertices<suffix>` and `<prefix>faces<suffix>`."""
    vertices = request.arrays[f"{prefix}vertices{suffix}"]
    faces = request.arrays[f"{prefix}faces{suffix}"]
    return TriangleMesh(vertices, faces, str(name or request.params.get("name", "Mesh")))


def compute(mesh: TriangleMesh, settings: FeatureSettings, context: JobContext, params: Mapping[str, Any]) -> Features:
    from ..features import compute_features

    context.report(0.0, f"{mesh.name}: computing features")
    return compute_features(mesh, settings, context, open_cache(params))


def match_meshes(
    source: TriangleMesh,
    source_features: Features,
    target: TriangleMesh,
    target_features: Features,
    context: JobContext,
) -> Correspondence:
    from ..correspondence import match_surfaces

    context.report(0.0, f"{source.name}: matching with {target.name}")
    with context.stage("matching"):
        return match_surfaces(source, source_features, target, target_features, context)


def open_cache(params: Mapping[str, Any]) -> FeatureCache | None:
    folder = params.get("cache_folder")
    if not folder:
        return None
    from ..cache import FeatureCache

    return FeatureCache(Path(folder), int(float(params.get("cache_size_mb", DEFAULT_CACHE_MB)) * 2**20))
