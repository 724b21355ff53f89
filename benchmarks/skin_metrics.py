# SPDX-License-Identifier: GPL-3.0-or-later
"""How far transferred skin weights are from the true ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .skin_cases import Case, shared_regions, skin, to_regions

METRICS = ("l1", "strongest", "posed", "unweighted")


def measure(case: Case, weights: NDArray) -> dict[str, float]:
    """weights: (Vt, Js) of the source's joints on the target's vertices, rows sum to 1 or, where there are none, to 0.

    l1: mean Σ|w − true| per vertex, 0…2. strongest: share whose strongest bone is right. posed: mean distance between
    a vertex deformed by these weights and by the true ones over the test poses, ÷ height. unweighted: share of vertices
    without weights. Vertices that truly belong to a joint the source's set does not know are left out.
    """
    here, there, count = shared_regions(case.source, case.target)
    found, true = to_regions(weights, here, count), to_regions(case.target.weights, there, count)
    judged = true.sum(axis=1) > 0.5
    found, true = found[judged], true[judged] / true[judged].sum(axis=1, keepdims=True)
    vertices = case.target.mesh.vertices[judged]
    strength = case.target.weights.sum(axis=0)
    main = [max((j for j, r in enumerate(there) if r == region), key=lambda j: strength[j]) for region in range(count)]
    total = found.sum(axis=1, keepdims=True)
    whole = np.divide(found, total, out=np.zeros_like(found), where=total > 1e-6)
    errors = []
    for pose in case.target.poses:
        transforms = pose[main]
        moved = skin(vertices, whole, transforms)
        moved[total[:, 0] <= 1e-6] = vertices[total[:, 0] <= 1e-6]  # what no bone moves stays behind
        errors.append(np.linalg.norm(moved - skin(vertices, true, transforms), axis=1).mean())
    height = float(np.ptp(case.target.mesh.vertices[:, 2]))
    return {
        "l1": float(np.abs(found - true).sum(axis=1).mean()),
        "strongest": float((found.argmax(axis=1) == true.argmax(axis=1))[total[:, 0] > 1e-6].sum() / len(found)),
        "posed": float(np.mean(errors) / max(height, 1e-9)),
        "unweighted": float((weights.sum(axis=1) <= 1e-6).mean()),
    }
