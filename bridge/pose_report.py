# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest transfer of a pose or clip said of itself, kept for this session of Blender."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..surface_features.errors import BadInputError
from ..surface_features.pose_report import PoseQuality, write_html
from .report_file import write_report_file

_latest: list[tuple[PoseQuality, bytes]] = []


def keep_reports(reports: Sequence[PoseQuality], pictures: Sequence[bytes]) -> None:
    """pictures: a PNG file per report. What was kept before is forgotten."""
    _latest[:] = zip(reports, pictures, strict=True)


def latest_reports() -> list[PoseQuality]:
    return [report for report, _ in _latest]


def save_pose_reports(path: Path) -> None:
    """Write a page with the pictures, or figures alone for a path that ends in .json. Raises `BadInputError`."""
    if not _latest:
        raise BadInputError(
            "No pose or motion was transferred in this session: run Transfer Pose or Transfer Motion first.",
            fault="no_report",
        )
    reports = latest_reports()
    page = write_html(reports, [picture for _, picture in _latest])
    write_report_file(path, [report.to_json() for report in reports], page)
