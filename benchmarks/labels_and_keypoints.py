# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels, keypoints, shape keys against the truth: `python -m benchmarks.labels_and_keypoints [people|animals|keys]`.

*people*: a held-out person labelled with Anny's parts, others of unseen shape and pose follow; vertices as keypoints.
*animals*: a Quaternius animal labelled by its strongest bones, the other eleven follow; joints' surface points as
keypoints. *keys*: MakeHuman's expression targets from one held-out head to another, whose surface has other vertices.
Beside each: what the nearest surface gives, as Blender's Data Transfer does, the meshes laid on each other by their
bounding boxes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surface_features.cache import FeatureCache
from surface_features.correspondence import Correspondence, match_surfaces
from surface_features.face_registration import FaceFinder, face_body, register_expressions
from surface_features.features import Features, compute_features
from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from surface_features.segmentation import scores_by_example, settle
from surface_features.settings import FeatureSettings
from surface_features.surface_points import carry_points
from surface_features.transfer.keypoints import transfer_keypoints
from surface_features.transfer.layout import inset_samples
from surface_features.transfer.shape_keys import STILL, ShapeKeyTransfer
from training.data_folder import parse_with_data
from training.human_poses import pose_person, sample_pose
from training.humans import HumanModel, to_z_up

WHAT = ("people", "animals", "keys")
FIRST_SEED = 1_000_100  # held out: training uses smaller ones
KEYPOINTS = 60
WITHIN = (0.025, 0.05, 0.075, 0.1)  # of the height
BODY_PARTS = {
    "IKFrontLeg": "FrontPaw", "FF": "FrontPaw", "IKBackLeg": "BackPaw", "FFB": "BackPaw",
    "FrontShoulder": "FrontUpperLeg", "BackShoulder": "BackLeg",
}  # fmt: skip
EXPRESSIONS = (
    "eye-left-closure", "eye-right-closure", "eye-left-opened-up", "eyebrows-left-up", "nose-compression",
    "mouth-open", "mouth-corner-puller", "mouth-elevation", "mouth-pursing", "mouth-depression",
)  # fmt: skip


class Figures:
    """Rows of figures, printed as they come and kept for --json."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, what: str, **figures: Any) -> None:
        self.rows.append({"what": what, **figures})
        told = "  ".join(
            f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
        )
        print(f"{what:<34} {told}", flush=True)


def by_features(mesh: TriangleMesh, goal: TriangleMesh, cache: FeatureCache | None) -> Correspondence:
    return match_surfaces(mesh, _features(mesh, cache), goal, _features(goal, cache))


def _features(mesh: TriangleMesh, cache: FeatureCache | None) -> Features:
    return compute_features(mesh, FeatureSettings(), cache=cache)


def by_nearest(mesh: TriangleMesh, goal: TriangleMesh) -> Correspondence:
    """The nearest point, after the mesh's bounding box was brought onto the goal's."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    goal_low, goal_high = goal.vertices.min(axis=0), goal.vertices.max(axis=0)
    laid = (mesh.vertices - low) / np.maximum(high - low, 1e-9) * (goal_high - goal_low) + goal_low
    face, bary, _ = closest_points(goal, laid)
    return Correspondence(face, bary, np.ones(len(face), np.float32))


def label_by_example(
    mesh: TriangleMesh, example: TriangleMesh, labels: NDArray, onto_example: Correspondence, smoothness: float
) -> NDArray:
    """(F,) part of each face, as *Segment Parts* by example has it."""
    face, bary = inset_samples(np.arange(len(mesh.faces)))
    points = carry_points(mesh, face.astype(np.int32), bary, example, onto_example)
    return settle(mesh, scores_by_example(labels, points, 4, int(labels.max()) + 1), smoothness)


