# SPDX-License-Identifier: GPL-3.0-or-later
"""The data folder's rigged characters, posed, and tied to the templates through their bones.

A vertex and a template vertex belong together where they lie on the same part of the skeleton, equally far along it and
on the same side of its axis. Good to part level, not to the millimetre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from surface_features.geometry.components import vertex_components, weld

from .dressing import Labelled
from .humans import HumanModel, to_z_up
from .procedural import joint_of_bone
from .quadrupeds import GRIDS, AnimalModel

# What a set's bones are called on the template; several of one side by side are one region.
MEN = {
    "Hips": "pelvis", "Root": "pelvis", "Abdomen": "spine_01", "Torso": "spine_02", "Chest": "spine_03", "Neck": "neck",
    "Head": "head", "Shoulder": "clavicle", "UpperArm": "upperarm", "LowerArm": "lowerarm", "Hand": "hand",
    "Index": "fingers", "Middle": "fingers", "Ring": "fingers", "Pinky": "fingers", "Thumb": "thumb",
    "UpperLeg": "thigh", "LowerLeg": "calf", "Foot": "foot ball",
}  # fmt: skip
KAYKIT = {
    "root": "pelvis", "hips": "pelvis", "spine": "spine_01", "chest": "spine_02 spine_03 clavicle.L clavicle.R",
    "upperarm": "upperarm", "lowerarm": "lowerarm", "wrist": "hand fingers thumb", "hand": "hand fingers thumb",
    "head": "neck head", "upperleg": "thigh", "lowerleg": "calf", "foot": "foot", "toes": "ball",
}  # fmt: skip
BEASTS = {
    "Back": "torso.0", "BackShoulder": "torso.0", "Torso": "torso.1", "Torso2": "torso.2", "Torso3": "torso.3",
    "Neck1": "torso.4", "Neck2": "torso.5", "Neck3": "torso.6", "Head": "head", "Ear": "ear", "Tail": "tail",
    "FrontShoulder": "foreleg.0", "FrontUpperLeg": "foreleg.1", "FrontLowerLeg": "foreleg.2",
    "IKFrontLeg": "foreleg.3", "FF": "foreleg.4", "BackLeg": "hindleg.0", "BackUpperLeg": "hindleg.1",
    "BackLowerLeg": "hindleg.2", "IKBackLeg": "hindleg.3", "FFB": "hindleg.4",
    # the dog of dm_control
    "pelvis": "torso.0", "L_": "torso.1", "torso": "torso.2 torso.3", "scapula": "torso.2 torso.3",
    "C_": "torso.4 torso.5 torso.6", "skull": "head", "jaw": "head", "Ca_": "tail", "upper_arm": "foreleg.0",
    "lower_arm": "foreleg.1 foreleg.2", "hand": "foreleg.3", "hand_anchor": "foreleg.3", "finger": "foreleg.4",
    "upper_leg": "hindleg.0", "lower_leg": "hindleg.1", "foot": "hindleg.2", "foot_anchor": "hindleg.3",
    "toe": "hindleg.3 hindleg.4",
}  # fmt: skip
TORSO_CUTS = (0.25, 0.37, 0.5, 0.58, 0.7, 0.82, 0.95)  # of its rings: where each region of the torso ends
FIRST_NECK = 4  # and those that follow
LEG_CUTS = (0.25, 0.5, 0.75, 0.875, 1.0)
SPREADS = {
    "upperarm": 40, "upperleg": 30, "frontshoulder": 18, "backleg": 22, "upper_arm": 18, "upper_leg": 22, "l_": 3,
    "c_": 6, "ca_": 5, "jaw": 4,
}  # fmt: skip
HINGES = {
    "lowerarm": -1, "lowerleg": 1, "frontlowerleg": 1, "backlowerleg": 1, "backupperleg": 1, "lower_arm": -1,
    "lower_leg": 1,
}  # fmt: skip
SETS = {"men": MEN, "kaykit": KAYKIT, "beasts": BEASTS}
FINGERS = {"Index": "index", "Middle": "middle", "Ring": "ring", "Pinky": "pinky"}  # labelled one by one
UNPAIRED = "torso"  # what regions are called that bones of either side move
WELD = 1e-4  # of the extent
SMALLEST = 12  # vertices of a region that can be placed along its bone


@dataclass(frozen=True, eq=False)
class Rig:
    """What `training.read_rigs` wrote, and the template vertex of every vertex."""

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    joints: list[str]
    parents: np.ndarray
    heads: np.ndarray
    poses: np.ndarray
    labels: np.ndarray


class RigSource:
    """Rigged characters of the sets in a scratch folder."""

    def __init__(self, folder: Path, people: HumanModel, animals: AnimalModel) -> None:
        charts = {"men": human_regions(people), "beasts": animal_regions(animals, people.body_vertex_count)}
        charts["kaykit"] = charts["men"]
        self.sets: dict[str, list[Rig]] = {}
        for path in sorted(folder.glob("*.npz")):
            name = path.name.split("_")[0]
            with np.load(path) as stored:
                arrays = {key: stored[key] for key in stored.files}
            names = SETS[name] | FINGERS if name == "men" else SETS[name]
            labels = label_rig(arrays, names, charts[name])
            joints = arrays.pop("joints").tolist()
            self.sets.setdefault(name, []).append(Rig(joints=joints, labels=labels, **arrays))

    def sample(self, name: str, rng: np.random.Generator) -> Labelled:
        """A character of a set in a clip's pose, a random one or both, stretched a little, Z up."""
        rigs = self.sets[name]
        rig = rigs[rng.integers(len(rigs))]
        if len(rig.poses) and rng.uniform() < 0.7:
            transforms = rig.poses[rng.integers(len(rig.poses))]
        else:
            transforms = random_transforms(rig.joints, rig.parents, rig.heads, rng, float(rng.uniform(0, 1)))
        vertices = _skin(rig.vertices, rig.weights, transforms)
        vertices = vertices * np.exp(rng.normal(0, 0.08, 3))
        return Labelled(vertices.astype(np.float32), rig.faces.copy(), rig.labels.copy())


