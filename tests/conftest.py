# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: the project's folder, and data that may be there or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder the extension and the backend lie in."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Meshes that are not part of the project: `SURFACE_FEATURES_DATA`, or `shared/data` beside the clone."""
    folder = Path(os.environ.get("SURFACE_FEATURES_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the meshes described in docs; {folder} does not exist (set SURFACE_FEATURES_DATA)")
    return folder
