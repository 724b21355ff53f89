# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips between characters of other sets and species: `python -m benchmarks.motion_transfer --data DATA`.

The installed extension transfers each clip in one go; printed are the seconds it took (features cached), how far feet
slide per frame while the source's stand, in the length of the leg (the clips walk in place, so the source's own feet
slide too), and for how many target bones a source bone was found. `--pictures` renders strips of source and target.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.dog_figure import read_dog_figure
from benchmarks.kaykit_weights import read_figure
from examples.installed_extension import disable, install, quiet, select
from training.data_folder import parse_with_data

CASES = (
    ("kaykit/Knight.glb", "Walking_A", "quaternius/men/Farmer.glb"),
    ("kaykit/Knight.glb", "Running_A", "quaternius/men/Farmer.glb"),
    ("kaykit/Mage.glb", "Walking_A", "quaternius/men/Spacesuit.glb"),
    ("kaykit/Rogue.glb", "Running_B", "kaykit/Barbarian.glb"),
    ("quaternius/animals/Wolf.glb", "Walk", "quaternius/animals/Horse.glb"),
    ("quaternius/animals/Fox.glb", "Gallop", "quaternius/animals/Bull.glb"),
    ("quaternius/animals/Husky.glb", "Walk", "dm_control_dog"),
)
SHOWN = (0.0, 0.25, 0.5, 0.75)


def run_case(source_file: Path, clip: str, target_file: Path, log: Path, pictures: Path | None) -> None:
    """Print one line of the table."""
    import bpy

    with quiet(log):
        bpy.ops.wm.read_homefile(use_empty=True)
        source = read_figure(source_file)
        action = _action(clip)
        kept = action.name
        others = set(bpy.data.actions)
        target = read_dog_figure(target_file) if target_file.is_dir() else read_figure(target_file)
        for added in set(bpy.data.actions) - others:
            bpy.data.actions.remove(added)
        for figure in (source, target):
            figure.armature.data.pose_position = "POSE"
            for track in figure.armature.animation_data.nla_tracks if figure.armature.animation_data else ():
                track.mute = True
        select(source.obj, target.obj)
        options = {"action": kept, "force": True}
        _run(options)  # features are cached from here on
        begun = time.perf_counter()
        _run(options)
    seconds = time.perf_counter() - begun
    from importlib import import_module

    from examples.installed_extension import MODULE

    told = import_module(f"{MODULE}.bridge.job").status.report
    first, last = target.armature.animation_data.action.frame_range
    rows = bpy.context.scene.surface_features.pose.bone_map.rows
    mapped = sum(bool(row.source) for row in rows)
    print(f"{source_file.stem} {clip} → {target_file.stem}: {last - first + 1:.0f} frames in {seconds:.1f} s; {told}")
    print(f"    {mapped} of {len(rows)} deforming bones mapped", flush=True)
    if pictures is not None:
        with quiet(log):
            _strip(source, target, kept, pictures / f"{source_file.stem}_{clip}_{target_file.stem}.png")


def _run(options: dict[str, Any]) -> None:
    import bpy

    bpy.ops.surface_features.clear_bone_map()
    bpy.ops.surface_features.transfer_motion(**options)


def _action(clip: str) -> Any:
    import bpy

    return min((action for action in bpy.data.actions if clip in action.name), key=lambda action: len(action.name))


def _strip(source: Any, target: Any, clip: str, path: Path) -> None:
    """Source above, target below, at a few moments of the clip."""
    import bpy
    from PIL import Image

    from examples import blender_scene as stage

    animation = source.armature.animation_data_create()
    animation.action = bpy.data.actions[clip]
    if hasattr(animation, "action_slot"):
        animation.action_slot = animation.action.slots[0]
    stage.set_up_stage(220, 8)
    first, last = target.armature.animation_data.action.frame_range
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.new("RGB", (220 * len(SHOWN), 440), "white")
    for column, share in enumerate(SHOWN):
        bpy.context.scene.frame_set(round(first + share * (last - first)))
        for row, figure in enumerate((source, target)):
            part = path.with_name("part.png")
            stage.picture(figure.obj, part, turn_degrees=55.0)
            with Image.open(part) as picture:
                sheet.paste(picture.convert("RGB"), (220 * column, 220 * row))
            part.unlink()
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Transfer clips between characters of other sets and species.")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="render strips there")
    parser.add_argument("--only", default="", metavar="WORD", help="only cases whose files or clip contain it")
    options = parse_with_data(parser, "kaykit")
    data = options.data
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "blender.log"
        with quiet(log):
            install(Path(folder) / "user")
        for source, clip, target in CASES:
            if options.only in f"{source} {clip} {target}":
                run_case(data / source, clip, data / target, log, options.pictures)
        disable()


if __name__ == "__main__":
    main()
