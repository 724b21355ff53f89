# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as directions."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating)


def unit_rows(values: NDArray[Real]) -> NDArray[Real]:
    """The same (…, D) rows at length 1, as in `values`' type; those of no length stay zero."""
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-20)
