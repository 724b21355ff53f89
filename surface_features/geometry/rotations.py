# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation matrices in bulk. All arrays are float64, (..., 3, 3) or (..., 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def nearest_rotation(matrices: Float64) -> Float64:
    """(..., 3, 3) the proper rotations nearest to any matrices, by their singular values."""
    u, _, vt = np.linalg.svd(matrices)
    sign = np.sign(np.linalg.det(u @ vt))
    u = u.copy()
    u[..., :, 2] *= np.where(sign == 0, 1.0, sign)[..., None]
    return u @ vt


def rotation_vector(rotations: Float64) -> Float64:
    """(..., 3) axis times angle in radians, the angle at most π."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(*rotations.shape[:-2], 3)


def from_vector(vectors: Float64) -> Float64:
    """(..., 3, 3) of axis times angle."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:-1], 3, 3)


def swing_and_twist(rotations: Float64, axes: Float64) -> tuple[Float64, Float64]:
    """Rotations (N, 3, 3) as swing (N, 3, 3) after a twist by (N,) radians about unit `axes` (N, 3)."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(rotations).as_quat().T
    along = np.einsum("ni,ni->n", np.stack([x, y, z], axis=1), axes)
    angle = 2 * np.arctan2(along, w)
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    twist = from_vector(axes * angle[:, None])
    return rotations @ twist.transpose(0, 2, 1), angle


def shrink_rotation(rotations: Float64, low: float, high: float) -> Float64:
    """Rotations by less than `low` radians become none, those by more than `high` stay, between them it fades."""
    vectors = rotation_vector(rotations)
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    share = np.clip((angle - low) / (high - low), 0, 1)
    return from_vector(vectors * share)
