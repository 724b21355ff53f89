# SPDX-License-Identifier: GPL-3.0-or-later
"""Backbones turn pictures into dense features. `load_backbone` is the one way to get one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backbone import Backbone


def load_backbone(name: str, device: str = "auto") -> Backbone:
    """A ready backbone, kept in memory between calls. See `backbone.Backbone`; raises `BackboneError`."""
    from .backbone import load_cached

    return load_cached(name, device)
