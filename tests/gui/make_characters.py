# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the window test's characters outside Blender, which may lack SciPy: make_characters.py FILE.npz

Run with the project's Python. Hero is rigged; Friend is another person, in A-pose; Statue is a third one with about
100,000 vertices, so that a job on it lasts long enough to be watched, cancelled and killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from examples.characters import HumanoidSpec, build_humanoid, rest_pose_a, walk_cycle
from examples.skeleton import joint_transforms, pose_character, relative_rotations

CHARACTERS = {
    "Hero": (HumanoidSpec(seed=1), {}),
    "Friend": (HumanoidSpec(height=1.5, head_size=0.19, leg_length=0.44, arm_thickness=0.034, torso_width=0.11,
                            belly=0.4, hair="spikes", resolution=70, seed=2), rest_pose_a(35)),
    "Statue": (HumanoidSpec(height=1.9, leg_length=0.49, torso_width=0.105, leg_thickness=0.052, hair="none",
                            resolution=320, seed=3), rest_pose_a(20)),
}  # fmt: skip


def main(path: str) -> None:
    arrays: dict[str, np.ndarray] = {}
    for name, (spec, rest) in CHARACTERS.items():
        character = pose_character(build_humanoid(spec), rest)
        walk = relative_rotations(character, walk_cycle(0.2), rest)
        arrays |= {
            f"{name}_vertices": character.vertices,
            f"{name}_faces": character.faces,
            f"{name}_weights": character.weights,
            f"{name}_bones": character.bones,
            f"{name}_walk": joint_transforms(character, walk),
        }
        arrays["joints"], arrays["parents"] = np.array(character.joints), character.parents
        print(f"{name}: {len(character.vertices)} vertices, {len(character.faces)} faces")
    np.savez(path, **arrays)


main(sys.argv[1])
