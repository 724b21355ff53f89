# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators about the engine and its jobs: cancel, test the engine's Python, clear the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ..bridge.job import JobPlan, Outcome, status
from ..preferences import get_preferences
from ..surface_features.engine import JobRequest, JobResult
from .base import JobOperator


class SURFACE_FEATURES_OT_cancel_job(bpy.types.Operator):
    bl_idname = "surface_features.cancel_job"
    bl_label = "Cancel"
    bl_description = "Stop the running job; nothing is changed"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if not status.running:
            cls.poll_message_set("No job is running")
        return status.running

    def execute(self, context: bpy.types.Context) -> set[str]:
        status.cancel_requested = True
        return {"FINISHED"}


class SURFACE_FEATURES_OT_test_engine(JobOperator, bpy.types.Operator):
    bl_idname = "surface_features.test_engine"
    bl_label = "Test Engine"
    bl_description = "Start the engine's Python and tell what it runs on"

    def plan(self, context: bpy.types.Context) -> JobPlan:
        def finish(objects: Sequence[bpy.types.Object], results: Sequence[JobResult]) -> Outcome:
            info = results[0].info
            return Outcome(f"The engine runs: Python {info['python']}, torch {info['torch']}, on {info['device']}.")

        return JobPlan("Test Engine", (JobRequest("ping"),), (), finish)


class SURFACE_FEATURES_OT_clear_cache(bpy.types.Operator):
    bl_idname = "surface_features.clear_cache"
    bl_label = "Clear Cache"
    bl_description = "Remove all computed features from the disk; they are computed again when needed"

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..surface_features.cache import FeatureCache

        preferences = get_preferences(context)
        try:
            FeatureCache(Path(preferences.cache_path), preferences.cache_size_mb * 2**20).clear()
        except OSError as error:
            self.report({"ERROR"}, f"{error.filename}: could not be removed ({error.strerror}). Check its permissions.")
            return {"CANCELLED"}
        self.report({"INFO"}, "The feature cache is empty.")
        return {"FINISHED"}


CLASSES = (SURFACE_FEATURES_OT_cancel_job, SURFACE_FEATURES_OT_test_engine, SURFACE_FEATURES_OT_clear_cache)
