# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller of an engine sees while everything goes well, and how work is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from surface_features.engine import InProcessEngine, JobRequest, JobState, SubprocessEngine
from surface_features.errors import BadInputError, EngineError, JobCancelled

from .engine_helpers import PROJECT, WAIT_S, is_running, quick_engine, wait_for_progress, wait_until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SubprocessEngine]:
    engine = quick_engine(tmp_path)
    yield engine
    engine.close()


def nap(seconds: float, **arrays: np.ndarray) -> JobRequest:
    return JobRequest("nap", arrays, {"seconds": seconds})


def test_arrays_come_back_as_they_were_from_the_real_worker(monkeypatch):
    # what a shell may have set for another Python must not reach the worker
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "tests"))
    engine = SubprocessEngine(sys.executable)
    try:
        arrays = {
            "größe": np.arange(6, dtype=np.float16).reshape(2, 3),
            "empty": np.zeros((0, 3), np.int32),
            "flags": np.array([True, False]),
            "backwards": np.arange(10)[::-2],
        }
        result = engine.submit(JobRequest("ping", arrays)).result(WAIT_S)
    finally:
        engine.close()
    assert set(result.arrays) == set(arrays)
    for name, array in arrays.items():
        assert result.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(result.arrays[name], array)
    assert result.info["executable"] == sys.executable
    assert result.info["torch"].startswith("2.")
    assert result.info["warnings"] == []
    assert result.info["timings"]["total"] >= 0
    assert 20 < result.info["peak_memory_mb"] < 4000


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="Windows sets the priority where the worker is started")
def test_the_worker_lets_the_window_go_first(engine):
    worker = engine.submit(nap(0.0)).result(WAIT_S).info["pid"]
    assert os.getpriority(os.PRIO_PROCESS, worker) > os.getpriority(os.PRIO_PROCESS, 0)


def test_the_same_worker_serves_one_job_after_the_other(engine):
    first = engine.submit(nap(0.1)).result(WAIT_S)
    start = time.perf_counter()
    second = engine.submit(nap(0.1)).result(WAIT_S)
    assert first.info["pid"] == second.info["pid"] == engine.worker_pid
    assert time.perf_counter() - start < 1.0


def test_progress_rises_and_is_full_at_the_end(engine):
    job = engine.submit(nap(0.5))
    seen = [job.progress]
    while job.poll() is JobState.RUNNING:
        if job.progress != seen[-1]:
            seen.append(job.progress)
            assert job.message in ("Waiting for the engine", "Starting", "Napping", "Done")
        time.sleep(0.01)
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert (job.poll(), job.progress) == (JobState.DONE, 1.0)


def test_no_method_keeps_the_caller_waiting(engine):
    array = np.zeros((200_000, 100), np.float32)  # takes longer to write than a frame of the window
    slowest = 0.0

    def timed(method, *arguments):
        nonlocal slowest
        start = time.perf_counter()
        value = method(*arguments)
        slowest = max(slowest, time.perf_counter() - start)
        return value

    job = timed(engine.submit, nap(30, array=array))
    while job.progress == 0:
        assert timed(job.poll) is JobState.RUNNING
        time.sleep(0.01)
    timed(job.cancel)
    assert wait_until(lambda: timed(job.poll) is JobState.CANCELLED)
    assert slowest < 0.05


def test_a_cancelled_job_stops_at_once_and_leaves_the_worker_warm(engine):
    job = engine.submit(nap(30))
    wait_for_progress(job)
    pid, start = engine.worker_pid, time.perf_counter()
    job.cancel()
    with pytest.raises(JobCancelled):
        job.result(WAIT_S)
    assert time.perf_counter() - start < 1.0
    assert job.poll() is JobState.CANCELLED
    assert engine.submit(nap(0.01)).result(WAIT_S).info["pid"] == pid


def test_a_job_that_does_not_listen_is_ended_with_its_worker(tmp_path):
    engine = quick_engine(tmp_path, cancel_grace_s=0.3)
    try:
        job = engine.submit(JobRequest("deaf", params={"seconds": 60}))
        wait_for_progress(job)
        pid = engine.worker_pid
        job.cancel()
        with pytest.raises(JobCancelled):
            job.result(5)
        assert not is_running(pid)
        assert engine.submit(nap(0.01)).result(WAIT_S).info["pid"] != pid
    finally:
        engine.close()


def test_a_waiting_job_can_be_cancelled_without_touching_the_running_one(engine):
    running, waiting = engine.submit(nap(1.0)), engine.submit(nap(30))
    wait_for_progress(running)
    waiting.cancel()
    assert waiting.poll() is JobState.CANCELLED
    running.result(WAIT_S)
    engine.submit(nap(0.01)).result(5)  # the cancelled one does not run after all


def test_result_gives_up_after_its_timeout_and_the_job_goes_on(engine):
    job = engine.submit(nap(1.0))
    with pytest.raises(TimeoutError):
        job.result(0.05)
    assert job.result(WAIT_S).info["pid"]


def test_an_unused_worker_ends_and_the_next_job_starts_another(tmp_path):
    engine = quick_engine(tmp_path, idle_timeout_s=0.2)
    try:
        first = engine.submit(nap(0.01)).result(WAIT_S).info["pid"]
        assert wait_until(lambda: engine.worker_pid is None)
        assert engine.submit(nap(0.01)).result(WAIT_S).info["pid"] != first
    finally:
        engine.close()


def test_closing_ends_the_worker_and_removes_every_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = quick_engine(tmp_path)
    job = engine.submit(nap(60, array=np.zeros(1000)))
    (folder,) = tmp_path.glob("surface_features-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    wait_for_progress(job)
    pid = engine.worker_pid
    engine.close()
    assert job.poll() is JobState.CANCELLED
    assert not is_running(pid)
    assert not folder.exists()
    with pytest.raises(EngineError, match="closed"):
        engine.submit(nap(0.1))


def test_the_worker_does_not_outlive_its_parent(tmp_path):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from tests.backend.engine_helpers import quick_engine, wait_for_progress\n"
        "from surface_features.engine import JobRequest\n"
        "engine = quick_engine(Path(sys.argv[1]))\n"
        "job = engine.submit(JobRequest('deaf', params={'seconds': 600}))\n"
        "wait_for_progress(job); print(engine.worker_pid, flush=True); time.sleep(600)\n"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=PROJECT, env=env, stdout=subprocess.PIPE
    ) as parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    assert wait_until(lambda: not is_running(pid), 15)
    assert not list(tmp_path.glob("surface_features-*"))


def test_in_process_engine_answers_like_the_other():
    engine = InProcessEngine()
    try:
        array = np.arange(4)
        result = engine.submit(JobRequest("ping", {"array": array})).result(WAIT_S)
        np.testing.assert_array_equal(result.arrays["array"], array)
        job = engine.submit(JobRequest("ping", params={"seconds": 60}))
        assert wait_until(lambda: job.progress > 0)
        job.cancel()
        with pytest.raises(JobCancelled):
            job.result(WAIT_S)
        assert job.poll() is JobState.CANCELLED
        bad = engine.submit(JobRequest("features", {"vertices": np.zeros((0, 3)), "faces": np.zeros((0, 3), int)}))
        with pytest.raises(BadInputError):
            bad.result(WAIT_S)
        assert bad.poll() is JobState.FAILED
        with pytest.raises(EngineError, match="Unknown task “dance”"):
            engine.submit(JobRequest("dance")).result(WAIT_S)
    finally:
        engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.submit(JobRequest("ping"))
