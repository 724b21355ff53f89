# SPDX-License-Identifier: GPL-3.0-or-later
"""A skinning model as one `.safetensors` file: two tensors, and names as JSON in its header. Never pickled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..errors import BadInputError
from ..files import write_atomically
from .regression import SkinningModel

FORMAT = "1"
SUFFIX = ".safetensors"


def save_skinning_model(path: Path, model: SkinningModel) -> None:
    """Write the file, whole or not at all. Raises `BadInputError` where that cannot be done."""
    from safetensors.numpy import save

    header = {
        "kind": "skinning model",
        "format": FORMAT,
        "bones": json.dumps(list(model.bones)),
        "backbone": model.backbone,
    }
    data = save({"matrix": model.matrix, "anchors": model.anchors.astype(np.float16)}, header)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot be written ({error.strerror}). Choose another place.", fault="unwritable"
        ) from error


def load_skinning_model(path: Path) -> SkinningModel:
    """Raises `BadInputError` for a file that is missing or not a skinning model."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("kind") != "skinning model" or header.get("format") != FORMAT:
                raise ValueError("it is a file of another kind")
            matrix, anchors = file.get_tensor("matrix"), file.get_tensor("anchors")
        bones = tuple(str(name) for name in json.loads(header["bones"]))
        if matrix.ndim != 2 or matrix.shape[1] != len(bones) or anchors.shape[1:] != matrix.shape[:1]:
            raise ValueError("its tensors do not fit its bones")
        if not (np.isfinite(matrix).all() and np.isfinite(anchors).all()):
            raise ValueError("it holds values that are not numbers")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInputError(
            f"{path}: no usable skinning model: {reason}. Choose a file saved by Transfer Weights.",
            fault="bad_skinning_model",
        ) from error
    return SkinningModel(matrix.astype(np.float32), bones, anchors.astype(np.float32), header.get("backbone", ""))