def region_of_joint(joint: str, names: Mapping[str, str]) -> str | None:
    """`Index3.L` → `fingers.L`; None for controls that move no part."""
    stem, dot, side = joint.partition(".")
    region = names.get(stem, names.get(stem.rstrip("0123456789")))
    if region is None or not dot or region.startswith(UNPAIRED):
        return region
    parts = region.split()
    return " ".join(part if part.endswith((".L", ".R")) else f"{part}.{side.upper()}" for part in parts)


@dataclass(frozen=True, eq=False)
class Regions:
    """places: (N, 3) template vertices. members: template vertices of every named region. first_label: of vertex 0.

    limbs: (2, 3) start and end of each limb's region on its bones; empty where they are not known.
    """

    places: np.ndarray
    members: dict[str, np.ndarray]
    first_label: int
    limbs: dict[str, np.ndarray]


def human_regions(model: HumanModel) -> Regions:
    count = model.body_vertex_count
    dominant = model.weights[:count].argmax(axis=1)
    joints = np.array([joint_of_bone(bone) for bone in model.bones])[dominant]
    members = {str(name): np.flatnonzero(joints == name) for name in np.unique(joints)}
    bones = np.array(model.bones)[dominant]
    for finger in FINGERS.values():
        for side in "LR":
            own = np.char.startswith(bones, finger) & np.char.endswith(bones, f"_{side.lower()}")
            members[f"{finger}.{side}"] = np.flatnonzero(own)
    limbs: dict[str, np.ndarray] = {}
    for bone, head, tail in zip(model.bones, *map(to_z_up, model.joints(model.base)), strict=True):  # parents first
        stem, side = bone.split("_")[0], bone[-1].upper()
        for name in (joint_of_bone(bone), *([f"{stem}.{side}"] if stem in FINGERS.values() else [])):
            if name.endswith((".L", ".R")):
                limbs[name] = np.stack([limbs[name][0] if name in limbs else head, tail])
    return Regions(to_z_up(model.base[:count].astype(np.float64)), members, 0, limbs)


def animal_regions(model: AnimalModel, first_label: int) -> Regions:
    """Of the animal that stands for all, without its trunk; torso and legs in segments."""
    places = model.template()[0].astype(np.float64)
    members: dict[str, np.ndarray] = {}
    lines: dict[str, np.ndarray] = {}
    for name, rows in model.part_slices.items():
        (rings, around), own = GRIDS[name], np.arange(rows.start, rows.stop)
        stem, _, side = name.partition(".")
        line = places[own].reshape(rings, around, 3).mean(axis=1)
        cuts = {"torso": TORSO_CUTS, "foreleg": LEG_CUTS, "hindleg": LEG_CUTS}.get(stem)
        if cuts is None:
            members |= {} if stem == "trunk" else {name: own}
            lines |= {name: line[[0, -1]]} if stem in ("tail", "ear") else {}
            continue
        segment = np.searchsorted(cuts, np.arange(rings) / (rings - 1))
        for number in range(len(cuts)):
            part = f"{stem}.{number}" + (f".{side}" if side else "")
            members[part] = own[np.repeat(segment == number, around)]
            if stem == "torso" and number >= FIRST_NECK:
                lines[part] = line[segment == number][[0, -1]]
    return Regions(places, members, first_label, lines)


