# SPDX-License-Identifier: GPL-3.0-or-later
"""`texture`: a source's materials on other meshes."""

from __future__ import annotations

import argparse
from dataclasses import replace

import bpy

from ...properties import get_settings, job_settings
from ...surface_features.settings import TEXTURE_SIZES
from ..transfer_texture import plan_transfer_texture
from .blend_file import Command, add_source_and_targets, run_plan, save_copy, source_and_targets


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser, "the textured mesh object")
    parser.add_argument("--size", type=int, choices=TEXTURE_SIZES, help="texels along a side; 2048 when not given")
    parser.add_argument("--new-uvs", action="store_true", help="unwrap the targets anew")
    parser.add_argument("--replace", action="store_true", help="assign the new material to all faces of a target")


def _texture(options: argparse.Namespace) -> None:
    source, targets = source_and_targets(options)
    wanted = get_settings(bpy.context).texture.options()
    if options.size:
        wanted = replace(wanted, settings=replace(wanted.settings, size=options.size))
    wanted = replace(wanted, new_uvs=wanted.new_uvs or options.new_uvs)
    settings = job_settings(bpy.context)
    plan = plan_transfer_texture(source, targets, settings, wanted, replace=options.replace)
    run_plan(plan)
    save_copy(options.out)


COMMANDS = (Command("texture", "paint other meshes as the source is", _arguments, _texture),)
