# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Rig*."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RigSettings:
    """Where *Rig* takes its skeleton from.

    rig_from: "AUTO", "SOURCE", "HUMAN" or "QUADRUPED". skeleton: "PLAIN", "UNREAL", "MIXAMO", "RIGIFY" or "METARIG".
    together: selected meshes that touch are one character.
    """

    rig_from: str = "AUTO"
    skeleton: str = "PLAIN"
    together: bool = True

    @property
    def kind(self) -> str:
        """The preset as the engine knows it."""
        return self.rig_from.lower() if self.rig_from in ("HUMAN", "QUADRUPED") else "auto"
