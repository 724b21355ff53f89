# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of parts by one example: `python -m benchmarks.parts_pictures --data DATA [--out docs/images/parts.webp]`.

First row: a held-out person labelled with Anny's parts, from the front and from behind, then another held-out person
and the two scanned humans of odedstein/meshes, which follow. Second row: a horse labelled by its bones' body parts, and
animals of other species.
"""

from __future__ import annotations

import argparse
import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surface_features.cache import FeatureCache
from surface_features.mesh import TriangleMesh
from training.data_folder import parse_with_data
from training.humans import HumanModel

from .labels_and_keypoints import (
    FIRST_SEED,
    anny_labels,
    body_part,
    by_features,
    held_out_person,
    label_by_example,
    rigged_animals,
    strongest_parts,
)
from .rig_accuracy import scans
from .rig_pictures import picture, save_sheet

VIEWS = (25.0, 205.0)  # degrees from the front
FOLLOWERS = ("Deer", "Wolf", "Alpaca")


def strip(
    example: TriangleMesh, labels: NDArray, followers: Sequence[TriangleMesh], cache: FeatureCache
) -> NDArray[np.uint8]:
    """(SIZE, W, 3): the labelled mesh, then those that follow it."""
    colours = np.array([colorsys.hsv_to_rgb(0.618 * part % 1, 0.55, 0.95) for part in range(int(labels.max()) + 1)])
    pictures = [picture(example, way, colours=colours[labels]) for way in VIEWS]
    for mesh in followers:
        found = label_by_example(mesh, example, labels, by_features(mesh, example, cache), 1.0)
        pictures += [picture(mesh, way, colours=colours[found]) for way in VIEWS]
    return np.concatenate(pictures, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of parts by one example.")
    parser.add_argument("--out", type=Path, default=Path("docs/images/parts.webp"))
    options = parse_with_data(parser, "mpfb2/base.obj")
    data = options.data
    cache = FeatureCache(Path("build/labels_cache"), 2**32)
    model = HumanModel(data)
    person, other = (held_out_person(model, FIRST_SEED + number) for number in range(2))
    rigged = dict(rigged_animals(data / "quaternius" / "animals"))
    horse, bones, _ = rigged["Horse"]
    parts = strongest_parts(horse, bones, sorted({body_part(bone) for bone in bones}), body_part)
    rows = [
        strip(person, anny_labels(data)[0], [other, *(scan.mesh for scan in scans(data))], cache),
        strip(horse, parts, [rigged[name][0] for name in FOLLOWERS], cache),
    ]
    save_sheet(options.out, rows)


if __name__ == "__main__":
    main()
