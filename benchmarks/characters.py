# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts, sides, fingers and limbs of rigged characters: `python -m benchmarks.characters --rigs DIR --set men`.

Every character of a set is matched to the next one, or to one of another set (`--onto beasts`: an arm belongs on a
foreleg), which stands in another pose (`training.read_rigs` made the folder; the sets `figures` and `critters` are
drawn, by `training.figures` and `training.critters`, and need none). A vertex counts as right where its match is moved
by the same part of the skeleton, by its strongest bone. For an honest figure the set, or the species, is left out of
training (`training.render_shards --men 0`, …).
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.characters import HUMANOID_JOINTS, random_pose
from examples.quadruped import random_stance
from examples.skeleton import joint_transforms
from surface_features.correspondence import match_surfaces
from surface_features.features import compute_features
from surface_features.mesh import TriangleMesh
from surface_features.settings import FeatureSettings
from training.critters import REGIONS as CRITTERS
from training.critters import draw_critter
from training.data_folder import FIRST_HELD_OUT_SEED
from training.figures import draw_figure
from training.rigs import SETS, pose_rig, region_of_joint

Names = Mapping[str, str]  # of joints, as `training.rigs.region_of_joint` takes them
DRAWN = 24  # of a set that is drawn
REGIONS = {"figures": {joint.partition(".")[0]: joint.partition(".")[0] for joint in HUMANOID_JOINTS},
           "critters": CRITTERS}  # fmt: skip
FINGERS = ("Index", "Middle", "Ring", "Pinky", "Thumb")
LIMBS = ("fore_", "hind_")
PARTS = {  # of a region's first name: the parts that all families share (`training.families`)
    "neck head": "head",
    "pelvis": "hips", "spine_01": "hips", "spine_02": "chest", "spine_03": "chest", "clavicle": "chest",
    "upperarm": "fore_upper", "lowerarm": "fore_lower", "hand": "fore_end", "fingers": "fore_end", "thumb": "fore_end",
    "thigh": "hind_upper", "calf": "hind_lower", "foot": "hind_end", "ball": "hind_end", "ear": "head",
    "foreleg.0": "fore_upper", "foreleg.1": "fore_lower", "foreleg.2": "fore_end", "foreleg.3": "fore_end",
    "foreleg.4": "fore_end", "hindleg.4": "hind_end", "torso.0": "hips", "torso.1": "hips", "torso.2": "chest",
    "torso.3": "chest", "torso.4": "neck", "torso.5": "neck", "torso.6": "neck",
    "hindleg.0": "hind_upper", "hindleg.1": "hind_lower", "hindleg.2": "hind_end", "hindleg.3": "hind_end",
}  # fmt: skip
MIDDLE_PARTS = ("hips", "chest")


@dataclass(frozen=True)
class Shares:
    """Shares 0…1, nan where there is nothing to tell apart.

    parts: vertices matched to the same part of the body: head, neck, chest, hips, tail, and the upper, lower and end
    of every limb, sides counted. bones: likewise for the regions of single bones, within a set. wrong_side: limb
    vertices matched to a limb of the other side. fingers: finger vertices matched to the same finger, within a set.
    limbs: limb vertices matched to the same limb.
    """

    parts: float
    bones: float
    wrong_side: float
    fingers: float
    limbs: float


def measure(source: dict[str, Any], target: dict[str, Any], names: Sequence[Names], seed: int, backbone: str) -> Shares:
    """Of the target's vertices, matched to the source, whose rest pose they do not share. names: of both's joints."""
    rng = np.random.default_rng(seed)
    meshes = [
        TriangleMesh(source["vertices"], source["faces"], "source"),
        TriangleMesh(pose_rig(target, rng), target["faces"], "target"),
    ]
    settings = FeatureSettings(backbone=backbone)
    start, goal = (compute_features(mesh, settings) for mesh in meshes)
    found = match_surfaces(meshes[1], goal, meshes[0], start)
    corner = meshes[0].faces[found.face, found.bary.argmax(axis=1)]
    return compare(_joints(target), _joints(source), corner, names)


def compare(expected: np.ndarray, others: np.ndarray, corner: np.ndarray, names: Sequence[Names]) -> Shares:
    """expected, others: (V,), (S,) names of the joints that move the target's vertices and the source's most.

    corner: (V,) the source's vertices that the target's are matched to. names: of the source's joints and the target's.
    Onto another set only what the source has as well is measured: a horse's tail belongs nowhere on a person.
    """
    got, (source_names, target_names) = others[corner], names
    within = source_names == target_names
    bones, regions = _regions(expected, target_names), _regions(others, source_names)
    parts, source_parts = _parts(bones), _parts(regions)
    found, found_parts = regions[corner], source_parts[corner]
    known = bones != ""
    if not within:
        known &= np.isin(parts, source_parts)
    own, other = _sides(parts), _sides(found_parts)
    finger, limb = within & np.array([name.startswith(FINGERS) for name in expected]), own != 0
    return Shares(
        parts=_share((parts == found_parts)[known]),
        bones=_share((bones == found)[known]) if within else float("nan"),
        wrong_side=_share((other == -own)[limb]),
        fingers=_share((np.array([_finger(n) for n in expected]) == np.array([_finger(n) for n in got]))[finger]),
        limbs=_share((np.array([_limb(p) for p in parts]) == np.array([_limb(p) for p in found_parts]))[limb]),
    )


