# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs from nothing, measured: `python -m benchmarks.rig_accuracy --data DIR [--sets men kaykit …] [--pictures DIR]`.

Every mesh loses its skeleton and weights, *Rig*'s preset gives it new ones, and what came out is compared with what the
artist made: share of joints inside the mesh, distance of the joints that both have in % of the height, vertices without
weight, vertices of a limb bound across the body's middle. `--pictures` writes a walk played on the new skeleton.

Artists place like-named joints differently (the hips' bone of one set lies where the belly's does in another). That is
told apart: `mean` and `95 %` are the raw distances, `of set` is the mean of what is left when the set's own mean offset
of each joint is taken away, so that it only holds what differs from character to character.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surface_features.cache import FeatureCache
from surface_features.geometry.inside import INSIDE, winding_numbers
from surface_features.io import read_mesh
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight
from surface_features.preset_rig import PresetRig, rig_from_nothing
from surface_features.upright import to_z_up
from training.data_folder import parse_with_data

from .rig_pictures import save_sheet, walk_strip

# A set's joints on the template's. KayKit's head moves the neck too and starts where that does (`training.rigs`).
MEN = {
    "Hips": "pelvis", "Abdomen": "spine_01", "Torso": "spine_02", "Chest": "spine_03", "Neck": "neck_01",
    "Head": "head", "Shoulder": "clavicle", "UpperArm": "upperarm", "LowerArm": "lowerarm", "Hand": "hand",
    "UpperLeg": "thigh", "LowerLeg": "calf", "Foot": "foot",
}  # fmt: skip
KAYKIT = {
    "hips": "pelvis", "head": "neck_01", "upperarm": "upperarm", "lowerarm": "lowerarm", "wrist": "hand",
    "upperleg": "thigh", "lowerleg": "calf", "foot": "foot", "toes": "ball",
}  # fmt: skip
ANIMALS = {  # whose front legs have no shoulder joint: FrontShoulder is a stub just above the elbow
    "Head": "head", "FrontUpperLeg": "forearm", "FrontLowerLeg": "hand",
    "BackLeg": "thigh", "BackUpperLeg": "shin", "BackLowerLeg": "foot", "Tail1": "tail",
}  # fmt: skip
DOG = {  # dm_control's, with a real dog's joints
    "skull": "head", "upper_arm": "upper_arm", "lower_arm": "forearm", "hand": "hand", "finger": "fingers",
    "upper_leg": "thigh", "lower_leg": "shin", "foot": "foot", "toe": "toe", "Ca_1": "tail",
}  # fmt: skip
SETS = ("people", "men", "kaykit", "odedstein", "animals", "dog")
PEOPLE = 6
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
MIDDLE = 0.02  # of the height: nearer to the plane of symmetry a vertex has no side


