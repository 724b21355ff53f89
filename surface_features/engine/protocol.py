# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine is: submit a request, poll the job, take the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class JobRequest:
    """One piece of work: a task of `surface_features.tasks`, its arrays and its JSON parameters."""

    task: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobResult:
    """Arrays and JSON information; `info["warnings"]` and `info["timings"]` are always there."""

    arrays: Mapping[str, np.ndarray]
    info: Mapping[str, Any]


class JobState(Enum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Protocol):
    """A submitted request. All methods are called from one thread and, except `result`, never block."""

    @property
    def progress(self) -> float: ...

    @property
    def message(self) -> str: ...

    def poll(self) -> JobState:
        """Take in what the engine has said and tell the state."""
        ...

    def cancel(self) -> None: ...

    def result(self, timeout_s: float | None = None) -> JobResult:
        """Wait for the end. Raises the job's `SurfaceFeaturesError`, or `JobCancelled`."""
        ...


class Engine(Protocol):
    """Runs jobs one at a time, outside the caller's way."""

    def submit(self, request: JobRequest) -> Job: ...

    def close(self) -> None: ...
