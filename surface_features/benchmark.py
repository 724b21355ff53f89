# SPDX-License-Identifier: GPL-3.0-or-later
"""How far from the truth matches are, on a correspondence pack."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .correspondence import Correspondence, match_surfaces
from .engine.memory import peak_memory_mb
from .features import Features, compute_features
from .io import read_mesh
from .mesh import Float32, Int32, TriangleMesh
from .pack import Truth, read_pack, read_truth
from .progress import JobContext
from .settings import FeatureSettings
from .surface_ruler import SurfaceRuler

Float64 = NDArray[np.float64]
Match = Callable[[TriangleMesh, Features, TriangleMesh, Features], Correspondence]
GROSS = 0.2  # of √area
CLOSE = 0.01  # of the target's largest extent
SIDED = 0.05  # of √area: a point whose twin lies nearer has hardly a side


@dataclass(frozen=True, eq=False)
class PairErrors:
    """What was measured at every sample of a pair.

    geodesic: (N,) along the target, over √area. euclidean: (N,) straight, over the target's largest extent.
    flipped: (N,) bool, nearer along the surface to the twin on the other side than to the truth; None without twins. A
    point whose twin is the vertex nearest to itself is its own twin, as far as the pack can tell, and never flipped.
    sided: (N,) bool, whether the twin lies as far from the truth as `SIDED`; None likewise.
    known: samples the pack has, of which N were measured.
    """

    source: str
    target: str
    geodesic: Float64
    euclidean: Float64
    flipped: NDArray[np.bool_] | None
    sided: NDArray[np.bool_] | None
    known: int


@dataclass(frozen=True)
class Scores:
    """mge_x100: mean geodesic error over √area, ×100; median_x100 likewise. The others are shares 0…1.

    side_flips counts all points. wrong_side counts those that lie off the body's middle (`SIDED`): on the middle, where
    twins meet, the smallest error is half the time a flip.
    """

    mge_x100: float
    median_x100: float
    acc_at_1_percent: float
    gross: float
    side_flips: float | None
    wrong_side: float | None


@dataclass(frozen=True)
class BenchmarkReport:
    """A run on one pack. seconds_per_shape: features only, by mesh file. Overall scores are over all samples alike."""

    pack: str
    settings: FeatureSettings
    overall: Scores
    pairs: tuple[dict[str, Any], ...]
    seconds_per_shape: dict[str, float]
    match_seconds: float
    peak_memory_mb: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_benchmark(
    pack: Path, settings: FeatureSettings, samples: int, context: JobContext, match: Match = match_surfaces
) -> BenchmarkReport:
    """Features of every shape once, matches of every pair, and their errors.

    samples: points measured per pair, evenly taken from those it has; 0 for all. The pack's own up axis is used.
    Raises `BadInputError` with fault "bad_pack" for a damaged pack, and what reading meshes and features raises.
    """
    content = read_pack(pack)
    settings = replace(settings, up=content["up"])
    shapes = _Shapes(pack, settings, context)
    errors, match_s = [], 0.0
    for index, (source_name, target_name, truth_name) in enumerate(content["pairs"]):
        context.report(index / len(content["pairs"]), f"{source_name} → {target_name}")
        (source, source_features), (target, target_features) = shapes.get(source_name), shapes.get(target_name)
        truth = read_truth(pack / truth_name, source, target)
        start = time.perf_counter()
        found = match(source, source_features, target, target_features)
        match_s += time.perf_counter() - start
        errors.append(measure_pair(source_name, target_name, target, found, truth, samples))
    return BenchmarkReport(
        pack=str(content["name"]),
        settings=settings,
        overall=summarise(errors),
        pairs=tuple(
            {"source": e.source, "target": e.target, "samples": len(e.geodesic), "known": e.known}
            | asdict(summarise([e]))
            for e in errors
        ),
        seconds_per_shape=shapes.seconds,
        match_seconds=match_s / len(errors),
        peak_memory_mb=peak_memory_mb(),
        warnings=tuple(context.warnings),
    )


def measure_pair(
    source_name: str, target_name: str, target: TriangleMesh, found: Correspondence, truth: Truth, samples: int
) -> PairErrors:
    """Errors of a match at up to `samples` of the truth's points (0 for all), evenly taken in their order."""
    known = len(truth.source_vertex)
    if samples and known > samples:
        truth = truth.take(np.linspace(0, known - 1, samples).round().astype(np.int64))
    face, bary = found.face[truth.source_vertex], found.bary[truth.source_vertex]
    ruler = SurfaceRuler(target)
    geodesic, to_twin = np.zeros(len(face)), np.zeros(len(face))
    for row in range(len(face)):
        distance_to = ruler.distances_from(int(face[row]), bary[row])
        geodesic[row] = distance_to(target.faces[truth.target_face[row]], truth.target_bary[row])
        if truth.target_mirror_vertex is not None:
            twin = truth.target_mirror_vertex[row]
            to_twin[row] = distance_to(np.repeat(twin, 3), np.array([1, 0, 0], np.float32))
    true_points = points_on(target, truth.target_face, truth.target_bary)
    straight = np.linalg.norm(points_on(target, face, bary) - true_points, axis=1)
    unit = np.sqrt(target.face_areas.sum(dtype=np.float64))
    flipped = sided = None
    if truth.target_mirror_vertex is not None:
        nearest = target.faces[truth.target_face, truth.target_bary.argmax(axis=1)]
        flipped = (to_twin < geodesic) & (nearest != truth.target_mirror_vertex)
        sided = np.linalg.norm(target.vertices[truth.target_mirror_vertex] - true_points, axis=1) >= SIDED * unit
    return PairErrors(
        source_name,
        target_name,
        geodesic / unit,
        straight / np.ptp(target.vertices[target.faces].reshape(-1, 3), axis=0).max(),
        flipped,
        sided,
        known,
    )


