# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of people's heads that are shipped: `python -m training.make_face_model --data DIR [--out FOLDER]`.

Principal components of the heads of random people, from MakeHuman's base mesh and targets (CC0), at rest and at one
size. The mean head is tied to the man of the rig template (`make_rig_templates`), whose features, computed by the model
in use, tell where on a mesh its face is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surface_features.geometry.closest import closest_points
from surface_features.geometry.similarity import fit_similarity
from surface_features.rig_template import load_template

from .data_folder import parse_with_data
from .humans import HumanModel, to_z_up
from .make_rig_templates import human_shapes
from .proportions import part_of_bone

OUT = Path(__file__).resolve().parents[1] / "surface_features" / "models" / "face"
PEOPLE = 1500  # seeds from 0 on: benchmarks hold out others
COMPONENTS = 120
PARTS = ("head", "neck")
ROUNDS = 3  # of aligning all heads to their mean


def head_of(model: HumanModel) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(H,) vertices of the base mesh's head and neck, and (F, 3) faces over them."""
    bones = model.weights[: model.body_vertex_count].argmax(axis=1)
    on_head = np.array([part_of_bone(bone) in PARTS for bone in model.bones])[bones]
    vertices, faces = np.unique(model.body_faces[on_head[model.body_faces].all(axis=1)], return_inverse=True)
    return vertices, faces.reshape(-1, 3).astype(np.int32)


def align(heads: NDArray) -> NDArray:
    """(N, H, 3) heads brought onto their mean by similarities, which keeps the first one's frame and size."""
    evenly = np.ones(heads.shape[1])
    mean = heads[0]
    for _ in range(ROUNDS):
        heads = np.stack([fit_similarity(head, mean, evenly, rounds=0)(head) for head in heads])
        mean = fit_similarity(heads.mean(axis=0), mean, evenly, rounds=0)(heads.mean(axis=0))
    return heads


def face_arrays(model: HumanModel, people: int = PEOPLE) -> dict[str, NDArray]:
    """The arrays of face.npz; see `surface_features.face_model.FaceModel`."""
    vertices, faces = head_of(model)
    man = to_z_up(human_shapes(model)["man"].vertices)[vertices].astype(np.float64)
    rngs = (np.random.default_rng([seed, 1]) for seed in range(people))
    heads = [to_z_up(model.sample_person(rng).vertices)[vertices] for rng in rngs]
    aligned = align(np.stack([man, *heads]))[1:]
    mean = aligned.mean(axis=0)
    _, strength, directions = np.linalg.svd(
        (aligned - mean).reshape(people, -1).astype(np.float32), full_matrices=False
    )
    spread = directions[:COMPONENTS] * strength[:COMPONENTS, None] / np.sqrt(people)
    step = np.abs(spread).max(axis=1) / 127
    kept = float((strength[:COMPONENTS] ** 2).sum() / (strength**2).sum())
    print(f"{len(vertices):,} vertices, {COMPONENTS} components hold {kept:.2%} of the variance")
    body = load_template("human").shapes[0].mesh
    tie_face, tie_bary, _ = closest_points(body, man.astype(np.float32))
    return {
        "mean": mean.astype(np.float32),
        "spread": np.rint(spread / step[:, None]).reshape(COMPONENTS, -1, 3).astype(np.int8),
        "step": step.astype(np.float32),
        "faces": faces.astype(np.uint16),
        "tie_face": tie_face.astype(np.uint16),
        "tie_bary": tie_bary.astype(np.float16),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the model of people's heads that is shipped.")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parse_with_data(parser, "mpfb2/base.obj")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "face.npz"
    np.savez_compressed(path, **face_arrays(HumanModel(options.data)))
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
