# SPDX-License-Identifier: GPL-3.0-or-later
"""A strip of pictures: one held-out person's pose on other bodies: `python -m benchmarks.pose_pictures --out FILE.png`.

From left to right the source, another person, one of stylised proportions, a game character, and a robot of many
pieces; each as it rests above, and in the source's pose below. All as shape keys: nothing but surfaces is used.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pose_transfer import make_pair
from surface_features.correspondence import match_surfaces
from surface_features.features import Features, compute_features
from surface_features.mesh import TriangleMesh
from surface_features.transfer.jacobians import PoseTransfer
from training.data_folder import parse_with_data
from training.humans import HumanModel

SIDE = 240
PERSON, STYLISED = 1, 3  # the first whose target is stylised


def bodies(data: Path) -> tuple[TriangleMesh, NDArray[np.float64], list[TriangleMesh]]:
    """The source at rest, its pose, and the targets."""
    from benchmarks.kaykit_weights import read_figure
    from examples.characters import HumanoidSpec, build_humanoid

    model = HumanModel(data)
    pair = make_pair(model, PERSON)
    figure = read_figure(data / "kaykit" / "Barbarian.glb")
    mesh = figure.obj.data
    mesh.calc_loop_triangles()
    vertices = np.array([vertex.co for vertex in mesh.vertices], np.float32)
    game = TriangleMesh(vertices, np.array([t.vertices for t in mesh.loop_triangles], np.int32), "Game")
    spec = HumanoidSpec(style="parts", hat="helmet", hair="none", pads=True, fingers="five", resolution=80, seed=3)
    robot = build_humanoid(spec)
    targets = [pair.target, make_pair(model, STYLISED).target, game]
    return pair.source, pair.posed, [*targets, TriangleMesh(robot.vertices, robot.faces, "Robot")]


def render(meshes: list[TriangleMesh], folder: Path) -> list[Path]:
    """One picture of each mesh."""
    import bpy

    from examples import blender_scene as stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage.set_up_stage(SIDE, 8)
    files = []
    for number, mesh in enumerate(meshes):
        shown = bpy.data.meshes.new(mesh.name)
        shown.from_pydata(mesh.vertices.tolist(), [], mesh.faces.tolist())
        obj = bpy.data.objects.new(mesh.name, shown)
        bpy.context.scene.collection.objects.link(obj)
        bpy.context.view_layer.update()
        files.append(folder / f"{number}.png")
        stage.picture(obj, files[-1], turn_degrees=20.0)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description="Render one person's pose on other bodies.")
    parser.add_argument("--out", type=Path, required=True)
    options = parse_with_data(parser, "mpfb2/base.obj")
    source, posed, targets = bodies(options.data)
    features: Features = compute_features(source)
    above, below = [source], [TriangleMesh(posed.astype(np.float32), source.faces, "Source posed")]
    for target in targets:
        matches = match_surfaces(target, compute_features(target), source, features)
        shown = PoseTransfer(source, target, matches).pose(posed)
        above.append(target)
        below.append(TriangleMesh(shown.astype(np.float32), target.faces, f"{target.name} posed"))
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        files = render([*above, *below], Path(folder))
        sheet = Image.new("RGB", (SIDE * len(above), 2 * SIDE), "white")
        for number, file in enumerate(files):
            with Image.open(file) as picture:
                place = (SIDE * (number % len(above)), SIDE * (number // len(above)))
                sheet.paste(picture.convert("RGB"), place)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(128).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
