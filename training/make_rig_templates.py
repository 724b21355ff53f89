# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig templates that are shipped: `python -m training.make_rig_templates --data DIR [--out FOLDER]`.

A template is a small body with a skeleton inside it, once for each of a few shapes that share faces and skin weights.
People come from MakeHuman's base mesh, targets and game-engine rig (CC0), quadrupeds from the procedural animals
(`quadrupeds`). Features are not stored: they are computed with the model in use, through its cache, so that templates
never go out of step with it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surface_features.geometry.closest import closest_points
from surface_features.mesh import TriangleMesh

from .animal_skeleton import animal_template
from .data_folder import parse_with_data
from .human_poses import pose_person
from .humans import HumanModel, Person, to_z_up
from .proportions import Proportions

OUT = Path(__file__).resolve().parents[1] / "surface_features" / "models" / "rig_templates"
HUMAN_VERTICES = 5_000
INFLUENCES = 4
LANDMARKS = {  # of the head, by MakeHuman's joint cubes: what a face rig is scaled by
    "eye.L": "joint-l-eye", "eye.R": "joint-r-eye", "jaw": "joint-jaw", "mouth": "joint-mouth",
    "head_top": "joint-head-2",
}  # fmt: skip
FIGURE = Proportions(
    along={"head": 2.5, "neck": 0.3, "torso": 0.75, "shoulder": 0.8, "upper_arm": 0.55, "lower_arm": 0.55,
           "hand": 1.1, "thigh": 0.5, "calf": 0.5, "foot": 1.0},
    across={"head": 2.5, "neck": 1.2, "torso": 1.0, "shoulder": 1.0, "upper_arm": 1.2, "lower_arm": 1.2,
            "hand": 1.1, "thigh": 1.1, "calf": 1.1, "foot": 1.0},
)  # fmt: skip
CHIBI = Proportions(  # half of it is head
    along={"head": 4.0, "neck": 0.15, "torso": 0.65, "shoulder": 0.8, "upper_arm": 0.5, "lower_arm": 0.5,
           "hand": 1.1, "thigh": 0.35, "calf": 0.35, "foot": 0.9},
    across={"head": 4.0, "neck": 1.5, "torso": 1.2, "shoulder": 1.2, "upper_arm": 1.4, "lower_arm": 1.4,
            "hand": 1.2, "thigh": 1.3, "calf": 1.3, "foot": 1.1},
)  # fmt: skip
# MakeHuman's rig and game characters' put the joints of the trunk in places of their own, each set alike on all its
# figures. The template's lie half-way: offsets (x, y, z) in lengths from hips to neck, half of the mean one of seven
# Quaternius men (Farmer to Worker) from MakeHuman's joints carried over, by `benchmarks.rig_accuracy`; the head's less,
# for it would leave the neck.
HALF_WAY = {
    "pelvis": (0, -0.017, -0.077), "spine_01": (0, -0.034, -0.085), "spine_02": (0, -0.026, -0.015),
    "spine_03": (0, -0.032, 0.099), "neck_01": (0, -0.014, -0.037), "head": (0, 0.02, -0.05),
    "clavicle_l": (0.063, 0.0, -0.09), "clavicle_r": (-0.063, 0.0, -0.09),
}  # fmt: skip


def human_shapes(model: HumanModel) -> dict[str, Person]:
    """Name → a body in MakeHuman's A-pose, all ages and builds that a rig is likely to meet."""
    shapes = {
        "man": model.make_person(_targets("male", "young", "averagemuscle", "averageweight")),
        "woman": model.make_person(_targets("female", "young", "averagemuscle", "averageweight")),
        "child": model.make_person(_targets("female", "child", "averagemuscle", "averageweight")),
        "stout": model.make_person(_targets("male", "old", "maxmuscle", "maxweight")),
    }
    rest = np.tile(np.eye(3), (len(model.bones), 1, 1))
    for name, proportions in (("figure", FIGURE), ("chibi", CHIBI)):
        vertices = pose_person(model, shapes["man"], rest, proportions)
        shapes[name] = Person(vertices, *model.joints(vertices))
    return shapes


