# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of one armature moves the same part of a body as each bone of another, whatever the bones are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .correspondence import Correspondence
from .errors import BadInputError
from .mesh import Float32, TriangleMesh

LEAST_SHARE = 0.2  # of a bone's surface: what its source bone must at least move
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
    source_weights: Float32,
    source_bones: Sequence[str],
    target_weights: Float32,
    target_bones: Sequence[str],
    onto_source: Correspondence,
) -> tuple[BoneMatch, ...]:
    """The bone map, by where bones sit on the two meshes; one row for each target bone that moves anything.

    source_weights: (Vs, Bs), target_weights: (Vt, Bt) skin weights. onto_source: per target vertex a point of the
    source.
    """
    corners = source_weights[source.faces[onto_source.face]]
    matched = np.einsum("vc,vcb->vb", onto_source.bary, corners)
    trust = onto_source.confidence.astype(np.float64)[:, None]
    shared = (target_weights * trust).T @ matched
    total = (target_weights * trust).sum(axis=0)
    rows = []
    for index, name in enumerate(target_bones):
        if target_weights[:, index].sum() <= 0:
            continue
        share = shared[index] / max(float(total[index]), 1e-12)
        best = int(share.argmax())
        found = share[best] >= LEAST_SHARE
        rows.append(
            BoneMatch(name, source_bones[best] if found else "", round(float(share[best]), 3) if found else 0.0)
        )
    return tuple(rows)


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