def _regions(joints: np.ndarray, names: Names) -> np.ndarray:
    """What the joints move, as the set's names tell; empty where that is no part."""
    return np.array([region_of_joint(joint, names) or "" for joint in joints])


def _parts(bones: np.ndarray) -> np.ndarray:
    """The part of each region: `hand.L fingers.L` → `fore_end.L`."""
    return np.array([_part(bone) for bone in bones])


def _part(bone: str) -> str:
    first = bone if bone in PARTS else bone.partition(" ")[0]
    side = first[-2:] if first.endswith((".L", ".R")) else ""
    part = PARTS.get(first.removesuffix(side), first.removesuffix(side))
    return part if part in MIDDLE_PARTS else part + side


def _sides(parts: np.ndarray) -> np.ndarray:
    """1 on limbs of the left, −1 on the right, 0 elsewhere."""
    limb = np.array([part.startswith(LIMBS) for part in parts])
    return limb * (1 * np.char.endswith(parts, ".L") - 1 * np.char.endswith(parts, ".R"))


def _joints(rig: dict[str, Any]) -> np.ndarray:
    return np.array(rig["joints"])[rig["weights"].argmax(axis=1)]


def _finger(joint: str) -> str:
    """`Index3.L` → `Index.L`."""
    stem, _, side = joint.partition(".")
    return f"{stem.rstrip('0123456789')}.{side}"


def _limb(part: str) -> str:
    """`fore_upper.L` → `fore.L`."""
    return f"{part.partition('_')[0]}.{part[-1:]}" if part.startswith(LIMBS) else ""


def _share(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure parts, sides, fingers and limbs on rigged characters.")
    every = sorted({**SETS, **REGIONS})
    parser.add_argument("--rigs", type=Path, help="the folder rigs/ that training.read_rigs wrote")
    parser.add_argument("--set", choices=every, required=True)
    parser.add_argument("--onto", choices=every, help="the set whose characters they are matched to, one by one")
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    onto = options.onto or options.set
    sources, names = _characters(parser, options.rigs, options.set)
    own = onto == options.set
    targets, target_names = (sources, names) if own else _characters(parser, options.rigs, onto)
    rows, order = {}, list(targets)
    print(f"{'pair':34s} parts %  bones %  wrong side %  fingers %  limbs %")
    if own:
        pairs = [(name, order[(number + 1) % len(order)]) for number, name in enumerate(order)]
    else:
        pairs = list(zip(itertools.cycle(sources), order, strict=False))
    for number, (name, other) in enumerate(pairs):
        pair = f"{name} → {other}"
        called = (names, target_names)
        rows[pair] = measure(sources[name], targets[other], called, FIRST_HELD_OUT_SEED + number, options.backbone)
        print(_line(pair, rows[pair]), flush=True)
    columns = np.array([list(asdict(row).values()) for row in rows.values()], np.float64)
    known = np.isfinite(columns)
    mean = np.where(known, columns, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    overall = Shares(*mean.tolist())
    print(_line("all", overall))
    if options.json:
        measured = {pair: asdict(row) for pair, row in rows.items()}
        told = {"set": options.set, "onto": onto, "all": asdict(overall), "pairs": measured}
        options.json.write_text(json.dumps(told, indent=1))


def _characters(
    parser: argparse.ArgumentParser, folder: Path | None, name: str
) -> tuple[dict[str, dict[str, Any]], Names]:
    """A set's characters and what its joints are called."""
    if name in REGIONS:
        return draw_rigs(name), REGIONS[name]
    if not folder:
        parser.error(f"{name} are characters of files: name their folder with --rigs")
    rigs = read_rigs(folder, name)
    if len(rigs) < 2:
        parser.error(f"{folder} has no two characters of {name}: run python -m training.read_rigs first")
    return rigs, SETS[name]


def read_rigs(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The arrays of every character of a set that `training.read_rigs` wrote."""
    rigs = {}
    for path in sorted(folder.glob(f"{name}_*.npz")):
        with np.load(path) as stored:
            rigs[path.stem.partition("_")[2]] = {key: stored[key] for key in stored.files}
    return rigs


def draw_rigs(name: str) -> dict[str, dict[str, Any]]:
    """`DRAWN` characters in the same form, each with one random pose; tails and the like follow joints of no region."""
    rigs = {}
    for seed in range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + DRAWN):
        rng = np.random.default_rng([seed, 0])
        if name == "figures":
            character, known = draw_figure(rng)
            pose = joint_transforms(character, random_pose(rng, 0.7))
        else:
            character = draw_critter(rng)
            known = np.ones(len(character.vertices), bool)
            pose = joint_transforms(character, random_stance(rng, 0.7))
        rigs[f"{character.name} {seed}"] = {
            "vertices": character.vertices,
            "faces": character.faces,
            "weights": np.hstack([character.weights * known[:, None], character.weights * ~known[:, None]]),
            "joints": np.array([*character.joints, *["strange"] * len(character.joints)]),
            "poses": np.concatenate([pose, pose])[None],
        }
    return rigs


def _line(name: str, row: Shares) -> str:
    values = [100 * value for value in asdict(row).values()]
    return f"{name:34s} {values[0]:7.1f}  {values[1]:7.1f}  {values[2]:12.1f}  {values[3]:9.1f}  {values[4]:6.1f}"


if __name__ == "__main__":
    main()