@dataclass(frozen=True, eq=False)
class Subject:
    """truth: the template's bone → where its head is, (3,), for the joints that both skeletons have."""

    group: str
    mesh: TriangleMesh
    truth: dict[str, NDArray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Score:
    subject: Subject
    rig: PresetRig
    seconds: float
    inside: float
    offsets: dict[str, NDArray]  # in heights
    unweighted: int
    crossed: float

    @property
    def height(self) -> float:
        return float(np.ptp(self.subject.mesh.vertices[:, 2]))


def people(data: Path) -> Iterator[Subject]:
    """Held-out people of MakeHuman, remeshed, each at rest and in a pose."""
    from training.human_poses import pose_person, sample_pose
    from training.humans import HumanModel
    from training.humans import to_z_up as points_to_z_up

    from .make_mpfb_pack import FIRST_HELD_OUT_SEED, remesh

    model = HumanModel(data)
    for number in range(PEOPLE):
        rng = np.random.default_rng(FIRST_HELD_OUT_SEED + number)
        person = model.sample_person(rng)
        posed = pose_person(model, person, sample_pose(model, person, rng, 0.5))
        for name, vertices in (("rest", person.vertices), ("posed", posed)):
            skin = remesh(TriangleMesh(vertices[: model.body_vertex_count], model.body_faces))
            heads = points_to_z_up(model.joints(vertices)[0])
            truth = {bone: heads[row] for row, bone in enumerate(model.bones) if bone != "Root"}
            mesh = TriangleMesh(points_to_z_up(skin.vertices), skin.faces, f"person {number} {name}")
            yield Subject(f"people, {name}", mesh, truth)


def characters(data: Path, group: str, folder: str, names: dict[str, str]) -> Iterator[Subject]:
    """Rigged GLB files."""
    from training.read_rigs import read_rig

    for path in sorted((data / folder).glob("*.glb")):
        rig = read_rig(path.resolve(), np.random.default_rng(0))
        yield _rigged(group, path.stem, rig, names)


def dog(data: Path) -> Iterator[Subject]:
    """The dog of dm_control."""
    from training.dog import read_dog

    yield _rigged("dog", "dog", read_dog(data / "dm_control_dog"), DOG)


def _rigged(group: str, name: str, rig: dict[str, NDArray], names: dict[str, str]) -> Subject:
    truth = {}
    for joint, head in zip(rig["joints"].tolist(), rig["heads"], strict=True):
        stem, _, side = joint.partition(".")
        if stem in names:
            suffix = f".{side.upper()}" if group in ("animals", "dog") else f"_{side.lower()}"
            truth[names[stem] + (suffix if side else "")] = head
    return Subject(group, TriangleMesh(rig["vertices"], rig["faces"], name), truth)


def scans(data: Path) -> Iterator[Subject]:
    for name in ("man", "woman"):
        mesh = read_mesh(data / "odedstein" / "human" / f"human_{name}.obj")
        yield Subject("odedstein", TriangleMesh(to_z_up(mesh, "Y").vertices, mesh.faces, name))


def subjects(data: Path, group: str) -> Iterator[Subject]:
    if group == "people":
        return people(data)
    if group == "men":
        return characters(data, group, "quaternius/men", MEN)
    if group == "kaykit":
        return characters(data, group, "kaykit", KAYKIT)
    if group == "animals":
        return characters(data, group, "quaternius/animals", ANIMALS)
    if group == "dog":
        return dog(data)
    return scans(data)


def measure(subject: Subject, cache: FeatureCache) -> Score:
    begun = time.perf_counter()
    rig = rig_from_nothing(subject.mesh, cache=cache)
    seconds = time.perf_counter() - begun
    checked = preflight(subject.mesh)
    inside = winding_numbers(checked.proxy, (rig.ends[:, 0] - checked.centre) * checked.scale) > INSIDE
    height = float(np.ptp(subject.mesh.vertices[:, 2]))
    offsets = {
        bone: (rig.ends[rig.bones.index(bone), 0] - place) / height
        for bone, place in subject.truth.items()
        if bone in rig.bones
    }
    unweighted = int((np.abs(rig.weights.sum(axis=1) - 1) > 1e-3).sum())
    return Score(subject, rig, seconds, float(inside.mean()), offsets, unweighted, _crossed(subject.mesh, rig, height))


def _crossed(mesh: TriangleMesh, rig: PresetRig, height: float) -> float:
    """Share of weight that vertices clearly on one side have in bones of the other; only told for bodies at rest."""
    side = np.array(
        [1 if bone.endswith(("_l", ".L")) else -1 if bone.endswith(("_r", ".R")) else 0 for bone in rig.bones]
    )
    hips = rig.ends[0, 0]
    across = rig.ends[side > 0, 0].mean(axis=0) - rig.ends[side < 0, 0].mean(axis=0)
    lean = (mesh.vertices - hips) @ (across / max(float(np.linalg.norm(across)), 1e-12))
    clear = np.abs(lean) > MIDDLE * height
    wrong = (rig.weights * (side[None] * np.sign(lean)[:, None] < 0)).sum(axis=1)
    return float(wrong[clear].mean())


def tell(group: str, scores: list[Score]) -> None:
    """One line of the table."""
    mean = {
        bone: np.mean([score.offsets[bone] for score in scores if bone in score.offsets], axis=0)
        for bone in {bone for score in scores for bone in score.offsets}
    }
    raw: list[float] = []
    own: list[float] = []
    fingers: list[float] = []
    for score in scores:
        for bone, offset in score.offsets.items():
            length = float(np.linalg.norm(offset))
            (fingers if bone.startswith(FINGERS) else raw).append(length)
            if not bone.startswith(FINGERS):
                own.append(float(np.linalg.norm(offset - mean[bone])))
    errors = "          no truth          "
    if raw:
        errors = f"{100 * np.mean(raw):5.1f} {100 * np.quantile(raw, 0.95):6.1f} {100 * np.mean(own):8.1f}"
        errors += f" {100 * np.mean(fingers):7.1f}" if fingers else "       –"
    kinds = "/".join(sorted({score.rig.kind for score in scores}))
    inside = 100 * np.mean([score.inside for score in scores])
    print(
        f"{group:14s}{len(scores):3d}  {kinds:10s} {inside:6.1f} % "
        f"{errors}  {sum(s.unweighted for s in scores):5d} {100 * np.mean([s.crossed for s in scores]):7.2f} % "
        f"{np.median([s.seconds for s in scores]):6.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Rigs from nothing, measured against the artists' own.")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--cache", type=Path, default=Path("build/feature_cache"), help="folder for features")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write a walk on each new skeleton")
    parser.add_argument("--only", type=int, metavar="N", help="the first N of each set")
    options = parse_with_data(parser, "mpfb2/base.obj")
    cache = FeatureCache(options.cache, 4 * 2**30)
    print(
        f"{'set':14s}  n  {'preset':10s} {'inside':>8s} {'mean':>6s} {'95 %':>6s} {'of set':>8s} {'fingers':>7s}"
        f"  {'bare':>5s} {'crossed':>9s} {'median':>8s}     joint errors in % of the height"
    )
    for group in options.sets:
        found: dict[str, list[Score]] = {}
        for number, subject in enumerate(subjects(options.data, group)):
            if options.only and number >= options.only:
                break
            score = measure(subject, cache)
            found.setdefault(subject.group, []).append(score)
            if options.pictures and score.rig.kind == "human":
                save_sheet(options.pictures / f"{group}_{subject.mesh.name}.png", [walk_strip(subject.mesh, score.rig)])
        for name, scores in found.items():
            tell(name, scores)


if __name__ == "__main__":
    main()
