# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def how_many(count: int, singular: str, plural: str | None = None) -> str:
    """`1 bone`, `1,200 bones`; `plural` where an s does not make it."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def name_or_count(names: Sequence[str], singular: str, plural: str | None = None) -> str:
    """The only one's name; else how many there are."""
    return names[0] if len(names) == 1 else how_many(len(names), singular, plural)
