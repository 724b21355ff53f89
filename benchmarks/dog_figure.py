# SPDX-License-Identifier: GPL-3.0-or-later
"""The dog of dm_control as a skinned Blender object."""

from __future__ import annotations

from pathlib import Path

from training.dog import read_dog

from .kaykit_weights import Figure, build_figure
from .skin_peers import bone_ends


def read_dog_figure(folder: Path) -> Figure:
    """folder: with dog_skin.skn and dog.xml. Every bone leads to what hangs on it."""
    from examples import blender_scene as stage

    dog = read_dog(folder)
    joints = tuple(dog["joints"].tolist())
    armature = stage.add_armature("Dog skeleton", joints, bone_ends(dog["heads"], dog["parents"]), dog["parents"])
    return build_figure("Dog", dog["vertices"], dog["faces"].tolist(), dog["weights"], joints, armature)
