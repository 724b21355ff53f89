# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained embedding as a folder: `embedding.safetensors`, and `embedding.json` with what it was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..backbones.backbone import choose_device
from ..errors import BackboneError
from ..mesh import Float32
from .network import EmbeddingConfig, SurfaceAwareEmbedding
from .training import EmbeddingScore

FORMAT = 1
WEIGHTS, PROMISES = "embedding.safetensors", "embedding.json"


def save_embedding(
    folder: Path,
    network: SurfaceAwareEmbedding,
    backbone_fingerprint: str,
    score: EmbeddingScore,
    meshes: Sequence[str],
) -> None:
    """Write the folder. backbone_fingerprint: of the backbone whose features it was trained on."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    partial = folder / f".{WEIGHTS}.partial"
    save_file(tensors, partial)
    partial.replace(folder / WEIGHTS)
    promises = {
        "format": FORMAT,
        "widths": list(network.config.widths),
        "backbone": backbone_fingerprint,
        "held_out": asdict(score),
        "meshes": list(meshes),
    }
    (folder / PROMISES).write_text(json.dumps(promises, indent=1) + "\n", encoding="utf-8")


def embedding_fingerprint(folder: Path) -> str:
    """Hash of what changes its results; part of the cache key. Raises `BackboneError` where it is not an embedding."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, PROMISES):
        digest.update(_read(folder / name))
    return digest.hexdigest()


def embed(folder: Path, backbone_fingerprint: str, values: Float32, device: str) -> Float32:
    """(V, D) unit features → (V, C) float32 unit codes.

    Raises `BackboneError` for a damaged folder, and for an embedding that was trained on another backbone's features.
    """
    network, promises = _load(folder, embedding_fingerprint(folder))
    if promises["backbone"] != backbone_fingerprint:
        raise BackboneError(
            f"Embedding {folder} was trained for another backbone: choose that backbone, or train the embedding again."
        )
    place = choose_device(device)
    network = network.to(place)
    with torch.inference_mode():
        codes: Float32 = network.encode(torch.from_numpy(values).to(place)).float().cpu().numpy()
    return codes


@lru_cache(maxsize=2)
def _load(folder: Path, content: str) -> tuple[SurfaceAwareEmbedding, dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        promises = json.loads(_read(folder / PROMISES))
        network = SurfaceAwareEmbedding(EmbeddingConfig(tuple(promises["widths"])))
        network.load_state_dict(load_file(folder / WEIGHTS))
        return network.eval(), promises
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(f"Embedding {folder} cannot be loaded: {reason}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BackboneError(f"Embedding file {path} cannot be read: {error.strerror}.") from error
