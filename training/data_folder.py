# SPDX-License-Identifier: GPL-3.0-or-later
"""Where meshes and rigs lie: an argument of training and benchmarks, `SURFACE_FEATURES_DATA`, or beside the clone."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

VARIABLE = "SURFACE_FEATURES_DATA"
FIRST_HELD_OUT_SEED = 1_000_000  # benchmarks draw with seeds from here on, training with smaller ones


def parse_with_data(parser: argparse.ArgumentParser, *needed: str) -> argparse.Namespace:
    """The parser's arguments and `data`, an absolute folder; ends with one sentence if it lacks one of `needed`."""
    default = Path(os.environ.get(VARIABLE, "../shared/data"))
    told = f"the data folder of training/README.md ({VARIABLE})"
    parser.add_argument("--data", type=Path, default=default, metavar="DIR", help=told)
    options = parser.parse_args()
    options.data = options.data.resolve()
    for name in needed:
        if not (options.data / name).exists():
            parser.error(f"{options.data} has no {name}: give the data folder with --data or {VARIABLE}")
    return options
