# SPDX-License-Identifier: GPL-3.0-or-later
"""Tangent-space normals taken from one surface and expressed in another's tangent space."""

from __future__ import annotations

import numpy as np

from ..geometry.vectors import unit_rows
from ..mesh import Float32, Int32

FLAT = (0.5, 0.5, 1.0)


def face_tangents(corners: Float32, corner_uv: Float32) -> tuple[Float32, Float32]:
    """Unit tangents and bitangents (F, 3) of faces: along +U, and at a right angle to it on the side of +V.

    corners: (F, 3, 3) positions; corner_uv: (F, 3, 2). Zero where a face has no area on the surface or in the UV map.
    Where the UV map is mirrored the bitangent is −N × T, as MikkTSpace has it.
    """
    edge, other = (corners[:, i] - corners[:, 0] for i in (1, 2))
    d, e = (corner_uv[:, i] - corner_uv[:, 0] for i in (1, 2))
    determinant = d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]
    tangent = (edge * e[:, 1:] - other * d[:, 1:]) * np.sign(determinant)[:, None]
    tangent = unit_rows(tangent)
    normal = unit_rows(np.cross(edge, other))
    return tangent, np.cross(normal, tangent) * np.sign(determinant)[:, None]


def carry_tangents(target_corners: Float32, target_uv: Float32, matched_corners: Float32) -> tuple[Float32, Float32]:
    """The target's tangents and bitangents (F, 3), turned to where its faces are matched on the source.

    matched_corners: (F, 3, 3) the faces' corners on the source. A face is carried over by the rotation nearest to the
    linear map of its corners (polar decomposition), so that stretching does not tilt the normals.
    """
    tangent, bitangent = face_tangents(target_corners, target_uv)
    here, there = _frames(target_corners), _frames(matched_corners)
    own, image = _flat_edges(target_corners, here), _flat_edges(matched_corners, there)
    determinant = own[:, 0, 0] * own[:, 1, 1] - own[:, 0, 1] * own[:, 1, 0]
    inverse = (
        np.stack([np.stack([own[:, 1, 1], -own[:, 0, 1]], 1), np.stack([-own[:, 1, 0], own[:, 0, 0]], 1)], axis=1)
        / np.where(determinant == 0, 1, determinant)[:, None, None]
    )
    linear = image @ inverse
    angle = np.arctan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1])
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = there[:, 0] * cos + there[:, 1] * sin
    y = there[:, 1] * cos - there[:, 0] * sin

    def carried(vector: Float32) -> Float32:
        along, across = ((vector * here[:, axis]).sum(1, keepdims=True) for axis in (0, 1))
        return (along * x + across * y).astype(np.float32)

    return carried(tangent), carried(bitangent)


def reexpress(
    encoded: Float32,
    source_face: Int32,
    source_frame: tuple[Float32, Float32],
    target_face: Int32,
    carried_frame: tuple[Float32, Float32],
) -> Float32:
    """(N, 3) normal-map colours of the source as colours in the target's tangent space.

    encoded: (N, 3) 0…1. source_frame: of `face_tangents`, by source face. carried_frame: of `carry_tangents`.
    """
    x, y = (encoded[:, axis, None] * 2 - 1 for axis in (0, 1))
    direction = x * source_frame[0][source_face] + y * source_frame[1][source_face]
    own = np.stack([(direction * axis[target_face]).sum(axis=1) for axis in carried_frame], axis=1)
    # The matched face is not quite parallel to the source's own: only the direction within the surface is taken.
    length = np.linalg.norm(own, axis=1, keepdims=True)
    own *= np.linalg.norm(np.concatenate([x, y], axis=1), axis=1, keepdims=True) / np.maximum(length, 1e-9)
    return np.concatenate([own * 0.5 + 0.5, encoded[:, 2:3]], axis=1).astype(np.float32)


def _frames(corners: Float32) -> Float32:
    """(F, 2, 3) two unit vectors in each face's plane: along its first side, and left of it seen from outside."""
    side = unit_rows(corners[:, 1] - corners[:, 0])
    normal = unit_rows(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    return np.stack([side, np.cross(normal, side)], axis=1)


def _flat_edges(corners: Float32, frames: Float32) -> Float32:
    """(F, 2, 2) the two sides from the first corner as columns, in the face's frame."""
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], axis=1)
    return np.einsum("fad,fed->fae", frames, edges)
