# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of transferred skin weights, as JSON and as a page. Pure Python: Blender draws it without the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .report_page import Section, write_page
from .wording import how_many

SURE = 0.5  # confidence from which on a match is called sure


@dataclass(frozen=True)
class WeightQuality:
    """Measured after a transfer; shares are 0…1.

    vertices: how many. coverage: share matched surely (`SURE`). confidence: mean. cycle_error: mean
    distance on the source between a vertex and where the way there and back ends, ÷ its extent. unweighted: vertices
    without weight. worst_sum: the largest |Σw − 1|. influences: the most of a vertex, and mean_influences.
    side_moved: vertices matched to the wrong side that were put right. side_violations: vertices on a limb that still
    have weight of the other side. islands: bones that move more than one separate patch of one piece, by name with the
    number of extra patches. loose: vertices on parts that stay rigid. volume_change: mean |change| of the volume under
    test poses. torn_edges: share of edges that stretch or shrink more than twofold there. self_intersection: share of
    faces, of those looked at, that enter another surface there and did not at rest.
    """

    target: str
    vertices: int
    coverage: float
    confidence: float
    cycle_error: float
    unweighted: int
    worst_sum: float
    influences: int
    mean_influences: float
    side_moved: int
    side_violations: int
    islands: dict[str, int]
    loose: int
    volume_change: float
    torn_edges: float
    self_intersection: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> WeightQuality:
        return cls(**values)

    def lines(self) -> list[str]:
        """What a panel shows."""
        told = [
            f"{self.coverage:.0%} matched surely, confidence {self.confidence:.2f}",
            f"Round trip {self.cycle_error:.1%} of the size",
            f"Up to {how_many(self.influences, 'bone')} per vertex, {self.mean_influences:.1f} on average",
            f"Test poses: volume ±{self.volume_change:.0%}, {self.torn_edges:.1%} of edges torn",
            f"Test poses: {self.self_intersection:.1%} of faces run into others",
        ]
        if self.unweighted:
            told.append(f"{how_many(self.unweighted, 'vertex', 'vertices')} without weights")
        if self.side_moved or self.side_violations:
            moved = how_many(self.side_moved, "vertex", "vertices")
            told.append(f"{moved} put on their side, {self.side_violations} still on the wrong one")
        if self.islands:
            told.append(f"{how_many(sum(self.islands.values()), 'island')} of {how_many(len(self.islands), 'bone')}")
        if self.loose:
            told.append(f"{how_many(self.loose, 'vertex', 'vertices')} on rigid loose parts")
        return told


def write_html(reports: Sequence[WeightQuality], pictures: Sequence[bytes]) -> str:
    """A page without any other file. pictures: a PNG file per report, or nothing."""
    sections = []
    for report, picture in zip(reports, pictures, strict=True):
        figures = report.to_json()
        sections.append(Section(figures.pop("target"), figures, picture))
    return write_page("Weight quality", sections)
