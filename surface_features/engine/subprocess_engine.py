# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine in a process of its own: a crash, a kill or a wrong Python can end a job, never the caller."""

from __future__ import annotations

import itertools
import queue
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import EngineError, JobCancelled, SurfaceFeaturesError
from .interpreter import PACKAGE_ROOT
from .protocol import JobRequest, JobResult, JobState
from .wire import failure_from_json, load_arrays, save_arrays
from .worker_process import WorkerProcess

TICK_S = 0.25
KILL_AFTER_S = 3.0
MOST_ATTEMPTS = 3


class SubprocessJob:
    """A job of a `SubprocessEngine`."""

    def __init__(
        self,
        number: int,
        request: JobRequest,
        cancel: Callable[[SubprocessJob], None],
    ) -> None:
        self.number = number
        self.request: JobRequest | None = request
        self.attempts = 0
        self.started = False
        self.cancelled_at: float | None = None
        self._cancel = cancel
        self._progress = 0.0
        self._message = "Waiting for the engine"
        self._ended = threading.Event()
        self._state = JobState.RUNNING
        self._failure: SurfaceFeaturesError | None = None
        self._result: JobResult | None = None

    @property
    def progress(self) -> float:
        return self._progress

    @property
    def message(self) -> str:
        return self._message

    def poll(self) -> JobState:
        return self._state

    def cancel(self) -> None:
        self._cancel(self)

    def result(self, timeout_s: float | None = None) -> JobResult:
        if not self._ended.wait(timeout_s):
            raise TimeoutError(f"The job did not end within {timeout_s:g} s.")
        if self._failure is not None:
            raise self._failure
        assert self._result is not None
        return self._result

    def tell(self, fraction: float, message: str) -> None:
        self._progress, self._message = fraction, message

    def finish(self, result: JobResult) -> None:
        self._result = result
        self._end(JobState.DONE)

    def fail(self, failure: SurfaceFeaturesError) -> None:
        self._failure = failure
        self._end(JobState.CANCELLED if isinstance(failure, JobCancelled) else JobState.FAILED)

    def _end(self, state: JobState) -> None:
        self.request = None  # the arrays may be large
        self._progress = 1.0
        self._state = state
        self._ended.set()


