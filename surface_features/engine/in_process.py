# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine in this very process, for tests, plain Python and small scripts."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from ..errors import EngineError, JobCancelled, SurfaceFeaturesError
from ..progress import JobContext
from .protocol import JobRequest, JobResult, JobState
from .wire import readable_failure


class InProcessJob:
    """A job of an `InProcessEngine`."""

    def __init__(self, request: JobRequest, pool: ThreadPoolExecutor) -> None:
        self._request = request
        self._cancelled = threading.Event()
        self._progress = 0.0
        self._message = "Waiting"
        self._future: Future[JobResult] = pool.submit(self._run)

    @property
    def progress(self) -> float:
        return self._progress

    @property
    def message(self) -> str:
        return self._message

    def poll(self) -> JobState:
        if not self._future.done():
            return JobState.RUNNING
        failure = self._future.exception()
        if failure is None:
            return JobState.DONE
        return JobState.CANCELLED if isinstance(failure, JobCancelled) else JobState.FAILED

    def cancel(self) -> None:
        self._cancelled.set()

    def result(self, timeout_s: float | None = None) -> JobResult:
        return self._future.result(timeout_s)

    def _run(self) -> JobResult:
        if self._cancelled.is_set():
            raise JobCancelled("Cancelled.")
        from ..tasks import run_task  # the tasks know this package's requests

        try:
            return run_task(self._request, JobContext(self._tell, self._cancelled.is_set))
        except SurfaceFeaturesError:
            raise
        except Exception as error:  # the same sentences as from a worker
            raise readable_failure(error, self._request.task) from error

    def _tell(self, fraction: float, message: str) -> None:
        self._progress, self._message = fraction, message


class InProcessEngine:
    """Runs one job after the other in a background thread; `job.result()` waits for it.

    Cancelling is cooperative only, and a crash of a library is a crash of this process.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="surface_features engine")
        self._jobs: list[InProcessJob] = []
        self._closed = False

    def submit(self, request: JobRequest) -> InProcessJob:
        if self._closed:
            raise EngineError("The engine is closed: start another one.")
        job = InProcessJob(request, self._pool)
        self._jobs = [old for old in self._jobs if old.poll() is JobState.RUNNING] + [job]
        return job

    def close(self) -> None:
        """Ask open jobs to stop; does not wait for them."""
        self._closed = True
        for job in self._jobs:
            job.cancel()
        self._pool.shutdown(wait=False)
