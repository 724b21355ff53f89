# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine can be asked for, by name: arrays and JSON in, arrays and JSON out.

Every task that computes features understands the parameters `cache_folder` (absent or empty: no cache) and
`cache_size_mb`. A task takes its cancel requests between and inside its stages, through the context. Imports of heavy
libraries stay inside the functions: what the engine can do is known before torch is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..engine.protocol import JobRequest, JobResult
from ..errors import EngineError
from ..progress import JobContext
from .attributes import transfer_attributes
from .common import DEFAULT_CACHE_MB, Answer
from .embedding import train_embedding
from .engine import ping
from .keypoints import transfer_keypoints
from .parts import segment_parts, train_parts
from .picture import paint_from_picture, picture_points
from .pose import bone_map, transfer_motion, transfer_pose
from .rigging import rig_preset
from .shape_keys import transfer_shape_keys
from .skinning import rig, transfer_weights
from .surfaces import check, features, match, show_features
from .texture import transfer_texture

__all__ = ["DEFAULT_CACHE_MB", "TASKS", "run_task"]

Task = Callable[[JobRequest, JobContext], Answer]

TASKS: Mapping[str, Task] = {
    "ping": ping,
    "check": check,
    "features": features,
    "show_features": show_features,
    "match": match,
    "transfer_weights": transfer_weights,
    "rig": rig,
    "transfer_texture": transfer_texture,
    "paint_from_picture": paint_from_picture,
    "picture_points": picture_points,
    "rig_preset": rig_preset,
    "transfer_pose": transfer_pose,
    "transfer_motion": transfer_motion,
    "bone_map": bone_map,
    "train_embedding": train_embedding,
    "segment_parts": segment_parts,
    "train_parts": train_parts,
    "transfer_attributes": transfer_attributes,
    "transfer_keypoints": transfer_keypoints,
    "transfer_shape_keys": transfer_shape_keys,
}


def run_task(request: JobRequest, context: JobContext) -> JobResult:
    """Run one task to its end.

    `info["warnings"]` and `info["timings"]` (seconds by stage, with ``"total"``) are added to what it returns.
    Raises `BadInputError` for input it refuses, `JobCancelled`, and `EngineError` for an unknown task.
    """
    task = TASKS.get(request.task)
    if task is None:
        raise EngineError(f"Unknown task “{request.task}”: the engine and the extension are of different versions.")
    start = time.perf_counter()
    context.report(0.0, "Starting")
    arrays, info = task(request, context)
    context.report(1.0, "Done")
    timings = {**context.timings, "total": time.perf_counter() - start}
    return JobResult(arrays, {**info, "warnings": list(context.warnings), "timings": timings})
