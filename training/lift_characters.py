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
from functools import partial
from pathlib import Path

import numpy as np
import torch

from surface_features.backbones import load_backbone
from surface_features.backbones.backbone import Backbone
from surface_features.files import write_npz
from surface_features.lifting import LiftedLooks
from surface_features.refinement import describe_points

from .export import backbone_of
from .prepare_characters import Job, Prepared, add_options, load_source, prepare, run_jobs
from .train_backbone import to_pixels


def lift_prepared(prepared: Prepared, backbone: Backbone) -> dict[str, np.ndarray]:
    """The arrays of one character's file."""
    looks = LiftedLooks(prepared.surface)
    for number, (pictures, reading) in enumerate(zip(prepared.pictures, prepared.readings, strict=True)):
        pixels = to_pixels(torch.from_numpy(pictures)).contiguous().numpy()
        cells = backbone.encode(pixels, print, lambda done: None)
        details = prepared.detailed and number == len(prepared.pictures) - 1
        looks.add(reading, cells, prepared.beneath.get(number), details=details)
    described = describe_points(prepared.surface, looks.side_by_side(beneath=True))
    names = ("features", "confidence", "positions", "normals")
    told = {name: part[prepared.rows].astype(np.float16) for name, part in zip(names, described, strict=True)}
    return told | prepared.points


def lift_character(job: Job, device: str) -> None:
    """Write the points of one character; an existing file is kept, a character without a surface is left out."""
    data, scratch, kind, seed = job
    name = f"{kind}_{seed:06d}.npz"
    ready, target = scratch / "prepared" / name, scratch / "lifted" / name
    if target.exists():
        return
    prepared = Prepared.load(ready) if ready.exists() else prepare(load_source(data, scratch / "rigs"), kind, seed)
    if prepared is not None:
        write_npz(target, lift_prepared(prepared, load_backbone(str(scratch / "backbone"), device)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Lift the trained backbone's features onto characters.")
    parser.add_argument("--scratch", type=Path, required=True, help="where training.train_backbone left its checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add_options(parser)
    options = parser.parse_args()
    backbone_of(options.scratch)
    run_jobs(partial(lift_character, device=options.device), options, "lifted")


if __name__ == "__main__":
    main()
