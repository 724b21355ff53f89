# SPDX-License-Identifier: GPL-3.0-or-later
"""The dog of dm_control (Apache-2.0): a realistic skin with 61 bones, read from MuJoCo's files.

Format of `.skn`: https://mujoco.readthedocs.io/en/stable/XMLreference.html#asset-skin
"""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

NAME_BYTES = 40


def read_dog(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of `training.read_rigs` for `dog_skin.skn` and `dog.xml`: Z up, facing −Y, metres; no poses.

    Sides of joints are written `.L` and `.R`.
    """
    content = (folder / "dog_skin.skn").read_bytes()
    vertex_count, coordinate_count, face_count, bone_count = struct.unpack_from("4i", content)
    place = 16

    def take(kind: str, count: int) -> np.ndarray:
        nonlocal place
        values = np.frombuffer(content, kind, count, place)
        place += values.nbytes
        return values

    vertices = take("<f4", vertex_count * 3).reshape(-1, 3)
    take("<f4", coordinate_count * 2)
    faces = take("<i4", face_count * 3).reshape(-1, 3)
    names, heads = [], np.zeros((bone_count, 3), np.float32)
    weights = np.zeros((vertex_count, bone_count), np.float32)
    for bone in range(bone_count):
        names.append(take("S1", NAME_BYTES).tobytes().split(b"\0")[0].decode())
        heads[bone] = take("<f4", 3)
        take("<f4", 4)  # its turn at rest
        count = int(take("<i4", 1)[0])
        rows = take("<i4", count)
        weights[rows, bone] = take("<f4", count)
    above = _parents(folder / "dog.xml")
    return {
        "vertices": _face_minus_y(vertices),
        "faces": faces.astype(np.int32),
        "weights": weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12),
        "joints": np.array([_with_side(name) for name in names]),
        "parents": np.array([names.index(above[name]) if above.get(name) in names else -1 for name in names]),
        "heads": _face_minus_y(heads),
        "poses": np.zeros((0, bone_count, 3, 4), np.float32),
    }


def _parents(path: Path) -> dict[str, str]:
    """Body → the body it hangs on."""
    return {
        str(child.get("name")): str(body.get("name"))
        for body in ET.parse(path).iter("body")
        for child in body.findall("body")
    }


def _face_minus_y(points: np.ndarray) -> np.ndarray:
    """Facing +X → facing −Y, Z up both times."""
    return np.stack([points[:, 1], -points[:, 0], points[:, 2]], axis=1).astype(np.float32)


def _with_side(name: str) -> str:
    return f"{name[:-2]}.{name[-1]}" if name.endswith(("_L", "_R")) else name
