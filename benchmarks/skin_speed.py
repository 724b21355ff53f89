# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of Transfer Weights with features cached: `python -m benchmarks.skin_speed`. Idle machine, please.

A worker process of its own, as Blender uses it, on two cores; procedural humanoids in two poses.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np

from examples.characters import HumanoidSpec, build_humanoid, pose_character, random_pose
from surface_features.engine import JobRequest, SubprocessEngine
from surface_features.settings import FeatureSettings

from .speed import limit_cores, tell, tell_memory, tell_stages

RUNS = 3
# Lattice resolution, least vertices, limit in seconds.
SIZES = ((143, 20_000, 2.0), (450, 200_000, 15.0))
MEMORY_LIMIT_MB = 2048.0


def make_request(resolution: int, seed: int, cache: str) -> JobRequest:
    source = build_humanoid(HumanoidSpec(resolution=resolution))
    target = pose_character(source, random_pose(np.random.default_rng(seed), 0.6))
    arrays = {
        "source_vertices": source.vertices,
        "source_faces": source.faces,
        "source_weights": source.weights,
        "target_vertices_0": target.vertices + np.float32(0.001 * seed),
        "target_faces_0": target.faces,
    }
    params = {
        "source_name": "Source",
        "target_names": ["Target"],
        "bone_names": list(source.joints),
        "feature_settings": FeatureSettings(device="cpu").to_json(),
        "cache_folder": cache,
    }
    return JobRequest("transfer_weights", arrays, params)


def main() -> None:
    limit_cores()
    for resolution, count, limit_s in SIZES:
        engine = SubprocessEngine(sys.executable)
        try:
            with tempfile.TemporaryDirectory() as folder:
                best = None
                for seed in range(1, 1 + RUNS):
                    request = make_request(resolution, seed, folder)
                    for part in ("source", "target"):
                        suffix = "" if part == "source" else "_0"
                        engine.submit(
                            JobRequest(
                                "features",
                                {name: request.arrays[f"{part}_{name}{suffix}"] for name in ("vertices", "faces")},
                                {"settings": request.params["feature_settings"], "cache_folder": folder},
                            )
                        ).result(timeout_s=600)
                    result = engine.submit(request).result(timeout_s=600)
                    if best is None or result.info["timings"]["total"] < best.info["timings"]["total"]:
                        best = result
                assert best is not None
                vertices = len(best.arrays["weights_0"])
                tell(f"{vertices:,} vertices, of {count:,}", best.info["timings"]["total"], limit_s, "s")
                tell_stages(best.info["timings"])
            tell_memory(engine, MEMORY_LIMIT_MB)
        finally:
            engine.close()


if __name__ == "__main__":
    main()
