# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of characters whose skin weights are both known: what `benchmarks.skin_weights` measures on.

Bones are compared by name. Two sets of characters that call them differently are compared on the regions both know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.make_mpfb_pack import FIRST_HELD_OUT_SEED, remesh
from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh
from training.dressing import Wardrobe
from training.human_poses import sample_pose
from training.humans import HumanModel, Person, to_z_up
from training.procedural import joint_of_bone
from training.rigs import BEASTS, KAYKIT, MEN, random_transforms, region_of_joint

KINDS = (
    "same pose",
    "different pose",
    "different proportions",
    "different character set",
    "clothed multi-part",
    "low-poly ↔ high-poly",
    "animal ↔ other species",
)
NAMES = {"men": MEN, "kaykit": KAYKIT, "beasts": BEASTS, "mpfb": {}}
TEST_POSES = 10


@dataclass(frozen=True, eq=False)
class Skinned:
    """A character with true weights. Z up, metres.

    weights: (V, J) float32. heads: (J, 3) where its joints stand. poses: (P, J, 3, 4) test poses, as transforms from
    how it stands. parents: (J,), −1 for roots.
    """

    name: str
    family: str
    mesh: TriangleMesh
    weights: NDArray
    joints: tuple[str, ...]
    parents: NDArray
    heads: NDArray
    poses: NDArray


@dataclass(frozen=True, eq=False)
class Case:
    kind: str
    source: Skinned
    target: Skinned

    @property
    def name(self) -> str:
        return f"{self.source.name} → {self.target.name}"


def compose(after: NDArray, first: NDArray) -> NDArray:
    """(…, 3, 4) affine maps, `first` and then `after`."""
    linear = after[..., :, :3] @ first[..., :, :3]
    offset = np.einsum("...ij,...j->...i", after[..., :, :3], first[..., :, 3]) + after[..., :, 3]
    return np.concatenate([linear, offset[..., None]], axis=-1)


def inverse(maps: NDArray) -> NDArray:
    linear = np.linalg.inv(maps[..., :, :3])
    return np.concatenate([linear, -np.einsum("...ij,...j->...i", linear, maps[..., :, 3])[..., None]], axis=-1)


def skin(vertices: NDArray, weights: NDArray, transforms: NDArray) -> NDArray:
    """Linear blend skinning, (V, 3)."""
    blended = (weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]


def shared_regions(source: Skinned, target: Skinned) -> tuple[list[int], list[int], int]:
    """For every joint of both the number of its region, and their count.

    A joint that the other set does not know is of the region that its surface grows out of, as ears are of the head
    where only one of both has bones in them; −1 where it moves nothing that hangs on a region.
    """
    known = [[_parts(who, joint) for joint in who.joints] for who in (source, target)]
    if source.family == target.family:
        known = [[[joint] for joint in who.joints] for who in (source, target)]
    both = {part for parts in known[0] for part in parts} & {part for parts in known[1] for part in parts}
    group = {part: part for part in sorted(both)}

    def find(part: str) -> str:
        while group[part] != part:
            part = group[part]
        return part

    for parts in (*known[0], *known[1]):
        own = [part for part in parts if part in both]
        for other in own[1:]:
            group[find(other)] = find(own[0])
    roots = sorted({find(part) for part in both})
    numbers = []
    for who, joints in zip((source, target), known, strict=True):
        number = [next((roots.index(find(part)) for part in parts if part in both), -1) for parts in joints]
        numbers.append(_grown_out_of(who, number))
    return numbers[0], numbers[1], len(roots)


def _grown_out_of(who: Skinned, number: list[int]) -> list[int]:
    """`number`, and for joints without one that of the joint whose surface they border on most, the longest first."""
    edges = np.concatenate([who.mesh.faces[:, pair] for pair in ((0, 1), (1, 2), (2, 0))])
    border = who.weights[edges[:, 0]].T @ who.weights[edges[:, 1]]
    border = border + border.T
    region = np.array(number)
    while True:
        known, unknown = np.flatnonzero(region >= 0), np.flatnonzero(region < 0)
        shared = border[np.ix_(unknown, known)]
        if shared.max(initial=0.0) <= 0:
            return region.tolist()
        row, column = np.unravel_index(shared.argmax(), shared.shape)
        region[unknown[row]] = region[known[column]]


