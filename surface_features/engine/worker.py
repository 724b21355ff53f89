# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's side of the pipe: takes jobs one at a time, tells how they go, and never outlives its engine."""

from __future__ import annotations

import importlib
import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..progress import JobContext
from .memory import peak_memory_mb
from .protocol import JobRequest
from .wire import decode_message, encode_message, failure_to_json, load_arrays, readable_failure, save_arrays

HEARTBEAT_S = 1.0
PROGRESS_INTERVAL_S = 0.05
ORPHAN_GRACE_S = 3.0
YIELDING = 10  # niceness: the window is drawn first, with all cores computing; on Windows see `start_python`
EARLY_IMPORTS = ("torch", "scipy.sparse.linalg", "transformers")


def main(directory: str, idle_timeout_s: float) -> NoReturn:
    """Serve until the engine hangs up or nothing was asked for `idle_timeout_s`."""
    requests, replies = _take_over_stdio()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in Blender's terminal is for Blender
    if hasattr(os, "nice"):
        os.nice(YIELDING)
    _Worker(Path(directory), requests, replies).serve(idle_timeout_s)


def _take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol; whatever a library prints, in Python or C, goes to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, replies


class _Worker:
    def __init__(self, directory: Path, requests: BinaryIO, replies: BinaryIO) -> None:
        self._directory = directory
        self._requests = requests
        self._replies = replies
        self._reply_lock = threading.Lock()
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._orphaned = threading.Event()

    def serve(self, idle_timeout_s: float) -> NoReturn:
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self._say(event="hello", pid=os.getpid(), python=sys.version.split()[0])
        _import_early()
        while True:
            try:
                message = self._inbox.get(timeout=idle_timeout_s)
            except queue.Empty:
                self._say(event="bye")
                os._exit(0)  # not through Python's own end, which waits for the thread that reads stdin
            if message is None:
                self._leave()
            else:
                self._run(message)

    def _run(self, message: dict[str, Any]) -> None:
        job = int(message["id"])
        folder = self._directory / str(message["folder"])
        self._say(event="started", id=job)
        try:
            from ..tasks import run_task  # here, so that a missing library is this job's failure

            arrays = load_arrays(folder / "in", message["arrays"])
            context = JobContext(_Reporter(self._say, job), lambda: job in self._cancelled or self._orphaned.is_set())
            result = run_task(JobRequest(message["task"], arrays, message["params"]), context)
            files = save_arrays(folder / "out", result.arrays)
            info = {**result.info, "peak_memory_mb": peak_memory_mb()}
            reply = encode_message({"event": "result", "id": job, "arrays": files, "info": info})
        except Exception as error:  # noqa: BLE001 - every failure of a job is reported to the one who asked
            failure = readable_failure(error, str(message.get("task")))
            reply = encode_message({"event": "error", "id": job, "error": failure_to_json(failure)})
        self._cancelled.discard(job)
        self._send(reply)

    def _read(self) -> None:
        with self._requests as lines:
            for line in lines:
                message = decode_message(line, "op")
                if message is None:
                    print(f"ignored a line that is no request: {line[:80]!r}", file=sys.stderr)
                elif message["op"] == "cancel":
                    self._cancelled.add(int(message["id"]))
                else:
                    self._inbox.put(message)
        self._orphaned.set()
        self._inbox.put(None)
        time.sleep(ORPHAN_GRACE_S)  # a running job has this long to notice
        self._leave()

    def _leave(self) -> NoReturn:
        """End at once, with nothing left behind: nobody is there to tidy up."""
        shutil.rmtree(self._directory, ignore_errors=True)
        os._exit(0)

    def _beat(self) -> None:
        while not self._orphaned.wait(HEARTBEAT_S):
            self._say(event="beat")

    def _say(self, **message: Any) -> None:
        self._send(encode_message(message))

    def _send(self, line: bytes) -> None:
        with self._reply_lock:
            try:
                view = memoryview(line)
                while view:  # an unbuffered pipe may take less than all
                    view = view[self._replies.write(view) or 0 :]
            except OSError:
                self._orphaned.set()  # the engine is gone; the reader of stdin sees the same and ends the process


class _Reporter:
    """Sends progress, but not faster than anyone can see it."""

    def __init__(self, say: Callable[..., None], job: int) -> None:
        self._say = say
        self._job = job
        self._last: tuple[float, str] = (0.0, "")

    def __call__(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if message == self._last[1] and now - self._last[0] < PROGRESS_INTERVAL_S:
            return
        self._last = (now, message)
        self._say(event="progress", id=self._job, fraction=fraction, message=message)


def _import_early() -> None:
    """Import the slow libraries while the user has not asked yet.

    In the main thread, ahead of the first job: two threads importing the same packages can see half-made modules.
    """
    for name in EARLY_IMPORTS:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - the job that needs it fails with a sentence; this is only a head start
            print(f"{name} could not be imported: {error}", file=sys.stderr)
