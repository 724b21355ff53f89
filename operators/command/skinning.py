# SPDX-License-Identifier: GPL-3.0-or-later
"""`weights` and `rig`: a character's skin on other meshes."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import bpy

from ...properties import JobSettings, RigSettings, WriteOptions, job_settings
from ...surface_features.errors import BadInputError
from ...surface_features.rig_template import KINDS
from ..rig import plan_rig
from ..rig_preset import plan_rig_preset
from ..skinning_model import plan_apply_model, plan_save_model
from ..transfer_weights import plan_transfer_weights
from ..weight_quality import save_reports
from .blend_file import (
    Command,
    find_mesh,
    find_object,
    open_file,
    run_plan,
    save_copy,
    source_and_targets,
)

SKELETONS = ("plain", "unreal", "mixamo", "rigify", "metarig")


def _weight_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="NAME", help="the rigged mesh object")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a skinning model instead of a source")
    parser.add_argument("--armature", metavar="NAME", help="with --model: the armature that then deforms the targets")
    parser.add_argument("--target", action="append", default=[], metavar="NAME", help="may be repeated")
    parser.add_argument("--out", type=Path, metavar="OUT.blend", help="file to save")
    parser.add_argument("--save-model", type=Path, metavar="FILE", help="save what is learned from the source")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="save the quality reports (.json, or a page: .html)"
    )
    parser.add_argument("--replace", action="store_true", help="replace weights that a target already has")
    parser.add_argument("--whole-character", action="store_true", help="all meshes of the source's armature are source")
    parser.add_argument("--mode", choices=("match", "regress"), default="match")
    parser.add_argument("--mix", type=float, default=1.0, metavar="SHARE", help="of the new weights, 0…1")
    parser.add_argument("--influences", type=int, metavar="N", help="most bones per vertex, 0 for no limit")
    parser.add_argument("--swap-sides", action="store_true", help="left and right change places")
    parser.add_argument("--symmetrise", action="store_true", help="mirrored weights on symmetric targets")
    parser.set_defaults(parser=parser)
    parser.add_argument("--no-side-guard", action="store_true", help="leave sides as they were matched")


def _weights(options: argparse.Namespace) -> None:
    _check_usage(options)
    if options.model is None and options.target:
        source, targets = source_and_targets(options)
        settings = _settings(options)
        plan = plan_transfer_weights(
            source,
            targets,
            settings,
            replace=options.replace,
            options=WriteOptions(mix=options.mix),
            whole_character=options.whole_character,
            save_model=str(options.save_model or ""),
        )
    elif options.model is None:
        open_file(options)
        run_plan(
            plan_save_model(
                find_mesh(options.source),
                _settings(options),
                options.save_model,
                whole_character=options.whole_character,
            )
        )
        return
    else:
        open_file(options)
        targets = [find_mesh(name) for name in dict.fromkeys(options.target)]
        armature = find_object(options.armature) if options.armature else None
        if armature is not None and armature.type != "ARMATURE":
            raise BadInputError(f"“{options.armature}” is not an armature.", fault="not_an_armature")
        plan = plan_apply_model(targets, armature, _settings(options), options.model, replace=options.replace)
    run_plan(plan)
    if options.report is not None:
        save_reports(options.report, targets)
    save_copy(options.out)


def _check_usage(options: argparse.Namespace) -> None:
    """Ends as argparse does for options that do not go together; raises `BadInputError` for values out of range."""
    if (options.source is None) == (options.model is None):
        options.parser.error("give either --source or --model")
    if not options.target and not (options.source and options.save_model):
        options.parser.error("give a --target, or a --source with --save-model")
    if options.target and options.out is None:
        options.parser.error("give --out, where the result is saved")
    if not 0 <= options.mix <= 1:
        raise BadInputError(f"--mix must be between 0 and 1, not {options.mix}.", fault="bad_setting")


def _settings(options: argparse.Namespace) -> JobSettings:
    """The opened file's settings, and the command's word on top of them."""
    settings = job_settings(bpy.context)
    weights = dataclasses.replace(
        settings.weights,
        mode=options.mode,
        swap_sides=options.swap_sides,
        symmetrise=options.symmetrise,
        side_guard=not options.no_side_guard,
        max_influences=settings.weights.max_influences if options.influences is None else options.influences,
    )
    return dataclasses.replace(settings, weights=weights)


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
        source, targets = source_and_targets(options)
        run_plan(plan_rig(source, targets, job_settings(bpy.context), replace=options.replace))
        save_copy(options.out)
        return
    open_file(options)
    objects = [find_mesh(name) for name in dict.fromkeys(options.target or ())]
    objects = objects or [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]
    rig = RigSettings("AUTO" if options.preset == "auto" else options.preset.upper(), options.skeleton.upper())
    run_plan(plan_rig_preset(objects, job_settings(bpy.context), rig, replace=options.replace))
    save_copy(options.out)


COMMANDS = (
    Command("weights", "give a character's skin weights to other meshes", _weight_arguments, _weights),
    Command("rig", "give meshes fitted copies of a character's armature, or new skeletons", _rig_arguments, _rig),
)
