# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a correspondence pack of people no model was trained on: `python -m benchmarks.make_mpfb_pack --out DIR`.

Every person has a shape and a pose of its own (seeds from 1,000,000 on; training uses smaller ones). In each pair one
side keeps the base mesh's topology and the other is a voxel remesh, decimated: no vertex, edge or face of it is shared.
Truth comes from the base mesh that all people share; the remeshed side is tied to it by closest points. Variants make
the source harder: `clothed` (shells, hair, hats, props), `robed` (skirts, robes, wide sleeves, long hair, big boots),
`noisy` (bumps, low polygon counts), `partial` (a limb or the head cut off, holes), `cut` (a bust, a leg or a jacket on
its own); what is measured there is only what can be seen. `covered` people are the clothed ones, but measured is only
what cannot be seen of their bodies.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from surface_features.views.cameras import place_cameras
from surface_features.views.render import Raycaster, render_views
from training.cuts import cut_out
from training.data_folder import FIRST_HELD_OUT_SEED, parse_with_data
from training.dressing import Labelled, Wardrobe, roughen
from training.families import human_parts
from training.human_poses import pose_person, sample_pose
from training.humans import HumanModel, to_z_up
from training.loose_clothes import dress_loosely
from training.remeshing import voxel_remesh

VOXEL_M = 0.005
REMESHED_VERTICES = 9_000
# A remeshed point further than this from the skin lies where skin touches skin, or in the closed mouth: no truth there.
TRUSTED_DISTANCE_M = 0.004
POINTS_PER_PAIR = 4_000
VARIANTS = ("clean", "clothed", "covered", "robed", "noisy", "partial", "cut")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One person twice: the base mesh's body, and the same surface with other topology. Metres, Y up.

    spoilt: the person in a harder variant, labelled by the base mesh's vertices.
    """

    name: str
    skin: TriangleMesh
    remeshed: TriangleMesh
    spoilt: Labelled | None = None


def make_person(model: HumanModel, seed: int, variant: str = "clean") -> HeldOut:
    """Person `seed`: shape, pose, remesh, and what makes it harder."""
    rng = np.random.default_rng(seed)
    person = model.sample_person(rng)
    posed = pose_person(model, person, sample_pose(model, person, rng, float(rng.uniform(0.3, 1.0))))
    skin = TriangleMesh(posed[: model.body_vertex_count], model.body_faces)
    spoilt = spoil(model, posed, variant, rng) if variant != "clean" else None
    return HeldOut(f"person_{seed - FIRST_HELD_OUT_SEED:02d}", skin, remesh(skin), spoilt)


def spoil(model: HumanModel, posed: NDArray, variant: str, rng: np.random.Generator) -> Labelled:
    """posed: (19158, 3) all base-mesh vertices."""
    count = model.body_vertex_count
    mesh = Labelled(posed[:count].copy(), model.body_faces.copy(), np.arange(count))
    if variant in ("clothed", "covered"):
        mesh = Wardrobe(model).dress(posed, rng, 1.0)
    elif variant == "robed":
        mesh = dress_loosely(Wardrobe(model), posed, rng, deleted=0.5)
    elif variant == "cut":
        mesh.vertices = to_z_up(mesh.vertices)
        mesh = cut_out(mesh, human_parts(model), rng)
        mesh.vertices = mesh.vertices[:, [0, 2, 1]] * np.array([1, 1, -1], np.float32)
    elif variant == "noisy":
        roughen(mesh, rng, 1.0)
        size = float(np.ptp(mesh.vertices, axis=0).max())
        mesh.vertices = mesh.vertices + rng.normal(0, 0.003 * size, mesh.vertices.shape).astype(np.float32)
    else:
        bone = model.bone_index[str(rng.choice(["lowerarm_l", "lowerarm_r", "calf_l", "calf_r", "head"]))]
        gone = model.weights[:count, _with_children(model, bone)].sum(axis=1) > 0.5
        for _ in range(rng.integers(1, 4)):
            hole = mesh.vertices[rng.integers(count)]
            gone |= np.linalg.norm(mesh.vertices - hole, axis=1) < 0.05 * np.ptp(mesh.vertices, axis=0).max()
        mesh.faces = mesh.faces[~gone[mesh.faces].any(axis=1)]
    return mesh


def _with_children(model: HumanModel, bone: int) -> list[int]:
    family = [bone]
    for child, parent in enumerate(model.parents):  # parents come first
        if parent in family:
            family.append(child)
    return family


def truth_from_spoilt(
    source: HeldOut, target: HeldOut, mirror: NDArray, rng: np.random.Generator, *, covered: bool = False
) -> dict[str, NDArray]:
    """Truth of (source's spoilt mesh → target's remesh), where a camera sees the source.

    covered: of the source's body, of which the spoilt mesh's first vertices are, where none does.
    """
    mesh = source.spoilt
    assert mesh is not None
    surface = TriangleMesh(mesh.vertices, mesh.faces)
    views = render_views(Raycaster(surface), place_cameras(surface.vertices, 24), 192)
    seen = np.unique(surface.faces[np.unique(views.face_ids[views.face_ids >= 0])])
    chosen = np.setdiff1d(np.arange(len(source.skin.vertices)), seen) if covered else seen
    vertex = rng.permutation(chosen[mesh.labels[chosen] >= 0])[:POINTS_PER_PAIR]
    label = mesh.labels[vertex]
    return pack_truth(vertex, *bring_to_remesh(target, label, mirror))


def bring_to_remesh(target: HeldOut, label: NDArray, mirror: NDArray) -> tuple[NDArray, ...]:
    """Where vertices of the target's skin lie on its remesh: face, bary, twin's vertex, and whether that is trusted."""
    face, bary, distance = closest_points(target.remeshed, target.skin.vertices[label])
    apart = facing_apart(target.remeshed.face_normals[face], target.skin.vertex_normals[label])
    _, other_side = cKDTree(target.remeshed.vertices).query(target.skin.vertices[mirror[label]])
    return face, bary, other_side, (distance < TRUSTED_DISTANCE_M) & ~apart


def remesh(mesh: TriangleMesh, voxel: float = VOXEL_M) -> TriangleMesh:
    """The same surface with vertices, edges and faces of its own (Blender's voxel remesh, then collapse)."""
    return voxel_remesh(mesh, voxel, REMESHED_VERTICES)


def facing_apart(normals: NDArray, others: NDArray) -> NDArray:
    """Where two rows of normals point more than a right angle apart: skin of another limb."""
    return (normals * others).sum(1) <= 0


def truth_onto_remeshed(
    source: HeldOut, target: HeldOut, mirror: NDArray, rng: np.random.Generator
) -> dict[str, NDArray]:
    """Truth of (source's skin → target's remesh): the target's own skin point, brought to its remesh."""
    vertex = rng.permutation(np.unique(source.skin.faces))[:POINTS_PER_PAIR]
    return pack_truth(vertex, *bring_to_remesh(target, vertex, mirror))


def truth_onto_skin(source: HeldOut, target: HeldOut, mirror: NDArray, rng: np.random.Generator) -> dict[str, NDArray]:
    """Truth of (source's remesh → target's skin): the source's skin point, which is the same face on the target."""
    vertex = rng.permutation(len(source.remeshed.vertices))[:POINTS_PER_PAIR]
    face, bary, distance = closest_points(source.skin, source.remeshed.vertices[vertex])
    apart = facing_apart(source.skin.face_normals[face], source.remeshed.vertex_normals[vertex])
    corner = source.skin.faces[face, bary.argmax(1)]
    return pack_truth(vertex, face, bary, mirror[corner], (distance < TRUSTED_DISTANCE_M) & ~apart)


def pack_truth(vertex: NDArray, face: NDArray, bary: NDArray, other_side: NDArray, good: NDArray) -> dict[str, NDArray]:
    return {
        "source_vertex": vertex[good].astype(np.int32),
        "target_face": face[good].astype(np.int32),
        "target_bary": bary[good].astype(np.float32),
        "target_mirror_vertex": other_side[good].astype(np.int32),
    }


def write_ply(path: Path, mesh: TriangleMesh) -> None:
    """Write a mesh in its own vertex order."""
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)


