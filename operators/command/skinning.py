# SPDX-License-Identifier: GPL-3.0-or-later
"""`weights` and `rig`: a character's skin on other meshes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import bpy

from ...bridge.job import JobPlan
from ...properties import job_settings
from ..rig import plan_rig
from ..transfer_weights import plan_transfer_weights
from .blend_file import Command, add_source_and_targets, run_plan, save_copy, source_and_targets


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_source_and_targets(parser, "the rigged mesh object")
    parser.add_argument("--replace", action="store_true", help="replace weights that a target already has")


def _weights(options: argparse.Namespace) -> None:
    _skin(options, plan_transfer_weights)


def _rig(options: argparse.Namespace) -> None:
    _skin(options, plan_rig)


def _skin(options: argparse.Namespace, plan: Callable[..., JobPlan]) -> None:
    source, targets = source_and_targets(options)
    run_plan(plan(source, targets, job_settings(bpy.context), replace=options.replace))
    save_copy(options.out)


COMMANDS = (
    Command("weights", "give a character's skin weights to other meshes", _arguments, _weights),
    Command("rig", "give other meshes fitted copies of a character's armature", _arguments, _rig),
)
