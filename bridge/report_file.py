# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..surface_features.errors import BadInputError


def write_report_file(path: Path, rows: Sequence[Mapping[str, Any]], page: str) -> None:
    """The page, or for a path that ends in .json the rows. Raises `BadInputError` where it cannot be written."""
    text = json.dumps(rows, indent=1) + "\n" if path.suffix.lower() == ".json" else page
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"“{path}” cannot be written ({error.strerror}).", fault="unwritable") from error
