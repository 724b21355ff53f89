# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bones of the rig templates are called in the conventions of others, and which way their Z axes look."""

from __future__ import annotations

import numpy as np

from .mesh import Float32

NAMINGS = ("plain", "unreal", "mixamo", "rigify")
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

# Template (Unreal's mannequin) → plain, Mixamo, Rigify; `*` stands for the side.
_BODY = {
    "pelvis": ("hips", "Hips", "spine"),
    "spine_01": ("spine", "Spine", "spine.001"),
    "spine_02": ("chest", "Spine1", "spine.002"),
    "spine_03": ("upper_chest", "Spine2", "spine.003"),
    "neck_01": ("neck", "Neck", "spine.004"),
    "head": ("head", "Head", "spine.006"),
    "clavicle_*": ("shoulder.*", "*Shoulder", "shoulder.*"),
    "upperarm_*": ("upper_arm.*", "*Arm", "upper_arm.*"),
    "lowerarm_*": ("forearm.*", "*ForeArm", "forearm.*"),
    "hand_*": ("hand.*", "*Hand", "hand.*"),
    "thigh_*": ("thigh.*", "*UpLeg", "thigh.*"),
    "calf_*": ("shin.*", "*Leg", "shin.*"),
    "foot_*": ("foot.*", "*Foot", "foot.*"),
    "ball_*": ("toe.*", "*ToeBase", "toe.*"),
} | {
    f"{finger}_0{number}_*": (
        f"{finger}.0{number}.*",
        f"*Hand{finger.capitalize()}{number}",
        f"{'' if finger == 'thumb' else 'f_'}{finger}.0{number}.*",
    )
    for finger in FINGERS
    for number in (1, 2, 3)
}
_SIDES = {"l": ("L", "Left", "L"), "r": ("R", "Right", "R")}


def name_bones(bones: tuple[str, ...], naming: str) -> list[str]:
    """The template's bones in one of `NAMINGS`.

    A quadruped's bones have one set of names, since Unreal and Mixamo know none for them.
    """
    if naming == "unreal":
        return list(bones)
    column = {"plain": 0, "mixamo": 1, "rigify": 2}[naming]
    named = []
    for bone in bones:
        stem, _, side = bone.rpartition("_")
        if side in _SIDES and f"{stem}_*" in _BODY:
            name = _BODY[f"{stem}_*"][column].replace("*", _SIDES[side][column])
        else:
            name = _BODY[bone][column] if bone in _BODY else bone
        named.append(f"mixamorig:{name}" if naming == "mixamo" and bone != name else name)
    return named


def z_axes(ends: Float32) -> Float32:
    """(B, 3) where each bone's local Z should look: ahead for upright bones, up for those that lie.

    ends: (B, 2, 3), Z up, facing −Y. Limbs then bend about their local X.
    """
    along = ends[:, 1] - ends[:, 0]
    upright = np.abs(along[:, 2]) > np.linalg.norm(along[:, :2], axis=1)
    return np.where(upright[:, None], np.array([0, -1, 0], np.float32), np.array([0, 0, 1], np.float32))
