# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin weights between clothed game characters: `python -m benchmarks.kaykit_weights [SOURCE] [TARGET]`.

The target's weights are taken away, the source's are transferred to it by the installed extension and, for comparison,
by Blender's own Data Transfer (nearest face, interpolated); both are measured against the weights its artist gave it.
Once as the target stands in its file, in the source's own pose, and once after another pose was made its rest pose.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.installed_extension import disable, install, quiet, select
from training.data_folder import parse_with_data

CLIP, CLIP_SHARE = "Running_A", 0.3
HELD = ("handslot",)  # weapons, shields and mugs hang on these bones; hats and capes on others


@dataclass(frozen=True, eq=False)
class Figure:
    """A character of one piece with the weights its artist gave it.

    obj: the skinned Blender object; armature: its armature; joints: bone names; weights: (V, J) float32.
    """

    obj: Any
    armature: Any
    joints: tuple[str, ...]
    weights: NDArray[np.float32]


def read_figure(path: Path) -> Figure:
    """Import a character, without what it holds in its hands, as one skinned mesh in its rest pose."""
    import bpy

    from examples import blender_scene as stage

    bpy.ops.import_scene.gltf(filepath=str(path))
    imported = list(bpy.context.selected_objects)
    armature = next(obj for obj in imported if obj.type == "ARMATURE")
    armature.data.pose_position = "REST"
    bpy.context.view_layer.update()
    joints = tuple(bone.name for bone in armature.data.bones)
    vertices: list[NDArray] = []
    faces: list[list[int]] = []
    weights: list[NDArray] = []
    for part in (obj for obj in imported if obj.type == "MESH" and not obj.parent_bone.startswith(HELD)):
        count = sum(map(len, vertices))
        faces += [[count + vertex for vertex in face.vertices] for face in part.data.polygons]
        vertices.append(stage.read_deformed(part))
        if part.parent_bone:
            own = np.zeros((len(vertices[-1]), len(joints)), np.float32)
            own[:, joints.index(part.parent_bone)] = 1
        else:
            own = stage.read_groups(part, joints)
        weights.append(own)
    for obj in imported:
        if obj != armature:
            bpy.data.objects.remove(obj)
    return build_figure(path.stem, np.concatenate(vertices), faces, np.concatenate(weights), joints, armature)


def build_figure(
    name: str, vertices: NDArray, faces: list[list[int]], weights: NDArray, joints: tuple[str, ...], armature: Any
) -> Figure:
    """A mesh (V, 3) with weights (V, J) on an armature that has the joints' bones."""
    from examples import blender_scene as stage

    obj = _make_object(name, vertices, faces)
    stage.skin_to(obj, armature, joints, weights)
    return Figure(obj, armature, joints, weights)


def bare_copy(figure: Figure, name: str, *, posed: bool) -> Any:
    """The figure's surface alone, as it rests or as it stands in the clip."""
    import bpy

    from examples import blender_scene as stage

    if posed:
        _play(figure.armature)
    vertices = stage.read_deformed(figure.obj)
    figure.armature.data.pose_position = "REST"
    bpy.context.view_layer.update()
    return _make_object(name, vertices, [list(face.vertices) for face in figure.obj.data.polygons])


def _make_object(name: str, vertices: NDArray, faces: list[list[int]]) -> Any:
    import bpy

    data = bpy.data.meshes.new(name)
    data.from_pydata(vertices.tolist(), [], faces)
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.update()
    return obj


def _play(armature: Any) -> None:
    """Let the armature stand as in the clip."""
    import bpy

    for track in armature.animation_data.nla_tracks:
        track.mute = True
    action = next(track.strips[0].action for track in armature.animation_data.nla_tracks if track.name.startswith(CLIP))
    armature.animation_data.action = action
    if hasattr(armature.animation_data, "action_slot"):  # Blender 4.4 and later
        armature.animation_data.action_slot = action.slots[0]
    armature.data.pose_position = "POSE"
    first, last = action.frame_range
    bpy.context.scene.frame_set(round(first + CLIP_SHARE * (last - first)))
    bpy.context.view_layer.update()


def compare(source: Figure, target: Figure, log: Path, *, posed: bool) -> None:
    """Print one block of the table."""
    import bpy

    from examples import blender_scene as stage

    obj = bare_copy(target, f"{target.obj.name} {'re-posed' if posed else 'at rest'}", posed=posed)
    begun = time.perf_counter()
    select(source.obj, obj)
    with quiet(log):
        bpy.ops.surface_features.transfer_weights()
    seconds = time.perf_counter() - begun
    results = {
        f"Surface Features ({seconds:.1f} s)": stage.read_groups(obj, source.joints),
        "Blender's Data Transfer": stage.blender_data_transfer(source.obj, obj, source.joints),
    }
    print(obj.name)
    columns = [source.joints.index(name) if name in source.joints else -1 for name in target.joints]
    for label, weights in results.items():
        found = np.where(np.array(columns) >= 0, weights[:, columns], 0)
        right = (found.argmax(1) == target.weights.argmax(1)).mean()
        print(f"  {label:30s} strongest bone right {100 * right:5.1f} %   mean L1 {_l1(found, target.weights):.3f}")
    worst = _worst_bones(results[next(iter(results))][:, columns], target)
    print(f"  wrong most often: {worst}\n")


def _l1(weights: NDArray, true: NDArray) -> float:
    return float(np.abs(weights - true).sum(1).mean())


def _worst_bones(found: NDArray, target: Figure, count: int = 5) -> str:
    """Where vertices of which bone went instead, by how many."""
    true, guess = target.weights.argmax(1), found.argmax(1)
    pairs, sizes = np.unique(np.stack([true, guess])[:, true != guess], axis=1, return_counts=True)
    order = np.argsort(-sizes)[:count]
    return ", ".join(
        f"{target.joints[a]} → {target.joints[b]} {size}"
        for (a, b), size in zip(pairs[:, order].T, sizes[order], strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Transfer weights between KayKit characters, against the truth.")
    parser.add_argument("source", nargs="?", default="Knight")
    parser.add_argument("target", nargs="?", default="Barbarian")
    options = parse_with_data(parser, "kaykit")
    files = [options.data / "kaykit" / f"{name}.glb" for name in (options.source, options.target)]
    for file in files:
        if not file.is_file():
            parser.error(f"{options.data / 'kaykit'} has no {file.name}")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "blender.log"
        with quiet(log):
            install(Path(folder) / "user")
            source, target = (read_figure(file) for file in files)
        print(
            f"{options.source}: {len(source.weights):,} vertices. {options.target}: {len(target.weights):,} vertices.\n"
        )
        for posed in (True, False):
            compare(source, target, log, posed=posed)
        disable()


if __name__ == "__main__":
    main()
