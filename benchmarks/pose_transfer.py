# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses between held-out people against known truth: `python -m benchmarks.pose_transfer --data DATA`.

Person A is posed at random; truth is person B posed by the same joint rotations. Every fifth person has stylised
proportions. The source is sent as a bare surface at rest and posed, its bones unseen. Peers in the same run:

- *equal bone names*: B's bones copy A's rotations by name: the truth itself here, since both rigs come from one file;
- *nearest surface*: B's vertices are bound to A's nearest faces and follow them (Surface Deform's rule);
- *Sumner, true matches*: per-face deformation transfer along the base mesh's own correspondence (upper bound);
- *Sumner, nearest matches*: the same along nearest points after the bodies were laid over each other (lower bound).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmarks.make_mpfb_pack import FIRST_HELD_OUT_SEED
from surface_features.cache import FeatureCache
from surface_features.correspondence import Correspondence, match_surfaces
from surface_features.features import Features, compute_features
from surface_features.geometry.closest import closest_points
from surface_features.geometry.vectors import unit_rows
from surface_features.mesh import TriangleMesh
from surface_features.transfer.jacobians import PoseTransfer
from surface_features.transfer.pose_fit import PoseFitter
from surface_features.transfer.skeleton import Skeleton
from training.data_folder import parse_with_data
from training.human_poses import pose_person, sample_pose
from training.humans import HumanModel, Person, to_z_up
from training.proportions import sample_proportions

FIRST_SEED = FIRST_HELD_OUT_SEED + 5_000
STYLISED_EVERY = 5
STYLE = 0.35
CACHE_BYTES = 2**31

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pair:
    """A at rest and posed, B at rest and as it should be; metres, Z up. rotations: (B, 3, 3) of the joints."""

    source: TriangleMesh
    posed: Float64
    target: TriangleMesh
    truth: Float64
    skeleton: Skeleton
    rotations: Float64


def make_person(model: HumanModel, number: int) -> Person:
    """A person no model was trained on; every fifth stylised."""
    rng = np.random.default_rng(FIRST_SEED + number)
    person = model.sample_person(rng)
    if number % STYLISED_EVERY != STYLISED_EVERY - 1:
        return person
    still = np.tile(np.eye(3), (len(model.bones), 1, 1))
    vertices = pose_person(model, person, still, sample_proportions(rng, STYLE))
    return Person(vertices, *model.joints(vertices))


def make_pair(model: HumanModel, number: int) -> Pair:
    """People `number` and `number + 1`, and a pose."""
    source, target = make_person(model, number), make_person(model, number + 1)
    rng = np.random.default_rng(number)
    rotations = sample_pose(model, source, rng, float(rng.uniform(0.3, 1.0)))
    body = model.body_vertex_count
    shown = [to_z_up(pose_person(model, person, rotations))[:body].astype(float) for person in (source, target)]
    meshes = [
        TriangleMesh(to_z_up(person.vertices)[:body], model.body_faces, name)
        for person, name in ((source, "A"), (target, "B"))
    ]
    up = to_z_up(np.eye(3)).T
    return Pair(meshes[0], shown[0], meshes[1], shown[1], make_skeleton(model, target), up @ rotations @ up.T)


def make_skeleton(model: HumanModel, person: Person) -> Skeleton:
    heads, tails = to_z_up(person.heads), to_z_up(person.tails)
    count = len(model.bones)
    along = unit_rows(tails - heads)
    side = unit_rows(np.cross(along, [1.0, 0.1, 0.2]))
    axes = np.stack([side, along, np.cross(side, along)], axis=2).astype(float)
    free = np.tile([-np.inf, np.inf], (count, 3, 1))
    weights = model.weights[: model.body_vertex_count]
    return Skeleton(heads, tails, model.parents.astype(np.int64), weights, np.ones(count, bool), free, axes)


def identity_matches(mesh: TriangleMesh) -> Correspondence:
    """Every vertex on itself."""
    count = len(mesh.vertices)
    face = np.zeros(count, np.int32)
    for corner in range(3):
        face[mesh.faces[:, corner]] = np.arange(len(mesh.faces))
    bary = (mesh.faces[face] == np.arange(count)[:, None]).astype(np.float32)
    return Correspondence(face, bary, np.ones(count, np.float32))


def overlaid(source: TriangleMesh, target: TriangleMesh) -> TriangleMesh:
    """The target laid over the source by its box: as people do before they use nearest points."""
    low, high = source.vertices.min(0), source.vertices.max(0)
    own_low, own_high = target.vertices.min(0), target.vertices.max(0)
    scale = (high[2] - low[2]) / (own_high[2] - own_low[2])
    middle = (target.vertices - (own_low + own_high) / 2) * scale + (low + high) / 2
    return TriangleMesh(middle, target.faces, target.name)


def nearest_matches(source: TriangleMesh, target: TriangleMesh) -> Correspondence:
    face, bary, _ = closest_points(source, overlaid(source, target).vertices)
    return Correspondence(face, bary, np.ones(len(face), np.float32))


def sumner(pair: Pair, matches: Correspondence) -> Float64:
    """Plain deformation transfer: each target face takes the Jacobian of the source face at its middle."""
    import scipy.sparse
    from scipy.sparse.linalg import splu

    strongest = matches.bary.argmax(axis=1)
    source_vertex = pair.source.faces[matches.face, strongest]
    gradients = _face_gradients(pair.source.corners.astype(float), pair.posed[pair.source.faces])
    face_of = matches.face[pair.target.faces[:, 0]]
    # On one topology the matching face is the face itself.
    if (source_vertex == np.arange(len(source_vertex))).mean() > 0.99:
        face_of = np.arange(len(pair.target.faces))
    wanted = gradients[face_of]
    corners = pair.target.corners.astype(float)
    frame = _frames(corners)
    inverse = np.linalg.pinv(frame[:, :, :2])  # (F, 2, 3)
    faces, count = pair.target.faces, len(pair.target.vertices)
    area = np.sqrt(np.maximum(pair.target.face_areas.astype(float), 1e-12))
    rows, columns, values = [], [], []
    for axis in range(3):
        row = 3 * np.arange(len(faces)) + axis
        for corner in range(3):
            weight = inverse[:, 0, axis] * (corner == 1) + inverse[:, 1, axis] * (corner == 2)
            weight = weight - (inverse[:, 0, axis] + inverse[:, 1, axis]) * (corner == 0)
            rows.append(row)
            columns.append(faces[:, corner])
            values.append(weight * area)
    matrix = scipy.sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (3 * len(faces), count)
    )
    # A gradient restricted to the face's plane: rows are ∂x/∂axis of the tangent projection.
    projection = np.einsum("fik,fkj->fij", frame[:, :, :2], inverse)
    right = np.einsum("fij,fjk->fik", wanted, projection).transpose(0, 2, 1) * area[:, None, None]
    normal = (matrix.T @ matrix + 1e-9 * scipy.sparse.eye(count)).tocsc()
    solved = splu(normal).solve(matrix.T @ right.reshape(-1, 3))
    moved = pair.posed[source_vertex] - pair.source.vertices[source_vertex]
    height = np.ptp(pair.target.vertices[:, 2]) / np.ptp(pair.source.vertices[:, 2])
    offset = np.median(pair.target.vertices + height * moved - solved, axis=0)
    return np.asarray(solved + offset)


