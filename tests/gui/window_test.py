# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario of the window test; in_display.sh runs it inside Blender. See driver.py for how it is played."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parent))

from driver import LoopWatch, Pauses, Player, Report, Scenario, Until, Window
from scene_state import changed, fingerprint, job_status, kill_worker, read_weights, take_reports

TRANSFER, CANCEL = "surface_features.transfer_weights", "surface_features.cancel_job"
MOST_PAUSE_MS = 100.0
WALK_FRAME = 10
LEAST_RIGHT = 0.6
FIRST_JOB_LIMIT_S = 90.0  # the worker starts and loads torch on it


class Scenes:
    """The steps, in order; each leaves the window as the next one needs it."""

    def __init__(self, scratch: Path, report: Report) -> None:
        self.window = Window(scratch / "frame" / "Xvfb_screen0", scratch)
        self.watch = LoopWatch()
        self.report = report
        self.file = scratch / "scene.blend"
        with np.load(scratch / "characters.npz") as arrays:
            self.truth = arrays["Friend_weights"]
            self.joints = arrays["joints"].tolist()

    def play(self) -> Scenario:
        yield 1.0
        yield from self.open_the_tab()
        baseline = yield from self.measure_baseline()
        yield from self.cancel_with_escape(baseline)
        yield from self.cancel_with_the_button()
        yield from self.kill_the_worker()
        yield from self.transfer_to_friend()
        yield from self.undo_and_redo()
        yield from self.save_and_reopen()
        yield from self.show_the_pose()

    # -- steps -------------------------------------------------------------------------------------------------------

    def open_the_tab(self) -> Scenario:
        yield from self.window.key("N")
        found = yield from self.window.open_tab("Surface Features")
        self.report.check(found, "N opens the sidebar and a click the tab Surface Features")
        yield from self.select("Friend")
        yield from self.window.move(self.window.centre())
        yield from self.window.picture("tab")

    def measure_baseline(self) -> Scenario:
        """What this machine's software OpenGL pauses for without any job."""
        self.watch.start()
        yield from self.wander(3.0)
        idle = self.watch.stop()
        self.watch.start()
        yield from self.window.drag("MIDDLEMOUSE", self.window.centre(), (80, 20))
        yield 0.3
        self.report.note(f"pauses without a job, pointer moving: {idle}")
        self.report.note(f"pauses without a job, turning the view: {self.watch.stop()}")
        yield from self.window.drag("MIDDLEMOUSE", self.window.centre(), (-80, -20))
        return idle

    def cancel_with_escape(self, baseline: Pauses) -> Scenario:
        """The big job: watched while it runs, then Esc."""
        yield from self.select("Statue")
        before = fingerprint()
        # The first job also starts the worker; what is watched here is a job on a warm one.
        yield from self.start_job()
        yield self.computing(FIRST_JOB_LIMIT_S)
        self.watch.start()
        seen = yield from self.wander(3.0)
        pauses = self.watch.stop()
        status = job_status()
        self.report.check(status.running, "the job is still running after 3 s", status.report)
        self.report.check(len(seen) > 1, "the progress moves", ", ".join(f"{f:.0%}" for f in seen))
        self.report.note(f"pauses while the job runs, pointer moving: {pauses}")
        limit = max(MOST_PAUSE_MS, 1.5 * baseline.longest_ms)
        self.report.check(pauses.longest_ms <= limit, f"the window answers within {limit:.0f} ms while a job runs",
                          f"{pauses.longest_ms:.0f} ms")  # fmt: skip
        yield from self.turn_the_view()
        yield from self.window.move(self.window.centre())
        yield from self.window.picture("running")
        yield from self.window.key("ESC")
        yield from self.expect_cancelled("Esc", before)

    def cancel_with_the_button(self) -> Scenario:
        before = fingerprint()
        yield from self.start_job()
        yield self.computing()
        at = yield from self.window.find_button(CANCEL)
        if self.report.check(at is not None, "Cancel is in the panel while a job runs", at):
            yield from self.window.click(at)
        else:
            yield from self.window.key("ESC")
        yield from self.expect_cancelled("the Cancel button", before)
        yield from self.window.move(self.window.centre())
        yield from self.window.picture("cancelled")

    def kill_the_worker(self) -> Scenario:
        before = fingerprint()
        yield from self.start_job()
        yield self.computing()
        take_reports(self.window.window)
        self.report.check(kill_worker(), "the worker is a process of its own, and is killed with -9")
        yield Until(lambda: not job_status().running, "the end of the job whose worker was killed")
        yield 0.3
        reports = take_reports(self.window.window)
        one = len(reports) == 1 and "Traceback" not in reports[0] and reports[0].rstrip().endswith((".", "!"))
        self.report.check(one and job_status().report_is_error, "one readable error after the kill", reports)
        self.check_same(before, "the scene is untouched")
        yield from self.window.picture("killed")

    def transfer_to_friend(self) -> Scenario:
        yield from self.select("Friend")
        before = fingerprint()
        take_reports(self.window.window)
        yield from self.start_job()
        yield Until(lambda: job_status().fraction > 0 or not job_status().running, "progress", FIRST_JOB_LIMIT_S)
        self.watch.start()
        yield Until(lambda: not job_status().running, "the end of Transfer Weights", 120.0)
        yield 0.5
        self.report.note(f"pauses from the first progress to after the writing: {self.watch.stop()}")
        self.report.note(f"reported: {take_reports(self.window.window)}")
        self.report.check(not job_status().report_is_error, "the next job works", job_status().report)
        others = changed(before, fingerprint())
        self.report.check(others == "Friend", "Friend is changed and nothing else", others)
        self.check_skin(bpy.data.objects["Friend"])
        yield from self.window.move(self.window.centre())
        yield from self.window.picture("transferred")
        self.before, self.after = before, fingerprint()

    def undo_and_redo(self) -> Scenario:
        yield from self.window.key("Z", ctrl=True)
        self.check_same(self.before, "one Ctrl-Z undoes it")
        yield from self.window.picture("undone")
        yield from self.window.key("Z", ctrl=True, shift=True)
        self.check_same(self.after, "Shift-Ctrl-Z redoes it")

    def save_and_reopen(self) -> Scenario:
        saved = self.file.stat().st_mtime_ns
        yield from self.window.key("S", ctrl=True)
        yield Until(lambda: self.file.stat().st_mtime_ns != saved and not bpy.data.is_dirty, "Ctrl-S")
        with self.window.override():
            bpy.ops.wm.open_mainfile(filepath=str(self.file))
        yield 1.0
        self.check_same(self.after, "the weights are there after saving and reopening")
        found = yield from self.window.open_tab("Surface Features")
        self.report.check(found, "the tab is there in the reopened file")

    def show_the_pose(self) -> Scenario:
        """Friend on a skeleton of its own size, as an artist would use the weights."""
        friend = bpy.data.objects["Friend"]
        for modifier in friend.modifiers:
            if modifier.type == "ARMATURE":
                modifier.object = bpy.data.objects["Friend Rig"]
        resting = self.evaluated(friend)
        bpy.context.scene.frame_set(WALK_FRAME)
        moved = np.linalg.norm(self.evaluated(friend) - resting, axis=1)
        self.report.check(moved.max() > 0.1, "Friend bends with the armature", f"up to {moved.max():.2f} m")
        yield from self.window.picture("skinned")

    # -- parts -------------------------------------------------------------------------------------------------------

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

    def wander(self, seconds: float) -> Scenario:
        """Move the pointer about in the viewport; the value is the fractions of progress seen meanwhile."""
        x, y = self.window.centre()
        seen: list[float] = []
        ends, step = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            step += 1
            self.window.send("MOUSEMOVE", "NOTHING", (x + 40 * (step % 9), y + 25 * (step % 7)))
            fraction = job_status().fraction
            if not seen or fraction != seen[-1]:
                seen.append(fraction)
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


def main() -> None:
    report = Report(Path(os.environ["GUI_SCREENSHOTS"]) / "report.txt")
    Player(Scenes(Path(os.environ["GUI_SCRATCH"]), report).play(), report)


main()
