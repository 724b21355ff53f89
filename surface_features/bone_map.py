# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of one armature moves the same part of a body as each bone of another, whatever the bones are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .correspondence import Correspondence
from .errors import BadInputError
from .mesh import Float32, TriangleMesh
from .rigging import fit_joints
from .transfer.skeleton import Skeleton

NEAR = 0.05  # of the source's extent: ends of bones this near to each other are probably the same joint
LEAST_SCORE = 0.25
FORMAT = 1


@dataclass(frozen=True)
class BoneMatch:
    """target, source: bone names; source is empty for a bone that follows its parent.

    share: 0…1 of the target bone's surface that the source bone moves on the source; 1 for what a person has set.
    """

    target: str
    source: str
    share: float


def derive_bone_map(
    source: TriangleMesh,
    source_bones: Skeleton,
    source_names: Sequence[str],
    target: TriangleMesh,
    target_bones: Skeleton,
    target_names: Sequence[str],
    onto_source: Correspondence,
) -> tuple[BoneMatch, ...]:
    """The bone map; one row for each target bone that moves anything.

    A source bone is judged by how much of the target bone's surface it moves on the source, and by how near it lies to
    where the target bone's ends come to lie when they are carried into the source's body: a tunic may hang on the spine
    and cover the thighs, but the thigh bone still goes from hip to knee. onto_source: per target vertex a point of the
    source.
    """
    corners = source_bones.weights[source.faces[onto_source.face]]
    matched = np.einsum("vc,vcb->vb", onto_source.bary, corners)
    trust = onto_source.confidence.astype(np.float64)[:, None] + 1e-3
    shared = (target_bones.weights * trust).T @ matched
    total = (target_bones.weights * trust).sum(axis=0)
    carried = fit_joints(target, _ends(target_bones), target_bones.weights, source, onto_source)
    gap = np.linalg.norm(carried[:, None] - _ends(source_bones)[None], axis=3)  # (Bt, Bs, 2)
    reach = NEAR * float(np.ptp(source.vertices, axis=0).max())
    near = np.exp(-0.5 * (gap / reach) ** 2).mean(axis=2)
    share = shared / np.maximum(total, 1e-12)[:, None]
    score = np.where(source_bones.support > 0, share + near, -1.0)
    chosen = _choose(target_bones, score, gap[:, :, 0], 0.5 * reach)
    rows = []
    for index, name in enumerate(target_names):
        if target_bones.support[index] <= 0:
            continue
        best = chosen[index]
        if score[index, best] >= LEAST_SCORE:
            rows.append(BoneMatch(name, source_names[best], round(float(min(share[index, best], 1.0)), 3)))
        else:
            rows.append(BoneMatch(name, "", 0.0))
    return tuple(rows)


def _choose(bones: Skeleton, score: NDArray[np.float64], gap: NDArray[np.float64], margin: float) -> list[int]:
    """The best source bone for each target bone, from the tips inwards; (Bt,).

    A source bone that begins where a child begins is the child's: a collar bone is not the upper arm, though an arm
    without a collar bone moves its surface. gap: (Bt, Bs) how far heads lie from each other.
    """
    score = score.copy()
    chosen = [0] * len(score)
    for bone in reversed(bones.order):
        children = np.flatnonzero((bones.parents == bone) & (bones.support > 0))
        for child in children:
            taken = chosen[child]
            if gap[bone, taken] > gap[child, taken] + margin:
                score[bone, taken] = -1.0
        chosen[bone] = int(score[bone].argmax())
    return chosen


def _ends(bones: Skeleton) -> Float32:
    """(B, 2, 3) where bones begin and where the next ones do; importers draw the tails of bones as they like."""
    ends = np.stack([bones.heads, bones.tails], axis=1).astype(np.float32)
    for bone in range(len(bones.parents)):
        children = np.flatnonzero((bones.parents == bone) & (bones.support > 0))
        if len(children):
            ends[bone, 1] = bones.heads[children].mean(axis=0)
    return ends


def to_json(rows: Sequence[BoneMatch]) -> str:
    """The text of a bone map file."""
    listed = [{"target": row.target, "source": row.source, "share": row.share} for row in rows]
    return json.dumps({"format": FORMAT, "kind": "bone map", "bones": listed}, indent=1) + "\n"


def from_json(text: str, name: str) -> tuple[BoneMatch, ...]:
    """Read the text of a bone map file. name: of the file, for messages. Raises `BadInputError`."""
    try:
        content = json.loads(text)
        if content["format"] != FORMAT or content["kind"] != "bone map":
            raise KeyError("format")
        rows = [BoneMatch(str(r["target"]), str(r["source"]), float(r.get("share", 1.0))) for r in content["bones"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{name}: not a bone map. Save one with Save Bone Map and edit that.", fault="bad_bone_map"
        ) from error
    twice = {row.target for row in rows if sum(other.target == row.target for other in rows) > 1}
    if twice:
        raise BadInputError(
            f"{name}: “{min(twice)}” is listed more than once. Leave one row for each target bone.",
            fault="bad_bone_map",
        )
    return tuple(rows)
