# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a transferred pose or clip, as JSON and as a page. Pure Python: Blender needs no engine for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .report_page import Section, write_page


@dataclass(frozen=True)
class PoseQuality:
    """Measured after a transfer; shares are 0…1, None where it does not apply.

    kind: “pose” on bones, “shape key” or “motion”. confidence: median of the matches. fit_error: mean distance from the
    goal ÷ height. limited: bones stopped by their limits. intersecting_before, _after: edges that run through the
    surface. frames: of the clip. source_sliding, sliding: of feet on the floor, in lengths of the leg per frame.
    """

    source: str
    target: str
    kind: str
    confidence: float
    fit_error: float | None = None
    limited: tuple[str, ...] = ()
    intersecting_before: float | None = None
    intersecting_after: float | None = None
    frames: int | None = None
    source_sliding: float | None = None
    sliding: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Only what applies."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def write_html(reports: Sequence[PoseQuality], pictures: Sequence[bytes]) -> str:
    """A page without any other file. pictures: a PNG file per report: the source's states above the target's."""
    sections = []
    for report, picture in zip(reports, pictures, strict=True):
        figures = report.to_json()
        title = f"{figures.pop('source')} → {figures.pop('target')}"
        sections.append(Section(title, figures, picture))
    return write_page("Pose quality", sections)