class SubprocessEngine:
    """Runs tasks in a worker that is started with the first job, kept warm, and replaced after a crash.

    python: the interpreter to run; it needs the backend's libraries, not the backend itself.
    package_root: folder that contains the `surface_features` package folder.
    site_paths: more folders with packages for that interpreter (the wheels of an extension).
    env: the worker's environment; this process's own when None.
    idle_timeout_s: an unused worker ends after this time; the next job starts another.
    start_timeout_s, hung_after_s: a worker silent for longer, at the start or later, is ended. The second is long
        because libraries that hold Python's lock keep the heartbeat from being sent.
    cancel_grace_s: a cancelled job that does not stop by itself within this time is ended with its worker.
    """

    def __init__(
        self,
        python: Path | str,
        package_root: Path | str = PACKAGE_ROOT,
        *,
        site_paths: Sequence[Path | str] = (),
        env: Mapping[str, str] | None = None,
        idle_timeout_s: float = 300.0,
        start_timeout_s: float = 60.0,
        hung_after_s: float = 120.0,
        cancel_grace_s: float = 5.0,
    ) -> None:
        self._python = python
        self._package_root = Path(package_root)
        self._site_paths = [str(path) for path in site_paths]
        self._env = env
        self._idle_timeout_s = idle_timeout_s
        self._start_timeout_s = start_timeout_s
        self._hung_after_s = hung_after_s
        self._cancel_grace_s = cancel_grace_s
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._jobs: dict[int, SubprocessJob] = {}
        self._feed: queue.SimpleQueue[SubprocessJob | None] = queue.SimpleQueue()
        self._worker: WorkerProcess | None = None
        self._verdict: str | None = None  # why the engine itself ended the worker
        self._closed = False
        self._directory = _make_private_folder()
        self._tidy = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        threading.Thread(target=self._serve, name="surface_features engine", daemon=True).start()

    @property
    def worker_pid(self) -> int | None:
        """The running worker's process id, None when there is none."""
        with self._lock:
            return self._worker.pid if self._worker else None

    def submit(self, request: JobRequest) -> SubprocessJob:
        """Hand in a job; its arrays must not change until it ends."""
        with self._lock:
            if self._closed:
                raise EngineError("The engine is closed: start another one.")
            job = SubprocessJob(next(self._numbers), request, self._cancel)
            self._jobs[job.number] = job
        self._feed.put(job)
        return job

    def close(self) -> None:
        """End the worker, cancel what is open, and remove every file. Takes a second at the very most."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            jobs, self._jobs = list(self._jobs.values()), {}
            worker, self._worker = self._worker, None
        for job in jobs:
            job.fail(JobCancelled("Cancelled: the engine was closed."))
        self._feed.put(None)
        if worker is not None:
            worker.stop()
        self._tidy()

    # -- the engine's own thread

    def _serve(self) -> None:
        while True:
            try:
                job = self._feed.get(timeout=TICK_S)
            except queue.Empty:
                self._watch()
                continue
            if job is None:
                return
            try:
                self._hand_over(job)
            except SurfaceFeaturesError as failure:
                self._end(job.number, failure)

    def _hand_over(self, job: SubprocessJob) -> None:
        request = job.request
        if request is None:  # cancelled meanwhile
            return
        folder = self._directory / f"job-{job.number}"
        shutil.rmtree(folder, ignore_errors=True)
        files = save_arrays(folder / "in", request.arrays)
        with self._lock:
            if self._closed or job.request is None:
                return
            if self._worker is None:
                self._worker = self._start()
            job.attempts += 1
            self._worker.send(
                op="run",
                id=job.number,
                task=request.task,
                folder=folder.name,
                arrays=files,
                params=dict(request.params),
            )

    def _start(self) -> WorkerProcess:
        options = {
            "mode": "worker",
            "site_paths": self._site_paths,
            "directory": str(self._directory),
            "idle_timeout_s": self._idle_timeout_s,
        }
        self._verdict = None
        return WorkerProcess(self._python, self._package_root, options, self._env, self._on_message, self._on_exit)

    def _watch(self) -> None:
        """End a worker that is silent or does not let go of a cancelled job."""
        with self._lock:
            worker = self._worker
            if worker is None:
                return
            worker.quiet_ticks += 1  # ticks and not a clock: a suspended computer is no hung worker
            limit_s = self._hung_after_s if worker.answered else self._start_timeout_s
            if worker.quiet_ticks * TICK_S > limit_s:
                self._verdict = (
                    f"The engine has not answered for {limit_s:g} s and was stopped; nothing was changed, run again."
                    if worker.answered
                    else f"“{self._python}” did not answer within {limit_s:g} s; set Engine Python in the preferences."
                )
                worker.kill()
                return
            for job in self._jobs.values():
                if job.cancelled_at is None:
                    continue
                waited_s = time.monotonic() - job.cancelled_at
                if waited_s > self._cancel_grace_s + KILL_AFTER_S:
                    worker.kill()
                elif waited_s > self._cancel_grace_s:
                    worker.terminate()

    def _cancel(self, job: SubprocessJob) -> None:
        with self._lock:
            if job.poll() is not JobState.RUNNING or job.cancelled_at is not None:
                return
            job.cancelled_at = time.monotonic()
            job.tell(job.progress, "Cancelling")
            if self._worker is not None:
                self._worker.send(op="cancel", id=job.number)
            if not job.started:  # nobody works on it yet, so nobody needs to agree
                self._end(job.number, JobCancelled("Cancelled."))

    # -- the thread that reads the worker's messages

    def _on_message(self, worker: WorkerProcess, message: dict[str, Any]) -> None:
        event, number = message["event"], int(message["id"])
        outcome = self._load(number, message) if event == "result" else None
        with self._lock:
            job = self._jobs.get(number)
            if job is None or worker is not self._worker:
                return  # cancelled before it began
            if event == "started":
                job.started = True
                job.tell(0.0, "Starting")
            elif event == "progress":
                if job.cancelled_at is None:  # else the message stays “Cancelling”
                    job.tell(float(message["fraction"]), str(message["message"]))
            elif job.cancelled_at is not None:
                self._end(number, JobCancelled("Cancelled."))
            elif isinstance(outcome, JobResult):
                del self._jobs[number]
                job.finish(outcome)
            elif outcome is not None:
                self._end(number, outcome)
            elif event == "error":
                self._end(number, failure_from_json(message["error"]))

    def _on_exit(self, worker: WorkerProcess) -> None:
        with self._lock:
            if worker is not self._worker:
                return
            self._worker = None
            jobs = list(self._jobs.values())
            for job in jobs:
                if job.cancelled_at is not None:
                    self._end(job.number, JobCancelled("Cancelled."))
                elif self._may_go_on(job, worker):
                    self._feed.put(job)
                else:
                    failure = EngineError(self._verdict or worker.death_sentence())
                    failure.add_note(worker.log_tail)
                    self._end(job.number, failure)

    def _may_go_on(self, job: SubprocessJob, worker: WorkerProcess) -> bool:
        """Whether a job that lost its worker only crossed its good-bye, or waited behind the job that crashed."""
        return worker.answered and self._verdict is None and not job.started and job.attempts < MOST_ATTEMPTS

    def _end(self, number: int, failure: SurfaceFeaturesError) -> None:
        with self._lock:
            job = self._jobs.pop(number, None)
        self._discard(number)
        if job is not None:
            job.fail(failure)

    def _load(self, number: int, message: Mapping[str, Any]) -> JobResult | EngineError:
        """Read a result here, in this thread, so that taking it costs the caller nothing."""
        files, info = dict(message["arrays"]), dict(message["info"])
        try:
            return JobResult(load_arrays(self._directory / f"job-{number}" / "out", files), info)
        except EngineError as error:
            return error
        finally:
            self._discard(number)

    def _discard(self, number: int) -> None:
        shutil.rmtree(self._directory / f"job-{number}", ignore_errors=True)


def _make_private_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="surface_features-"))  # readable by this user only
    except OSError as error:
        raise EngineError(
            f"No temporary folder could be made ({error.strerror or error}): free some disk space and run again."
        ) from error
