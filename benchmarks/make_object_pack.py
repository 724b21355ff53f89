# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a correspondence pack of objects: `python -m benchmarks.make_object_pack --out DIR`.

Each pair leads from an object to itself, bent, stretched, turned about the up axis by up to 30° and remeshed: chairs,
whose legs are alike, and scans. Where an object is its own mirror image, its other side is told apart too. The objects
are part of the training data; the bends are not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from training.data_folder import parse_with_data
from training.objects import ObjectSource, bend

from .make_mpfb_pack import FIRST_HELD_OUT_SEED, POINTS_PER_PAIR, facing_apart, pack_truth, remesh, write_ply

VOXEL = 0.006  # of the largest extent
TRUSTED = 0.004
SYMMETRIC = 0.01  # of the largest extent: how far a vertex's mirror image may lie off the surface
TURN = 30.0  # degrees


def make_pair(mesh: TriangleMesh, rng: np.random.Generator) -> tuple[TriangleMesh, TriangleMesh, dict[str, np.ndarray]]:
    """The object of largest extent 1, its deformed remesh, and the truth between them."""
    size = np.ptp(mesh.vertices[mesh.faces.reshape(-1)], axis=0).max()
    source = TriangleMesh(mesh.vertices / size, mesh.faces, mesh.name)
    turn = Rotation.from_euler("z", rng.uniform(-TURN, TURN), degrees=True)
    deformed = TriangleMesh(turn.apply(bend(source.vertices, rng)).astype(np.float32), mesh.faces)
    target = remesh(deformed, VOXEL)
    vertex = rng.permutation(np.unique(source.faces))[:POINTS_PER_PAIR]
    face, bary, distance = closest_points(target, deformed.vertices[vertex])
    apart = facing_apart(target.face_normals[face], deformed.vertex_normals[vertex])
    truth = pack_truth(vertex, face, bary, np.zeros_like(vertex), (distance < TRUSTED) & ~apart)
    middle = (source.vertices.min(axis=0) + source.vertices.max(axis=0)) / 2
    mirrored = (source.vertices - middle) * [-1, 1, 1] + middle
    used = np.unique(source.faces)
    off, twin = cKDTree(source.vertices[used]).query(mirrored[truth["source_vertex"]])
    if np.quantile(off, 0.9) < SYMMETRIC:
        truth["target_mirror_vertex"] = (
            cKDTree(target.vertices).query(deformed.vertices[used[twin]])[1].astype(np.int32)
        )
    else:
        del truth["target_mirror_vertex"]
    return source, target, truth


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a correspondence pack of objects.")
    parser.add_argument("--out", type=Path, required=True)
    options = parse_with_data(parser, "polyhaven", "odedstein")
    options.out.mkdir(parents=True, exist_ok=True)
    listed: list[list[str]] = []
    for number, mesh in enumerate(ObjectSource(options.data).all_meshes()):
        source, target, truth = make_pair(mesh, np.random.default_rng(FIRST_HELD_OUT_SEED + number))
        if len(truth["source_vertex"]) == 0:
            print(f"{mesh.name}: left out, its remesh lies nowhere near it", flush=True)
            continue
        names = [f"{number:02d}_{mesh.name}.ply", f"{number:02d}_{mesh.name}_bent.ply", f"pair_{number:02d}.npz"]
        for name, part in zip(names, (source, target), strict=False):
            write_ply(options.out / name, part)
        np.savez_compressed(options.out / names[2], **truth)
        told = "with" if "target_mirror_vertex" in truth else "without"
        print(f"{mesh.name}: {len(truth['source_vertex'])} points, {told} twins", flush=True)
        listed.append(names)
    pack = {"format": 1, "name": "bent objects", "up": "Z", "pairs": listed}
    (options.out / "pack.json").write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
