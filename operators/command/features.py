# SPDX-License-Identifier: GPL-3.0-or-later
"""`compute`: features of the meshes in a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np

from ...properties import job_settings
from ...surface_features.errors import BadInputError
from ...surface_features.mesh import Float32
from ..features import plan_compute_features
from .blend_file import Command, find_mesh, open_file, run_plan


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--object", action="append", metavar="NAME", help="a mesh object; all of them when not given")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for NAME.npz")


def _compute(options: argparse.Namespace) -> None:
    open_file(options)
    if options.object:
        objects = [find_mesh(name) for name in options.object]
    else:
        objects = [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]
    if not objects:
        raise BadInputError("it has no mesh objects.", fault="no_mesh")
    files: dict[Path, tuple[Float32, Float32]] = {}

    def take(name: str, features: Float32, confidence: Float32) -> None:
        path = options.out / f"{bpy.path.clean_name(name)}.npz"
        while path in files:  # two names may differ in nothing but what a file name cannot hold
            path = path.with_stem(f"{path.stem}_")
        files[path] = features, confidence

    run_plan(plan_compute_features(objects, job_settings(bpy.context), take))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for path, (features, confidence) in files.items():
            np.savez_compressed(path, features=features, confidence=confidence)
            print(f"Saved “{path}”", flush=True)
    except OSError as error:
        raise BadInputError(f"“{options.out}” cannot be written ({error.strerror}).", fault="unwritable") from error


COMMANDS = (Command("compute", "features of meshes as .npz files", _arguments, _compute),)