def label_rig(rig: Mapping[str, np.ndarray], names: dict[str, str], regions: Regions) -> np.ndarray:
    """(V,) int64 label of every vertex of a file of `training.read_rigs`, −1 where its strongest bone has no region."""
    of_joint = [region_of_joint(joint, names) or "" for joint in rig["joints"].tolist()]
    region = np.array(of_joint)[rig["weights"].argmax(axis=1)].astype("<U64")
    if "horn.L" in regions.members:
        _name_horns(region, rig)
    labels = np.full(len(region), -1, np.int64)
    for name in np.unique(region):
        parts = [part for part in name.split() if part in regions.members]
        if not parts:
            continue
        own = np.concatenate([regions.members[part] for part in parts])
        rows = np.flatnonzero(region == name)
        points, template = rig["vertices"][rows], regions.places[own]
        if parts[0] in regions.limbs and len({part[-2:] for part in parts}) == 1:  # of one side, or a tail
            start, way = _limb_of(name, of_joint, rig)
            template_start, template_end = regions.limbs[parts[0]]
            template_way = template_end - template_start if len(parts) == 1 else template.mean(axis=0) - template_start
            way = way if way is not None else points.mean(axis=0) - start
            points, template = _along_one_axis(points - start, way, template - template_start, template_way)
        labels[rows] = regions.first_label + own[_place(points, template)]
    return labels


def _name_horns(region: np.ndarray, rig: Mapping[str, np.ndarray]) -> None:
    """Call what is stuck on a head, antlers for one, horns, in place."""
    vertices = rig["vertices"]
    welded = weld(vertices / np.ptp(vertices), WELD)[0]
    piece = vertex_components(welded[rig["faces"]].astype(np.int32), int(welded.max()) + 1)[welded]
    whole = np.bincount(piece).argmax()
    for number in np.unique(piece[(region == "head") & (piece != whole)]):
        own = (piece == number) & (region == "head")
        region[own] = "horn.L" if vertices[own, 0].mean() > 0 else "horn.R"


def _limb_of(region: str, of_joint: list[str], rig: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Where a region starts, and which way it runs to what hangs on it; None where nothing does."""
    own = {index for index, name in enumerate(of_joint) if name == region}
    heads, parents = rig["heads"], rig["parents"].tolist()
    first = min(index for index in own if parents[index] not in own)
    ends = [index for index, above in enumerate(parents) if above in own and index not in own and of_joint[index]]
    return heads[first], heads[ends].mean(axis=0) - heads[first] if ends else None


def _along_one_axis(
    points: np.ndarray, way: np.ndarray, template: np.ndarray, template_way: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same limb of two bodies, turned as little as may be so that both run along the same axis of the world.

    points, template: (N, 3) from where each limb starts. way, template_way: (3,) where it runs. A box around a limb
    that hangs askew says nothing about how far down the limb a point lies.
    """
    goal = np.zeros((1, 3))
    goal[0, np.abs(way).argmax()] = np.sign(way[np.abs(way).argmax()])

    def turned(limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        return Rotation.align_vectors(goal, along[None])[0].apply(limb)

    return turned(points, way), turned(template, template_way)


def _place(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """(n,) the template vertex at the same place of the region: each axis of the region's box from −1 to 1."""
    if len(points) < SMALLEST:
        return np.full(len(points), cKDTree(template).query(template.mean(axis=0))[1])

    def in_box(p: np.ndarray) -> np.ndarray:
        low, high = np.quantile(p, 0.02, axis=0), np.quantile(p, 0.98, axis=0)
        return (p - (low + high) / 2) / np.maximum((high - low) / 2, 1e-6)

    return cKDTree(in_box(template)).query(in_box(points))[1]


def pose_rig(arrays: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(V, 3) float32 vertices of a file of `training.read_rigs` at a random moment of its clips; if none, at random."""
    poses = arrays["poses"]
    if len(poses):
        transforms = poses[rng.integers(len(poses))]
    else:
        transforms = random_transforms(arrays["joints"].tolist(), arrays["parents"], arrays["heads"], rng, 0.6)
    return _skin(arrays["vertices"], arrays["weights"], transforms).astype(np.float32)


def random_transforms(
    joints: Sequence[str], parents: np.ndarray, heads: np.ndarray, rng: np.random.Generator, strength: float
) -> np.ndarray:
    """(J, 3, 4) every joint turned at random about its head; hinges and limbs more than the rest."""
    transforms = np.empty((len(joints), 3, 4))
    for joint, (name, parent) in enumerate(zip(joints, parents, strict=True)):
        stem = name.split(".")[0].rstrip("0123456789").lower()
        turn = Rotation.from_rotvec(np.radians(rng.normal(0, SPREADS.get(stem, 10) * strength, 3)))
        if stem in HINGES:
            bend = rng.uniform(0, 90) * strength * HINGES[stem]
            turn = Rotation.from_rotvec([np.radians(bend), 0, 0]) * turn
        if joint == 0:
            turn = Rotation.identity()
        above = transforms[parent] if parent >= 0 else np.eye(4)[:3]
        own = turn.as_matrix()
        transforms[joint, :, :3] = above[:, :3] @ own
        transforms[joint, :, 3] = above[:, :3] @ (heads[joint] - own @ heads[joint]) + above[:, 3]
    return transforms


def _skin(vertices: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    blended = (weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
