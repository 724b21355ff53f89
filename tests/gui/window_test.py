# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario of the window test; in_display.sh runs it inside Blender. See driver.py for how it is played."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from driver import Player, Report, Scenario, Until
from parts import CANCEL, Parts
from scene_state import changed, fingerprint, job_status, kill_worker, take_reports

REST_FRAME, WALK_FRAME = 1, 10
FIRST_JOB_LIMIT_S = 90.0  # the worker starts and loads torch on it


class WindowTest(Parts):
    """The steps, in order; each leaves the window as the next one needs it."""

    def play(self) -> Scenario:
        yield 1.0
        yield from self.open_the_tab()
        yield from self.measure_baseline()
        yield from self.cancel_with_escape()
        yield from self.cancel_with_the_button()
        yield from self.kill_the_worker()
        yield from self.transfer_to_friend()
        yield from self.undo_and_redo()
        yield from self.save_and_reopen()
        yield from self.show_the_pose()
        yield from self.undo_while_a_job_runs()
        yield from self.open_a_file_while_a_job_runs()
        yield from self.close_blender_while_a_job_runs()

    def open_the_tab(self) -> Scenario:
        yield from self.window.key("N")
        found = yield from self.window.open_tab("Surface Features")
        self.report.check(found, "N opens the sidebar and a click the tab Surface Features")
        yield from self.select("Friend")
        yield from self.window.move(self.window.centre())
        yield from self.window.picture("tab")

    def measure_baseline(self) -> Scenario:
        """What the window pauses for without any job: on software OpenGL drawing alone takes long."""
        self.watch.start()
        yield from self.wander(2.0)
        self.report.note(f"pauses without a job, pointer moving: {self.watch.stop()}")
        with self.busy_cores():
            self.watch.start()
            for _ in range(30):
                self.window.region("UI").tag_redraw()
                yield 0.1
            self.drawing = self.watch.stop()
        self.report.note(f"pauses without a job, busy cores, drawing the sidebar: {self.drawing}")
        self.watch.start()
        bpy.data.objects["Friend"].data.update_tag()
        with self.window.override():
            bpy.ops.ed.undo_push(message="Nothing")
        yield 0.5
        self.report.note(f"pauses without a job, Friend drawn anew and an undo step: {self.watch.stop()}")
        self.watch.start()
        yield from self.window.drag("MIDDLEMOUSE", self.window.centre(), (80, 20))
        yield 0.3
        self.report.note(f"pauses without a job, turning the view: {self.watch.stop()}")
        yield from self.window.drag("MIDDLEMOUSE", self.window.centre(), (-80, -20))
        yield 0.5

    def cancel_with_escape(self) -> Scenario:
        """The big job: watched while it runs, then Esc."""
        yield from self.select("Statue")
        before = fingerprint()
        # The first job also starts the worker; what is watched here is a job on a warm one.
        yield from self.start_job()
        yield self.computing(FIRST_JOB_LIMIT_S)
        self.watch.start()
        seen = yield from self.wander(20.0, moves=3)
        pauses = self.watch.stop()
        status = job_status()
        self.report.check(status.running, "the job is still running while it is watched", status.report)
        self.report.check(len(seen) > 1, "the progress moves", ", ".join(f"{f:.0%}" for f in seen))
        self.report.note(f"pauses while the job runs, pointer moving: {pauses}")
        self.check_pauses(pauses)
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
        self.open_saved()
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

    def undo_while_a_job_runs(self) -> Scenario:
        """Ctrl-Z makes Blender replace its data under the job, which then writes 100,000 vertices."""
        bpy.context.scene.frame_set(REST_FRAME)
        yield from self.select("Statue")
        before = fingerprint()
        yield from self.start_job()
        yield self.computing()
        yield from self.window.key("Z", ctrl=True)
        self.report.check(job_status().running, "the job goes on after Ctrl-Z", job_status().report)
        yield Until(lambda: job_status().fraction > 0.97 or not job_status().running, "the job's last steps", 120.0)
        self.watch.start()
        yield Until(lambda: not job_status().running, "the end of the big job", 60.0)
        yield 0.5
        self.report.note(f"pauses while 100,000 vertices are written and drawn: {self.watch.stop()}")
        told = job_status().report
        self.report.check(not job_status().report_is_error, "a job survives Ctrl-Z and skins the Statue", told)
        self.report.check(len(bpy.data.objects["Statue"].vertex_groups) > 10, "the Statue has its vertex groups")
        yield from self.window.key("Z", ctrl=True)
        self.check_same(before, "one Ctrl-Z undoes it")

    def open_a_file_while_a_job_runs(self) -> Scenario:
        yield from self.select("Statue")
        yield from self.start_job()
        self.open_saved()
        yield Until(lambda: not job_status().running, "the end of the job whose file was closed", 10.0)
        yield 0.5
        self.check_same(self.after, "another file can be opened while a job runs, and is as it was saved")

    def close_blender_while_a_job_runs(self) -> Scenario:
        """in_display.sh looks at how Blender ends and whether its worker does."""
        yield from self.select("Statue")
        yield from self.start_job()
        yield 1.0


def main() -> None:
    report = Report(Path(os.environ["GUI_SCREENSHOTS"]) / "report.txt")
    Player(WindowTest(Path(os.environ["GUI_SCRATCH"]), report).play(), report)


main()
