# SPDX-License-Identifier: GPL-3.0-or-later
"""Correspondence packs: pairs of meshes whose true correspondence is known.

A pack is a folder: meshes, `pack.json` {"format": 1, "name", "up": "Y"|"Z", "pairs": [[source, target, corr], …]},
and per pair an .npz: source_vertex (N,), target_face (N,), target_bary (N, 3), optionally target_mirror_vertex (N,).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .mesh import Float32, Int32, TriangleMesh


@dataclass(frozen=True, eq=False)
class Truth:
    """A pair's known correspondence: source vertex → point of the target, and its twin on the body's other side."""

    source_vertex: Int32
    target_face: Int32
    target_bary: Float32
    target_mirror_vertex: Int32 | None = None

    def take(self, rows: NDArray[np.int64]) -> Truth:
        mirror = None if self.target_mirror_vertex is None else self.target_mirror_vertex[rows]
        return Truth(self.source_vertex[rows], self.target_face[rows], self.target_bary[rows], mirror)


def read_pack(pack: Path) -> dict[str, Any]:
    """The checked content of `pack.json`. Raises `BadInputError` with fault "bad_pack"."""
    path = pack / "pack.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(
            f"{path} does not exist: name the folder of a correspondence pack.", fault="bad_pack"
        ) from error
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read: {error}.", fault="bad_pack") from error
    pairs = content.get("pairs") if isinstance(content, dict) else None
    if not isinstance(pairs, list) or not pairs or any(len(pair) != 3 for pair in pairs):
        raise BadInputError(f"{path} lists no pairs [source, target, corr].", fault="bad_pack")
    if content.get("format") != 1:
        raise BadInputError(f"{path} has format {content.get('format')!r}; format 1 can be read.", fault="bad_pack")
    if content.get("up") not in ("Y", "Z"):
        raise BadInputError(f"{path} must say which axis is up: Y or Z.", fault="bad_pack")
    return {"name": pack.name, **content}


def read_truth(path: Path, source: TriangleMesh, target: TriangleMesh) -> Truth:
    """Read and check a pair's .npz. Raises `BadInputError` with fault "bad_pack"."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        truth = Truth(
            arrays["source_vertex"].astype(np.int32),
            arrays["target_face"].astype(np.int32),
            arrays["target_bary"].astype(np.float32),
            arrays["target_mirror_vertex"].astype(np.int32) if "target_mirror_vertex" in arrays else None,
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError(f"{path} is not a pair's truth: {error}.", fault="bad_pack") from error
    limits = {"source_vertex": len(source.vertices), "target_face": len(target.faces)}
    limits |= {} if truth.target_mirror_vertex is None else {"target_mirror_vertex": len(target.vertices)}
    count = len(truth.source_vertex)
    for name, limit in limits.items():
        values = getattr(truth, name)
        if values.shape != (count,) or count == 0 or values.min() < 0 or values.max() >= limit:
            raise BadInputError(f"{path}: {name} must be {count} numbers from 0 to {limit - 1}.", fault="bad_pack")
    if truth.target_bary.shape != (count, 3):
        raise BadInputError(f"{path}: target_bary must be {count} × 3.", fault="bad_pack")
    return truth
