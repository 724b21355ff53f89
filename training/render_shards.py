# SPDX-License-Identifier: GPL-3.0-or-later
"""Render shards of labelled shapes: `python -m training.render_shards --data DIR --scratch DIR`.

A shard holds the pictures of `PER_SHARD` shapes of one kind, `VIEWS_PER_CHARACTER` of each in a row: `images.npy` uint8
(N, 128, 128, 4), camera-space normals and depth, and `labels.npy` int16 (N, 32, 32), the template vertex
(`training.families`) seen by the middle pixel of each output cell, or an object's own landmark; −1 where there is none.
Shards are named by kind and seed, so any number of processes may work on one folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Collection, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from surface_features.errors import BadInputError
from surface_features.geometry.vectors import unit_rows
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight
from surface_features.sight import Format, Observer
from surface_features.views.cameras import Cameras, look_from
from surface_features.views.details import find_spots
from surface_features.views.looks import place_looks
from surface_features.views.render import Raycaster, ViewBuffers, render_views

from .animal_specs import SPECIES, random_animal, random_pose
from .critters import sample_critter
from .cuts import cut_out
from .dressing import Labelled, Wardrobe, roughen
from .families import Family, animal_family, human_family
from .figures import sample_figure
from .human_poses import lower_arms, pose_person, sample_crossed_pose, sample_piercing_pose, sample_pose
from .humans import HumanModel, to_z_up
from .loose_clothes import SQUATLY, dress_loosely
from .objects import ObjectSource
from .procedural import TemplateChart, sample_procedural
from .proportions import sample_chibi, sample_proportions, sample_squat
from .quadrupeds import AnimalModel, crossed_pose
from .remeshing import remesh_labelled
from .rigs import SETS, Regions, RigSource, animal_regions

IMAGE_SIZE, GRID = 128, 32
STEP = IMAGE_SIZE // GRID
CELL_SHIFT = (STEP // 2 + 0.5) / STEP - 0.5  # of a cell: labels are those of the pixel right below a cell's middle
LAYERS = 2  # of what covers that are looked beneath: a coat, then the shirt
FORMAT = Format(IMAGE_SIZE, GRID, CELL_SHIFT, LAYERS)
VIEWS_PER_CHARACTER, PER_SHARD = 12, 32
RESTING = 0.4  # of the quadrupeds sit, lie or rear: so are cats and dogs scanned, and so are legs hardest to tell apart
CLOSE_UP_ZOOM = 1.8  # measured: one look closer takes an eighth off the error, two looks no more
DETAIL_ZOOM = 6.0  # a finger is then as wide as a cell
DELETED = 0.5  # of the dressed bodies lose what their clothes cover
UNCOVERED = 0.3  # of the characters are shown without the pieces that hide others of them, if there are any
DETAILS = 0.35  # of the pictures
WHOLE = {  # how often each kind is what parts are cut out of
    "people": 0.3, "robed": 0.08, "remeshed": 0.08, "chibi": 0.06, "procedural": 0.06, "men": 0.06, "figures": 0.06,
    "animals": 0.16, "fused": 0.04, "beasts": 0.05, "critters": 0.05,
}  # fmt: skip
WITHOUT = "TRAINING_WITHOUT_SPECIES"  # in the environment, which worker processes inherit


def sample_character(model: HumanModel, wardrobe: Wardrobe, rng: np.random.Generator) -> Labelled:
    """One training character, Z up: a person, perhaps stylised, posed, perhaps dressed and roughened."""
    person = model.sample_person(rng)
    style = float(rng.choice([0.0, rng.uniform(0.2, 0.6), rng.uniform(0.6, 1.1)], p=[0.45, 0.25, 0.3]))
    proportions = sample_proportions(rng, style) if style else None
    strength = float(rng.choice([0.0, rng.uniform(0.2, 1.0), rng.uniform(0.7, 1.2)], p=[0.1, 0.45, 0.45]))
    posed = pose_person(model, person, sample_pose(model, person, rng, strength), proportions)
    clothes = float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.35, 0.65]))
    return _finish(wardrobe.dress(posed, rng, clothes, DELETED), rng, rough=0.65)


def sample_scanned_person(
    model: HumanModel, wardrobe: Wardrobe, rng: np.random.Generator, *, pierced: bool = False
) -> Labelled:
    """A person's skin made anew, Z up: limbs and clothes that touch or run into each other are one.

    Limbs of a third cross; a third is dressed. pierced: a forearm runs through the torso, so that the hand seems to
    grow out of the other side of the body.
    """
    person = model.sample_person(rng)
    if pierced:
        pose = sample_piercing_pose(model, person, rng)
    elif rng.uniform() < 0.33:
        pose = sample_crossed_pose(model, person, rng)
    else:
        pose = sample_pose(model, person, rng, float(rng.uniform(0.3, 1.2)))
    clothes = float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.67, 0.33]))
    whole = wardrobe.dress(pose_person(model, person, pose), rng, clothes)  # nothing deleted: a shell has no inside
    whole.vertices = to_z_up(whole.vertices)
    return remesh_labelled(whole, rng)


def sample_crossed_person(model: HumanModel, wardrobe: Wardrobe, rng: np.random.Generator) -> Labelled:
    """A person whose limbs cross, Z up; a third is dressed."""
    person = model.sample_person(rng)
    posed = pose_person(model, person, sample_crossed_pose(model, person, rng))
    clothes = float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.67, 0.33]))
    return _finish(wardrobe.dress(posed, rng, clothes, DELETED), rng, rough=0.5)


def sample_chibi_person(model: HumanModel, wardrobe: Wardrobe, rng: np.random.Generator) -> Labelled:
    """A person as a big-headed, dressed game figure, Z up; a third stands as modelled, arms out."""
    person = model.sample_person(rng)
    pose = sample_pose(model, person, rng, float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.3, 0.7])))
    mesh = wardrobe.dress(pose_person(model, person, pose, sample_chibi(rng)), rng, 1.0, DELETED)
    return _finish(mesh, rng, rough=1.0)


def sample_robed_person(model: HumanModel, wardrobe: Wardrobe, rng: np.random.Generator) -> Labelled:
    """A person in robes, wide sleeves, long hair or big boots, Z up; a big-headed game figure in two of five."""
    person = model.sample_person(rng)
    proportions = sample_chibi(rng) if rng.uniform() < 0.4 else None
    pose = sample_pose(model, person, rng, float(rng.choice([0.0, rng.uniform(0.2, 0.8)], p=[0.2, 0.8])))
    mesh = dress_loosely(wardrobe, pose_person(model, person, pose, proportions), rng, DELETED)
    return _finish(mesh, rng, rough=0.6)


def sample_squat_person(model: HumanModel, wardrobe: Wardrobe, rng: np.random.Generator) -> Labelled:
    """A big-headed game figure on legs that are all boot, most in a robe that half of the arms lie on, Z up."""
    person = model.sample_person(rng)
    pose = sample_pose(model, person, rng, float(rng.choice([0.0, rng.uniform(0.2, 0.8)], p=[0.2, 0.8])))
    if rng.uniform() < 0.5:
        lower_arms(model, pose, rng)
    mesh = dress_loosely(wardrobe, pose_person(model, person, pose, sample_squat(rng)), rng, DELETED, SQUATLY)
    return _finish(mesh, rng, rough=0.8)


DRESSED = {
    "people": sample_character,
    "crossed": sample_crossed_person,
    "robed": sample_robed_person,
    "squat": sample_squat_person,
}


def _finish(mesh: Labelled, rng: np.random.Generator, rough: float) -> Labelled:
    """A dressed person, by the chance `rough` roughened, stood up along Z."""
    roughen(mesh, rng, float(rng.uniform() < rough))
    mesh.vertices = to_z_up(mesh.vertices)
    return mesh


def sample_animal(model: AnimalModel, first_label: int, rng: np.random.Generator, without: Collection[str]) -> Labelled:
    """A quadruped, posed and roughened, Z up. without: see `random_animal`."""
    strength = float(rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.15, 0.85]))
    vertices, faces = model.build(random_animal(rng, without), random_pose(rng, strength, RESTING))
    mesh = Labelled(vertices, faces, first_label + np.arange(len(vertices)))
    roughen(mesh, rng, float(rng.choice([0.0, 1.0])))
    return mesh


def sample_scanned_animal(
    model: AnimalModel, first_label: int, rng: np.random.Generator, without: Collection[str]
) -> Labelled:
    """A quadruped's skin made anew, Z up: what touches is one, folded legs are stubs; legs of half of them cross."""
    spec = random_animal(rng, without)
    if rng.uniform() < 0.5:
        pose = crossed_pose(model, spec, rng)
    else:
        pose = random_pose(rng, float(rng.uniform(0.2, 1.1)), RESTING)
    vertices, faces = model.build(spec, pose)
    return remesh_labelled(Labelled(vertices, faces, first_label + np.arange(len(vertices))), rng)


