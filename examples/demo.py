# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: skin two characters from a third with the installed extension, headless, and measure against the truth.

Writes demo/*.blend, a picture of every step and one sheet of them; prints errors, times and memory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .characters import (
    Character,
    HumanoidSpec,
    build_humanoid,
    pose_character,
    relative_rotations,
    rest_pose_a,
    walk_cycle,
)
from .installed_extension import ROOT, ask_engine, disable, install, quiet, select
from .skeleton import Rotations, euler, joint_transforms, mirror_rotation, skin

OUT = ROOT / "demo"
LOG = OUT / "blender.log"
STEPS = 24
SHOWN_STEP = 7
PICTURE_SIZE, SAMPLES = 400, 16
FEATURES = "Surface Features"

SOURCE = HumanoidSpec(hair="cap", hat="none", resolution=78, seed=1)
TARGETS = {
    "Stout": (
        HumanoidSpec(
            height=1.45,
            head_size=0.25,
            neck_length=0.03,
            leg_length=0.37,
            arm_length=0.26,
            shoulder_width=0.25,
            torso_width=0.118,
            torso_depth=0.085,
            arm_thickness=0.036,
            leg_thickness=0.057,
            hand_size=0.125,
            foot_size=0.18,
            belly=0.5,
            fingers="mitten",
            hair="bun",
            boots=True,
            belt=True,
            resolution=60,
            seed=2,
        ),
        rest_pose_a(50.0, 8.0),
    ),
    "Pieces": (
        HumanoidSpec(
            height=1.9,
            head_size=0.19,
            leg_length=0.44,
            arm_length=0.34,
            shoulder_width=0.26,
            torso_width=0.11,
            torso_depth=0.07,
            arm_thickness=0.03,
            leg_thickness=0.048,
            hand_size=0.12,
            hair="none",
            hat="helmet",
            style="parts",
            fingers="five",
            pads=True,
            resolution=80,
            seed=3,
        ),
        rest_pose_a(62.0, 10.0)
        | {"head": euler(0, 0, 25), "lowerarm.L": euler(0, 0, -50), "lowerarm.R": mirror_rotation(euler(0, 0, -20))},
    ),
}


@dataclass(frozen=True, eq=False)
class Actor:
    """A character, the Blender object made from it, and the rotations its rest pose was made with."""

    character: Character
    obj: Any
    rest: Rotations


def main() -> None:
    start = time.perf_counter()
    with quiet(LOG):
        install(OUT / ".blender")
    print(f"Built, installed and enabled in {time.perf_counter() - start:.1f} s.")
    _, ready_s = ask_engine("ping")
    print(f"The engine was ready after {ready_s:.1f} s.\n")
    with quiet(LOG):
        source, targets = make_scene()
        spent = run_operators(source, targets)
        peak_mb = float(ask_engine("ping")[0]["peak_memory_mb"])
    tell_scores(source, targets)
    with quiet(LOG):
        save_pictures(source, targets)
        disable()
    print("\n" + "\n".join(f"{label:34s}{seconds:6.1f} s" for label, seconds in spent.items()))
    print(f"{'the worker used at most':34s}{peak_mb:6,.0f} MB")
    print(f"{'everything took':34s}{time.perf_counter() - start:6.1f} s")
    print(f"\nSee {OUT.relative_to(ROOT)}/sheet.png and {OUT.relative_to(ROOT)}/skinned.blend.")


def make_scene() -> tuple[Actor, list[Actor]]:
    """The rigged source with a walk, and the targets: nothing but meshes."""
    import bpy

    from . import blender_scene as stage

    character = build_humanoid(SOURCE)
    obj = stage.add_mesh(character, "Source")
    armature = stage.add_armature("Source Rig", character.joints, character.bones, character.parents)
    stage.skin_to(obj, armature, character.joints, character.weights)
    stage.add_action(armature, "Walk", [walk_cycle(step / STEPS) for step in range(STEPS)])
    armature.animation_data.action = None
    stage.pose_armature(armature, dict.fromkeys(character.joints, np.eye(3, dtype=np.float32)))
    targets = []
    for name, (spec, rest) in TARGETS.items():
        target = pose_character(build_humanoid(spec), rest)
        targets.append(Actor(target, stage.add_mesh(target, name), rest))
    bpy.context.view_layer.update()
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "before.blend"))
    return Actor(character, obj, {}), targets


def run_operators(source: Actor, targets: list[Actor]) -> dict[str, float]:
    """Press the buttons. Returns what each took, in seconds."""
    import bpy

    spent = {}

    def press(label: str, operator: Any, **options: Any) -> None:
        select(source.obj, *(target.obj for target in targets))
        begun = time.perf_counter()
        operator(**options)
        spent[label] = time.perf_counter() - begun

    press("Show Features, three meshes", bpy.ops.surface_features.show_features)
    press("Transfer Weights, two targets", bpy.ops.surface_features.transfer_weights)
    press("Rig, two targets", bpy.ops.surface_features.rig, replace=True)
    return spent


def tell_scores(source: Actor, targets: list[Actor]) -> None:
    """Print the errors of the transferred weights beside those of Blender's own Data Transfer."""
    from . import blender_scene as stage

    print(f"{'target':10s}{'weights by':28s}{'strongest bone right':>20s}{'mean L1':>9s}{'walk error':>12s}")
    joints = source.character.joints
    for target in targets:
        character, rotations = target.character, walk_from_rest(target)
        tall = np.ptp(character.vertices[:, 2])
        true = pose_character(character, rotations).vertices
        transforms = joint_transforms(character, rotations)
        for label, weights in (
            ("Surface Features", stage.read_groups(target.obj, joints)),
            ("Blender's Data Transfer", stage.blender_data_transfer(source.obj, target.obj, joints)),
        ):
            right = (weights.argmax(1) == character.weights.argmax(1)).mean()
            l1 = np.abs(weights - character.weights).sum(1).mean()
            off = np.linalg.norm(skin(character.vertices, weights, transforms) - true, axis=1).mean() / tall
            print(f"{target.obj.name:10s}{label:28s}{100 * right:18.1f} %{l1:9.2f}{100 * off:10.1f} %")
        armature = fitted_armature(target)
        heads = np.array([armature.data.bones[joint].head_local for joint in joints])
        joints_off = np.median(np.linalg.norm(heads - character.bones[:, 0], axis=1)) / tall
        stage.pose_armature(armature, rotations)
        off = np.linalg.norm(stage.read_deformed(target.obj) - true, axis=1).mean() / tall
        label = f"… on its fitted rig (joints {100 * joints_off:.1f} % off)"
        print(f"{target.obj.name:10s}{label:57s}{100 * off:10.1f} %")
    print(
        "Strongest bone: share of vertices. L1: Σ|w − true| per vertex, 0 to 2. Walk error: mean distance to where\n"
        "the true skinning puts a vertex in one step of the walk, in % of the height; on the true joints unless noted."
    )


def walk_from_rest(actor: Actor) -> Rotations:
    """The shown step of the walk, from the pose the actor rests in."""
    return relative_rotations(actor.character, walk_cycle(SHOWN_STEP / STEPS), actor.rest)


def fitted_armature(target: Actor) -> Any:
    """The armature that Rig made for a target."""
    return next(modifier.object for modifier in target.obj.modifiers if modifier.type == "ARMATURE")


def save_pictures(source: Actor, targets: list[Actor]) -> None:
    """Render every character as it came, by its features, by its bones, and walking; save the file and the sheet."""
    import bpy

    from . import blender_scene as stage

    stage.set_up_stage(PICTURE_SIZE, SAMPLES)
    rows: list[list[Path]] = []
    for actor in (source, *targets):
        armature = fitted_armature(actor)
        still = dict.fromkeys(actor.character.joints, np.eye(3, dtype=np.float32))
        stage.pose_armature(armature, still)
        stage.paint(actor.obj, stage.bone_colours(stage.read_groups(actor.obj, actor.character.joints)))
        files = [OUT / f"{actor.obj.name.lower()}_{step}.png" for step in ("mesh", "features", "bones", "walking")]
        stage.picture(actor.obj, files[0])
        stage.picture(actor.obj, files[1], FEATURES)
        stage.picture(actor.obj, files[2], stage.SHOWN)
        stage.pose_armature(armature, walk_from_rest(actor))
        stage.picture(actor.obj, files[3], stage.SHOWN, turn_degrees=50.0)
        stage.pose_armature(armature, still)
        stage.add_action(
            armature,
            f"Walk {actor.obj.name}",
            [relative_rotations(actor.character, walk_cycle(step / STEPS), actor.rest) for step in range(STEPS)],
        )
        rows.append(files)
    for place, actor in enumerate((source, *targets)):
        actor.obj.hide_render = False
        # Rig parents a target to its armature; the source has no parent.
        for obj in {actor.obj.parent or actor.obj, fitted_armature(actor)}:
            obj.location.x = 1.9 * place
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, STEPS
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "skinned.blend"))
    make_sheet(rows, OUT / "sheet.png")


def make_sheet(rows: list[list[Path]], path: Path) -> None:
    """One picture of all: a row for each character, a column for each step."""
    from PIL import Image, ImageDraw

    side, head = 260, 24
    columns = ("as it came", "features", "skin weights", "walking")
    sheet = Image.new("RGB", (side * len(columns), head + side * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, label in enumerate(columns):
        draw.text((side * column + 8, 6), label, "black")
    for row, files in enumerate(rows):
        for column, file in enumerate(files):
            with Image.open(file) as picture:
                sheet.paste(picture.convert("RGB").resize((side, side)), (side * column, head + side * row))
    sheet.quantize(200).save(path, optimize=True)


if __name__ == "__main__":
    main()
