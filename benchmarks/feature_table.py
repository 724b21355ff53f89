# SPDX-License-Identifier: GPL-3.0-or-later
"""Base features, embedded features, and both refined: `python -m benchmarks.feature_table PACK… [--embedding MODEL]`.

On correspondence packs, for any backbone. *Nearest* takes the most alike vertex and nothing else; *refined* is what the
extension does: consensus of landmarks, the point inside the face, a smoothed map. `--json` and `--markdown` keep the
figures, with the commit they were made from.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np

from surface_features.benchmark import BenchmarkReport, percent, run_benchmark
from surface_features.correspondence import Correspondence, match_surfaces
from surface_features.embedding.store import find_embedding
from surface_features.features import Features
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings

CHUNK = 2048
HEAD = "| pack | features | matches | MGE×100 | median | acc@1 % | gross % | side flips % | wrong side % |"
RULE = "|---" * 9 + "|"


def match_nearest(
    source: TriangleMesh, source_features: Features, target: TriangleMesh, target_features: Features
) -> Correspondence:
    """The most alike vertex of the target by cosine, as a corner of one of its faces."""
    used, first = np.unique(target.faces.reshape(-1), return_index=True)
    goals = target_features.values[used].T
    rows = range(0, len(source.vertices), CHUNK)
    best = np.concatenate([(source_features.values[start : start + CHUNK] @ goals).argmax(axis=1) for start in rows])
    face, corner = np.divmod(first[best], 3)
    bary = np.eye(3, dtype=np.float32)[corner]
    return Correspondence(face.astype(np.int32), bary, np.ones(len(face), np.float32))


def row(report: BenchmarkReport, features: str, matches: str) -> str:
    """A line of the Markdown table."""
    scores = report.overall
    return (
        f"| {report.pack} | {features} | {matches} | {scores.mge_x100:.2f} | {scores.median_x100:.2f} "
        f"| {100 * scores.acc_at_1_percent:.1f} | {100 * scores.gross:.1f} | {percent(scores.side_flips)} "
        f"| {percent(scores.wrong_side)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare base and embedded features on correspondence packs.")
    parser.add_argument("packs", nargs="+", type=Path, metavar="PACK")
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--embedding", default="auto", metavar="MODEL", help="folder (default: the backbone's own)")
    parser.add_argument("--samples", type=int, default=200, help="points per pair, 0 for all")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    embeddings = {"base": "none", "embedded": options.embedding}
    if find_embedding(options.embedding, options.backbone) is None:
        del embeddings["embedded"]
    lines, kept = [HEAD, RULE], []
    print(HEAD, RULE, sep="\n")
    for pack in options.packs:
        for features, embedding in embeddings.items():
            settings = FeatureSettings(backbone=options.backbone, embedding=embedding)
            for matches, match in (("nearest", match_nearest), ("refined", match_surfaces)):
                report = run_benchmark(pack, settings, options.samples, JobContext(), match)
                lines.append(row(report, features, matches))
                print(lines[-1], flush=True)
                kept.append({"pack": report.pack, "features": features, "matches": matches} | asdict(report.overall))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    made_from = commit.stdout.strip()
    if options.json:
        content = {"backbone": options.backbone, "commit": made_from, "samples": options.samples, "rows": kept}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text("\n".join([*lines, "", f"Made from {made_from}."]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
