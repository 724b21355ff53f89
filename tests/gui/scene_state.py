# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window test reads from Blender: the scene's content, the running job, the worker, what was reported."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np


def read_weights(obj: bpy.types.Object) -> np.ndarray:
    """(V, G) float32, a column per vertex group."""
    weights = np.zeros((len(obj.data.vertices), len(obj.vertex_groups)), np.float32)
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            weights[vertex.index, element.group] = element.weight
    return weights


def fingerprint() -> dict[str, str]:
    """Per object everything a job may change, as text or a hash."""
    state = {}
    for obj in bpy.data.objects:
        parts: list[Any] = [obj.type, obj.parent and obj.parent.name, np.round(np.array(obj.matrix_world), 5).tolist()]
        if obj.type == "MESH":
            positions = np.empty(len(obj.data.vertices) * 3, np.float32)
            obj.data.attributes["position"].data.foreach_get("vector", positions)
            parts += [hashlib.sha256(positions).hexdigest(), sorted(obj.data.attributes.keys())]
            parts += [obj.vertex_groups.keys(), hashlib.sha256(read_weights(obj)).hexdigest()]
            parts += [(modifier.name, modifier.type) for modifier in obj.modifiers]
        state[obj.name] = repr(parts)
    return state


def changed(before: dict[str, str], after: dict[str, str]) -> str:
    """Names of objects that differ, or ""."""
    return ", ".join(name for name in sorted(before | after) if before.get(name) != after.get(name))


def job_status() -> Any:
    """The extension's own record of the running job, the one its panel shows."""
    module = next(name for name in sys.modules if name.endswith(".surface_features.bridge.job"))
    return sys.modules[module].status


def workers() -> list[int]:
    """Process ids of the engine's workers that Blender has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            if parent == os.getpid() and b"surface_features" in command:
                found.append(int(folder.name))
    return found


def kill_worker() -> bool:
    """kill -9, as the system does when memory runs out."""
    ids = workers()
    for process in ids:
        os.kill(process, signal.SIGKILL)
    return bool(ids)


def take_reports(window: bpy.types.Window) -> list[str]:
    """What Blender has reported since the last call, oldest first, read from the Info editor and cleared there."""
    area = next(area for area in window.screen.areas if area.type == "INFO")
    region = next(region for region in area.regions if region.type == "WINDOW")
    manager = bpy.context.window_manager
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.info.select_all(action="SELECT")
        manager.clipboard = ""
        bpy.ops.info.report_copy()
        text = manager.clipboard
        bpy.ops.info.report_delete()
    # Operators that this test runs itself are noted there too.
    return [line for line in text.splitlines() if line and not line.startswith("bpy.")]
