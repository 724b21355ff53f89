# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights for the deform bones that Rigify will generate, which cuts limbs and necks into two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .mesh import Float32
from .rig_names import name_bones

HALVED = ("upper_arm", "forearm", "thigh", "shin")
SOFTNESS = 0.15  # of the bone's length, to either side of its middle


def deform_groups(
    bones: Sequence[str], ends: Float32, vertices: Float32, weights: Float32
) -> tuple[list[str], Float32]:
    """Names of the vertex groups (`DEF-…`) and the weights (V, G) in them.

    bones, ends (B, 2, 3), weights (V, B): a fitted human template. vertices: (V, 3) in the same frame.
    """
    columns: list[np.ndarray] = []
    for number, name in enumerate(name_bones(tuple(bones), "rigify")):
        own = weights[:, number]
        second = second_half(name)
        if second is None:
            columns.append(own)
            continue
        head, along = ends[number, 0], ends[number, 1] - ends[number, 0]
        share = (vertices - head) @ along / max(float(along @ along), 1e-30)
        beyond = np.clip((share - 0.5) / (2 * SOFTNESS) + 0.5, 0, 1)
        columns += [own * (1 - beyond), own * beyond]
    return group_names(bones), np.stack(columns, axis=1).astype(np.float32)


def group_names(bones: Sequence[str]) -> list[str]:
    """Names of the vertex groups for a template's bones, a halved bone's two one after the other."""
    names = []
    for name in name_bones(tuple(bones), "rigify"):
        second = second_half(name)
        names += [f"DEF-{name}"] + ([f"DEF-{second}"] if second else [])
    return names


def second_half(name: str) -> str | None:
    """`upper_arm.L` → `upper_arm.L.001`, the neck's `spine.004` → `spine.005`; None for bones that stay whole."""
    if name == "spine.004":
        return "spine.005"
    return f"{name}.001" if name.split(".")[0] in HALVED else None
