# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of features on two cores: `python -m benchmarks.speed`. Idle machine, please.

A worker process of its own, as Blender uses it; 24 views; humanoids of 10,000 and 100,000 vertices.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from examples.characters import HumanoidSpec, build_humanoid, pose_character, random_pose
from surface_features.engine import JobRequest, JobResult, SubprocessEngine
from surface_features.mesh import TriangleMesh
from surface_features.settings import FeatureSettings

CORES = 2
RUNS = 3
READY_LIMIT_S, CACHED_LIMIT_S, MEMORY_LIMIT_MB = 3.0, 0.05, 2560
RESOLUTIONS = {10_000: 101, 100_000: 318}
LIMITS_S = {10_000: 3.0, 100_000: 8.0}


def make_mesh(vertices: int, seed: int) -> TriangleMesh:
    """A posed humanoid of about so many vertices; another pose for every seed, so that nothing can be remembered."""
    character = build_humanoid(HumanoidSpec(resolution=RESOLUTIONS[vertices]))
    posed = pose_character(character, random_pose(np.random.default_rng(seed), 0.6))
    return TriangleMesh(posed.vertices, posed.faces, f"Humanoid {vertices}")


def timed(engine: SubprocessEngine, mesh: TriangleMesh, cache_folder: str = "") -> tuple[float, JobResult]:
    """Seconds from submitting to having the result, and the result."""
    settings = FeatureSettings(views=24, device="cpu").to_json()
    request = JobRequest(
        "features",
        {"vertices": mesh.vertices, "faces": mesh.faces},
        {"name": mesh.name, "settings": settings, "cache_folder": cache_folder},
    )
    start = time.perf_counter()
    result = engine.submit(request).result(timeout_s=300)
    assert len(result.arrays["features"]) == len(mesh.vertices)
    return time.perf_counter() - start, result


def tell(label: str, value: float, limit: float, unit: str) -> None:
    verdict = "ok" if value <= limit else "OVER"
    print(f"{label:32s}{value:10,.2f} {unit:3s} limit {limit:8,.2f} {unit:3s} {verdict}", flush=True)


def tell_memory(engine: SubprocessEngine, limit_mb: float) -> None:
    """The most memory the worker ever had."""
    peak = engine.submit(JobRequest("ping")).result().info["peak_memory_mb"]
    tell("the worker's peak memory", float(peak), limit_mb, "MB")


def tell_stages(timings: Mapping[str, Any]) -> None:
    for stage, seconds in timings.items():
        if stage != "total":
            print(f"    {stage:28s}{float(seconds):10.2f} s")


def limit_cores() -> None:
    """Keep this process, and the workers it starts, to two cores where the system lets it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    os.environ["OMP_NUM_THREADS"] = str(CORES)


def main() -> None:
    limit_cores()

    start = time.perf_counter()
    engine = SubprocessEngine(sys.executable)
    try:
        engine.submit(JobRequest("ping")).result(timeout_s=120)
        tell("worker ready", time.perf_counter() - start, READY_LIMIT_S, "s")
        first, _ = timed(engine, make_mesh(10_000, 0))
        print(f"{'first mesh, model loaded with it':32s}{first:10,.2f} s")
        for vertices, limit_s in LIMITS_S.items():
            runs = [timed(engine, make_mesh(vertices, seed)) for seed in range(1, 1 + RUNS)]
            middle = statistics.median(seconds for seconds, _ in runs)
            count = len(runs[0][1].arrays["features"])
            tell(f"{count:,} vertices, median of {RUNS}", middle, limit_s, "s")
            tell_stages(min(runs, key=lambda run: abs(run[0] - middle))[1].info["timings"])
        with tempfile.TemporaryDirectory() as folder:
            mesh = make_mesh(10_000, 1)
            timed(engine, mesh, folder)
            tell(
                "10,000 vertices, cached", min(timed(engine, mesh, folder)[0] for _ in range(RUNS)), CACHED_LIMIT_S, "s"
            )
        tell_memory(engine, MEMORY_LIMIT_MB)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