def sample_cameras(
    vertices: np.ndarray, count: int, rng: np.random.Generator, spots: Sequence[np.ndarray] = ()
) -> Cameras:
    """Random cameras: four fifths near upright around the horizon, the rest from anywhere; a fifth is close up.

    spots: (3,) middles of details (`surface_features.views.details`), which a third of the pictures then show.
    """
    azimuth = rng.uniform(0, 2 * np.pi, count)
    height = np.sin(np.radians(np.clip(rng.normal(5, 28, count), -80, 80)))
    radius = np.sqrt(1 - height**2)
    directions = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), height], axis=1)
    wild = rng.uniform(size=count) < 0.2
    anywhere = rng.normal(size=(count, 3))
    directions[wild] = unit_rows(anywhere)[wild]
    roll = np.where(wild, rng.uniform(-np.pi, np.pi, count), rng.normal(0, 0.08, count))
    rotations = look_from(directions, roll)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    local = np.einsum("nij,vj->nvi", rotations, vertices[::7] - middle)
    low, high = local.min(axis=1), local.max(axis=1)
    full = np.max(high[:, :2] - low[:, :2], axis=1) / 2
    centres = middle + np.einsum("ni,nij->nj", (low + high) / 2, rotations)
    half = full.max() * rng.uniform(0.95, 1.3, count) if rng.uniform() < 0.5 else full * rng.uniform(1.0, 1.25, count)
    close = rng.uniform(size=count) < 0.2
    half = np.where(close, half / rng.uniform(1.3, 2.4, count), half)
    spot = vertices[rng.integers(len(vertices), size=count)]
    centres = np.where(
        close[:, None], 0.3 * centres + 0.7 * spot, centres + rng.normal(0, 0.03, (count, 3)) * half[:, None]
    )
    if len(spots):
        detail = rng.uniform(size=count) < DETAILS
        half = np.where(detail, full.max() / DETAIL_ZOOM * np.exp(rng.normal(0, 0.2, count)), half)
        aim = np.asarray(spots)[rng.integers(len(spots), size=count)] + rng.normal(0, 0.15, (count, 3)) * half[:, None]
        centres = np.where(detail[:, None], aim, centres)
    return Cameras(rotations, centres.astype(np.float32), half.astype(np.float32))