def human_template(model: HumanModel) -> dict[str, NDArray]:
    """The arrays of human.npz; see `surface_features.rig_template.RigTemplate`."""
    shapes = human_shapes(model)
    count = model.body_vertex_count
    base = TriangleMesh(to_z_up(next(iter(shapes.values())).vertices[:count]), model.body_faces)
    small = decimate(base, HUMAN_VERTICES)
    face, bary, _ = closest_points(base, small.vertices)
    corners = base.faces[face]

    def at_vertices(values: NDArray) -> NDArray:
        return np.einsum("vc,vcd->vd", bary, values[corners])

    kept = [index for index, bone in enumerate(model.bones) if bone != "Root"]
    bones = [model.bones[index] for index in kept]
    parents = [kept.index(parent) if parent in kept else -1 for parent in model.parents[kept]]
    weights = at_vertices(model.weights[:count])
    root = model.bone_index["Root"]
    weights[:, model.bone_index["pelvis"]] += weights[:, root]
    people = list(shapes.values())
    return {
        "shapes": np.array(list(shapes)),
        "vertices": np.stack([at_vertices(to_z_up(person.vertices[:count])) for person in people]).astype(np.float16),
        "faces": small.faces.astype(np.uint16),
        "bones": np.array(bones),
        "parents": np.array(parents, np.int16),
        "ends": np.stack(
            [half_way(to_z_up(np.stack([person.heads[kept], person.tails[kept]], axis=1)), bones) for person in people]
        ).astype(np.float32),
        "landmarks": np.array(list(LANDMARKS)),
        "landmark_places": np.stack(
            [to_z_up(np.stack([model.cube(person.vertices, name) for name in LANDMARKS.values()])) for person in people]
        ).astype(np.float32),
        **pack_weights(weights[:, kept]),
    }


def half_way(ends: NDArray, bones: list[str]) -> NDArray:
    """(B, 2, 3) heads and tails with the trunk's joints where `HALF_WAY` says; ends that meet stay together."""
    heads = ends[:, 0]
    trunk = float(np.linalg.norm(heads[bones.index("neck_01")] - heads[bones.index("pelvis")]))
    moved = ends.copy()
    for bone, offset in HALF_WAY.items():
        meets = np.linalg.norm(ends - heads[bones.index(bone)], axis=-1) < 1e-4 * trunk
        moved[meets] += trunk * np.asarray(offset)
    return moved


def pack_weights(weights: NDArray) -> dict[str, NDArray]:
    """The strongest influences of each vertex: bone (V, K) uint8, weight (V, K) uint8, rows sum to about 255."""
    bone = np.argsort(-weights, axis=1)[:, :INFLUENCES]
    strong = np.take_along_axis(weights, bone, axis=1)
    share = strong / strong.sum(axis=1, keepdims=True)
    return {"influence": bone.astype(np.uint8), "share": np.round(share * 255).astype(np.uint8)}


def decimate(mesh: TriangleMesh, vertices: int) -> TriangleMesh:
    """Blender's collapse of a mesh to about so many vertices, the same left and right."""
    import bpy

    data = bpy.data.meshes.new("template")
    data.from_pydata(mesh.vertices.tolist(), [], mesh.faces.tolist())
    obj = bpy.data.objects.new("template", data)
    bpy.context.scene.collection.objects.link(obj)
    collapse = obj.modifiers.new("collapse", "DECIMATE")
    collapse.ratio = vertices / len(mesh.vertices)
    collapse.use_symmetry, collapse.symmetry_axis = True, "X"
    collapse.use_collapse_triangulate = True
    made = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    made.calc_loop_triangles()
    points = np.array([vertex.co for vertex in made.vertices], np.float32)
    faces = np.array([triangle.vertices for triangle in made.loop_triangles], np.int32)
    bpy.data.objects.remove(obj)
    return TriangleMesh(points, faces)


def _targets(gender: str, age: str, muscle: str, weight: str) -> list[tuple[str, float]]:
    ethnicities = ("african", "asian", "caucasian")
    return [
        *((f"macrodetails/{ethnicity}-{gender}-{age}", 1 / 3) for ethnicity in ethnicities),
        (f"macrodetails/universal-{gender}-{age}-{muscle}-{weight}", 1.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the rig templates that are shipped.")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parse_with_data(parser, "mpfb2/base.obj", "infinigen_nurbs")
    options.out.mkdir(parents=True, exist_ok=True)
    made = {"human": human_template(HumanModel(options.data)), "quadruped": animal_template(options.data)}
    for name, arrays in made.items():
        path = options.out / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        shapes, vertices = arrays["vertices"].shape[:2]
        print(f"{path.name}: {shapes} shapes of {vertices:,} vertices, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
