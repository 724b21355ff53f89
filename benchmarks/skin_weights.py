# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights by every method on every kind of pair, as one table: `python -m benchmarks.skin_weights --data DATA`.

Written to `--out` as Markdown and JSON. See `benchmarks/README.md` for what is measured.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surface_features.cache import FeatureCache
from surface_features.features import Features, compute_features
from surface_features.mesh import TriangleMesh
from surface_features.settings import WeightSettings
from surface_features.transfer.regression import Lesson, apply_skinning, learn_skinning
from surface_features.transfer.skinning import SkinnedShape, skin_by_matching
from training.data_folder import parse_with_data

from .skin_cases import KINDS, Case, Cast, make_cases
from .skin_metrics import METRICS, measure
from .skin_peers import automatic_weights, data_transfer, placements, robust_inpainting

CACHE_BYTES = 4 * 2**30
BY_DISTANCE = ("data transfer", "robust inpainting")
OURS = ("ours, match", "ours, regress")


class Ours:
    """Both modes, features cached: the seconds are those of the transfer."""

    def __init__(self, folder: Path) -> None:
        self._cache = FeatureCache(folder, CACHE_BYTES)

    def features(self, mesh: TriangleMesh) -> Features:
        return compute_features(mesh, cache=self._cache)

    def match(self, case: Case) -> NDArray:
        who = case.source
        source = SkinnedShape(who.mesh, self.features(who.mesh), who.weights, who.joints)
        target = case.target.mesh
        return skin_by_matching(source, target, self.features(target), WeightSettings())[0].weights

    def regress(self, case: Case) -> NDArray:
        who = case.source
        model = learn_skinning([Lesson(who.mesh, self.features(who.mesh), who.weights, who.joints)], "")
        target = case.target.mesh
        return apply_skinning(model, target, self.features(target), WeightSettings(mode="regress")).weights


def run(cases: Iterable[Case], methods: dict[str, Callable[[Case], NDArray]], ours: Ours) -> list[dict]:
    rows = []
    for case in cases:
        for mesh in (case.source.mesh, case.target.mesh):
            ours.features(mesh)
        for name, method in methods.items():
            tried = placements(case) if name in BY_DISTANCE else [case]
            figures = min((judge(one, name, method) for one in tried), key=lambda found: found["l1"])
            rows.append({"kind": case.kind, "pair": case.name, "method": name, **figures})
            told = "  ".join(f"{key} {value:.4f}" for key, value in figures.items())
            print(f"{case.kind:24s} {case.name:44s} {name:20s} {told}", flush=True)
    return rows


def judge(case: Case, name: str, method: Callable[[Case], NDArray]) -> dict[str, float]:
    """One method on one pair, and what it took."""
    begun, busy = time.perf_counter(), time.process_time()
    weights = method(case)
    seconds, processor = time.perf_counter() - begun, time.process_time() - busy
    judged = Case(case.kind, case.target, case.target) if name == "automatic weights" else case
    return {**measure(judged, weights.astype(np.float32)), "seconds": seconds, "processor_seconds": processor}


def table(rows: Sequence[dict]) -> str:
    """Means over the pairs of a kind."""
    lines = [
        "| kind | pairs | method | mean L1 | strongest bone right | posed error ÷ height | without weights | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        for method in dict.fromkeys(row["method"] for row in own):
            these = [row for row in own if row["method"] == method]
            mean = {key: float(np.mean([row[key] for row in these])) for key in METRICS}
            lines.append(
                f"| {kind} | {len(these)} | {method} | {mean['l1']:.3f} | {100 * mean['strongest']:.1f} % | "
                f"{100 * mean['posed']:.2f} % | {100 * mean['unweighted']:.1f} % | "
                f"{np.mean([row['processor_seconds'] for row in these]):.1f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Skin weights by every method on every kind of pair, as one table.")
    parser.add_argument(
        "--out", type=Path, default=Path("build/skin_weights"), help="folder of the table and the cache"
    )
    parser.add_argument("--kind", action="append", choices=KINDS, help="may be repeated; all of them when not given")
    parser.add_argument("--pairs", type=int, default=9, help="most pairs of each kind")
    options = parse_with_data(parser, "mpfb2/base.obj")
    import bpy

    from training.read_rigs import read_all

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rigs = options.out / "rigs"
    read_all(options.data, rigs)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ours = Ours(options.out / "cache")
    methods: dict[str, Callable[[Case], NDArray]] = {
        "data transfer": data_transfer,
        "automatic weights": automatic_weights,
        "robust inpainting": robust_inpainting,
        OURS[0]: ours.match,
        OURS[1]: ours.regress,
    }
    rows = run(make_cases(Cast(options.data, rigs), options.kind or KINDS, options.pairs), methods, ours)
    (options.out / "skin_weights.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (options.out / "skin_weights.md").write_text(table(rows), encoding="utf-8")
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
