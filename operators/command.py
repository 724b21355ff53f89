# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command surface_features …`: what the operators do, for scripts and farms."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..bridge.engine import session_engine
from ..bridge.job import JobPlan, run_blocking, tell_failure
from ..preferences import get_preferences
from ..properties import job_settings
from ..surface_features.errors import BadInputError, SurfaceFeaturesError
from ..surface_features.mesh import Float32
from .features import plan_compute_features
from .rig import plan_rig
from .transfer_weights import plan_transfer_weights

NAME = "surface_features"
_handles: list[object] = []


def main(argv: Sequence[str]) -> int:
    """Run one command. 0 done, 2 bad usage, 3 bad input, 4 engine failure."""
    try:
        options = _parser().parse_args(list(argv))
    except SystemExit as exit_request:  # argparse has told why; Blender itself is to go on to its own end
        return int(exit_request.code or 0)
    try:
        options.run(options)
    except SurfaceFeaturesError as error:
        print(f"{options.file}: {tell_failure(error)}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"blender --command {NAME}", description="Surface Features without a window.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    compute = _add(commands, "compute", _compute, "features of meshes as .npz files")
    compute.add_argument("--object", action="append", metavar="NAME", help="a mesh object; all of them when not given")
    compute.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for NAME.npz")
    for name, run, text in (
        ("weights", _weights, "give a character's skin weights to other meshes"),
        ("rig", _rig, "give other meshes fitted copies of a character's armature"),
    ):
        command = _add(commands, name, run, text)
        command.add_argument("--source", required=True, metavar="NAME", help="the rigged mesh object")
        command.add_argument("--target", required=True, action="append", metavar="NAME", help="may be repeated")
        command.add_argument("--out", required=True, type=Path, metavar="OUT.blend", help="file to save")
        command.add_argument("--replace", action="store_true", help="replace weights that a target already has")
    return parser


def _add(commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    command.add_argument("file", metavar="FILE.blend")
    command.add_argument("--views", type=int, metavar="N", help="cameras around each mesh")
    command.set_defaults(run=run)
    return command


def _compute(options: argparse.Namespace) -> None:
    _open(options)
    if options.object:
        objects = [_mesh_object(name) for name in options.object]
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

    _run(plan_compute_features(objects, job_settings(bpy.context), take))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for path, (features, confidence) in files.items():
            np.savez_compressed(path, features=features, confidence=confidence)
            print(f"Saved “{path}”", flush=True)
    except OSError as error:
        raise BadInputError(f"“{options.out}” cannot be written ({error.strerror}).", fault="unwritable") from error


def _weights(options: argparse.Namespace) -> None:
    _skin(options, plan_transfer_weights)


def _rig(options: argparse.Namespace) -> None:
    _skin(options, plan_rig)


def _skin(options: argparse.Namespace, plan: Callable[..., JobPlan]) -> None:
    _open(options)
    source = _mesh_object(options.source)
    targets = [_object(name) for name in dict.fromkeys(options.target) if name != options.source]
    _run(plan(source, targets, job_settings(bpy.context), replace=options.replace))
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(options.out.resolve()), copy=True)
    except (OSError, RuntimeError) as error:
        raise BadInputError(f"“{options.out}” cannot be written ({error}).", fault="unwritable") from error


def _open(options: argparse.Namespace) -> None:
    try:
        bpy.ops.wm.open_mainfile(filepath=str(Path(options.file).resolve()), load_ui=False)
    except RuntimeError as error:
        reason = str(error).strip().removeprefix("Error: ").partition("\n")[0]
        raise BadInputError(f"it cannot be opened ({reason}).", fault="unreadable") from error
    if options.views is not None:
        if not 1 <= options.views <= 200:
            raise BadInputError(f"--views must be between 1 and 200, not {options.views}.", fault="bad_setting")
        bpy.context.scene.surface_features.views = options.views
    bpy.context.view_layer.update()


def _object(name: str) -> bpy.types.Object:
    obj = bpy.context.scene.objects.get(name)
    if obj is None:
        raise BadInputError(f"there is no object “{name}” in its scene.", fault="no_object")
    return obj


def _mesh_object(name: str) -> bpy.types.Object:
    obj = _object(name)
    if obj.type != "MESH":
        raise BadInputError(f"“{name}” is not a mesh.", fault="not_a_mesh")
    return obj


def _run(plan: JobPlan) -> None:
    outcome = run_blocking(bpy.context, plan, session_engine(get_preferences(bpy.context).python_path))
    for warning in outcome.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    print(outcome.message, flush=True)


def register() -> None:
    _handles.append(bpy.utils.register_cli_command(NAME, main))


def unregister() -> None:
    while _handles:
        bpy.utils.unregister_cli_command(_handles.pop())
