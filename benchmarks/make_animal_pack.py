# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a correspondence pack of quadrupeds: `python -m benchmarks.make_animal_pack --species wolf --out DIR`.

Each pair leads from an animal of one species to one of another, in random poses, both remeshed into one surface with
other topology. For an honest figure the species is left out of training (`training.render_shards --without SPECIES`).
Truth comes from the parametrisation that all animals share. Beside every mesh lies `NAME_legs.npy`, (V,) int8, for
`benchmarks.animal_table`: the leg a vertex belongs to (0 none, 1 left and 2 right in front, 3 and 4 behind).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from training.animal_specs import SPECIES, bare, random_animal, random_pose
from training.data_folder import parse_with_data
from training.quadrupeds import AnimalModel

from .make_mpfb_pack import (
    FIRST_HELD_OUT_SEED,
    POINTS_PER_PAIR,
    HeldOut,
    bring_to_remesh,
    facing_apart,
    pack_truth,
    remesh,
    write_ply,
)

LEGS = ("foreleg.L", "foreleg.R", "hindleg.L", "hindleg.R")
VOXEL = 0.008  # of the animal's largest extent
TRUSTED = 0.004  # likewise: further from the parts' surface lies what remeshing rounded off


def make_animal(model: AnimalModel, species: str, seed: int) -> HeldOut:
    """An animal of largest extent 1 m, as its overlapping parts and as one surface."""
    rng = np.random.default_rng(seed)
    spec = bare(random_animal(rng, only=species))
    vertices, faces = model.build(spec, random_pose(rng, float(rng.uniform(0.2, 0.9))))
    vertices = vertices / np.ptp(vertices, axis=0).max()
    parts = TriangleMesh(vertices, faces)
    return HeldOut(f"{species}_{seed - FIRST_HELD_OUT_SEED:02d}", parts, remesh(parts, VOXEL))


def legs_of(animal: HeldOut, model: AnimalModel) -> np.ndarray:
    """(V,) int8 number of the leg that each vertex of the remesh belongs to, 0 for none."""
    leg = np.zeros(model.vertex_count, np.int8)
    for number, name in enumerate(LEGS, 1):
        leg[model.part_slices[name]] = number
    face, bary, _ = closest_points(animal.skin, animal.remeshed.vertices)
    return leg[animal.skin.faces[face, bary.argmax(axis=1)]]


def truth_between(
    source: HeldOut, target: HeldOut, mirror: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Truth of (source's remesh → target's remesh): the parts' vertex nearest to the source's, found on the target."""
    vertex = rng.permutation(len(source.remeshed.vertices))[:POINTS_PER_PAIR]
    face, bary, distance = closest_points(source.skin, source.remeshed.vertices[vertex])
    corner = source.skin.faces[face, bary.argmax(1)]
    apart = facing_apart(source.skin.face_normals[face], source.remeshed.vertex_normals[vertex])
    target_face, target_bary, other_side, good = bring_to_remesh(target, corner, mirror)
    return pack_truth(vertex, target_face, target_bary, other_side, good & (distance < TRUSTED) & ~apart)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a correspondence pack of quadrupeds.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--species", choices=SPECIES, default="wolf", help="where every pair starts")
    parser.add_argument("--each", type=int, default=2, help="pairs with every other species")
    options = parse_with_data(parser, "infinigen_nurbs")
    model = AnimalModel(options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    rng, seed = np.random.default_rng(FIRST_HELD_OUT_SEED), FIRST_HELD_OUT_SEED
    listed: list[list[str]] = []
    for other in (species for species in SPECIES if species != options.species):
        for _ in range(options.each):
            source, target = (make_animal(model, name, seed + i) for i, name in enumerate((options.species, other)))
            seed += 2
            for animal in (source, target):
                write_ply(options.out / f"{animal.name}.ply", animal.remeshed)
                np.save(options.out / f"{animal.name}_legs.npy", legs_of(animal, model))
            truth = truth_between(source, target, model.mirror, rng)
            np.savez_compressed(options.out / f"pair_{len(listed):02d}.npz", **truth)
            print(f"{source.name} → {target.name}: {len(truth['source_vertex'])} points", flush=True)
            listed.append([f"{source.name}.ply", f"{target.name}.ply", f"pair_{len(listed):02d}.npz"])
    pack = {"format": 1, "name": f"{options.species} and others", "up": "Z", "pairs": listed}
    (options.out / "pack.json").write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
