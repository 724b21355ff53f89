# SPDX-License-Identifier: GPL-3.0-or-later
"""`pose` and `motion`: how a character stands or moves, on others."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ...bridge.pose_report import save_pose_reports
from ...properties import job_settings
from ...surface_features.errors import BadInputError
from ...surface_features.settings import MotionSettings
from ..bone_map import read_bone_map
from ..posing import PoseOptions
from ..transfer_motion import ClipOptions, plan_transfer_motion
from ..transfer_pose import plan_transfer_pose
from .blend_file import Command, add_source_and_targets, find_object, open_file, run_plan, save_copy


def _common(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser, "the source's mesh or armature object")
    parser.add_argument("--frame", type=int, metavar="N", help="the scene's frame at which the source is read")
    parser.add_argument("--force", action="store_true", help="transfer between bodies that hardly match, too")
    parser.add_argument("--mute-constraints", action="store_true", help="mute constraints that hold target bones")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="save the quality report (.json, or a page with pictures: .html)"
    )


def _motion_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--action", default="", metavar="NAME", help="action of the source's armature")
    parser.add_argument("--frames", type=int, nargs=2, default=(0, 0), metavar=("FIRST", "LAST"))
    parser.add_argument("--key-every", type=int, default=1, metavar="N", help="frames from one key to the next")
    parser.add_argument("--smoothing", type=float, default=0.0, metavar="FRAMES", help="smooth over so many frames")
    parser.add_argument("--free-feet", action="store_true", help="do not keep feet where they stand")
    parser.add_argument("--bone-map", type=Path, metavar="FILE.json", help="a saved bone map")


def _pose(options: argparse.Namespace) -> None:
    source, targets = _objects(options)
    run_plan(plan_transfer_pose(source, targets, job_settings(bpy.context), _options(options)))
    _finish(options)


def _motion(options: argparse.Namespace) -> None:
    if options.key_every < 1 or options.smoothing < 0:
        raise BadInputError("--key-every must be at least 1 and --smoothing at least 0.", fault="bad_setting")
    source, targets = _objects(options)
    clip = ClipOptions(
        options.frames[0],
        options.frames[1],
        options.action,
        options.key_every,
        MotionSettings(options.smoothing, not options.free_feet),
        read_bone_map(options.bone_map) if options.bone_map else None,
    )
    run_plan(plan_transfer_motion(source, targets, job_settings(bpy.context), _options(options), clip))
    _finish(options)


def _finish(options: argparse.Namespace) -> None:
    if options.report is not None:
        save_pose_reports(options.report)
    save_copy(options.out)


def _objects(options: argparse.Namespace) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    open_file(options)
    if options.frame is not None:
        bpy.context.scene.frame_set(options.frame)
    return find_object(options.source), [find_object(name) for name in dict.fromkeys(options.target)]


def _options(options: argparse.Namespace) -> PoseOptions:
    return PoseOptions(options.force, options.mute_constraints)


COMMANDS = (
    Command("pose", "let other characters stand as one does", _common, _pose),
    Command("motion", "give a character's clip to the armatures of others", _motion_arguments, _motion),
)
