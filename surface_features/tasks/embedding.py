# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that trains an embedding."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ..engine.protocol import JobRequest
from ..progress import JobContext
from ..settings import FeatureSettings
from .common import Answer, open_cache, read_mesh


def train_embedding(request: JobRequest, context: JobContext) -> Answer:
    """Train a surface-aware embedding on several meshes and leave it in a folder.

    arrays: vertices_0, faces_0, vertices_1… params: names, settings, steps, folder. info: base, embedded (see
    `embedding.training.EmbeddingScore`).
    """
    from ..embedding.run import run_training

    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    meshes = [read_mesh(request, "", f"_{index}", name) for index, name in enumerate(request.params["names"])]
    folder = Path(str(request.params["folder"]))
    score = run_training(meshes, settings, folder, int(request.params["steps"]), context, open_cache(request.params))
    return {}, asdict(score)
