# SPDX-License-Identifier: GPL-3.0-or-later
"""`attributes`, `shape-keys` and `keypoints`: what lies on a mesh, on other meshes."""

from __future__ import annotations

import argparse

import bpy

from ...bridge.attributes import What
from ...properties import job_settings
from ..transfer_attributes import AttributeChoice, plan_transfer_attributes
from ..transfer_keypoints import plan_transfer_keypoints
from ..transfer_shape_keys import KeyChoice, plan_transfer_shape_keys
from .blend_file import Command, add_source_and_targets, run_plan, save_copy, source_and_targets


def _keypoints_arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser)
    parser.add_argument("--vertices", action="store_true", help="take the source's selected vertices, not its empties")
    parser.add_argument("--replace", action="store_true", help="move the empties of an earlier run")


def _keypoints(options: argparse.Namespace) -> None:
    source, targets = source_and_targets(options)
    settings = job_settings(bpy.context)
    run_plan(plan_transfer_keypoints(source, targets, settings, vertices=options.vertices, replace=options.replace))
    save_copy(options.out)


def _attributes_arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser)
    kinds = [what.name.lower() for what in What]
    parser.add_argument("--what", action="append", required=True, choices=kinds, help="kind of data; may be repeated")
    parser.add_argument("--names", default="", metavar="A,B", help="only data of these names")
    parser.add_argument("--replace", action="store_true", help="write over data of the same name")


def _attributes(options: argparse.Namespace) -> None:
    source, targets = source_and_targets(options)
    choice = AttributeChoice.from_texts([one.upper() for one in options.what], options.names, replace=options.replace)
    run_plan(plan_transfer_attributes(source, targets, job_settings(bpy.context), choice))
    save_copy(options.out)


def _shape_keys_arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser)
    parser.add_argument("--names", default="", metavar="A,B", help="only these keys")
    parser.add_argument("--proportional", action="store_true", help="scale by the target's size in any case")
    parser.add_argument("--replace", action="store_true", help="write over keys of the same name")


def _shape_keys(options: argparse.Namespace) -> None:
    source, targets = source_and_targets(options)
    choice = KeyChoice.from_texts(options.names, proportional=options.proportional, replace=options.replace)
    run_plan(plan_transfer_shape_keys(source, targets, job_settings(bpy.context), choice))
    save_copy(options.out)


COMMANDS = (
    Command("shape-keys", "give a mesh's shape keys to other meshes", _shape_keys_arguments, _shape_keys),
    Command("attributes", "give what lives on a mesh to other meshes", _attributes_arguments, _attributes),
    Command("keypoints", "find a mesh's keypoints on other meshes", _keypoints_arguments, _keypoints),
)
