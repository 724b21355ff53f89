# SPDX-License-Identifier: GPL-3.0-or-later
"""The data engine and the trainers, on a few shapes. Needs the data folder (SURFACE_FEATURES_DATA)."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation

from surface_features.backbones import load_backbone
from surface_features.backbones.checkpoint import MODELS
from surface_features.backbones.surface_context import SurfaceContext, SurfaceContextConfig, SurfacePoints
from surface_features.features import compute_view_features
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight
from surface_features.settings import FeatureSettings
from training.animal_specs import AnimalPose, random_animal, random_pose
from training.average_backbone import average_backbone
from training.averaging import average, read_network
from training.dog import read_dog
from training.families import PARTS, Family, animal_family, human_family
from training.humans import HumanModel
from training.lift_characters import lift_prepared
from training.prepare_characters import COUNTS, Prepared, prepare, run_jobs
from training.quadrupeds import GRIDS, AnimalModel
from training.render_shards import CharacterSource, render_character
from training.rigs import FINGERS, SETS, animal_regions, human_regions, label_rig
from training.surface_examples import Characters, SurfaceRecipe
from training.template import Template, build_template
from training.train_backbone import Recipe, ShardPool, Trainer, read_weights
from training.train_embedding import sample_character
from training.train_surface import SurfaceTrainer, grow

from .engine_helpers import PROJECT

DATA = Path(os.environ.get("SURFACE_FEATURES_DATA", PROJECT.parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(
    not (DATA / "infinigen_nurbs").is_dir(), reason=f"no training data in {DATA}: set SURFACE_FEATURES_DATA"
)


@pytest.fixture(scope="module")
def animals() -> AnimalModel:
    return AnimalModel(DATA)


@pytest.fixture(scope="module")
def family(animals) -> Family:
    return animal_family(animals)


@pytest.fixture(scope="module")
def template(family) -> Template:
    return build_template([family])


def test_every_animal_has_the_same_vertices_and_faces_out(animals):
    rng = np.random.default_rng(0)
    for _ in range(5):
        vertices, faces = animals.build(random_animal(rng), random_pose(rng, 1.0))
        assert vertices.shape == (animals.vertex_count, 3)
        assert np.isfinite(vertices).all()
        mesh = TriangleMesh(vertices, faces)
        for name, rows in animals.part_slices.items():
            own = (faces[:, 0] >= rows.start) & (faces[:, 0] < rows.stop)
            if own.any():
                ring_centre = np.repeat(vertices[rows].reshape(*GRIDS[name], 3).mean(axis=1), GRIDS[name][1], axis=0)
                out = mesh.corners[own].mean(axis=1) - ring_centre[faces[own, 0] - rows.start]
                assert ((out * mesh.face_normals[own]).sum(axis=1) > 0).mean() > 0.7, name


def test_every_part_of_the_dog_is_tied_to_its_own_part_of_the_animal(animals):
    dog, regions = read_dog(DATA / "dm_control_dog"), animal_regions(animals, 0)
    joints = dog["joints"].tolist()
    labels = label_rig(dog, SETS["beasts"], regions)
    assert (labels >= 0).all()
    strongest = np.array(joints)[dog["weights"].argmax(axis=1)]
    for joint, part in (("foot.L", "hindleg.L"), ("hand.R", "foreleg.R"), ("scapula.L", "torso"), ("skull", "head")):
        rows = animals.part_slices[part]
        own = labels[strongest == joint]
        assert ((own >= rows.start) & (own < rows.stop)).all(), joint
    shoulder, hip = (regions.places[labels[strongest == joint], 1].mean() for joint in ("scapula.L", "pelvis"))
    assert shoulder < hip  # the animals face −Y
    assert dog["vertices"][strongest == "foot.L", 0].mean() > 0


def test_antlers_are_tied_to_horns_and_every_bone_of_the_back_to_its_own_rings(animals):
    regions = animal_regions(animals, 0)
    names = {"Back": "torso.0", "Torso": "torso.1", "Neck1": "torso.4", "Head": "head"}
    own = [regions.members[part] for part in (*names.values(), "horn.L", "horn.R")]
    rows = np.concatenate(own)
    number = np.full(animals.vertex_count, -1)
    number[rows] = np.arange(len(rows))
    faces = number[animals.template()[1]]
    joints = list(names)
    bone = np.repeat([0, 1, 2, 3, 3, 3], [len(part) for part in own])
    heads = [regions.places[part].mean(axis=0) for part in own[:4]]
    rig = {
        "vertices": np.float32(regions.places[rows] * 1.3),
        "faces": faces[(faces >= 0).all(axis=1)].astype(np.int32),
        "weights": np.eye(4, dtype=np.float32)[bone],
        "joints": np.array(joints),
        "parents": np.array([-1, 0, 1, 2]),
        "heads": np.float32(heads) * 1.3,
    }
    labels = label_rig(rig, SETS["beasts"], regions)
    for part in own:
        assert np.isin(labels[number[part]], part).all()


def test_an_arm_is_tied_to_the_templates_however_it_hangs():
    model = HumanModel(DATA)
    regions = human_regions(model)
    joints = ["UpperArm.L", "LowerArm.L", "Hand.L", "Index2.L", "Middle2.L", "Ring2.L", "Pinky2.L"]
    starts = ["upperarm.L", "lowerarm.L", "hand.L", "index.L", "middle.L", "ring.L", "pinky.L"]
    rows = np.concatenate([regions.members[start] for start in starts])
    strongest = np.repeat(np.arange(len(starts)), [len(regions.members[start]) for start in starts])
    heads = np.stack([regions.limbs[start][0] for start in starts])
    level = Rotation.from_euler("y", -45, degrees=True)  # the template's arms hang down, these are held out
    rig = {
        "vertices": np.float32(level.apply(regions.places[rows]) * [1.2, 0.9, 0.9]),
        "weights": np.eye(len(joints), dtype=np.float32)[strongest],
        "joints": np.array(joints),
        "parents": np.array([-1, 0, 1, 2, 2, 2, 2]),
        "heads": np.float32(level.apply(heads) * [1.2, 0.9, 0.9]),
    }
    labels = label_rig(rig, SETS["men"] | FINGERS, regions)
    off = np.linalg.norm(regions.places[labels] - regions.places[rows], axis=1)
    arm = np.linalg.norm(regions.limbs["upperarm.L"][0] - regions.limbs["hand.L"][1])
    assert off.mean() < 0.04 * arm
    for number, start in enumerate(starts):
        assert np.isin(labels[strongest == number], regions.members[start]).all()


def test_a_standing_animal_faces_ahead_and_has_its_left_on_the_left(animals):
    vertices, _ = animals.template()
    middle = {name: vertices[rows].mean(axis=0) for name, rows in animals.part_slices.items()}
    assert middle["head"][1] < middle["torso"][1] < middle["tail"][1]
    for part in ("foreleg", "hindleg", "ear", "horn"):
        assert middle[f"{part}.L"][0] > 0.02 > -0.02 > middle[f"{part}.R"][0]
    assert middle["foreleg.L"][2] < middle["torso"][2] < middle["ear.L"][2]


def test_an_animals_twin_is_its_mirror_image(animals):
    rng = np.random.default_rng(1)
    vertices, _ = animals.build(random_animal(rng), AnimalPose())
    size = np.ptp(vertices, axis=0).max()
    apart = np.linalg.norm(vertices[animals.mirror] * [-1, 1, 1] - vertices, axis=1) / size
    assert apart.max() < 0.08
    assert np.median(apart) < 0.01
    assert (animals.mirror[animals.mirror] == np.arange(animals.vertex_count)).all()


def test_families_share_part_names_and_sides(family):
    people = human_family(HumanModel(DATA))
    for each in (people, family):
        for side, sign in (("L", 1), ("R", -1)):
            limb = np.isin(each.part, [i for i, name in enumerate(PARTS) if name.endswith(f".{side}")])
            assert (each.side[limb & (each.side != 0)] == sign).mean() > 0.97
        area = TriangleMesh(each.vertices.astype(np.float32), each.faces).face_areas.sum()
        assert area == pytest.approx(1, rel=1e-3)
    assert set(PARTS) - {PARTS[i] for i in people.part} == {"tail"}


def test_soft_targets_are_near_and_add_up(family, template):
    assert np.allclose(template.share.sum(axis=1), 1, atol=1e-5)
    nearest = template.anchors[template.near[np.arange(len(template.near)), template.share.argmax(axis=1)]]
    gap = np.linalg.norm(family.vertices[nearest] - family.vertices, axis=1)[family.seen]
    assert np.quantile(gap, 0.95) < 0.06
    assert (family.part[nearest] == family.part)[family.seen].mean() > 0.9


@pytest.mark.parametrize("kind", ["animals", "objects", "people"])
def test_pictures_show_what_their_labels_say(kind):
    source = CharacterSource(DATA, DATA / "no rigs")
    mesh = source.sample(kind, np.random.default_rng(3))
    images, labels = render_character(mesh, np.random.default_rng(3), 4)
    assert images.shape == (4, 128, 128, 4)
    assert set(np.unique(labels)) <= {-1, *mesh.labels}
    shown = (images[:, 2::4, 2::4, :3] != 128).any(axis=-1)  # a normal; far behind a close-up's middle depth is 0 too
    assert ((labels >= 0) <= shown).all()


def test_what_needs_no_backbone_is_prepared_once_and_lifted_as_inference_does(tmp_path):
    source = CharacterSource(DATA, DATA / "no rigs")
    prepared = prepare(source, "procedural", 7)
    assert prepared is not None
    prepared.save(tmp_path / "procedural.npz")
    again = Prepared.load(tmp_path / "procedural.npz")
    assert again.detailed
    assert [look.shape for look in again.pictures] == [look.shape for look in prepared.pictures]
    points = lift_prepared(again, load_backbone("bundled", "cpu"))
    levels = SurfaceRecipe().config.levels
    assert points["features"].shape == (len(prepared.rows), levels * Recipe().dim)
    assert np.allclose(np.linalg.norm(points["features"].astype(float), axis=1), 1, atol=2e-3)
    drawn = source.sample("procedural", np.random.default_rng([7, 0]))
    views = len(prepared.pictures[0])
    checked = preflight(TriangleMesh(drawn.vertices, drawn.faces))
    whole = compute_view_features(checked.proxy, FeatureSettings(views=views, device="cpu")).values[prepared.rows]
    first = points["features"][:, : whole.shape[1]].astype(np.float32) * np.sqrt(levels)
    assert np.median((first * whole).sum(axis=1)) > 0.98


def write_shard(folder, images, labels):
    """As `training.render_shards` writes one."""
    folder.mkdir()
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels.astype(np.int16))


def test_the_backbone_learns_from_characters_and_objects(tmp_path, template, animals):
    rng, start = np.random.default_rng(0), 0
    for kind, top in (("animals", animals.vertex_count), ("objects", 50)):
        images = rng.integers(0, 255, (24, 128, 128, 4), np.uint8)
        write_shard(tmp_path / f"{kind}_000000", images, rng.integers(start - 1, start + top, (24, 32, 32)))
    pool = ShardPool(tmp_path)
    assert pool.refresh() == 2
    recipe = Recipe(width=32, layers=1, heads=2, batch=6, objects=1, pixels=256)
    trainer = Trainer(recipe, template, "cpu", seed=0)
    batch = pool.batch(recipe, np.random.default_rng(1))
    assert batch[2] == 4
    losses = [trainer.step(batch, 0.3) for _ in range(12)]
    assert losses[-1] < losses[0]
    trainer.save(tmp_path / "checkpoint.pt")
    again = Trainer(recipe, template, "cpu", seed=1)
    again.load(tmp_path / "checkpoint.pt")
    assert again.steps == 12
    assert torch.equal(again.anchors, trainer.anchors)


def test_anchors_are_fitted_to_the_model_that_training_goes_on_from(tmp_path, template, animals):
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(animals.vertex_count, size=(24, 32, 1)), 32, axis=2)
    shade = np.repeat(np.repeat(labels % 251, 4, axis=1), 4, axis=2).astype(np.uint8)
    images = np.stack([shade, 255 - shade, shade, np.full_like(shade, 200)], axis=-1)
    write_shard(tmp_path / "animals_000000", images, labels)
    pool = ShardPool(tmp_path)
    pool.refresh()
    bundled = MODELS / "bundled"
    mean, fitted = (Trainer(Recipe(batch=4, pixels=512), template, "cpu", seed=0) for _ in range(2))
    mean.start_from(bundled, pool, seed=0, batches=3, fits=0)
    fitted.start_from(bundled, pool, seed=0, batches=3)
    batch = pool.batch(fitted.recipe, np.random.default_rng([0]))
    with torch.no_grad():
        assert fitted.losses(batch)[1] < mean.losses(batch)[1]
    for own, stored in zip(fitted.model.state_dict().values(), mean.model.state_dict().values(), strict=True):
        assert torch.equal(own, stored)


def test_a_backbone_is_averaged_with_the_model_it_went_on_from(tmp_path, template):
    trainer, checkpoint = Trainer(Recipe(batch=4), template, "cpu", seed=0), tmp_path / "checkpoint.pt"
    own = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    trainer.save(checkpoint)
    read_weights(trainer.model, MODELS / "bundled")
    for share in (0.5, 0.75):  # of the run itself, however often it is asked
        average_backbone(checkpoint, MODELS / "bundled", share)
        stored = torch.load(checkpoint, weights_only=True)["model"]
        for name, old in trainer.model.state_dict().items():
            assert torch.allclose(stored[name], share * own[name] + (1 - share) * old, atol=1e-5)
    trainer.load(checkpoint)  # and a run that went on from there is a new one
    trainer.save(checkpoint)
    average_backbone(checkpoint, MODELS / "bundled", 1.0)
    again = torch.load(checkpoint, weights_only=True)["model"]
    for name, weight in stored.items():
        assert torch.allclose(again[name], weight)


def test_the_network_over_the_surface_learns_sides(tmp_path, template, family, animals):
    (tmp_path / "lifted").mkdir()
    rng, count = np.random.default_rng(0), 64
    for number in range(4):
        labels = rng.choice(animals.vertex_count, 400, replace=False)
        twins = np.arange(400)
        features = np.float32(template.embedding[template.near[labels, 0].astype(int)])
        levels = SurfaceRecipe().config.levels
        features = np.tile(features, (1, levels)) / np.sqrt(levels)
        np.savez(
            tmp_path / "lifted" / f"animals_{number}.npz",
            features=features.astype(np.float16),
            confidence=np.ones(400, np.float16),
            positions=rng.uniform(-1, 1, (400, 3)).astype(np.float16),
            normals=np.tile(np.float16([0, 0, 1]), (400, 1)),
            nearest=rng.integers(0, count, 400).astype(np.int16),
            distances=np.abs(rng.uniform(size=(count, 1)) - rng.uniform(size=(1, count))).astype(np.float16),
            labels=(labels if number < 3 else np.full(400, -1)).astype(np.int16),  # the last is an object
            twins=twins.astype(np.int16),
            evenly=np.array(count if number == 2 else 48),
        )
    characters = Characters(tmp_path / "lifted")
    assert (len(characters.held_out), len(characters.training)) == (1, 3)
    recipe = SurfaceRecipe(points=128, batch=2, learning_rate=5e-4)
    trainer = SurfaceTrainer(recipe, template, family.vertices[:, 0], seed=0)
    trainer.place_anchors(torch.from_numpy(template.embedding))
    draw = np.random.default_rng(1)
    examples = [characters.draw(file, recipe, draw, augment=True) for file in characters.training]
    losses = [trainer.step(examples, 0.3) for _ in range(12)]
    assert losses[-1] < losses[0]
    assert "wrong sides" in trainer.validate(characters)
    assert trainer.gather_anchors(characters, 0).norm(dim=1).gt(0).any()
    trainer.save(tmp_path / "surface.pt")
    again = SurfaceTrainer(recipe, template, family.vertices[:, 0], seed=1)
    again.load(tmp_path / "surface.pt")
    assert again.steps == 12
    assert torch.equal(again.sideways, trainer.sideways)
    sample = sample_character(characters, characters.training[0], trainer.network)
    assert sample.features.shape == (count, recipe.config.dim)
    assert np.allclose(np.linalg.norm(sample.features, axis=1), 1, atol=1e-3)
    assert (sample.distances.shape, sample.distances.max()) == ((48, count), 1)
    assert sample_character(characters, characters.training[0], None).features.shape == (
        count,
        recipe.config.dim * levels,
    )
    characters.draw_often({"animals": 3})
    assert len(characters.training) == 9


def test_runs_from_one_start_are_averaged():
    states = [{"network": {"w": torch.full((2,), v)}, "anchors": torch.tensor([v]), "sideways": torch.tensor([-v]),
               "steps": int(v)} for v in (1.0, 4.0)]  # fmt: skip
    mean = average(states)
    assert mean["network"]["w"].tolist() == [2.5, 2.5]
    assert (mean["anchors"].item(), mean["sideways"].item(), mean["steps"]) == (2.5, -2.5, 1)


def test_the_model_runs_started_from_is_averaged_with_them_by_its_share(tmp_path):
    save_file({"w": torch.zeros(2, dtype=torch.float16)}, tmp_path / "surface_context.safetensors")
    run = {"network": {"w": torch.full((2,), 4.0)}, "anchors": torch.tensor([4.0]), "sideways": torch.tensor([2.0]),
           "steps": 7}  # fmt: skip
    torch.save(run, tmp_path / "run.pt")
    mean = average([read_network(tmp_path), read_network(tmp_path / "run.pt")], [0.75, 0.25])
    assert mean["network"]["w"].tolist() == [1, 1]
    assert (mean["anchors"].item(), mean["sideways"].item(), mean["steps"]) == (4, 2, 7)


def test_a_network_that_saw_fewer_distances_goes_on_with_more():
    torch.manual_seed(0)
    few, more = SurfaceContextConfig(dim=8, levels=2, width=16), SurfaceContextConfig(dim=8, levels=3, width=16)
    old, new = SurfaceContext(few), SurfaceContext(more)
    new.load_state_dict(grow(old.state_dict(), new))
    told = torch.randn(5, old.embed.in_features)
    further = torch.cat([told[:, :16], torch.randn(5, 8), told[:, 16:]], dim=1)
    assert torch.allclose(new.embed(further), old.embed(told), atol=1e-6)
    same = grow(new.state_dict(), new)
    assert torch.equal(same["embed.weight"], new.embed.weight)


def test_a_network_with_fewer_layers_goes_on_with_more():
    torch.manual_seed(0)
    old, new = (SurfaceContext(SurfaceContextConfig(dim=8, width=16, layers=layers)) for layers in (1, 2))
    new.load_state_dict(grow(old.state_dict(), new))
    points = SurfacePoints(torch.randn(1, 6, 8), torch.rand(1, 6), torch.randn(1, 6, 3), torch.randn(1, 6, 3))
    distances = torch.rand(1, 6, 6)
    assert torch.allclose(new.look_around(points, distances), old.look_around(points, distances), atol=1e-6)


def test_grids_cover_all_vertices(animals):
    assert sum(rings * around for rings, around in GRIDS.values()) == animals.vertex_count == len(animals.part)


def test_seeds_kept_for_measuring_are_not_drawn(tmp_path: Path) -> None:
    options = Namespace(first=499_990, scratch=tmp_path, without=[], **dict.fromkeys(COUNTS, 11))
    with pytest.raises(SystemExit, match="--first 499989 at most"):
        run_jobs(print, options, "lifted")
    assert not list(tmp_path.iterdir())
