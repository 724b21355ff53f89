# SPDX-License-Identifier: GPL-3.0-or-later
"""Named failures. Every message is one sentence an artist can act on: what, where, what next."""

from __future__ import annotations


class SurfaceFeaturesError(Exception):
    """Base of every failure this package reports on purpose."""

    exit_code = 4


class BadInputError(SurfaceFeaturesError):
    """The given mesh, weights or file cannot be worked on.

    `fault` is a stable short name (``"no_faces"``, ``"non_finite"``…) for scripts and tests.
    """

    exit_code = 3

    def __init__(self, message: str, *, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


class EngineError(SurfaceFeaturesError):
    """The engine could not start, crashed, or lost its connection."""


class BackboneError(EngineError):
    """A backbone checkpoint is missing, damaged, or of an unknown kind."""


class JobCancelled(SurfaceFeaturesError):
    """The user cancelled the job; nothing was changed."""
