# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw characters and look at them: `python -m training.prepare_characters --data DIR --scratch DIR`.

The part of `training.lift_characters` that needs no backbone, for many cores to do while a GPU trains it, or to do once
for several backbones. It needs 15 MB of disk per character; without it `lift_characters` does the same by itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from surface_features.errors import BadInputError
from surface_features.files import write_npz
from surface_features.geometry.landmarks import place_landmarks
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight
from surface_features.sight import Observer
from surface_features.views.details import spot_vertices
from surface_features.views.looks import place_looks
from surface_features.views.render import Raycaster

from .animal_specs import SPECIES
from .data_folder import FIRST_HELD_OUT_SEED
from .render_shards import CLOSE_UP_ZOOM, DETAIL_ZOOM, FORMAT, GRID, WITHOUT, CharacterSource, pack_images

LANDMARKS, DETAIL_LANDMARKS, OTHERS = 768, 384, 4096
DETAIL_SHARE = 0.5  # of the points drawn from everywhere, so many more are drawn from details
FIRST_SEED = 500_000  # apart from the backbone's characters: their features are better than a stranger's
COUNTS = {
    "people": 640, "procedural": 160, "chibi": 160, "animals": 320, "objects": 64, "men": 96, "kaykit": 64,
    "beasts": 128, "remeshed": 160, "crossed": 96, "fused": 160, "pierced": 96,
    "robed": 192, "squat": 96, "figures": 192, "critters": 128, "cut": 256,
}  # fmt: skip
Job = tuple[Path, Path, str, int]  # data, scratch, kind, seed


