# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as a page that needs no other file."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STYLE = (
    "body{font:14px sans-serif;margin:2em}section{clear:both}th{text-align:left;padding-right:2em}"
    "img{max-width:100%;float:right;margin-left:2em}"
)


@dataclass(frozen=True)
class Section:
    """figures: by name, with _ for blanks. picture: a PNG file's bytes, or nothing."""

    title: str
    figures: Mapping[str, Any]
    picture: bytes = b""


def write_page(title: str, sections: Sequence[Section]) -> str:
    """HTML: of each section a table of its figures, and its picture."""
    shown = "".join(_section(section) for section in sections)
    heading = html.escape(title)
    return (
        f"<!doctype html><meta charset=utf-8><title>{heading}</title><style>{STYLE}</style><h1>{heading}</h1>{shown}\n"
    )


def _section(section: Section) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(key.replace('_', ' '))}</th><td>{html.escape(_told(value))}</td></tr>"
        for key, value in section.figures.items()
    )
    picture = base64.b64encode(section.picture).decode()
    shown = f'<img alt="" src="data:image/png;base64,{picture}">' if picture else ""
    return f"<section><h2>{html.escape(section.title)}</h2>{shown}<table>{rows}</table></section>"


def _told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, tuple)) else str(value)
