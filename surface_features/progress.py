# SPDX-License-Identifier: GPL-3.0-or-later
"""What long work tells the outside: progress, warnings, timings, and whether to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .errors import JobCancelled


@dataclass
class JobContext:
    """Handed down through every long computation.

    on_progress: called with (fraction in 0…1, message).
    is_cancelled: polled at every report; True raises `JobCancelled`.
    warnings, timings: filled by the computation (seconds by stage), shared between spans.
    """

    on_progress: Callable[[float, str], None] = lambda fraction, message: None
    is_cancelled: Callable[[], bool] = lambda: False
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)

    def report(self, fraction: float, message: str) -> None:
        """Tell how far the work is; raises `JobCancelled` when the user asked to stop."""
        if self.is_cancelled():
            raise JobCancelled("Cancelled.")
        self.on_progress(min(max(fraction, 0.0), 1.0), message)

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def span(self, start: float, end: float) -> JobContext:
        """A context whose 0…1 is this one's start…end."""
        return JobContext(
            lambda fraction, message: self.on_progress(start + (end - start) * fraction, message),
            self.is_cancelled,
            self.warnings,
            self.timings,
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `timings[name]`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - begin
