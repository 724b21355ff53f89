# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the data folder's rigged characters with Blender: `python -m training.read_rigs --data DIR --scratch DIR`.

One .npz per character in `scratch/rigs`, named by its set, in its rest pose, Z up, facing −Y:

    vertices (V, 3)   faces (F, 3)   weights (V, J)   joints (J,) names   parents (J,)   heads (J, 3)
    poses (P, J, 3, 4): frames of its clips, as transforms from the rest pose; P may be 0

The dog of dm_control, which needs no Blender, is one of the beasts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kaykit_weights import Figure, read_figure

from .dog import read_dog

SETS = {"men": "quaternius/men", "kaykit": "kaykit", "beasts": "quaternius/animals"}
POSES = 40


def read_rig(path: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The arrays of one character's file."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    figure = read_figure(path)
    data = figure.armature.data
    world = np.array(figure.armature.matrix_world)
    heads = np.array([bone.head_local for bone in data.bones]) @ world[:3, :3].T + world[:3, 3]
    mesh = figure.obj.data
    mesh.calc_loop_triangles()
    rig = {
        "vertices": np.array([vertex.co for vertex in mesh.vertices], np.float32),
        "faces": np.array([triangle.vertices for triangle in mesh.loop_triangles], np.int32),
        "weights": figure.weights,
        "joints": np.array(figure.joints),
        "parents": np.array([figure.joints.index(b.parent.name) if b.parent else -1 for b in data.bones]),
        "heads": heads.astype(np.float32),
        "poses": read_poses(figure, world, rng),
    }
    return face_front(rig)


def face_front(rig: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a character that looks along −Y: turned half around where its left joints lie on the right."""
    across = rig["heads"][:, 0]
    left, right = (np.char.endswith(np.char.lower(rig["joints"]), end) for end in (".l", ".r"))
    if across[left].sum() >= across[right].sum():
        return rig
    turn = np.diag(np.array([-1, -1, 1], np.float32))
    poses = np.concatenate([turn @ rig["poses"][..., :3] @ turn, turn @ rig["poses"][..., 3:]], axis=-1)
    return rig | {"vertices": rig["vertices"] @ turn, "heads": rig["heads"] @ turn, "poses": poses}


def read_poses(figure: Figure, world: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(P, J, 3, 4) float32 world-space transforms from the rest pose, at random frames of random clips."""
    import bpy

    armature, poses = figure.armature, []
    actions = list(bpy.data.actions)
    armature.data.pose_position = "POSE"
    animation = armature.animation_data
    for track in animation.nla_tracks if animation else ():
        track.mute = True
    for _ in range(POSES if actions and animation else 0):
        action = actions[rng.integers(len(actions))]
        animation.action = action
        if hasattr(animation, "action_slot"):  # Blender 4.4 and later
            animation.action_slot = action.slots[0]
        first, last = action.frame_range[:]
        bpy.context.scene.frame_set(round(rng.uniform(first, last)))
        bpy.context.view_layer.update()
        poses.append([_transform(bone, world) for bone in armature.pose.bones])
    return np.array(poses, np.float32).reshape(-1, len(figure.joints), 3, 4)


def _transform(bone: Any, world: np.ndarray) -> np.ndarray:
    """(3, 4) from the bone's rest place to where it is."""
    moved = np.array(bone.matrix @ bone.bone.matrix_local.inverted())
    return (world @ moved @ np.linalg.inv(world))[:3]


def read_all(data: Path, folder: Path) -> None:
    """Write every character's file to `folder`; existing files are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, place in SETS.items():
        for number, path in enumerate(sorted((data / place).glob("*.glb"))):
            out = folder / f"{name}_{path.stem}.npz"
            if not out.is_file():
                _write_rig(out, read_rig(path.resolve(), np.random.default_rng(number)))
    dog = folder / "beasts_DmControlDog.npz"
    if not dog.is_file():
        _write_rig(dog, read_dog(data / "dm_control_dog"))


def _write_rig(path: Path, rig: dict[str, np.ndarray]) -> None:
    np.savez_compressed(path, **rig)
    print(f"{path.stem}: {len(rig['vertices'])} vertices, {len(rig['poses'])} poses", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Read the data folder's rigged characters with Blender.")
    parser.add_argument("--data", type=Path, required=True, help="see training/README.md")
    parser.add_argument("--scratch", type=Path, required=True)
    options = parser.parse_args()
    read_all(options.data, options.scratch / "rigs")


if __name__ == "__main__":
    main()