def middles_of_details(mesh: TriangleMesh) -> list[np.ndarray]:
    """Where `surface_features.views.details` would look, (3,) each in the mesh's own frame; none without a surface."""
    try:
        checked = preflight(mesh)
    except BadInputError:
        return []
    return [spot.centre / checked.scale + checked.centre for spot in find_spots(checked.proxy, DETAIL_ZOOM)]


def take_off_covers(mesh: Labelled, rng: np.random.Generator) -> Labelled:
    """A character without the pieces that hide others, as inference shows it too (`surface_features.views.beneath`).

    The vertices of those pieces stay, without faces; where no piece hides others, the mesh is returned as it is.
    """
    try:
        checked = preflight(TriangleMesh(mesh.vertices, mesh.faces))
    except BadInputError:
        return mesh
    raycaster = Raycaster(checked.proxy)
    looks = place_looks(raycaster, checked.proxy, VIEWS_PER_CHARACTER, 0, 0)
    observer = Observer(raycaster, checked.proxy, looks, FORMAT)
    observer.look(0)
    if not observer.layers:
        return mesh
    bare = observer.layers[int(rng.integers(len(observer.layers)))].raycaster.mesh
    return Labelled(bare.vertices, bare.faces, mesh.labels[checked.artist_vertex])


def pack_images(views: ViewBuffers) -> np.ndarray:
    """(N, S, S, 4) uint8: normals −1…1 → 1…255 (128 is zero), depth 0…1 → 0…255."""
    normals = np.rint(views.normals * 127 + 128)
    return np.concatenate([normals, np.rint(views.depth[..., None] * 255)], axis=-1).astype(np.uint8)


