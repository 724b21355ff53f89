# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, no Blender needed: `python -m surface_features compute | match | benchmark | train-embedding`.

Exit code 0 done, 2 bad usage, 3 bad input, 4 engine failure; every failure is one line on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .errors import BadInputError, EngineError, SurfaceFeaturesError
from .parallel import RESTING
from .progress import JobContext
from .settings import FeatureSettings

USAGE, INTERRUPTED = 2, 130
MESHES = "OBJ, PLY, OFF, STL or GLB"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = FeatureSettings(
            options.backbone,
            options.views,
            options.device,
            getattr(options, "up", "Z"),
            getattr(options, "embedding", FeatureSettings.embedding),
        )
    except BadInputError as error:  # the one thing wrong so far is the command line
        parser.error(str(error))
    try:
        return int(options.run(options, settings))
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever happens, the shell gets one line and a code
        return _tell(error, options.command)


def compute(options: argparse.Namespace, settings: FeatureSettings) -> int:
    """Write one file of features per mesh; a bad mesh does not keep the others from being done."""
    from .features import compute_features
    from .io import read_mesh, write_features

    outputs = [options.out / f"{mesh.stem}.npz" for mesh in options.mesh]
    twice = sorted({str(output) for output in outputs if outputs.count(output) > 1})
    if twice:
        return _bad_usage(f"Several meshes would be written to {', '.join(twice)}: rename one, or run them apart.")
    if not _make_folder(options.out):
        return USAGE
    code = 0
    for path, output in zip(options.mesh, outputs, strict=True):
        start, context = time.perf_counter(), JobContext()
        try:
            mesh = read_mesh(path)
            features = compute_features(mesh, settings, context)
        except BadInputError as error:
            code = _tell(error, options.command, path)
            continue
        _warn(context, path)
        _write(output, partial(write_features, output, features))
        vertices, channels = features.values.shape
        seconds = time.perf_counter() - start
        print(f"{path} → {output}: {vertices} vertices, {channels} channels, {seconds:.1f} s", flush=True)
    return code


def match(options: argparse.Namespace, settings: FeatureSettings) -> int:
    """Write, for every vertex of the source, the matching point of the target."""
    from .correspondence import match_surfaces
    from .features import compute_features
    from .io import read_mesh, write_match

    if not _make_folder(options.out.parent):
        return USAGE
    meshes, features = [], []
    for path in (options.source, options.target):
        context = JobContext()
        try:
            meshes.append(read_mesh(path))
            features.append(compute_features(meshes[-1], settings, context))
        except BadInputError as error:
            return _tell(error, options.command, path)
        _warn(context, path)
    found = match_surfaces(meshes[0], features[0], meshes[1], features[1])
    _write(options.out, partial(write_match, options.out, found))
    print(f"{options.source} → {options.target}: {len(found.face)} vertices in {options.out}")
    return 0


def benchmark(options: argparse.Namespace, settings: FeatureSettings) -> int:
    """Print how far from the truth a correspondence pack's pairs are matched."""
    from .benchmark import format_table, run_benchmark
    from .files import write_atomically

    if options.json and not _make_folder(options.json.parent):
        return USAGE

    report = run_benchmark(options.pack, settings, options.samples, JobContext(_tell_progress))
    _end_progress()
    print(format_table(report))
    if options.json:
        content = json.dumps(report.to_json(), indent=1) + "\n"
        _write(options.json, partial(write_atomically, options.json, content.encode()))
    return 0


