# SPDX-License-Identifier: GPL-3.0-or-later
"""A parts model: what a few labelled meshes teach about the parts of all meshes of their kind, in one small file.

Few-shot part segmentation as in "MvDeCor" (Sharma et al. 2022, §3.3): a linear head on dense features, here on features
of faces, trained with cross-entropy on the labelled meshes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .files import write_npz
from .mesh import Float32

FORMAT = 1
SUFFIX = ".parts"
DECAY = 1e-4  # of the squared weights
SHARPNESS = 20.0  # features are unit vectors: logits need a larger scale
STEPS = 200
MOST_FACES = 40_000


@dataclass(frozen=True, eq=False)
class PartsModel:
    """names: K parts. weight: (K, D), bias: (K,) float32 of the linear head. backbone: whose features it reads."""

    names: tuple[str, ...]
    weight: Float32
    bias: Float32
    backbone: str

    def scores(self, features: Float32) -> NDArray[np.float64]:
        """(F, K) probabilities of the parts for unit features (F, D).

        Raises `BadInputError` with fault "other_features" for features of another kind.
        """
        if features.shape[1] != self.weight.shape[1]:
            raise BadInputError(
                f"The parts model was made for features of {self.weight.shape[1]} numbers, not {features.shape[1]}. "
                "Choose the backbone it was trained with, or train it again.",
                fault="other_features",
            )
        logits = SHARPNESS * (features @ self.weight.T) + self.bias
        say = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
        return say / say.sum(axis=1, keepdims=True)

    def save(self, path: Path) -> None:
        about = json.dumps({"format": FORMAT, "names": self.names, "backbone": self.backbone})
        write_npz(path, {"about": np.array(about), "weight": self.weight, "bias": self.bias})

    @classmethod
    def load(cls, path: Path, backbone: str = "") -> PartsModel:
        """backbone: fingerprint of the features it is to be used with; empty: not checked.

        Raises `BadInputError` with fault "bad_parts_model" or "other_features".
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                model = cls(tuple(about["names"]), stored["weight"], stored["bias"], str(about["backbone"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"{path}: no parts model can be read from it ({error}). Train one and choose its file.",
                fault="bad_parts_model",
            ) from error
        if backbone and model.backbone != backbone:
            raise BadInputError(
                f"{path}: this parts model was trained with another feature model. Choose that one, or train it again.",
                fault="other_features",
            )
        return model


def train_parts_model(
    features: Sequence[Float32],
    labels: Sequence[NDArray],
    areas: Sequence[NDArray],
    names: Sequence[str],
    backbone: str,
    seed: int = 0,
) -> PartsModel:
    """Fit the head to labelled meshes: features (F, D), labels (F,) with −1 for none, areas (F,) of each.

    Parts count alike however large they are, meshes too. Raises `BadInputError` with fault "no_labels".
    """
    import torch

    count = len(names)
    rows = [np.flatnonzero(label >= 0) for label in labels]
    if not any(len(row) for row in rows):
        raise BadInputError("No face of the examples has a label. Label some and run again.", fault="no_labels")
    rng = np.random.default_rng(seed)
    most = max(MOST_FACES // len(rows), 1)
    rows = [row if len(row) <= most else rng.choice(row, most, replace=False) for row in rows]
    values = torch.from_numpy(np.concatenate([f[row] for f, row in zip(features, rows, strict=True)])).float()
    wanted = np.concatenate([label[row] for label, row in zip(labels, rows, strict=True)])
    weight = np.concatenate(
        [area[row] / max(float(area[row].sum()), 1e-12) for area, row in zip(areas, rows, strict=True)]
    )
    share = np.bincount(wanted, weight, count)
    weight = weight / np.sqrt(np.maximum(share[wanted], 1e-9))
    say, goal = torch.from_numpy(weight / weight.sum()).float(), torch.from_numpy(wanted.astype(np.int64))
    head = torch.zeros(count, values.shape[1], requires_grad=True)
    bias = torch.zeros(count, requires_grad=True)
    optimiser = torch.optim.LBFGS([head, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = SHARPNESS * values @ head.T + bias
        error = (say * torch.nn.functional.cross_entropy(logits, goal, reduction="none")).sum()
        error = error + DECAY * (head**2).sum()
        error.backward()
        return error

    optimiser.step(loss)
    return PartsModel(tuple(names), head.detach().numpy(), bias.detach().numpy(), backbone)
