# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and legs told apart on packs of animals: `python -m benchmarks.animal_table PACK… --backbone DIR`.

The packs are those of `benchmarks.make_animal_pack`. A vertex of a leg counts as right where its match lies on the same
leg, in front or behind, left or right. The others lie on the body, mostly where a leg grows out of it, or on another
leg.
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
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings

HEAD = "| pack | MGE×100 | median | gross % | side flips % | wrong side % | legs right % | another leg % |"
RULE = "|---" * 8 + "|"


class LegCounter:
    """Matches as the extension does, and counts the leg vertices of the source whose match is on the same leg."""

    def __init__(self, pack: Path) -> None:
        self.pack = pack
        self.right = self.another = self.all = 0

    def __call__(
        self, source: TriangleMesh, source_features: Features, target: TriangleMesh, target_features: Features
    ) -> Correspondence:
        found = match_surfaces(source, source_features, target, target_features)
        own, other = (np.load(self.pack / f"{Path(mesh.name).stem}_legs.npy") for mesh in (source, target))
        got = other[target.faces[found.face, found.bary.argmax(axis=1)]]
        self.right += int((got == own)[own > 0].sum())
        self.another += int(((got != own) & (got > 0))[own > 0].sum())
        self.all += int((own > 0).sum())
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
