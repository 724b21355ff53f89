# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies with a skeleton inside, shipped with the extension: what *Rig* fits where there is no rigged source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .mesh import Float32, Int32, TriangleMesh

FOLDER = Path(__file__).resolve().parent / "models" / "rig_templates"
KINDS = ("human", "quadruped")


@dataclass(frozen=True, eq=False)
class RigShape:
    """One body of a template, Z up, facing −Y, metres. ends: (B, 2, 3) bones; landmarks: (L, 3)."""

    name: str
    mesh: TriangleMesh
    ends: Float32
    landmarks: Float32

    @property
    def bones_and_landmarks(self) -> Float32:
        """(B + L, 2, 3), landmarks as bones without length."""
        return np.concatenate([self.ends, np.repeat(self.landmarks[:, None], 2, axis=1)])


@dataclass(frozen=True, eq=False)
class RigTemplate:
    """Bodies of one kind that share faces, skeleton and skin weights.

    bones: B names, parents first. parents: (B,) int32, −1 for the root. weights: (V, B) float32, rows sum to 1.
    landmarks: names of the shapes' further points. Made by `training.make_rig_templates`.
    """

    kind: str
    bones: tuple[str, ...]
    parents: Int32
    weights: Float32
    landmarks: tuple[str, ...]
    shapes: tuple[RigShape, ...]


@cache
def load_template(kind: str) -> RigTemplate:
    """kind: one of `KINDS`."""
    with np.load(FOLDER / f"{kind}.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    faces = arrays["faces"].astype(np.int32)
    shapes = tuple(
        RigShape(str(name), TriangleMesh(vertices.astype(np.float32), faces, f"{name} template"), ends, landmarks)
        for name, vertices, ends, landmarks in zip(
            arrays["shapes"], arrays["vertices"], arrays["ends"], arrays["landmark_places"], strict=True
        )
    )
    bones = tuple(arrays["bones"].tolist())
    weights = np.zeros((arrays["vertices"].shape[1], len(bones)), np.float32)
    np.put_along_axis(weights, arrays["influence"].astype(np.int64), arrays["share"].astype(np.float32), axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    landmarks = tuple(arrays["landmarks"].tolist())
    return RigTemplate(kind, bones, arrays["parents"].astype(np.int32), weights, landmarks, shapes)