def summarise(errors: list[PairErrors]) -> Scores:
    geodesic = np.concatenate([pair.geodesic for pair in errors])
    euclidean = np.concatenate([pair.euclidean for pair in errors])
    flipped = [pair.flipped for pair in errors if pair.flipped is not None]
    off_middle = [pair.flipped[pair.sided] for pair in errors if pair.flipped is not None and pair.sided is not None]
    return Scores(
        mge_x100=100 * float(geodesic.mean()),
        median_x100=100 * float(np.median(geodesic)),
        acc_at_1_percent=float((euclidean <= CLOSE).mean()),
        gross=float((geodesic > GROSS).mean()),
        side_flips=_share(flipped),
        wrong_side=_share(off_middle),
    )


def _share(found: list[NDArray[np.bool_]]) -> float | None:
    return float(np.concatenate(found).mean()) if sum(map(len, found)) else None


def percent(share: float | None) -> str:
    """0.123 → `12.3`; a dash where nothing was measured."""
    return "–" if share is None else f"{100 * share:.1f}"


def format_table(report: BenchmarkReport) -> str:
    """The report as text: a line per pair, one for all, and what it cost."""
    rows = [(f"{p['source']} → {p['target']}", p) for p in report.pairs] + [("all", asdict(report.overall))]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'pair':{width}}  MGE×100  median  acc@1 %  gross %  side flips %  wrong side %"]
    for name, row in rows:
        flips, wrong = percent(row["side_flips"]), percent(row["wrong_side"])
        lines.append(
            f"{name:{width}}  {row['mge_x100']:7.2f}  {row['median_x100']:6.2f}  "
            f"{100 * row['acc_at_1_percent']:7.1f}  {100 * row['gross']:7.1f}  {flips:>12}  {wrong:>12}"
        )
    measured, known = sum(p["samples"] for p in report.pairs), sum(p["known"] for p in report.pairs)
    seconds = list(report.seconds_per_shape.values())
    lines += [
        "",
        f"{report.pack}: {len(report.pairs)} pairs, {measured} of {known} points measured",
        "geodesic: MGE, median, gross, side flips (nearer to the twin along the surface), wrong side (likewise, of the",
        f"points whose twin lies {SIDED:.0%} of √area away or farther); straight: acc@1 %",
        f"features {np.mean(seconds):.1f} s per shape ({min(seconds):.1f}…{max(seconds):.1f})",
        f"matching {report.match_seconds:.1f} s per pair, peak memory {report.peak_memory_mb:.0f} MiB",
    ]
    return "\n".join(lines + [f"warning: {text}" for text in report.warnings])


def points_on(mesh: TriangleMesh, face: Int32, bary: Float32) -> Float64:
    """(N, 3) positions of points inside faces."""
    return np.einsum("nc,ncd->nd", bary.astype(np.float64), mesh.vertices[mesh.faces[face]].astype(np.float64))


class _Shapes:
    """Meshes of a pack with their features, each read and computed once."""

    def __init__(self, pack: Path, settings: FeatureSettings, context: JobContext) -> None:
        self._pack, self._settings, self._context = pack, settings, context
        self._known: dict[str, tuple[TriangleMesh, Features]] = {}
        self.seconds: dict[str, float] = {}

    def get(self, name: str) -> tuple[TriangleMesh, Features]:
        if name not in self._known:
            mesh = read_mesh(self._pack / name)
            start = time.perf_counter()
            inner = JobContext(is_cancelled=self._context.is_cancelled)
            self._known[name] = mesh, compute_features(mesh, self._settings, inner)
            self.seconds[name] = time.perf_counter() - start
            for warning in inner.warnings:
                self._context.warn(f"{name}: {warning}")
        return self._known[name]
