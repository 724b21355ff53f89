# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and legs told apart on packs of animals: `python -m benchmarks.animal_table PACK… --backbone DIR`.

The packs are those of `benchmarks.make_animal_pack`. Counted are the pack's points that lie on a leg of the source and
belong on a leg of the target: right where the match lies on the same leg, in front or behind, left or right. The others
lie on the body, mostly where a leg grows out of it, or on another leg.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from surface_features.benchmark import percent, run_benchmark
from surface_features.correspondence import Correspondence, match_surfaces
from surface_features.features import Features
from surface_features.mesh import TriangleMesh
from surface_features.pack import read_pack, read_truth
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings

HEAD = "| pack | MGE×100 | median | gross % | side flips % | wrong side % | legs right % | another leg % |"
RULE = "|---" * 8 + "|"


class LegCounter:
    """Matches as the extension does, and counts the points on the source's legs whose match is on the same leg."""

    def __init__(self, pack: Path) -> None:
        self.pack = pack
        pairs = read_pack(pack)["pairs"]
        self.truth = {(Path(source).stem, Path(target).stem): pack / truth for source, target, truth in pairs}
        self.right = self.another = self.all = 0

    def __call__(
        self, source: TriangleMesh, source_features: Features, target: TriangleMesh, target_features: Features
    ) -> Correspondence:
        found = match_surfaces(source, source_features, target, target_features)
        names = Path(source.name).stem, Path(target.name).stem
        own, other = (np.load(self.pack / f"{name}_legs.npy") for name in names)
        truth = read_truth(self.truth[names], source, target)
        wanted = other[target.faces[truth.target_face, truth.target_bary.argmax(axis=1)]]
        face, bary = found.face[truth.source_vertex], found.bary[truth.source_vertex]
        got = other[target.faces[face, bary.argmax(axis=1)]]
        on_leg = (wanted > 0) & (own[truth.source_vertex] > 0)
        self.right += int((got == wanted)[on_leg].sum())
        self.another += int(((got != wanted) & (got > 0))[on_leg].sum())
        self.all += int(on_leg.sum())
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure matches between animals.")
    parser.add_argument("packs", nargs="+", type=Path, metavar="PACK")
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--samples", type=int, default=100, help="points per pair, 0 for all")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    print(HEAD, RULE, sep="\n")
    for pack in options.packs:
        counter = LegCounter(pack)
        report = run_benchmark(pack, FeatureSettings(backbone=options.backbone), options.samples, JobContext(), counter)
        scores = report.overall
        legs, another = counter.right / max(counter.all, 1), counter.another / max(counter.all, 1)
        rows.append({"pack": report.pack, "legs": legs, "another_leg": another, **asdict(scores)})
        print(
            f"| {report.pack} | {scores.mge_x100:.2f} | {scores.median_x100:.2f} | {100 * scores.gross:.1f} "
            f"| {percent(scores.side_flips)} | {percent(scores.wrong_side)} "
            f"| {100 * legs:.1f} | {100 * another:.1f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({"backbone": options.backbone, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
