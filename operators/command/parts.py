# SPDX-License-Identifier: GPL-3.0-or-later
"""`parts` and `train-parts`: meshes divided into parts, and what is learned from labelled ones."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ...bridge.parts import LabelSource, Output, PartsChoice
from ...properties import job_settings
from ..segment_parts import plan_segment_parts, plan_train_parts
from .blend_file import Command, find_mesh, open_file, run_plan, save_copy


def _label_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = [source.name.lower() for source in LabelSource]
    parser.add_argument("--labels", choices=kinds, default=kinds[0], help="where labels are")
    parser.add_argument("--attribute", default=PartsChoice.attribute, help="name of the face attribute with labels")


def _parts_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--object", action="append", required=True, metavar="NAME", help="a mesh; may be repeated")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--count", type=int, default=PartsChoice.count, help="find so many parts")
    how.add_argument("--example", action="append", metavar="NAME", help="a labelled mesh; may be repeated")
    how.add_argument("--model", type=Path, metavar="FILE", help="a parts model")
    _label_arguments(parser)
    outputs = [output.name.lower() for output in Output]
    parser.add_argument("--write", action="append", choices=outputs, help="may be repeated")
    parser.add_argument("--replace", action="store_true", help="write over parts that are there")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.blend", help="file to save")


def _parts(options: argparse.Namespace) -> None:
    open_file(options)
    examples = options.example or []
    names = dict.fromkeys([*examples, *options.object])
    method = "EXAMPLES" if examples else "MODEL" if options.model else "CLUSTERS"
    outputs = tuple(Output[one.upper()] for one in options.write) if options.write else PartsChoice.outputs
    choice = PartsChoice(
        method=method,
        count=options.count,
        labels=LabelSource[options.labels.upper()],
        attribute=options.attribute,
        several=len(examples) > 1,
        path=str(options.model.resolve()) if options.model else "",
        outputs=outputs,
        replace=options.replace,
    )
    run_plan(plan_segment_parts([find_mesh(name) for name in names], job_settings(bpy.context), choice))
    save_copy(options.out)


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--object", action="append", required=True, metavar="NAME", help="a labelled mesh; may repeat")
    _label_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="parts model to save")


def _train(options: argparse.Namespace) -> None:
    open_file(options)
    labels = LabelSource[options.labels.upper()]
    choice = PartsChoice(method="MODEL", labels=labels, attribute=options.attribute, path=str(options.out.resolve()))
    run_plan(plan_train_parts([find_mesh(name) for name in options.object], job_settings(bpy.context), choice))


COMMANDS = (
    Command("parts", "divide meshes into parts that mean the same on all", _parts_arguments, _parts),
    Command("train-parts", "learn parts from labelled meshes", _train_arguments, _train),
)
