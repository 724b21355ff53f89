# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command surface_features …`: what the operators do, for scripts and farms."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import bpy

from ...bridge.job import tell_failure
from ...surface_features.errors import SurfaceFeaturesError
from . import features, parts, pose, skinning, surface_transfers, texture

NAME = "surface_features"
COMMANDS = (
    *features.COMMANDS,
    *skinning.COMMANDS,
    *pose.COMMANDS,
    *texture.COMMANDS,
    *surface_transfers.COMMANDS,
    *parts.COMMANDS,
)
_handles: list[object] = []


def main(argv: Sequence[str]) -> int:
    """Run one command. 0 done, 2 bad usage, 3 bad input, 4 engine failure."""
    try:
        options = _parser().parse_args(list(argv))
    except SystemExit as exit_request:  # argparse has told why; Blender itself is to go on to its own end
        return int(exit_request.code or 0)
    try:
        options.run(options)
    except SystemExit as exit_request:  # arguments that do not go together
        return int(exit_request.code or 0)
    except SurfaceFeaturesError as error:
        print(f"{options.file}: {tell_failure(error)}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"blender --command {NAME}", description="Surface Features without a window.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(command.name, help=command.text, description=command.text.capitalize() + ".")
        one.add_argument("file", metavar="FILE.blend")
        one.add_argument("--views", type=int, metavar="N", help="cameras around each mesh")
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return parser


def register() -> None:
    _handles.append(bpy.utils.register_cli_command(NAME, main))


def unregister() -> None:
    while _handles:
        bpy.utils.unregister_cli_command(_handles.pop())
