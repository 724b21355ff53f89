# SPDX-License-Identifier: GPL-3.0-or-later
"""Lift the trained backbone's features onto characters: `python -m training.lift_characters --data DIR --scratch DIR`.

What `training.train_surface` learns from. One .npz per character, named by kind and seed, with P points, of which the
first L are landmarks (`surface_features.geometry.landmarks`), those on details (`surface_features.views.details`) last,
and the others are drawn by area, some from everywhere and some from the details:

    features (P, levels · D), confidence (P,), positions (P, 3), normals (P, 3) float16: what the network will be told
    nearest (P,) int16, each point's landmark     distances (L, L) float16
    labels (P,) int16, the template vertex (−1 unknown)     twins (P,) int16, the point nearest to its twin's place
    evenly () int64, how many of the landmarks are spread over everything
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from surface_features.errors import BadInputError
from surface_features.features import compute_features
from surface_features.geometry.landmarks import place_landmarks
from surface_features.lifting import Lifted
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight
from surface_features.refinement import describe_points
from surface_features.settings import FeatureSettings
from surface_features.views.details import find_spots, spot_vertices

from .export import export_backbone
from .quadrupeds import SPECIES
from .render_shards import DETAIL_ZOOM, WITHOUT, CharacterSource

LANDMARKS, DETAIL_LANDMARKS, OTHERS = 1024, 512, 4096
DETAIL_SHARE = 0.5  # of the points drawn from everywhere, so many more are drawn from details
FIRST_SEED = 500_000  # apart from the backbone's characters: their features are better than a stranger's


@lru_cache(maxsize=1)
def _source(data: Path, rigs: Path) -> CharacterSource:
    torch.set_num_threads(1)
    return CharacterSource(data, rigs)


def lift_character(job: tuple[Path, Path, str, int]) -> None:
    """Write the points of one character; an existing file is kept, a character without a surface is left out."""
    data, scratch, kind, seed = job
    target = scratch / "lifted" / f"{kind}_{seed:06d}.npz"
    if target.exists():
        return
    source, rng = _source(data, scratch / "rigs"), np.random.default_rng([seed, 0])
    drawn = source.sample(kind, rng)
    mesh = TriangleMesh(drawn.vertices, drawn.faces)
    labels = np.full_like(drawn.labels, -1) if kind == "objects" else drawn.labels  # an object's are its own
    settings = FeatureSettings(backbone=str(scratch / "backbone"), views=int(rng.choice([12, 16, 24])), device="cpu")
    try:
        checked = preflight(mesh)
        found = compute_features(mesh, settings)
    except BadInputError:
        return
    proxy, artist = checked.proxy, checked.artist_vertex
    lifted = Lifted(found.values[artist], found.confidence[artist])
    points = sample_points(proxy, lifted, labels[artist], source, rng)
    partial = target.with_name(f".{target.stem}.partial.npz")
    np.savez(partial, **points)
    partial.rename(target)


def sample_points(
    proxy: TriangleMesh, lifted: Lifted, labels: np.ndarray, source: CharacterSource, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The arrays of one character's file."""
    details = spot_vertices(find_spots(proxy, DETAIL_ZOOM))
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
    features, confidence, positions, normals = (part[rows] for part in describe_points(proxy, lifted))
    return {
        "features": features.astype(np.float16),
        "confidence": confidence.astype(np.float16),
        "positions": positions.astype(np.float16),
        "normals": normals.astype(np.float16),
        "nearest": landmarks.nearest[rows].astype(np.int16),
        "distances": landmarks.distances.astype(np.float16),
        "labels": labels.astype(np.int16),
        "twins": twins.astype(np.int16),
        "evenly": np.array(min(LANDMARKS, len(landmarks.vertices))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Lift the trained backbone's features onto characters.")
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    parser.add_argument("--scratch", type=Path, required=True, help="where training.train_backbone left its checkpoint")
    parser.add_argument("--people", type=int, default=640)
    parser.add_argument("--procedural", type=int, default=160)
    parser.add_argument("--chibi", type=int, default=160)
    parser.add_argument("--animals", type=int, default=320)
    parser.add_argument("--objects", type=int, default=64)
    parser.add_argument("--men", type=int, default=96)
    parser.add_argument("--kaykit", type=int, default=64)
    parser.add_argument("--beasts", type=int, default=128)
    parser.add_argument("--remeshed", type=int, default=160)
    parser.add_argument("--first", type=int, default=0, help="characters are numbered from here")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--without", nargs="*", default=[], choices=SPECIES, help="species kept for testing")
    options = parser.parse_args()
    os.environ[WITHOUT] = " ".join(options.without)
    export_backbone(options.scratch / "checkpoint.pt", options.scratch / "backbone")
    (options.scratch / "lifted").mkdir(parents=True, exist_ok=True)
    jobs = [
        (options.data, options.scratch, kind, FIRST_SEED + options.first + number)
        for kind in CharacterSource.KINDS
        for number in range(getattr(options, kind))
    ]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(lift_character, jobs, chunksize=4), 1):
            if done % 50 == 0 or done == len(jobs):
                print(f"{done}/{len(jobs)} characters", flush=True)


if __name__ == "__main__":
    main()