def write_pack(data: Path, out: Path, people: int, pairs: int, variant: str) -> None:
    """Write meshes, truth and `pack.json`; half of the clean pairs lead from a remesh, all others to one."""
    model = HumanModel(data)
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(people):
        person = make_person(model, FIRST_HELD_OUT_SEED + number, variant)
        write_ply(out / f"{person.name}.ply", person.skin)
        write_ply(out / f"{person.name}_remeshed.ply", person.remeshed)
        if person.spoilt is not None:
            write_ply(out / f"{person.name}_{variant}.ply", TriangleMesh(person.spoilt.vertices, person.spoilt.faces))
        print(f"{person.name}: {len(person.skin.vertices)} and {len(person.remeshed.vertices)} vertices", flush=True)
        made.append(person)
    rng = np.random.default_rng(FIRST_HELD_OUT_SEED)
    listed = []
    for number in range(pairs):
        source = made[number % people]
        target = made[(number + 1 + number // people % (people - 1)) % people]
        if variant != "clean":
            truth = truth_from_spoilt(source, target, model.mirror, rng, covered=variant == "covered")
            names = f"{source.name}_{variant}", f"{target.name}_remeshed"
        elif number % 2 == 0:
            truth = truth_onto_remeshed(source, target, model.mirror, rng)
            names = source.name, f"{target.name}_remeshed"
        else:
            truth = truth_onto_skin(source, target, model.mirror, rng)
            names = f"{source.name}_remeshed", target.name
        np.savez_compressed(out / f"pair_{number:02d}.npz", **truth)
        listed.append([f"{names[0]}.ply", f"{names[1]}.ply", f"pair_{number:02d}.npz"])
        print(f"{names[0]} → {names[1]}: {len(truth['source_vertex'])} points", flush=True)
    name = "held-out MPFB people" + ("" if variant == "clean" else f", {variant}")
    pack = {"format": 1, "name": name, "up": "Y", "pairs": listed}
    (out / "pack.json").write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a correspondence pack of held-out MPFB people.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--variant", choices=VARIANTS, default="clean")
    options = parse_with_data(parser, "mpfb2/base.obj")
    if options.people < 3:
        parser.error("--people must be at least 3")
    write_pack(options.data, options.out, options.people, options.pairs, options.variant)


if __name__ == "__main__":
    main()
