# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way work is done: snapshot → engine → the objects found again → written once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import bpy

from ..surface_features.engine import Engine, JobRequest, JobResult, JobState
from ..surface_features.errors import JobCancelled, SurfaceFeaturesError
from .scene import SentObject, find_again, object_mode

POLL_INTERVAL_S = 0.1
_BLOCKING_INTERVAL_S = 0.02


@dataclass(frozen=True)
class Outcome:
    """What the user is told when the work is done: one sentence, and what deserves a second look."""

    message: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobPlan:
    """Everything a job needs, without a reference to Blender's data.

    requests: done one after the other.
    sent: the objects `finish` gets, found again, in this order.
    finish: turns the results into changes of the scene. It checks before it writes and raises a `SurfaceFeaturesError`
        only as long as nothing is changed.
    warnings: known before the work began.
    """

    title: str
    requests: tuple[JobRequest, ...]
    sent: tuple[SentObject, ...]
    finish: Callable[[Sequence[bpy.types.Object], Sequence[JobResult]], Outcome]
    warnings: tuple[str, ...] = ()


@dataclass
class JobStatus:
    """What panels show. One job runs at a time."""

    running: bool = False
    title: str = ""
    fraction: float = 0.0
    message: str = ""
    cancel_requested: bool = False
    report: str = ""
    report_is_error: bool = False
    warnings: list[str] = field(default_factory=list)

    def begin(self, title: str) -> None:
        self.running, self.title = True, title
        self.fraction, self.message, self.cancel_requested = 0.0, "Starting", False
        self.report, self.report_is_error, self.warnings = "", False, []

    def end(self, report: str, *, is_error: bool = False, warnings: Sequence[str] = ()) -> None:
        self.running = False
        self.report, self.report_is_error, self.warnings = report, is_error, list(warnings)


status = JobStatus()


class JobRun:
    """A plan on its way through the engine."""

    def __init__(self, plan: JobPlan, engine: Engine) -> None:
        self.plan = plan
        self._engine = engine
        self._results: list[JobResult] = []
        self._job = engine.submit(plan.requests[0])

    @property
    def fraction(self) -> float:
        return min((len(self._results) + self._job.progress) / len(self.plan.requests), 1.0)

    @property
    def message(self) -> str:
        return self._job.message

    def step(self) -> bool:
        """Take in news without waiting; True when all is computed. Raises what the engine reports."""
        if self._job.poll() is JobState.RUNNING:
            return False
        self._results.append(self._job.result(0.0))
        if len(self._results) == len(self.plan.requests):
            return True
        self._job = self._engine.submit(self.plan.requests[len(self._results)])
        return False

    def cancel(self) -> None:
        self._job.cancel()

    def finish(self, context: bpy.types.Context, *, push_undo: bool) -> tuple[Outcome, bool]:
        """Write the results, once. Raises `SurfaceFeaturesError` and changes nothing where that is not possible.

        push_undo: make the undo step here if the operator's own would not hold the change, because its user was in Edit
        Mode. Returns what to tell, and whether the step was made.
        """
        plan = self.plan
        if any(sent.written for sent in plan.sent):
            with object_mode(context) as left_edit_mode:
                outcome = plan.finish([find_again(sent) for sent in plan.sent], self._results)
                pushed = push_undo and left_edit_mode
                if pushed:
                    bpy.ops.ed.undo_push(message=plan.title)
        else:
            outcome, pushed = plan.finish([find_again(sent) for sent in plan.sent], self._results), False
        told = [text for result in self._results for text in result.info.get("warnings", ())]
        warnings = tuple(dict.fromkeys((*plan.warnings, *told, *outcome.warnings)))
        return Outcome(outcome.message, warnings), pushed


def run_blocking(context: bpy.types.Context, plan: JobPlan, engine: Engine) -> Outcome:
    """Do the whole job at once and print its progress: background mode, scripts, the command line."""
    status.begin(plan.title)
    try:
        run = JobRun(plan, engine)
        try:
            _wait(run)
        except KeyboardInterrupt:  # Ctrl-C in the terminal is this mode's Escape
            run.cancel()
            raise JobCancelled("Cancelled; nothing was changed.") from None
        return run.finish(context, push_undo=False)[0]
    finally:
        status.running = False


def tell_failure(error: SurfaceFeaturesError) -> str:
    """The sentence for the user; what only a developer can use goes to the console."""
    for note in getattr(error, "__notes__", ()):
        print(note, file=sys.stderr)
    return "Cancelled; nothing was changed." if isinstance(error, JobCancelled) else str(error)


def _wait(run: JobRun) -> None:
    told = ""
    while not run.step():
        text = f"{run.plan.title}: {run.fraction:4.0%}  {run.message}"
        if text != told:
            print(text, flush=True)
            told = text
        time.sleep(_BLOCKING_INTERVAL_S)