def render_character(mesh: Labelled, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 128, 128, 4) uint8 and labels (count, 32, 32) int16."""
    surface = TriangleMesh(mesh.vertices, mesh.faces)
    cameras = sample_cameras(surface.vertices, count, rng, middles_of_details(surface))
    views = render_views(Raycaster(surface), cameras, IMAGE_SIZE)
    cells = (slice(None), slice(STEP // 2, None, STEP), slice(STEP // 2, None, STEP))
    face, bary = views.face_ids[cells], views.bary[cells]
    corner = np.take_along_axis(surface.faces[face], bary.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return pack_images(views), np.where(face >= 0, mesh.labels[corner], -1).astype(np.int16)


class CharacterSource:
    """Characters and objects of every kind, from one loaded data folder."""

    KINDS = (
        "people",
        "procedural",
        "chibi",
        "animals",
        "objects",
        "men",
        "kaykit",
        "beasts",
        "remeshed",
        "crossed",
        "fused",
        "pierced",
        "robed",
        "squat",
        "figures",
        "critters",
        "cut",
    )

    def __init__(self, data: Path, rigs: Path) -> None:
        self.model = HumanModel(data)
        self.wardrobe = Wardrobe(self.model)
        self.chart = TemplateChart(self.model)
        self.animals = AnimalModel(data)
        self.objects = ObjectSource(data)
        self.rigs = RigSource(rigs, self.model, self.animals)

    @cached_property
    def _families(self) -> tuple[Family, ...]:
        return human_family(self.model), animal_family(self.animals)

    @cached_property
    def template_places(self) -> np.ndarray:
        """(N, 3) of all families' template vertices, each family apart from the others."""
        return np.concatenate([family.vertices + np.array([10 * i, 0, 0]) for i, family in enumerate(self._families)])

    @cached_property
    def template_mirror(self) -> np.ndarray:
        """(N,) int64, every template vertex's twin."""
        starts = np.cumsum([0, *(len(family.vertices) for family in self._families)])
        return np.concatenate([f.mirror + start for f, start in zip(self._families, starts[:-1], strict=True)])

    @cached_property
    def _template_parts(self) -> np.ndarray:
        return np.concatenate([family.part for family in self._families])

    @cached_property
    def _critter_regions(self) -> Regions:
        return animal_regions(self.animals, self.model.body_vertex_count)

    def has(self, kind: str) -> bool:
        """Whether there is data for this kind: rigged characters must have been read first."""
        return kind not in SETS or kind in self.rigs.sets

    def sample(self, kind: str, rng: np.random.Generator) -> Labelled:
        if kind == "cut":
            kinds = [each for each in WHOLE if self.has(each)]
            shares = np.array([WHOLE[each] for each in kinds])
            return cut_out(self.sample(str(rng.choice(kinds, p=shares / shares.sum())), rng), self._template_parts, rng)
        if kind in DRESSED:
            return DRESSED[kind](self.model, self.wardrobe, rng)
        if kind in ("remeshed", "pierced"):
            return sample_scanned_person(self.model, self.wardrobe, rng, pierced=kind == "pierced")
        if kind in ("animals", "fused"):
            draw = sample_animal if kind == "animals" else sample_scanned_animal
            return draw(self.animals, self.model.body_vertex_count, rng, os.environ.get(WITHOUT, "").split())
        if kind == "objects":
            return self.objects.sample(rng)
        if kind in SETS:
            mesh = self.rigs.sample(kind, rng)
            roughen(mesh, rng, float(rng.choice([0.0, 0.5])))
            return mesh
        if kind == "chibi" and rng.uniform() < 0.5:
            return sample_chibi_person(self.model, self.wardrobe, rng)
        if kind == "figures":
            mesh = sample_figure(self.chart, rng)
        elif kind == "critters":
            mesh = sample_critter(self._critter_regions, rng)
        else:
            mesh = sample_procedural(self.chart, rng, chibi=kind == "chibi")
        roughen(mesh, rng, float(rng.choice([0.0, 0.7])))
        return mesh


