# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of poses and clips with features cached: `python -m benchmarks.pose_speed`. Idle machine, please.

A worker process of its own, as Blender uses it, on two cores; procedural humanoids of two builds.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np

from examples.characters import HumanoidSpec, build_humanoid, pose_character, random_pose, walk_cycle
from examples.skeleton import Character, joint_transforms
from surface_features.engine import JobRequest, SubprocessEngine
from surface_features.settings import FeatureSettings

from .skin_speed import MEMORY_LIMIT_MB
from .speed import RESOLUTIONS, limit_cores, tell, tell_memory, tell_stages

FRAMES = 100
POSE_S, KEY_S, LARGE_KEY_S, CLIP_S = 3.0, 4.0, 20.0, 30.0


def bone_arrays(character: Character, suffix: str) -> dict[str, np.ndarray]:
    """A character's bones as the tasks read them, free to turn anywhere."""
    count = len(character.joints)
    arrays = {
        "heads": character.bones[:, 0],
        "tails": character.bones[:, 1],
        "parents": character.parents,
        "weights": character.weights,
        "movable": np.ones(count, bool),
        "limits": np.tile([-np.inf, np.inf], (count, 3, 1)),
        "axes": np.tile(np.eye(3), (count, 1, 1)),
    }
    return {f"bone_{name}_{suffix}": np.asarray(array) for name, array in arrays.items()}


def make_request(task: str, source: Character, target: Character, folder: str, *, bones: bool) -> JobRequest:
    arrays = {"source_vertices": source.vertices, "source_faces": source.faces}
    arrays |= {"target_vertices_0": target.vertices, "target_faces_0": target.faces}
    if bones:
        arrays |= bone_arrays(target, "0")
    if task == "transfer_pose":
        pose = random_pose(np.random.default_rng(0), 0.6)
        arrays["source_posed"] = pose_character(source, pose).vertices
    else:
        arrays |= bone_arrays(source, "source")
        steps = np.stack([joint_transforms(source, walk_cycle(frame / 25)) for frame in range(FRAMES)])
        arrays["source_turns"] = steps[:, :, :, :3]
        heads = source.bones[:, 0]
        arrays["source_heads"] = np.einsum("fjab,jb->fja", steps[:, :, :, :3], heads) + steps[:, :, :, 3]
    settings = FeatureSettings(device="cpu").to_json()
    params = {"source_name": "Source", "target_names": ["Target"], "feature_settings": settings, "cache_folder": folder}
    return JobRequest(task, arrays, params)


def main() -> None:
    limit_cores()
    cases = (
        ("transfer_pose", 10_000, True, "a pose to bones", POSE_S),
        ("transfer_pose", 10_000, False, "a pose to a shape key", KEY_S),
        ("transfer_motion", 10_000, True, f"{FRAMES} frames", CLIP_S),
        ("transfer_pose", 100_000, False, "a pose to a shape key", LARGE_KEY_S),
    )
    engine = SubprocessEngine(sys.executable)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for task, vertices, bones, name, limit_s in cases:
                source = build_humanoid(HumanoidSpec(resolution=RESOLUTIONS[10_000]))
                target = build_humanoid(HumanoidSpec(resolution=RESOLUTIONS[vertices], height=1.5, belly=0.4))
                request = make_request(task, source, target, folder, bones=bones)
                engine.submit(request).result(timeout_s=600)  # computes the features and keeps them
                result = engine.submit(request).result(timeout_s=600)
                tell(f"{len(target.vertices):,} vertices, {name}", result.info["timings"]["total"], limit_s, "s")
                tell_stages(result.info["timings"])
        tell_memory(engine, MEMORY_LIMIT_MB)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
