# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines for tests: real worker processes, with tasks that misbehave on demand."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from surface_features.engine import JobState, SubprocessEngine
from surface_features.engine.subprocess_engine import SubprocessJob

PROJECT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0

# Stands in for engine/bootstrap.py: the real worker, started faster, with more tasks.
BOOTSTRAP = f"""
import json, os, sys
sys.path[0] = {str(PROJECT)!r}
options = json.loads(os.environ["SURFACE_FEATURES_ENGINE"])
import ctypes, time
import numpy as np
from surface_features import tasks
from surface_features.engine import worker
from surface_features.errors import BackboneError, BadInputError

def nap(request, context):
    seconds = request.params["seconds"]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        context.report(1 - (end - time.monotonic()) / seconds, "Napping")
        time.sleep(0.02)
    return dict(request.arrays), {{"pid": os.getpid()}}

def deaf(request, context):
    context.report(0.5, "Not listening")
    time.sleep(request.params["seconds"])
    return {{}}, {{}}

def noisy(request, context):
    print("printed by Python")
    sys.__stdout__.write("to the first stdout") and sys.__stdout__.flush()
    os.write(1, b'{{"event": "result", "id": 1, "arrays": {{}}, "info": {{}}}}\\n')
    context.warn("It was loud.")
    return {{}}, {{"value": np.float32(2.5)}}

def segfault(request, context):
    context.report(0.1, "Crashing")
    ctypes.string_at(0)

def fail(request, context):
    raise {{
        "bad": BadInputError("Knight: has no faces.", fault="no_faces"),
        "backbone": BackboneError("The backbone is damaged."),
        "memory": MemoryError(),
        "bug": ValueError("shapes (3,) and (4,)"),
        "module": ModuleNotFoundError("No module named 'torch'", name="torch"),
        "disk": OSError(28, "No space left on device"),
    }}[request.params["how"]]

def big(request, context):
    return {{"zeros": np.zeros(request.params["count"], np.uint8)}}, {{}}

tasks.TASKS.update(nap=nap, deaf=deaf, noisy=noisy, segfault=segfault, fail=fail, big=big)
worker.EARLY_IMPORTS = ()
worker.main(options["directory"], options["idle_timeout_s"])
"""


def quick_engine(folder: Path, python: Path | str = sys.executable, **options: object) -> SubprocessEngine:
    """An engine whose worker knows the tasks above and starts in a fraction of a second."""
    bootstrap = folder / "root" / "surface_features" / "engine" / "bootstrap.py"
    bootstrap.parent.mkdir(parents=True, exist_ok=True)
    bootstrap.write_text(BOOTSTRAP)
    return SubprocessEngine(python, folder / "root", **options)


def wrapper(folder: Path, script: str) -> Path:
    """A program that does something of its own and then becomes this Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n".replace("PYTHON", sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def wait_until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def wait_for_progress(job: SubprocessJob) -> None:
    """Until the worker is in the middle of the job."""
    assert wait_until(lambda: job.progress > 0 or job.poll() is not JobState.RUNNING)
    assert job.poll() is JobState.RUNNING


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