@lru_cache(maxsize=1)
def _source(data: Path, rigs: Path) -> CharacterSource:
    return CharacterSource(data, rigs)


def render_shard(job: tuple[Path, Path, str, int]) -> None:
    """Write the shard of one kind and seed; an existing one is kept."""
    data, folder, kind, seed = job
    target = folder / f"{kind}_{seed:06d}"
    if target.exists():
        return
    images, labels = [], []
    for number in range(PER_SHARD):
        rng = np.random.default_rng([seed, number])
        mesh = _source(data, folder.parent / "rigs").sample(kind, rng)
        if rng.uniform() < UNCOVERED:
            mesh = take_off_covers(mesh, rng)
        picture, label = render_character(mesh, rng, VIEWS_PER_CHARACTER)
        images.append(picture)
        labels.append(label)
    partial = folder / f".partial_{kind}_{seed:06d}_{os.getpid()}"
    partial.mkdir(parents=True, exist_ok=True)
    np.save(partial / "images.npy", np.concatenate(images))
    np.save(partial / "labels.npy", np.concatenate(labels))
    partial.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--people", type=int, default=3072, help="MPFB characters")
    parser.add_argument("--procedural", type=int, default=768, help="characters built by examples/")
    parser.add_argument("--chibi", type=int, default=768, help="big-headed game figures, half of each of the above")
    parser.add_argument("--animals", type=int, default=2048, help="quadrupeds")
    parser.add_argument("--objects", type=int, default=512, help="chairs, scans, random solids")
    parser.add_argument("--men", type=int, default=384, help="of training.read_rigs: Quaternius men")
    parser.add_argument("--kaykit", type=int, default=256, help="of training.read_rigs: KayKit adventurers")
    parser.add_argument("--beasts", type=int, default=512, help="of training.read_rigs: Quaternius animals")
    parser.add_argument(
        "--remeshed", type=int, default=512, help="people whose skin was made anew, touching limbs fused"
    )
    parser.add_argument("--crossed", type=int, default=256, help="people with a hand or foot on the other side")
    parser.add_argument("--fused", type=int, default=512, help="quadrupeds whose skin was made anew, legs crossed")
    parser.add_argument("--pierced", type=int, default=128, help="people made anew, a forearm through the torso")
    parser.add_argument("--robed", type=int, default=512, help="people whose clothes hide their shape")
    parser.add_argument("--squat", type=int, default=256, help="big-headed figures on legs that are all boot, in robes")
    parser.add_argument("--figures", type=int, default=512, help="skeletons, robots, dolls, beasts on two legs, trolls")
    parser.add_argument("--critters", type=int, default=256, help="quadrupeds built by examples/, stylised")
    parser.add_argument("--cut", type=int, default=512, help="parts of all of these on their own: busts, legs, jackets")
    parser.add_argument("--first-seed", type=int, default=0, help="shards are numbered from here")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--without", nargs="*", default=[], choices=SPECIES, help="species kept for testing")
    options = parser.parse_args()
    os.environ[WITHOUT] = " ".join(options.without)
    folder = options.scratch / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (options.data, folder, kind, options.first_seed + number)
        for kind in CharacterSource.KINDS
        for number in range(-(-getattr(options, kind) // PER_SHARD))
    ]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(render_shard, jobs), 1):
            print(f"{done}/{len(jobs)} shards", flush=True)


if __name__ == "__main__":
    main()
