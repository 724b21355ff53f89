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
from .skeleton import Float32, Rotations

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
            height=1.3,
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
            head_size=0.17,
            leg_length=0.47,
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
        rest_pose_a(35.0, 4.0),
    ),
}


@dataclass(frozen=True)
class Score:
    """How far skin weights are from the true ones.

    strongest: share of vertices whose strongest bone is right. l1: mean over vertices of Σ|w − true|, 0..2.
    posed: mean distance to where the true skinning would put a vertex in the walk, as a share of the height.
    """

    strongest: float
    l1: float
    posed: float


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
    armature = stage.add_armature(character, "Source Rig")
    stage.skin_to(obj, armature, character)
    stage.add_action(armature, "Walk", [walk_cycle(step / STEPS) for step in range(STEPS)])
    armature.animation_data.action = None
    stage.pose_armature(armature, dict.fromkeys(character.joints, np.eye(3)))
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

    print(f"{'target':10s}{'weights by':26s}{'strongest bone right':>22s}{'mean L1':>9s}{'walk error':>12s}")
    joints = source.character.joints
    for target in targets:
        armature = fitted_armature(target)
        ours = stage.read_groups(target.obj, joints)
        theirs = stage.blender_data_transfer(source.obj, target.obj, joints)
        rotations = walk_from_rest(target)
        rows = {
            "Surface Features, fitted rig": score(target, ours, stage, armature, rotations),
            "Blender's Data Transfer": score(target, theirs, stage, None, rotations),
        }
        for label, found in rows.items():
            shares = f"{100 * found.strongest:18.1f} %{found.l1:9.2f}{100 * found.posed:9.1f} %"
            print(f"{target.obj.name:10s}{label:28s}{shares}")
        heads = np.array([armature.data.bones[joint].head_local for joint in joints])
        off = np.linalg.norm(heads - target.character.bones[:, 0], axis=1) / np.ptp(target.character.vertices[:, 2])
        print(f"{'':10s}joints of the fitted rig: median {100 * np.median(off):.1f} % of the height off")


def walk_from_rest(actor: Actor) -> Rotations:
    """The shown step of the walk, from the pose the actor rests in."""
    return relative_rotations(actor.character, walk_cycle(SHOWN_STEP / STEPS), actor.rest)


def score(target: Actor, weights: Float32, stage: Any, armature: Any, rotations: Rotations) -> Score:
    """Weights (V, J) against the truth; posed by `armature`, or by the true joints without one."""
    from .skeleton import joint_transforms, skin

    character = target.character
    true = pose_character(character, rotations).vertices
    if armature is None:
        posed = skin(character.vertices, weights, joint_transforms(character, rotations))
    else:
        stage.pose_armature(armature, rotations)
        posed = stage.read_deformed(target.obj)
    return Score(
        float((weights.argmax(1) == character.weights.argmax(1)).mean()),
        float(np.abs(weights - character.weights).sum(1).mean()),
        float(np.linalg.norm(posed - true, axis=1).mean() / np.ptp(character.vertices[:, 2])),
    )


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
