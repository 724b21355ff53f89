# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators that start a job share: blocking in background mode and from scripts, modal in the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..bridge.engine import session_engine
from ..bridge.job import POLL_INTERVAL_S, JobPlan, JobRun, Outcome, run_blocking, status, tell_failure
from ..preferences import get_preferences
from ..surface_features.errors import JobCancelled, SurfaceFeaturesError

if TYPE_CHECKING:
    _Base = bpy.types.Operator
else:
    _Base = object

_PROGRESS_STEPS = 100


class JobOperator(_Base):
    """Mixin: an operator says in `plan` what is to be done, and this does it."""

    _run: JobRun
    _timer: bpy.types.Timer
    _workspace: str

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if status.running:
            cls.poll_message_set("Wait for the running job, or cancel it")
            return False
        return True

    def plan(self, context: bpy.types.Context) -> JobPlan:
        """Snapshot everything the job needs. Raises `BadInputError`."""
        raise NotImplementedError

    def done(self, context: bpy.types.Context) -> None:
        """Called after a job that ended well, for what belongs to the window and not to the scene."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            context.view_layer.update()
            outcome = run_blocking(context, self.plan(context), session_engine(get_preferences(context).python_path))
        except SurfaceFeaturesError as error:
            return self._fail(error)
        return self._succeed(context, outcome)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            context.view_layer.update()
            plan = self.plan(context)
            self._run = JobRun(plan, session_engine(get_preferences(context).python_path))
        except SurfaceFeaturesError as error:
            return self._fail(error)
        status.begin(plan.title)
        manager = context.window_manager
        self._timer = manager.event_timer_add(POLL_INTERVAL_S, window=context.window)
        manager.progress_begin(0, _PROGRESS_STEPS)
        manager.modal_handler_add(self)
        self._workspace = context.workspace.name
        self._show_progress(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self._run.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if status.cancel_requested:
            self._run.cancel()
        try:
            if not self._run.step():
                # Drawing costs the window time: only for news.
                if (self._run.fraction, self._run.message) != (status.fraction, status.message):
                    self._show_progress(context)
                return {"PASS_THROUGH"}
            outcome, undo_pushed = self._run.finish(context, push_undo=True)
        except SurfaceFeaturesError as error:
            self._clear(context)
            return self._fail(error)
        except BaseException:
            self._clear(context)  # whatever went wrong, the window must not show a job for ever
            status.end("The job failed; see the console.", is_error=True)
            raise
        self._clear(context)
        result = self._succeed(context, outcome)
        # "cancelled" keeps Blender from pushing a second undo step
        return {"CANCELLED"} if undo_pushed else result

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file is opened, or the window closes."""
        self._run.cancel()
        self._clear(context)
        status.end("Cancelled; nothing was changed.")

    def _succeed(self, context: bpy.types.Context, outcome: Outcome) -> set[str]:
        self.done(context)
        status.end(outcome.message, warnings=outcome.warnings)
        self.report({"INFO"}, outcome.message)
        for warning in outcome.warnings:
            self.report({"WARNING"}, warning)
        return {"FINISHED"}

    def _fail(self, error: SurfaceFeaturesError) -> set[str]:
        cancelled = isinstance(error, JobCancelled)
        sentence = tell_failure(error)
        status.end(sentence, is_error=not cancelled)
        self.report({"WARNING"} if cancelled else {"ERROR"}, sentence)
        return {"CANCELLED"}

    def _show_progress(self, context: bpy.types.Context) -> None:
        status.fraction, status.message = self._run.fraction, self._run.message
        context.window_manager.progress_update(status.fraction * _PROGRESS_STEPS)
        workspace = bpy.data.workspaces.get(self._workspace)
        if workspace is not None:
            workspace.status_text_set(f"{status.title}: {status.fraction:.0%}  {status.message}  (Esc: cancel)")
        redraw_panels(context)

    def _clear(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        workspace = bpy.data.workspaces.get(self._workspace)
        if workspace is not None:
            workspace.status_text_set(None)
        redraw_panels(context)


def redraw_panels(context: bpy.types.Context) -> None:
    """Let the sidebars of all 3D viewports, and the preferences, draw again."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in (("VIEW_3D", "UI"), ("PREFERENCES", "WINDOW")):
                    region.tag_redraw()