def to_regions(weights: NDArray, region: Sequence[int], count: int) -> NDArray:
    """(V, R) weights summed by region."""
    matrix = np.zeros((weights.shape[1], count), np.float32)
    for joint, number in enumerate(region):
        if number >= 0:
            matrix[joint, number] = 1
    return weights @ matrix


def _parts(who: Skinned, joint: str) -> list[str]:
    if who.family == "mpfb":
        return [joint_of_bone(joint)]
    region = region_of_joint(joint, NAMES[who.family])
    return [joint] if region is None else region.split()


class Cast:
    """Reads and makes the characters of the cases."""

    def __init__(self, data: Path, rigs: Path) -> None:
        self.model = HumanModel(data)
        self.wardrobe = Wardrobe(self.model)
        self.rigs = rigs
        self._people: dict[int, Person] = {}

    def person(self, seed: int, *, posed: bool = False, other_topology: bool = False, clothed: bool = False) -> Skinned:
        """Held-out person `seed`, in its rest pose or another."""
        model, number = self.model, FIRST_HELD_OUT_SEED + seed
        person = self._people.get(seed)
        if person is None:
            person = self._people[seed] = model.sample_person(np.random.default_rng(number))
        rng = np.random.default_rng(number + 7)
        rest = np.tile(np.eye(3), (len(model.bones), 1, 1))
        standing = _human_transforms(
            model, person, sample_pose(model, person, rng, float(rng.uniform(0.4, 0.9))) if posed else rest
        )
        body = slice(0, model.body_vertex_count)
        rotations = [sample_pose(model, person, rng, float(rng.uniform(0.3, 1.0))) for _ in range(TEST_POSES)]
        poses = np.stack([compose(_human_transforms(model, person, turn), inverse(standing)) for turn in rotations])
        all_posed = skin(person.vertices, model.weights, standing).astype(np.float32)
        heads = np.einsum("jik,jk->ji", standing[:, :, :3], person.heads) + standing[:, :, 3]
        mesh, weights = TriangleMesh(all_posed[body], model.body_faces), model.weights[body]
        name = f"person {seed}{' posed' if posed else ''}"
        if clothed:
            dressed = self.wardrobe.dress(all_posed, np.random.default_rng(number + 3), 1.0)
            mesh, weights = TriangleMesh(dressed.vertices, dressed.faces), model.weights[dressed.labels]
            name += " clothed"
        if other_topology:
            made = remesh(mesh)
            face, bary, _ = closest_points(mesh, made.vertices)
            weights = np.einsum("vc,vcj->vj", bary, weights[mesh.faces[face]])
            mesh, name = made, name + " remeshed"
        used = np.unique(mesh.faces)
        mesh = TriangleMesh(mesh.vertices[used], np.searchsorted(used, mesh.faces))
        upright = TriangleMesh(to_z_up(mesh.vertices), mesh.faces, name)
        turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        poses = np.concatenate(
            [turn @ poses[..., :3] @ turn.T, (poses[..., 3] @ turn.T)[..., None]], axis=-1
        )  # the same motion, told in Z up
        joints = tuple(model.bones)
        return Skinned(name, "mpfb", upright, weights[used], joints, model.parents, to_z_up(heads), poses)

    def rigged(self, family: str, name: str, *, posed: bool = False) -> Skinned:
        """A rigged character of the data folder, as it rests or in a pose of its clips (or a random one)."""
        with np.load(self.rigs / f"{family}_{name}.npz") as stored:
            rig = {key: stored[key] for key in stored.files}
        joints = rig["joints"].tolist()
        rng = np.random.default_rng(11)
        standing = np.tile(np.eye(4)[:3], (len(joints), 1, 1))

        def turned(strength: float) -> NDArray:
            return random_transforms(joints, rig["parents"], rig["heads"], rng, strength)

        if posed:
            standing = rig["poses"][len(rig["poses"]) // 2] if len(rig["poses"]) else turned(0.8)
        poses = np.stack([turned(float(rng.uniform(0.5, 1.0))) for _ in range(TEST_POSES)])
        poses = compose(poses, inverse(standing.astype(np.float64))[None])
        heads = np.einsum("jik,jk->ji", standing[:, :, :3], rig["heads"]) + standing[:, :, 3]
        name = f"{name} posed" if posed else name
        mesh = TriangleMesh(skin(rig["vertices"], rig["weights"], standing), rig["faces"], name)
        return Skinned(name, family, mesh, rig["weights"], tuple(joints), rig["parents"], heads, poses)

    def decimated(self, who: Skinned, vertices: int) -> Skinned:
        """The same character with about so many vertices."""
        made = _collapse(who.mesh, vertices / len(who.mesh.vertices))
        face, bary, _ = closest_points(who.mesh, made.vertices)
        weights = np.einsum("vc,vcj->vj", bary, who.weights[who.mesh.faces[face]]).astype(np.float32)
        name = f"{who.name} of {len(made.vertices)}"
        mesh = TriangleMesh(made.vertices, made.faces, name)
        return replace(who, name=name, mesh=mesh, weights=weights)


def _human_transforms(model: HumanModel, person: Person, rotations: NDArray) -> NDArray:
    """(B, 3, 4) from rest, Y up: every joint turned about its head, after its parent."""
    transforms = np.empty((len(model.bones), 3, 4))
    for index, parent in enumerate(model.parents):
        above = transforms[parent] if parent >= 0 else np.eye(4)[:3]
        head = person.heads[index].astype(np.float64)
        own = np.concatenate([rotations[index], (head - rotations[index] @ head)[:, None]], axis=1)
        transforms[index] = compose(above, own)
    return transforms


def _collapse(mesh: TriangleMesh, ratio: float) -> TriangleMesh:
    import bpy

    from training.remeshing import evaluated_surface

    data = bpy.data.meshes.new("many")
    data.from_pydata(mesh.vertices.tolist(), [], mesh.faces.tolist())
    obj = bpy.data.objects.new("many", data)
    bpy.context.scene.collection.objects.link(obj)
    obj.modifiers.new("collapse", "DECIMATE").ratio = ratio
    made = TriangleMesh(*evaluated_surface(obj))
    bpy.data.batch_remove([obj, data])
    return made


def make_cases(cast: Cast, kinds: Sequence[str], pairs: int) -> Iterator[Case]:
    """At most `pairs` cases of each kind."""
    person, rigged = cast.person, cast.rigged
    makers = {
        "same pose": [
            *(lambda s=s: (person(s), person(s, other_topology=True)) for s in (0, 1)),
            lambda: (rigged("kaykit", "Knight"), rigged("kaykit", "Barbarian")),
        ],
        "different pose": [
            *(lambda s=s: (person(s), person(s, posed=True, other_topology=True)) for s in (2, 3)),
            lambda: (rigged("kaykit", "Knight"), rigged("kaykit", "Knight", posed=True)),
        ],
        "different proportions": [
            *(lambda s=s: (person(s), person(s + 1, posed=s % 2 == 0, other_topology=True)) for s in (4, 5, 6)),
            lambda: (rigged("kaykit", "Knight"), rigged("kaykit", "Barbarian", posed=True)),
            lambda: (rigged("kaykit", "Mage"), rigged("kaykit", "Rogue", posed=True)),
        ],
        "different character set": [
            lambda: (rigged("kaykit", "Knight"), person(8, other_topology=True)),
            lambda: (person(8), rigged("men", "Beach")),
            lambda: (rigged("men", "Casual"), rigged("kaykit", "Barbarian")),
            lambda: (person(9), rigged("kaykit", "Rogue")),
            lambda: (rigged("men", "Punk"), person(9, posed=True)),
        ],
        "clothed multi-part": [
            *(lambda s=s: (person(s), person(s + 1, posed=True, clothed=True)) for s in (10, 11)),
            lambda: (rigged("men", "Worker"), rigged("men", "Spacesuit", posed=True)),
            lambda: (rigged("men", "Suit"), rigged("men", "King", posed=True)),
        ],
        "low-poly ↔ high-poly": [
            lambda: (person(13), cast.decimated(person(14, posed=True), 1000)),
            lambda: (cast.decimated(person(14), 1000), person(13, posed=True)),
        ],
        "animal ↔ other species": [
            lambda: (rigged("beasts", "Horse"), rigged("beasts", "Wolf", posed=True)),
            lambda: (rigged("beasts", "Cow"), rigged("beasts", "Deer")),
            lambda: (rigged("beasts", "Fox"), rigged("beasts", "Alpaca", posed=True)),
            lambda: (rigged("beasts", "Husky"), rigged("beasts", "Bull")),
        ],
    }
    for kind in kinds:
        for make in makers[kind][:pairs]:
            yield Case(kind, *make())
