# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window test's steps are made of: choosing characters, starting and watching a job, looking at results."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from driver import LoopWatch, Pauses, Report, Scenario, Until, Window
from mathutils import Vector
from scene_state import changed, fingerprint, job_status, read_weights

TRANSFER, CANCEL = "surface_features.transfer_weights", "surface_features.cancel_job"
LEAST_RIGHT = 0.6
MOST_PAUSE_MS = 100.0


class Parts:
    """The window, its report, and the scene's known truth."""

    def __init__(self, scratch: Path, report: Report) -> None:
        self.window = Window(scratch / "frame" / "Xvfb_screen0", scratch)
        self.watch = LoopWatch()
        self.report = report
        self.drawing = Pauses()
        self.file = scratch / "scene.blend"
        with np.load(scratch / "characters.npz") as arrays:
            self.truth = arrays["Friend_weights"]
            self.joints = arrays["joints"].tolist()

    def select(self, target: str) -> Scenario:
        """Click the target, Shift-click Hero."""
        yield from self.window.click(self.on(target))
        yield from self.window.click(self.on("Hero"), shift=True)
        selected = {obj.name for obj in bpy.context.view_layer.objects.selected}
        active = bpy.context.view_layer.objects.active
        ok = selected == {target, "Hero"} and active is not None and active.name == "Hero"
        self.report.check(ok, f"clicks select {target} and make Hero active", sorted(selected))

    def on(self, name: str) -> tuple[int, int]:
        """Where the window shows a character's chest."""
        obj, region = bpy.data.objects[name], self.window.region("WINDOW")
        positions = np.empty(len(obj.data.vertices) * 3, np.float32)
        obj.data.attributes["position"].data.foreach_get("vector", positions)
        chest = obj.matrix_world @ Vector((0, 0, float(positions[2::3].max()) * 0.62))
        at = location_3d_to_region_2d(region, self.window.view.spaces.active.region_3d, chest)
        return int(region.x + at.x), int(region.y + at.y)

    def start_job(self) -> Scenario:
        # The panel is taller or lower according to what it has to say: look for the button every time.
        at = yield from self.window.find_button(TRANSFER)
        if at is None:
            yield from self.window.picture("no_button")
            raise LookupError("Transfer Weights is not in the panel")
        begin = time.perf_counter()
        self.watch.start()
        yield from self.window.click(at)
        yield Until(lambda: job_status().running or job_status().report, "the job's start")
        pauses = self.watch.stop()
        running = job_status().running
        self.report.check(running, "a click on Transfer Weights starts a job", job_status().report)
        self.report.note(f"started {time.perf_counter() - begin:.1f} s after the click began; pauses: {pauses}")

    def computing(self, limit_s: float = 60.0) -> Until:
        return Until(lambda: job_status().fraction > 0 or not job_status().running, "the first progress", limit_s)

    def wander(self, seconds: float, moves: int | None = None) -> Scenario:
        """Move the pointer about in the viewport, until the progress has moved so often or the time is over.

        The value is the fractions of progress seen meanwhile.
        """
        x, y = self.window.centre()
        seen: list[float] = []
        ends, step = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            step += 1
            self.window.send("MOUSEMOVE", "NOTHING", (x + 40 * (step % 9), y + 25 * (step % 7)))
            fraction = job_status().fraction
            if not seen or fraction != seen[-1]:
                seen.append(fraction)
            if moves is not None and (len(seen) > moves or not job_status().running):
                break
            yield 0.03
        return seen

    def turn_the_view(self) -> Scenario:
        view = self.window.view.spaces.active.region_3d
        before, fraction = view.view_rotation.copy(), job_status().fraction
        self.watch.start()
        yield from self.window.drag("MIDDLEMOUSE", self.window.centre(), (80, 20))
        yield 0.2
        pauses = self.watch.stop()
        turned = view.view_rotation.rotation_difference(before).angle
        detail = f"{np.degrees(turned):.0f}°, progress {fraction:.0%} → {job_status().fraction:.0%}"
        self.report.check(turned > 0.05 and job_status().running, "the view turns while the job runs", detail)
        self.report.note(f"pauses while the job runs, turning the view: {pauses}")
        yield from self.window.drag("MIDDLEMOUSE", self.window.centre(), (-80, -20))

    def expect_cancelled(self, how: str, before: dict[str, str]) -> Scenario:
        asked = time.monotonic()
        yield Until(lambda: not job_status().running, f"the end of the job after {how}")
        told = f"{job_status().report} ({time.monotonic() - asked:.1f} s)"
        self.report.check("ancel" in told, f"{how} cancels the job", told)
        yield 0.3
        self.check_same(before, "the scene is untouched")

    def evaluated(self, obj: bpy.types.Object) -> np.ndarray:
        """(V, 3) positions after the modifiers."""
        mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        positions = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.attributes["position"].data.foreach_get("vector", positions)
        return positions.reshape(-1, 3)

    def check_same(self, before: dict[str, str], what: str) -> None:
        other = changed(before, fingerprint())
        self.report.check(not other, what, f"changed: {other}" if other else "")

    def check_skin(self, obj: bpy.types.Object) -> None:
        """Friend's weights against the known ones."""
        names = obj.vertex_groups.keys()
        known = set(names) <= set(self.joints) and len(names) > 10
        if not self.report.check(known, "vertex groups named as the bones", len(names)):
            return
        rig = [modifier.object for modifier in obj.modifiers if modifier.type == "ARMATURE"]
        self.report.check(rig == [bpy.data.objects["Hero Rig"]], "Hero's armature deforms it", rig)
        weights = read_weights(obj)
        self.report.check(np.allclose(weights.sum(1), 1, atol=1e-3), "every vertex's weights sum to 1")
        strongest = np.array(names)[weights.argmax(1)]
        right = float(np.mean(strongest == np.array(self.joints)[self.truth.argmax(1)]))
        self.report.check(right > LEAST_RIGHT, "the strongest bone is the right one for most vertices", f"{right:.0%}")

    def check_pauses(self, pauses: Pauses) -> None:
        """At most 100 ms, both of Blender's own computing and on the clock. Wants a machine that is otherwise idle."""
        what = f"while a job runs Blender computes {MOST_PAUSE_MS:.0f} ms at most between two turns of its event loop"
        self.report.check(pauses.busiest_ms <= MOST_PAUSE_MS, what, f"{pauses.busiest_ms:.0f} ms")
        what = f"the window answers within {MOST_PAUSE_MS:.0f} ms (drawing alone: {self.drawing.longest_ms:.0f} ms)"
        self.report.check(pauses.longest_ms <= MOST_PAUSE_MS, what, f"{pauses.longest_ms:.0f} ms")

    @contextmanager
    def busy_cores(self) -> Iterator[None]:
        """All cores computing in other processes, as the worker makes them."""
        loop = [sys.executable, "-c", "while True: pass"]
        hogs = [subprocess.Popen(loop) for _ in range(os.cpu_count() or 1)]
        try:
            yield
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()

    def open_saved(self) -> None:
        with self.window.override():
            bpy.ops.wm.open_mainfile(filepath=str(self.file))
