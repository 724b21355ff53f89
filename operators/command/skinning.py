# SPDX-License-Identifier: GPL-3.0-or-later
"""`weights` and `rig`: a character's skin on other meshes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import bpy

from ...bridge.job import JobPlan
from ...properties import RigSettings, job_settings
from ...surface_features.errors import BadInputError
from ...surface_features.rig_template import KINDS
from ..rig import plan_rig
from ..rig_preset import plan_rig_preset
from ..transfer_weights import plan_transfer_weights
from .blend_file import (
    Command,
    add_source_and_targets,
    find_mesh,
    open_file,
    run_plan,
    save_copy,
    source_and_targets,
)

SKELETONS = ("plain", "unreal", "mixamo", "rigify", "metarig")


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser, "the rigged mesh object")
    parser.add_argument("--replace", action="store_true", help="replace weights that a target already has")


def _weights(options: argparse.Namespace) -> None:
    _skin(options, plan_transfer_weights)


def _rig_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="NAME", help="the rigged mesh object; without one, a new skeleton is made")
    parser.add_argument("--target", action="append", metavar="NAME", help="may be repeated; all meshes when not given")
    parser.add_argument("--preset", choices=("auto", *KINDS), default="auto", help="without --source: of which kind")
    parser.add_argument("--skeleton", choices=SKELETONS, default="plain", help="without --source: what is made")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.blend", help="file to save")
    parser.add_argument("--replace", action="store_true", help="replace weights that a target already has")


def _rig(options: argparse.Namespace) -> None:
    if options.source:
        if not options.target:
            raise BadInputError("--source needs a --target that gets its skeleton.", fault="no_target")
        _skin(options, plan_rig)
        return
    open_file(options)
    objects = [find_mesh(name) for name in dict.fromkeys(options.target or ())]
    objects = objects or [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]
    rig = RigSettings("AUTO" if options.preset == "auto" else options.preset.upper(), options.skeleton.upper())
    run_plan(plan_rig_preset(objects, job_settings(bpy.context), rig, replace=options.replace))
    save_copy(options.out)


def _skin(options: argparse.Namespace, plan: Callable[..., JobPlan]) -> None:
    source, targets = source_and_targets(options)
    run_plan(plan(source, targets, job_settings(bpy.context), replace=options.replace))
    save_copy(options.out)


COMMANDS = (
    Command("weights", "give a character's skin weights to other meshes", _arguments, _weights),
    Command("rig", "give meshes fitted copies of a character's armature, or new skeletons", _rig_arguments, _rig),
)