def _frames(corners: Float64) -> Float64:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    normal /= np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30))
    return np.stack([first, second, normal], axis=2)


def _face_gradients(rest: Float64, posed: Float64) -> Float64:
    return _frames(posed) @ np.linalg.pinv(_frames(rest))


def nearest_surface(pair: Pair) -> Float64:
    """Vertices bound to the nearest face of the source, in its frame, as Surface Deform binds them."""
    over = overlaid(pair.source, pair.target)
    face, bary, _ = closest_points(pair.source, over.vertices)
    rest = np.einsum("vc,vcd->vd", bary, pair.source.corners[face])
    posed = np.einsum("vc,vcd->vd", bary, pair.posed[pair.source.faces[face]])
    turned = _face_gradients(pair.source.corners.astype(float), pair.posed[pair.source.faces])[face]
    moved = posed + np.einsum("vij,vj->vi", turned, over.vertices - rest)
    scale = np.ptp(pair.target.vertices[:, 2]) / np.ptp(pair.source.vertices[:, 2])
    shown = moved * scale
    back = pair.target.vertices - over.vertices * scale
    return np.asarray(shown + np.median(back, axis=0))


def measure(pair: Pair, features: tuple[Features, Features]) -> dict[str, dict[str, float]]:
    """Per method: mean vertex error in % of the height, joint angle error in degrees, seconds."""
    used = np.unique(pair.target.faces)
    height = float(np.ptp(pair.target.vertices[used, 2]))
    figures: dict[str, dict[str, float]] = {}

    def note(name: str, posed: Float64, seconds: float, own: Float64 | None = None) -> None:
        off = np.linalg.norm(posed - pair.truth, axis=1)[used].mean()
        figures[name] = {"error": 100 * float(off) / height, "seconds": seconds}
        if own is not None:
            between = Rotation.from_matrix(own.transpose(0, 2, 1) @ pair.rotations).magnitude()
            figures[name]["degrees"] = float(np.degrees(between).mean())

    rest = pair.target.vertices.astype(float)
    note("left at rest", rest, 0.0)
    for name, matches in (
        ("Sumner, true matches", identity_matches(pair.target)),
        ("Sumner, nearest matches", nearest_matches(pair.source, pair.target)),
    ):
        begun = time.perf_counter()
        note(name, sumner(pair, matches), time.perf_counter() - begun)
    begun = time.perf_counter()
    note("nearest surface", nearest_surface(pair), time.perf_counter() - begun)
    semantic = match_surfaces(pair.target, features[1], pair.source, features[0])
    for kind, matches in (("true matches", identity_matches(pair.target)), ("ours", semantic)):
        begun = time.perf_counter()
        goal = PoseTransfer(pair.source, pair.target, matches).pose(pair.posed)
        key_s = time.perf_counter() - begun
        note(f"{kind}: shape key", goal, key_s)
        begun = time.perf_counter()
        result = PoseFitter(pair.skeleton, rest, matches.confidence.astype(float) ** 2 + 1e-4).fit(goal)
        seconds = key_s + time.perf_counter() - begun
        note(f"{kind}: bones", result.pose.skin(pair.skeleton, rest), seconds, result.own)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Transfer poses between held-out people, against the truth.")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--cache", type=Path, default=Path("build/pose_cache"), help="folder for computed features")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parse_with_data(parser, "mpfb2/base.obj")
    model, cache = HumanModel(options.data), FeatureCache(options.cache, CACHE_BYTES)
    table: list[dict[str, dict[str, float]]] = []
    for number in range(options.pairs):
        pair = make_pair(model, number)
        features = (compute_features(pair.source, cache=cache), compute_features(pair.target, cache=cache))
        table.append(measure(pair, features))
        shown = "  ".join(f"{name} {figures['error']:.2f}" for name, figures in table[-1].items())
        print(f"{number:3d}  {shown}", flush=True)
    print(f"\n{'':28s}{'mean %':>8s}{'median':>8s}{'worst':>8s}{'degrees':>9s}{'seconds':>9s}")
    for name in table[0]:
        errors = [row[name]["error"] for row in table]
        degrees = np.mean([row[name].get("degrees", np.nan) for row in table])
        seconds = np.median([row[name]["seconds"] for row in table])
        print(
            f"{name:28s}{np.mean(errors):8.2f}{np.median(errors):8.2f}{np.max(errors):8.2f}{degrees:9.1f}{seconds:9.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
