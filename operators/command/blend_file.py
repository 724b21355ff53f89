# SPDX-License-Identifier: GPL-3.0-or-later
"""What all commands share: a .blend file opened, objects found in it, a plan run, the file saved under another name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...bridge.engine import session_engine
from ...bridge.job import JobPlan, run_blocking
from ...preferences import get_preferences
from ...surface_features.errors import BadInputError


@dataclass(frozen=True)
class Command:
    """One word after `blender --command surface_features`; every command takes FILE.blend and --views.

    add_arguments: its other arguments. run: does it; raises `SurfaceFeaturesError`.
    """

    name: str
    text: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def add_source_and_targets(parser: argparse.ArgumentParser, source: str = "the source mesh object") -> None:
    """--source, --target and --out, as all transfers have them."""
    parser.add_argument("--source", required=True, metavar="NAME", help=source)
    parser.add_argument("--target", required=True, action="append", metavar="NAME", help="may be repeated")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.blend", help="file to save")


def source_and_targets(options: argparse.Namespace) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """The opened file's objects that were named. Raises `BadInputError`."""
    open_file(options)
    targets = [find_object(name) for name in dict.fromkeys(options.target) if name != options.source]
    return find_mesh(options.source), targets


def open_file(options: argparse.Namespace) -> None:
    """Open FILE.blend and take --views. Raises `BadInputError`."""
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


def find_object(name: str) -> bpy.types.Object:
    """Raises `BadInputError` where the scene has no such object."""
    obj = bpy.context.scene.objects.get(name)
    if obj is None:
        raise BadInputError(f"there is no object “{name}” in its scene.", fault="no_object")
    return obj


def find_mesh(name: str) -> bpy.types.Object:
    """Raises `BadInputError` where the scene has no such mesh object."""
    obj = find_object(name)
    if obj.type != "MESH":
        raise BadInputError(f"“{name}” is not a mesh.", fault="not_a_mesh")
    return obj


def run_plan(plan: JobPlan) -> None:
    """Do the job and tell its outcome. Raises `SurfaceFeaturesError`."""
    outcome = run_blocking(bpy.context, plan, session_engine(get_preferences(bpy.context).python_path))
    for warning in outcome.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    print(outcome.message, flush=True)


def save_copy(path: Path) -> None:
    """Save the open file as `path`. Raises `BadInputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()), copy=True)
    except (OSError, RuntimeError) as error:
        raise BadInputError(f"“{path}” cannot be written ({error}).", fault="unwritable") from error
