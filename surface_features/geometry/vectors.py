# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as directions."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating)


def unit_rows(values: NDArray[Real]) -> NDArray[Real]:
    """The same (…, D) rows at length 1, as in `values`' type; those of no length stay zero."""
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.divide(values, length, out=np.zeros_like(values), where=length > 0)
