# SPDX-License-Identifier: GPL-3.0-or-later
"""Where tasks run: in this process for tests and scripts, in a worker process inside Blender."""

from .in_process import InProcessEngine
from .interpreter import EngineReport, test_engine_python
from .protocol import Engine, Job, JobRequest, JobResult, JobState
from .subprocess_engine import SubprocessEngine

__all__ = [
    "Engine",
    "EngineReport",
    "InProcessEngine",
    "Job",
    "JobRequest",
    "JobResult",
    "JobState",
    "SubprocessEngine",
    "test_engine_python",
]