def train_embedding(options: argparse.Namespace, settings: FeatureSettings) -> int:
    """Train a surface-aware embedding on a folder of meshes; every fifth is kept to test it on."""
    from .embedding.run import HELD_OUT_EVERY, run_training
    from .io import READERS, read_mesh

    files = sorted(path for path in options.folder.glob("*") if path.suffix.lower() in READERS)
    if len(files) < 2:
        message = f"{options.folder}: {len(files)} meshes found. An embedding needs at least two ({MESHES})."
        raise BadInputError(message, fault="too_few_meshes")
    if not _make_folder(options.out):
        return USAGE
    meshes = []
    for path in files:
        try:
            meshes.append(read_mesh(path))
        except BadInputError as error:
            return _tell(error, options.command, path)
    context = JobContext(_tell_progress)
    score = run_training(meshes, settings, options.out, options.steps, context)
    _end_progress()
    _warn(context, options.folder)
    print(f"{options.out}: trained on {len(meshes)} meshes, every {HELD_OUT_EVERY}th held out")
    shipped = f", {score.shipped:.4f} with the backbone's own" if score.shipped is not None else ""
    print(
        f"distance told wrong by, on the held-out ones: {score.base:.4f} without, {score.embedded:.4f} with it{shipped}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m surface_features", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("compute", help="features of meshes, one .npz each", description=compute.__doc__)
    command.add_argument("mesh", nargs="+", type=Path, metavar="MESH", help=MESHES)
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for <stem>.npz")
    _add_settings(command)
    command.set_defaults(run=compute)

    command = commands.add_parser("match", help="a target's point for every source vertex", description=match.__doc__)
    command.add_argument("source", type=Path, metavar="SOURCE", help=MESHES)
    command.add_argument("target", type=Path, metavar="TARGET", help=MESHES)
    command.add_argument("--out", required=True, type=Path, metavar="FILE", help=".npz to write")
    _add_settings(command)
    command.set_defaults(run=match)

    command = commands.add_parser("benchmark", help="errors on a correspondence pack", description=benchmark.__doc__)
    command.add_argument("pack", type=Path, metavar="PACK", help="folder with pack.json")
    command.add_argument("--json", type=Path, metavar="FILE", help="also write every number here")
    command.add_argument(
        "--samples",
        type=int,
        default=1000,
        metavar="N",
        help="points of a pair to measure, evenly taken from those it has; 0 for all (default %(default)s)",
    )
    _add_settings(command, up=False)
    command.set_defaults(run=benchmark)

    command = commands.add_parser(
        "train-embedding", help="teach the features to tell like parts apart", description=train_embedding.__doc__
    )
    command.add_argument("folder", type=Path, metavar="DIR", help=f"folder of meshes ({MESHES})")
    command.add_argument("--out", required=True, type=Path, metavar="MODEL", help="folder for the embedding")
    command.add_argument("--steps", type=int, default=5000, metavar="N", help="(default %(default)s)")
    _add_settings(command, embedding=False)
    command.set_defaults(run=train_embedding)
    return parser


def _add_settings(command: argparse.ArgumentParser, *, up: bool = True, embedding: bool = True) -> None:
    default = FeatureSettings()
    command.add_argument(
        "--backbone",
        default=default.backbone,
        metavar="B",
        help="bundled, or a checkpoint folder (default %(default)s)",
    )
    command.add_argument(
        "--views", type=int, default=default.views, metavar="N", help="cameras around the mesh (default %(default)s)"
    )
    command.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default=default.device)
    if embedding:
        command.add_argument(
            "--embedding",
            default=default.embedding,
            metavar="MODEL",
            help="folder written by train-embedding, none, or auto for the backbone's own (default %(default)s)",
        )
    if up:
        command.add_argument(
            "--up",
            choices=["auto", "Z", "Y"],
            default=default.up,
            help="the files' up axis, whatever their format (default %(default)s: found from what the mesh looks like)",
        )


def _tell(error: Exception, command: str, path: Path | None = None) -> int:
    """Print a failure as one line, naming the file it is about; returns the exit code."""
    from .engine.wire import readable_failure

    failure = readable_failure(error, command)
    text = " ".join(str(failure).split())
    fault = f" [{failure.fault}]" if isinstance(failure, BadInputError) else ""
    place = f"{path}: " if path is not None and str(path) not in text else ""
    print(f"{place}{text}{fault}", file=sys.stderr)
    if not isinstance(error, SurfaceFeaturesError):  # a bug: the report needs the traceback
        print("\n".join(getattr(failure, "__notes__", ())), file=sys.stderr)
    return failure.exit_code


def _warn(context: JobContext, path: Path) -> None:
    for warning in context.warnings:
        print(f"{path}: warning: {warning}", file=sys.stderr)


def _tell_progress(fraction: float, message: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{fraction:4.0%} {message}", end="\r", file=sys.stderr, flush=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def _bad_usage(message: str) -> int:
    print(message, file=sys.stderr)
    return USAGE


def _make_folder(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _bad_usage(f"{folder} cannot be a folder for results: {error.strerror}.")
        return False
    return True


def _write(path: Path, write: Callable[[], None]) -> None:
    """Write a result; one that cannot be written is an engine failure, not a bug."""
    try:
        write()
    except OSError as error:
        raise EngineError(f"{path} could not be written: {error.strerror or error}.") from error


if __name__ == "__main__":
    os.environ.update(RESTING | os.environ)  # before NumPy and PyTorch are loaded
    sys.exit(main())
