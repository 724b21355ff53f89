# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either written whole or not at all."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write to a temporary file beside `path`, then rename it to `path`.

    On any error the temporary file is deleted and an older file of that name stays as it was. Raises OSError.
    """
    temporary = path.parent / f".{os.getpid()}-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an uncompressed .npz of exactly that name, whole or not at all. Raises OSError."""
    # Packed in memory: np.savez on a file that fails half-way leaves a ZipFile that fails again when collected.
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    write_atomically(path, packed.getbuffer())
