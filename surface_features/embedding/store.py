# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained embedding as a folder: `embedding.safetensors`, and `embedding.json` with what it was trained on.

A backbone's own one lies in the folder `embedding` of its checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..backbones.backbone import choose_device
from ..backbones.checkpoint import find_checkpoint
from ..errors import BackboneError
from ..mesh import Float32
from ..parallel import each_on, parts
from .network import EmbeddingConfig, SurfaceAwareEmbedding
from .training import EmbeddingScore

FORMAT = 2
OWN = "embedding"  # folder in a backbone's checkpoint
CODE_SHARE = 0.15  # of the squared length of features with codes, that is: of their cosines
CHUNK = 4096  # vertices that are encoded at once
WEIGHTS, PROMISES = "embedding.safetensors", "embedding.json"


def save_embedding(
    folder: Path,
    network: SurfaceAwareEmbedding,
    backbone_fingerprint: str,
    score: EmbeddingScore,
    meshes: Sequence[str],
) -> None:
    """Write the folder, with the encoder in half precision. backbone_fingerprint: of the backbone it was trained on."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = network.encoder.state_dict()
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in state.items()}
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


def find_embedding(wanted: str, backbone: str) -> Path | None:
    """The folder of the embedding that `FeatureSettings.embedding` asks for; None for the features alone.

    Raises `BackboneError` where the backbone is missing.
    """
    if wanted != "auto":
        return None if wanted in ("", "none") else Path(wanted)
    own = find_checkpoint(backbone) / OWN
    return own if (own / PROMISES).exists() else None


def append_codes(folder: Path, backbone_fingerprint: str, values: Float32, device: str) -> Float32:
    """(V, D) unit features → (V, D + C) float32 unit rows: features, then codes, which weigh `CODE_SHARE` in cosines.

    Codes tell how far apart points lie, and one leg from its like; within a neighbourhood the features are more exact.
    Raises what `embed` raises.
    """
    codes = embed(folder, backbone_fingerprint, values, device)
    shares = np.sqrt(np.array([1 - CODE_SHARE, CODE_SHARE], np.float32))
    return np.hstack([shares[0] * values, shares[1] * codes])


def embed(folder: Path, backbone_fingerprint: str, values: Float32, device: str) -> Float32:
    """(V, D) unit features → (V, C) float32 unit codes.

    Raises `BackboneError` for a damaged folder, and for an embedding that was trained on another backbone's features.
    """
    network, promises = _load(folder, embedding_fingerprint(folder))
    if promises["backbone"] != backbone_fingerprint:
        raise BackboneError(
            f"Embedding {folder} was trained for another backbone: choose that one, set the embedding to automatic or "
            "train it again."
        )
    place = choose_device(device)
    network = network.to(place)

    @torch.inference_mode()
    def encode(rows: slice) -> Float32:
        return network.encode(torch.from_numpy(values[rows]).to(place)).float().cpu().numpy()

    return np.concatenate(list(each_on(place.type, encode, parts(len(values), CHUNK))))


@lru_cache(maxsize=2)
def _load(folder: Path, content: str) -> tuple[SurfaceAwareEmbedding, dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        promises = json.loads(_read(folder / PROMISES))
        network = SurfaceAwareEmbedding(EmbeddingConfig(tuple(promises["widths"])))
        stored = load_file(folder / WEIGHTS)
        network.encoder.load_state_dict({name: value.float() for name, value in stored.items()})
        return network.eval(), promises
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(f"Embedding {folder} cannot be loaded: {reason}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BackboneError(f"Embedding file {path} cannot be read: {error.strerror}.") from error
