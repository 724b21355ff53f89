# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets and tubes: surfaces whose vertices lie in rows and columns."""

from __future__ import annotations

import numpy as np


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> np.ndarray:
    """(F, 3) int64 triangles of rows × columns vertices, row after row; closed: the last column meets the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.stack([a, b, c, b, d, c], axis=-1).reshape(-1, 3)
