# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to make the solids of `examples.implicit`."""

from __future__ import annotations

import numpy as np

from examples.implicit import Solid

Bones = dict[str, np.ndarray]
Ends = np.ndarray | tuple[np.ndarray, np.ndarray]
"""(2, 3) where something starts and ends."""


def head_size(bones: Bones) -> float:
    """From chin to crown, in metres."""
    return float(bones["head"][1][2] - bones["head"][0][2])


def beside(base: np.ndarray, x: float, y: float, z: float, size: float = 1.0) -> np.ndarray:
    """A point beside `base`, in units of `size`."""
    return (base + size * np.array([x, y, z])).astype(np.float32)


def rod(names: tuple[str, ...], ends: Ends, radius: float) -> Solid:
    """A capsule."""
    start, end = np.asarray(ends, np.float32)
    return Solid(names, start, end, radius, radius, blend=0.3 * radius)


def worn(
    names: tuple[str, ...],
    start: np.ndarray,
    end: np.ndarray,
    radius: float,
    end_radius: float,
    squeeze: np.ndarray | None = None,
) -> Solid:
    """A tapered capsule that is no part of the body."""
    even = np.ones(3, np.float32) if squeeze is None else squeeze
    return Solid(names, start, end, radius, end_radius, even, blend=0.2 * radius, body=False, rigid=True)


def block(names: tuple[str, ...], ends: Ends, half: float, depth: float, shape: str) -> Solid:
    """A box, drum, ball or rod around the axis between its ends; half, depth: how far it reaches across it.

    A box and a ball lie along the axis of space nearest to theirs; a drum is a capsule that ends where its axis does.
    """
    start, end = np.asarray(ends, np.float32)
    length = max(float(np.linalg.norm(end - start)), 1e-4)
    if shape == "ball":
        middle, radius = (start + end) / 2, 0.75 * length
        upright = abs(end[2] - start[2]) > 0.5 * length
        reach = np.array([half, depth, radius] if upright else [radius, depth, half])
        return Solid(names, middle, middle, radius, radius, (radius / reach).astype(np.float32), 0.02 * length)
    if shape == "box":
        reach = np.array([half, depth, half], np.float32)
        reach[int(np.abs(end - start).argmax())] = 0
        return Solid(names, np.minimum(start, end) - reach, np.maximum(start, end) + reach, 0.0, box=True)
    radius = min(half, 0.45 * length) if shape == "drum" else half
    inset = (radius / length if shape == "drum" else 0.0) * (end - start)
    return Solid(names, start + inset, end - inset, radius, radius, blend=0.2 * radius)