@dataclass(frozen=True, eq=False)
class Prepared:
    """What of a character does not depend on the backbone.

    surface: the proxy, V vertices. pictures: one (N, S, S, 4) uint8 per look, see `training.render_shards`. readings:
    one (V, N·G·G) per look, see `surface_features.lifting.read_cells`. beneath: likewise, of those looks that show
    something without what covers it. detailed: whether the last look shows details.
    rows: (P,) vertices of the points. points: the arrays of the character's file that are known without features.
    """

    surface: TriangleMesh
    pictures: Sequence[np.ndarray]
    readings: Sequence[csr_array]
    beneath: dict[int, csr_array]
    detailed: bool
    rows: np.ndarray
    points: dict[str, np.ndarray]

    def save(self, path: Path) -> None:
        arrays = {f"point {name}": array for name, array in self.points.items()}
        arrays |= {"vertices": self.surface.vertices, "faces": self.surface.faces, "rows": self.rows}
        arrays["detailed"] = np.array(self.detailed)
        for look, (pictures, reading) in enumerate(zip(self.pictures, self.readings, strict=True)):
            arrays |= {f"pictures {look}": pictures} | _to_arrays(f"{look}", reading)
        for look, reading in self.beneath.items():
            arrays |= _to_arrays(f"beneath {look}", reading)
        write_npz(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Prepared:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        surface = TriangleMesh(arrays["vertices"], arrays["faces"])
        looks = range(sum(name.startswith("pictures ") for name in arrays))
        pictures = [arrays[f"pictures {look}"] for look in looks]
        sizes = [(len(surface.vertices), len(shown) * GRID * GRID) for shown in pictures]
        readings = [_from_arrays(arrays, f"{look}", sizes[look]) for look in looks]
        covered = [look for look in looks if f"data beneath {look}" in arrays]
        beneath = {look: _from_arrays(arrays, f"beneath {look}", sizes[look]) for look in covered}
        points = {name.removeprefix("point "): array for name, array in arrays.items() if name.startswith("point ")}
        return cls(surface, pictures, readings, beneath, bool(arrays["detailed"]), arrays["rows"], points)


def _to_arrays(name: str, reading: csr_array) -> dict[str, np.ndarray]:
    names = (f"data {name}", f"columns {name}", f"starts {name}")
    return dict(zip(names, (reading.data.astype(np.float16), reading.indices, reading.indptr), strict=True))


def _from_arrays(arrays: dict[str, np.ndarray], name: str, shape: tuple[int, int]) -> csr_array:
    data = arrays[f"data {name}"].astype(np.float32)
    return csr_array((data, arrays[f"columns {name}"], arrays[f"starts {name}"]), shape=shape)


def prepare(source: CharacterSource, kind: str, seed: int) -> Prepared | None:
    """Draw a character and look at it as inference does; None where it has no surface."""
    rng = np.random.default_rng([seed, 0])
    drawn = source.sample(kind, rng)
    labels = np.full_like(drawn.labels, -1) if kind == "objects" else drawn.labels  # an object's are its own
    views = int(rng.choice([12, 16, 24]))
    try:
        checked = preflight(TriangleMesh(drawn.vertices, drawn.faces))
    except BadInputError:
        return None
    proxy = checked.proxy
    raycaster = Raycaster(proxy)
    looks = place_looks(raycaster, proxy, views, CLOSE_UP_ZOOM, DETAIL_ZOOM)
    pictures, readings, beneath = [], [], {}
    observer = Observer(raycaster, proxy, looks, FORMAT)
    for number in range(len(looks.cameras)):
        sight = observer.look(number)
        pictures.append(pack_images(sight.views))
        readings.append(sight.reading)
        if sight.beneath is not None:
            beneath[number] = sight.beneath
    rows, points = sample_points(proxy, spot_vertices(looks.spots), labels[checked.artist_vertex], source, rng)
    return Prepared(proxy, pictures, readings, beneath, bool(looks.spots), rows, points)


def sample_points(
    proxy: TriangleMesh, details: np.ndarray, labels: np.ndarray, source: CharacterSource, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(P,) vertices of the proxy, and what its file says of them besides features."""
    seed = int(rng.integers(2**31))
    landmarks = place_landmarks(proxy, LANDMARKS, seed, details=details, more=DETAIL_LANDMARKS)
    area = proxy.vertex_areas
    chance = area / area.sum()
    chance[details] += DETAIL_SHARE * chance[details] / max(float(chance[details].sum()), 1e-9)
    drawn = rng.choice(len(area), OTHERS, p=chance / chance.sum())
    rows = np.concatenate([landmarks.vertices, drawn])
    places, mirror = source.template_places, source.template_mirror
    labels = labels[rows]
    known = np.flatnonzero(labels >= 0)
    twins = np.arange(len(rows))
    if len(known):
        twins[known] = known[cKDTree(places[labels[known]]).query(places[mirror[labels[known]]])[1]]
    return rows, {
        "nearest": landmarks.nearest[rows].astype(np.int16),
        "distances": landmarks.distances.astype(np.float16),
        "labels": labels.astype(np.int16),
        "twins": twins.astype(np.int16),
        "evenly": np.array(min(LANDMARKS, len(landmarks.vertices))),
    }


@lru_cache(maxsize=1)
def load_source(data: Path, rigs: Path) -> CharacterSource:
    """One per process."""
    return CharacterSource(data, rigs)


def prepare_character(job: Job) -> None:
    """Write one character; an existing file is kept, a character without a surface is left out."""
    data, scratch, kind, seed = job
    target = scratch / "prepared" / f"{kind}_{seed:06d}.npz"
    if target.exists():
        return
    prepared = prepare(load_source(data, scratch / "rigs"), kind, seed)
    if prepared is not None:
        prepared.save(target)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is drawn, and by how many processes."""
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    for kind, count in COUNTS.items():
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--first", type=int, default=0, help="characters are numbered from here")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--without", nargs="*", default=[], choices=SPECIES, help="species kept for testing")


def run_jobs(work: Callable[[Job], None], options: argparse.Namespace, folder: str) -> None:
    """`work` on every character the options ask for, in processes of their own; the results lie in `folder`.

    Ends the program with a sentence where a seed would be one of those that are kept for measuring.
    """
    last_first = FIRST_HELD_OUT_SEED - FIRST_SEED - max(getattr(options, kind) for kind in CharacterSource.KINDS)
    if options.first > last_first:
        sys.exit(f"Seeds from {FIRST_HELD_OUT_SEED:,} on are for benchmarks: --first {last_first} at most.")
    os.environ[WITHOUT] = " ".join(options.without)
    (options.scratch / folder).mkdir(parents=True, exist_ok=True)
    jobs = [
        (options.data, options.scratch, kind, FIRST_SEED + options.first + number)
        for kind in CharacterSource.KINDS
        for number in range(getattr(options, kind))
    ]
    one_thread = (1,)  # each, for there are as many processes as cores
    with multiprocessing.get_context("spawn").Pool(options.processes, torch.set_num_threads, one_thread) as pool:
        for done, _ in enumerate(pool.imap_unordered(work, jobs, chunksize=4), 1):
            if done % 50 == 0 or done == len(jobs):
                print(f"{done}/{len(jobs)} characters", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw characters and look at them.")
    parser.add_argument("--scratch", type=Path, required=True)
    add_options(parser)
    run_jobs(prepare_character, parser.parse_args(), "prepared")


if __name__ == "__main__":
    main()
