# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right by the names of bones, as the usual tools write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEFT, RIGHT, MIDDLE = 1, -1, 0

_WORDS = {"left": "right", "l": "r"}
# A letter alone is a side only beside a separator or the end: “upperarm_l”, “L_Arm”, “Arm.L.001”, “Bip01 L Hand”.
_LETTER = re.compile(r"(?:^|(?<=[ ._\-:]))([lrLR])(?=$|[ ._\-:])")
# A whole word is one anywhere, but not within another word: “LeftArm”, “mixamorig:LeftArm”, “arm_left”, “HandRight”,
# and not “bright”. A capital, a separator or the end must follow what is written small.
_WORD = re.compile(r"(?:(?<![A-Za-z])|(?<=[a-z0-9])(?=[A-Z]))(left|right|Left|Right|LEFT|RIGHT)(?=$|[^a-z])")


@dataclass(frozen=True, eq=False)
class BoneSides:
    """side: (J,) int8, 1 left, −1 right, 0 neither. twin: (J,) int64 the bone of the other side; itself for the middle
    and −1 where the other side has no such bone."""

    side: NDArray[np.int8]
    twin: NDArray[np.int64]

    @property
    def known(self) -> bool:
        """Whether there is a pair at all."""
        return bool(((self.side != MIDDLE) & (self.twin >= 0)).any())


def flip_name(name: str) -> str:
    """The name on the other side, or the name itself where it names no side.

    `Hand.L` ↔ `Hand.R`, `hand_l` ↔ `hand_r`, `mixamorig:LeftHand` ↔ `mixamorig:RightHand`, `L_Hand` ↔ `R_Hand`; a
    number at the end (`Hand.L.001`) stays.
    """
    found = _find(name)
    if found is None:
        return name
    start, end = found
    return name[:start] + _other(name[start:end]) + name[end:]


def side_of(name: str) -> int:
    """1 for a left bone, −1 for a right one, 0 for one of neither side."""
    found = _find(name)
    if found is None:
        return MIDDLE
    return LEFT if name[found[0]].lower() == "l" else RIGHT


def bone_sides(names: Sequence[str]) -> BoneSides:
    index = {name: place for place, name in enumerate(names)}
    side = np.array([side_of(name) for name in names], np.int8).reshape(-1)
    twin = [index.get(flip_name(name), -1) for name in names]
    return BoneSides(side, np.array(twin, np.int64).reshape(-1))


def _find(name: str) -> tuple[int, int] | None:
    # The last one counts, as for Blender: the right half of a moth with two pairs has “Left_Wing.R”.
    found = [*_WORD.finditer(name), *_LETTER.finditer(name)]
    return max((match.span() for match in found), default=None)


def _other(word: str) -> str:
    pairs = {**_WORDS, **{right: left for left, right in _WORDS.items()}}
    other = pairs[word.lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other
