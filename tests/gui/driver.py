# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a scenario in Blender's window: real events, waiting, watching the event loop, screenshots, a report.

A scenario is a generator. It yields what it waits for: a number of seconds, or a `Until`. One event is sent per turn of
Blender's event loop, as a hand would. Needs `--enable-event-simulate`.

Buttons are found by what they do, not by where they are: the pointer is moved down a region and Blender itself is asked
what it would run (*Copy Python Command*) or change (*Copy Data Path*) under the pointer. So the test does not depend on
fonts, scale, panel order or language, and a button that is hidden or covered counts as not there.
"""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

Scenario = Generator[Any, None, Any]


@dataclass(frozen=True)
class Until:
    """Wait until `condition()` is true; a scenario is sent `TimeoutError` when that takes too long."""

    condition: Callable[[], bool]
    what: str
    limit_s: float = 30.0


@dataclass
class Report:
    """PASS and FAIL lines, and the summary that run.sh looks for."""

    path: Path
    lines: list[str] = field(default_factory=list)
    failures: int = 0

    def check(self, ok: bool, what: str, detail: object = "") -> bool:
        self.failures += not ok
        self._add(f"{'PASS' if ok else 'FAIL'}  {what}" + (f": {detail}" if detail != "" else ""))
        return ok

    def note(self, text: str) -> None:
        self._add(f"      {text}")

    def close(self) -> None:
        checks = sum(line.startswith(("PASS", "FAIL")) for line in self.lines)
        verdict = "FAILED" if self.failures else "PASSED"
        self._add(f"test-gui: {verdict}, {checks - self.failures} of {checks} checks hold")

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self.path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")


class LoopWatch:
    """The pauses of the event loop, measured by a timer that asks for 2 ms; a shorter time keeps a core busy."""

    def __init__(self) -> None:
        self._last = self._last_busy = self._start = 0.0
        self._pauses: list[tuple[float, float, float]] | None = None
        bpy.app.timers.register(self._tick, persistent=True)

    def _tick(self) -> float:
        now, busy = time.perf_counter(), time.thread_time()
        if self._pauses is not None:
            self._pauses.append((now - self._last, busy - self._last_busy, now - self._start))
        self._last, self._last_busy = now, busy
        return 0.002

    def start(self) -> None:
        self._pauses, self._start = [], time.perf_counter()

    def stop(self) -> Pauses:
        pauses, self._pauses = self._pauses or [], None
        return Pauses(tuple(sorted(pauses, reverse=True)))


@dataclass(frozen=True)
class Pauses:
    """What lies between two turns of the event loop, longest first.

    pauses: seconds it took, seconds of them that Blender's main thread computed, and when it ended since the start.
    """

    pauses: tuple[tuple[float, float, float], ...] = ()

    @property
    def longest_ms(self) -> float:
        return self.pauses[0][0] * 1000 if self.pauses else float("inf")

    @property
    def busiest_ms(self) -> float:
        return max((busy for _, busy, _ in self.pauses), default=float("inf")) * 1000

    def __str__(self) -> str:
        if not self.pauses:
            return "not one turn"
        longest = ", ".join(f"{pause * 1000:.0f} (at {end:.1f} s)" for pause, _, end in self.pauses[:3])
        usual_ms = self.pauses[len(self.pauses) // 100][0] * 1000
        return (
            f"longest {longest} ms, 99 % under {usual_ms:.0f} ms, {len(self.pauses)} turns, "
            f"main thread computing at most {self.busiest_ms:.0f} ms"
        )


class Window:
    """The one window, its 3D viewport, and a hand on mouse and keyboard."""

    def __init__(self, framebuffer: Path, pictures: Path) -> None:
        self._framebuffer = framebuffer
        self._pictures = pictures

    @property
    def window(self) -> bpy.types.Window:
        return bpy.context.window_manager.windows[0]

    @property
    def view(self) -> bpy.types.Area:
        return next(area for area in self.window.screen.areas if area.type == "VIEW_3D")

    def region(self, kind: str) -> bpy.types.Region:
        return next(region for region in self.view.regions if region.type == kind)

    def override(self, kind: str = "WINDOW") -> Any:
        return bpy.context.temp_override(window=self.window, area=self.view, region=self.region(kind))

    def send(self, kind: str, value: str, at: tuple[int, int], **held: bool) -> None:
        self.window.event_simulate(type=kind, value=value, x=int(at[0]), y=int(at[1]), **held)

    def move(self, at: tuple[int, int]) -> Scenario:
        """Two moves, as a hand would: Blender wakes a button up when the pointer comes from elsewhere."""
        self.send("MOUSEMOVE", "NOTHING", (at[0] - 1, at[1]))
        yield 0.0
        self.send("MOUSEMOVE", "NOTHING", at)
        yield 0.0

    def click(self, at: tuple[int, int], **held: bool) -> Scenario:
        yield from self.move(at)
        self.send("LEFTMOUSE", "PRESS", at, **held)
        yield 0.05
        self.send("LEFTMOUSE", "RELEASE", at, **held)
        # Longer than a double click, so that two clicks stay two clicks.
        yield 0.4

    def key(self, kind: str, at: tuple[int, int] | None = None, **held: bool) -> Scenario:
        at = at or self.centre()
        yield from self.move(at)
        self.send(kind, "PRESS", at, **held)
        yield 0.02
        self.send(kind, "RELEASE", at, **held)
        yield 0.2

    def centre(self) -> tuple[int, int]:
        region = self.region("WINDOW")
        return region.x + region.width // 3, region.y + region.height // 2

    def drag(self, kind: str, start: tuple[int, int], by: tuple[int, int], steps: int = 10) -> Scenario:
        yield from self.move(start)
        self.send(kind, "PRESS", start)
        for step in range(1, steps + 1):
            at = (start[0] + by[0] * step // steps, start[1] + by[1] * step // steps)
            self.send("MOUSEMOVE", "NOTHING", at)
            yield 0.03
        self.send(kind, "RELEASE", at)
        yield 0.0

    def open_tab(self, name: str) -> Scenario:
        """Click down the sidebar's tabs until `name` is the open one; the value tells whether it was found."""
        region = self.region("UI")
        for down in range(25, region.height, 22):
            if region.active_panel_category == name:
                return True
            yield from self.click((region.x + region.width - 8, region.y + region.height - down))
        return region.active_panel_category == name

    def find_button(self, command: str, step: int = 10) -> Scenario:
        """Where in the sidebar a button runs `command` ("surface_features.cancel"), or None."""
        region = self.region("UI")
        for down in range(6, region.height, step):
            at = (region.x + (region.width - 20) // 2, region.y + region.height - down)
            yield from self.move(at)
            # A hovered button wakes up at the next turn of the loop.
            yield 0.02
            if command in self._command_under_pointer():
                return at
        return None

    def _command_under_pointer(self) -> str:
        manager = bpy.context.window_manager
        with self.override("UI"):
            if not bpy.ops.ui.copy_python_command_button.poll():
                return ""
            manager.clipboard = ""
            bpy.ops.ui.copy_python_command_button()
            return manager.clipboard

    def picture(self, name: str) -> Scenario:
        """Keep what the display shows; in_display.sh makes a PNG of it at the end."""
        yield 0.3
        shutil.copyfile(self._framebuffer, self._pictures / f"{name}.xwd")


class Player:
    """Runs a scenario to its end, writes the report and closes Blender."""

    def __init__(self, scenario: Scenario, report: Report) -> None:
        self._scenario = scenario
        self._report = report
        self._wait: Until | None = None
        self._wait_ends = 0.0
        bpy.app.timers.register(self._tick, first_interval=1.0, persistent=True)

    def _tick(self) -> float | None:
        try:
            if self._wait is not None:
                if not self._wait.condition():
                    if time.monotonic() > self._wait_ends:
                        wait, self._wait = self._wait, None
                        return self._continue_with(TimeoutError(f"{wait.what} did not happen in {wait.limit_s:g} s"))
                    return 0.01
                self._wait = None
            return self._continue_with(None)
        except StopIteration:
            return self._finish()
        except Exception:  # noqa: BLE001 - whatever goes wrong is a failed check, and Blender must still close
            self._report.check(False, "the scenario ran to its end", traceback.format_exc().strip())
            return self._finish()

    def _continue_with(self, error: Exception | None) -> float:
        wanted = self._scenario.throw(error) if error else next(self._scenario)
        if isinstance(wanted, Until):
            self._wait, self._wait_ends = wanted, time.monotonic() + wanted.limit_s
            return 0.0
        return float(wanted)

    def _finish(self) -> None:
        self._report.close()
        bpy.ops.wm.quit_blender()