def overlap(mesh: TriangleMesh, found: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """Intersection over union of each part's area; NaN for parts that the truth does not have."""
    area = mesh.face_areas.astype(np.float64)
    result = np.full(int(truth.max()) + 1, np.nan)
    for part in np.unique(truth):
        either = area[(found == part) | (truth == part)].sum()
        result[part] = area[(found == part) & (truth == part)].sum() / max(either, 1e-30)
    return result


def anny_labels(data: Path) -> tuple[NDArray[np.int64], list[str]]:
    """(F,) Anny's part of each triangle of the base mesh's body, and the names of those parts that the body has."""
    import yaml
    from PIL import Image

    places: list[tuple[float, float]] = []
    corners: list[list[int]] = []
    group = ""
    for line in (data / "mpfb2" / "base.obj").read_text().splitlines():
        words = line.split()
        if words[:1] == ["vt"]:
            places.append((float(words[1]), float(words[2])))
        elif words[:1] == ["g"]:
            group = words[1]
        elif words[:1] == ["f"] and group == "body":
            own = [int(word.split("/")[1]) - 1 for word in words[1:]]
            corners += [[own[0], own[i], own[i + 1]] for i in range(1, len(own) - 1)]
    picture = np.array(Image.open(data / "anny_parts" / "body_parts_segmentation.png").convert("RGB")).astype(int)
    middle = np.array(places)[np.array(corners)].mean(axis=1)
    row = np.clip(((1 - middle[:, 1]) * len(picture)).astype(int), 0, len(picture) - 1)
    column = np.clip((middle[:, 0] * picture.shape[1]).astype(int), 0, picture.shape[1] - 1)
    colours = yaml.safe_load((data / "anny_parts" / "body_parts_segmentation.yaml").read_text())["colors"]
    gaps = np.abs(picture[row, column][:, None] - np.array(list(colours.values()))[None]).sum(axis=2)
    used, labels = np.unique(gaps.argmin(axis=1), return_inverse=True)
    return labels.astype(np.int64), [list(colours)[number] for number in used]


def people(data: Path, count: int, cache: FeatureCache | None, figures: Figures) -> None:
    labels, names = anny_labels(data)
    model = HumanModel(data)
    bodies = [held_out_person(model, FIRST_SEED + number) for number in range(count + 1)]
    example = bodies[0]
    _features(example, cache)
    rng = np.random.default_rng(0)
    chosen = rng.choice(np.unique(model.body_faces), KEYPOINTS, replace=False)
    tables: dict[str, list[NDArray]] = {"ours": [], "nearest surface": []}
    off: dict[str, list[NDArray]] = {"ours": [], "nearest surface": []}
    seconds = []
    for body in bodies[1:]:
        _features(body, cache)
        start = time.perf_counter()
        onto = by_features(body, example, cache)
        found = label_by_example(body, example, labels, onto, 1.0)
        seconds.append(time.perf_counter() - start)
        tables["ours"].append(overlap(body, found, labels))
        nearest = by_nearest(body, example)
        tables["nearest surface"].append(overlap(body, label_by_example(body, example, labels, nearest, 0.0), labels))
        height = float(np.ptp(body.vertices[:, 2]))
        for way, match in (("ours", by_features(example, body, cache)), ("nearest surface", by_nearest(example, body))):
            points, _ = transfer_keypoints(example, example.vertices[chosen], body, match)
            off[way].append(np.linalg.norm(points - body.vertices[chosen], axis=1) / height)
    for way, table in tables.items():
        iou = np.nanmean(table, axis=0)
        parts = {name: float(value) for name, value in zip(names, iou, strict=True)}
        figures.add(
            f"people, parts, {way}",
            mean=float(np.mean(iou)),
            worst_person=float(np.min(np.mean(table, axis=1))),
            **parts,
        )
    _tell_keypoints("people", off, figures)
    figures.add("people, seconds a mesh, cached", median=float(np.median(seconds)))


def held_out_person(model: HumanModel, seed: int) -> TriangleMesh:
    rng = np.random.default_rng(seed)
    person = model.sample_person(rng)
    posed = pose_person(model, person, sample_pose(model, person, rng, float(rng.uniform(0.3, 1.0))))
    return TriangleMesh(to_z_up(posed[: model.body_vertex_count]), model.body_faces, f"Person {seed}")


def _tell_keypoints(what: str, off: dict[str, list[NDArray]], figures: Figures) -> None:
    for way, gaps in off.items():
        everything = np.concatenate(gaps)
        shares = {f"within {100 * reach:g} %": float((everything <= reach).mean()) for reach in WITHIN}
        figures.add(f"{what}, keypoints, {way}", **shares)


def animals(data: Path, example_name: str, cache: FeatureCache | None, figures: Figures) -> None:
    rigged = dict(rigged_animals(data / "quaternius" / "animals"))
    example, example_bones, joints = rigged.pop(example_name)
    ways = ("ours", "nearest surface")
    tables: dict[tuple[str, str], list[NDArray]] = {(kind, way): [] for kind in NAMING for way in ways}
    off: dict[str, list[NDArray]] = {way: [] for way in ways}
    for name, (body, bones, own_joints) in rigged.items():
        matches = {"ours": by_features(body, example, cache), "nearest surface": by_nearest(body, example)}
        onward = {"ours": by_features(example, body, cache), "nearest surface": by_nearest(example, body)}
        size = float(np.ptp(body.vertices[:, 2]))
        for way, onto in matches.items():
            for kind, part_of in NAMING.items():
                names = sorted({part_of(bone) for bone in (*bones, *example_bones)})
                labels, truth = (
                    strongest_parts(*one, names, part_of) for one in ((example, example_bones), (body, bones))
                )
                found = label_by_example(body, example, labels, onto, 1.0 if way == "ours" else 0.0)
                tables[kind, way].append(overlap(body, found, truth))
            points, _ = transfer_keypoints(example, joints, body, onward[way])
            off[way].append(np.linalg.norm(points - own_joints, axis=1) / size)
        told = {kind: float(np.nanmean(tables[kind, "ours"][-1])) for kind in NAMING}
        figures.add(f"animals, {example_name} → {name}", **told)
    for (kind, way), table in tables.items():
        figures.add(f"animals, {kind}, {way}", mean=float(np.mean([np.nanmean(row) for row in table])))
    _tell_keypoints("animals", off, figures)


def rigged_animals(folder: Path) -> Iterator[tuple[str, tuple[TriangleMesh, dict[str, NDArray], NDArray]]]:
    """Mesh, (V,) weights of every bone that all animals have, and (J, 3) joints of these, in one order for all.

    What only some have, an ear's bone, goes with what it hangs on.
    """
    from training.read_rigs import read_rig

    rigs = {path.stem: read_rig(path, np.random.default_rng(0)) for path in sorted(folder.glob("*.glb"))}
    shared = set.intersection(*({str(joint) for joint in rig["joints"]} for rig in rigs.values()))
    used = {
        name for rig in rigs.values() for name, on in zip(rig["joints"], rig["weights"].any(axis=0), strict=True) if on
    }
    joints = sorted(shared & {str(name) for name in used})
    for name, rig in rigs.items():
        own = [str(joint) for joint in rig["joints"]]
        bones = {joint: np.zeros(len(rig["vertices"]), np.float32) for joint in joints}
        for column in range(len(own)):
            above = column
            while above >= 0 and own[above] not in bones:
                above = int(rig["parents"][above])
            if above >= 0:
                bones[own[above]] += rig["weights"][:, column]
        mesh = TriangleMesh(rig["vertices"], rig["faces"], name)
        yield name, (mesh, bones, rig["heads"][[own.index(joint) for joint in joints]])


def strongest_parts(
    mesh: TriangleMesh, bones: dict[str, NDArray], names: list[str], part_of: Callable[[str], str]
) -> NDArray[np.int64]:
    """(F,) the part, an index into `names`, whose bones weigh most on each face's corners."""
    total = np.zeros((len(mesh.faces), len(names)))
    for bone, weights in bones.items():
        total[:, names.index(part_of(bone))] += weights[mesh.faces].sum(axis=1)
    return total.argmax(axis=1)


def bone_part(joint: str) -> str:
    """Bones of one name but for their last number are one part: FrontUpperLeg.L stays; Tail3 and Neck_02 become Tail
    and Neck."""
    base, dot, side = joint.partition(".")
    return base.rstrip("0123456789").rstrip("_") + dot + side


def body_part(joint: str) -> str:
    """As `bone_part`, but what an animator would name: a paw that two controls move is one, and so are a leg and the
    two or three faces at its root that go with a shoulder of their own."""
    base, dot, side = bone_part(joint).partition(".")
    return BODY_PARTS.get(base, base) + dot + side


NAMING: dict[str, Callable[[str], str]] = {"parts by bones": bone_part, "parts of the body": body_part}


def keys(data: Path, count: int, cache: FeatureCache | None, figures: Figures) -> None:
    model = HumanModel(data)
    deltas = {name: _expression(model, name) for name in EXPRESSIONS}
    region = np.any([_moves(delta) for delta in deltas.values()], axis=0)
    finder = FaceFinder(_features(face_body(), cache))
    tables: dict[str, list[dict[str, float]]] = {"ours": [], "matches alone": [], "nearest surface": []}
    seconds = []
    for number in range(count):
        source, body = (_resting(model, FIRST_SEED + 100 + 2 * number + side) for side in (0, 1))
        target, truth_of = _other_vertices(body)
        _features(source, cache)
        matched = by_features(target, source, cache)
        start = time.perf_counter()
        features = _features(target, cache), _features(source, cache)
        onto = register_expressions(target, features[0], source, features[1], matched, region, finder)
        ours = ShapeKeyTransfer(source, target, onto)
        moved = {name: ours.carry(delta) for name, delta in deltas.items()}
        seconds.append(time.perf_counter() - start)
        tables["ours"].append({name: _key_error(moved[name], truth_of(delta)) for name, delta in deltas.items()})
        for way, match in (("matches alone", matched), ("nearest surface", by_nearest(target, source))):
            led = {
                name: np.einsum("vc,vcd->vd", match.bary, delta[source.faces[match.face]])
                for name, delta in deltas.items()
            }
            tables[way].append({name: _key_error(led[name], truth_of(delta)) for name, delta in deltas.items()})
        figures.add(f"keys, pair {number}", mean=float(np.mean(list(tables["ours"][-1].values()))))
    for way, table in tables.items():
        each = {name: float(np.mean([row[name] for row in table])) for name in EXPRESSIONS}
        figures.add(f"keys, error ÷ displacement, {way}", mean=float(np.mean(list(each.values()))), **each)
    figures.add("keys, seconds a pair, cached", median=float(np.median(seconds)))


def _expression(model: HumanModel, name: str) -> NDArray:
    delta = model.target_displacement(f"expression/units/caucasian/{name}")
    return to_z_up(delta)[: model.body_vertex_count]


def _moves(delta: NDArray) -> NDArray[np.bool_]:
    length = np.linalg.norm(delta, axis=1)
    return length > STILL * length.max()


def _resting(model: HumanModel, seed: int) -> TriangleMesh:
    person = model.sample_person(np.random.default_rng(seed))
    return TriangleMesh(to_z_up(person.vertices[: model.body_vertex_count]), model.body_faces, f"Person {seed}")


def _other_vertices(body: TriangleMesh) -> tuple[TriangleMesh, Any]:
    """The body with every vertex moved into a face beside it, and how displacements of its vertices move these."""
    order = np.random.default_rng(0).permutation(len(body.faces))
    beside = np.full(len(body.vertices), -1)
    for corner in range(3):
        beside[body.faces[order][:, corner]] = order
    used = beside >= 0
    corners = body.faces[np.maximum(beside, 0)]
    share = np.where(corners == np.arange(len(body.vertices))[:, None], 0.6, 0.2)[..., None]

    def moved(values: NDArray) -> NDArray:
        return np.where(used[:, None], (share * values[corners]).sum(axis=1), values)

    return TriangleMesh(moved(body.vertices), body.faces, body.name), moved


def _key_error(found: NDArray, truth: NDArray) -> float:
    """Σ|found − true| ÷ Σ|true| over all vertices."""
    return float(np.linalg.norm(found - truth, axis=1).sum() / np.linalg.norm(truth, axis=1).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description="Labels, keypoints and shape keys against the truth.")
    parser.add_argument("what", nargs="?", choices=(*WHAT, "all"), default="all")
    parser.add_argument("--people", type=int, default=20, help="how many follow the labelled person")
    parser.add_argument("--pairs", type=int, default=5, help="of heads, for shape keys")
    parser.add_argument("--animal", default="Horse", help="the labelled one")
    parser.add_argument("--cache", type=Path, help="folder for features, to run again quickly")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parse_with_data(parser, "mpfb2/base.obj")
    data = options.data
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    cache = FeatureCache(options.cache, 2**32) if options.cache else FeatureCache(Path("build/labels_cache"), 2**32)
    figures = Figures()
    wanted = WHAT if options.what == "all" else (options.what,)
    if "people" in wanted:
        people(data, options.people, cache, figures)
    if "animals" in wanted:
        animals(data, options.animal, cache, figures)
    if "keys" in wanted:
        keys(data, options.pairs, cache, figures)
    if options.json:
        options.json.write_text(json.dumps(figures.rows, indent=1))


if __name__ == "__main__":
    main()
