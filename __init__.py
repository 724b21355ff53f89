# SPDX-License-Identifier: GPL-3.0-or-later
"""Surface Features: the Blender extension. Blender calls `register` and `unregister`; nothing happens at import."""

from __future__ import annotations


def register() -> None:
    from . import operators, panels, preferences, properties

    for module in (preferences, properties, operators, panels):
        module.register()


def unregister() -> None:
    from . import operators, panels, preferences, properties
    from .bridge import engine

    for module in (panels, operators, properties, preferences):
        module.unregister()
    engine.close()
