# SPDX-License-Identifier: GPL-3.0-or-later
"""`texture` and `picture`: a source's materials, or the colours of a picture, on other meshes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import bpy

from ...properties import get_settings, job_settings, texture_options
from ...surface_features.errors import BadInputError
from ...surface_features.settings import TEXTURE_SIZES
from ..picture import plan_texture_from_picture
from ..transfer_texture import plan_transfer_texture
from .blend_file import (
    Command,
    add_source_and_targets,
    find_mesh,
    open_file,
    run_plan,
    save_copy,
    source_and_targets,
)


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser, "the textured mesh object")
    parser.add_argument("--size", type=int, choices=TEXTURE_SIZES, help="texels along a side; 2048 when not given")
    parser.add_argument("--new-uvs", action="store_true", help="unwrap the targets anew")
    parser.add_argument("--replace", action="store_true", help="assign the new material to all faces of a target")


def _texture(options: argparse.Namespace) -> None:
    source, targets = source_and_targets(options)
    wanted = texture_options(get_settings(bpy.context).texture)
    if options.size:
        wanted = replace(wanted, settings=replace(wanted.settings, size=options.size))
    wanted = replace(wanted, new_uvs=wanted.new_uvs or options.new_uvs)
    settings = job_settings(bpy.context)
    plan = plan_transfer_texture(source, targets, settings, wanted, replace=options.replace)
    run_plan(plan)
    save_copy(options.out)


def _picture_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", required=True, type=Path, help="a picture of a like subject")
    parser.add_argument("--geometry", type=Path, help="its normals and depth, for the bundled backbone")
    parser.add_argument("--target", required=True, metavar="NAME", help="the mesh object to paint")
    parser.add_argument("--size", type=int, choices=TEXTURE_SIZES, help="texels along a side; 2048 when not given")
    parser.add_argument("--replace", action="store_true", help="assign the new material to all faces of the target")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.blend", help="file to save")


def _picture(options: argparse.Namespace) -> None:
    open_file(options)
    target = find_mesh(options.target)
    image = _load(options.image)
    geometry = _load(options.geometry) if options.geometry else None
    if geometry is not None:
        geometry.colorspace_settings.name = "Non-Color"
    wanted = texture_options(get_settings(bpy.context).texture)
    if options.size:
        wanted = replace(wanted, settings=replace(wanted.settings, size=options.size))
    settings = job_settings(bpy.context)
    run_plan(plan_texture_from_picture(target, image, geometry, settings, wanted, replace=options.replace))
    save_copy(options.out)


def _load(path: Path) -> bpy.types.Image:
    try:
        return bpy.data.images.load(str(path.resolve()))
    except RuntimeError as error:
        raise BadInputError(f"“{path}” cannot be read as an image.", fault="unreadable") from error


COMMANDS = (
    Command("texture", "paint other meshes as the source is", _arguments, _texture),
    Command("picture", "paint a mesh as a like subject looks in a picture", _picture_arguments, _picture),
)
