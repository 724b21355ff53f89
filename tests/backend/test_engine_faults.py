# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can go wrong with a worker ends in one readable sentence, and the next job works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from surface_features.engine import JobRequest, JobState, SubprocessEngine, interpreter
from surface_features.errors import BackboneError, BadInputError, EngineError

from .engine_helpers import PROJECT, WAIT_S, quick_engine, wait_for_progress, wrapper

NAP = JobRequest("nap", params={"seconds": 0.01})
LONG_NAP = JobRequest("nap", params={"seconds": 60})


@pytest.fixture
def engine(tmp_path):
    engine = quick_engine(tmp_path)
    yield engine
    engine.close()


def failure_of(engine: SubprocessEngine, request: JobRequest) -> Exception:
    job = engine.submit(request)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at its class
        job.result(WAIT_S)
    assert job.poll() is JobState.FAILED
    assert "\n" not in str(caught.value)
    return caught.value


def test_killing_the_worker_fails_the_job_and_the_next_one_works(engine):
    job = engine.submit(LONG_NAP)
    wait_for_progress(job)
    os.kill(engine.worker_pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ran out of memory or was killed"):
        job.result(WAIT_S)
    assert job.poll() is JobState.FAILED
    engine.submit(NAP).result(WAIT_S)


def test_a_waiting_job_survives_the_crash_of_the_one_before(engine):
    crashing, waiting = engine.submit(LONG_NAP), engine.submit(NAP)
    wait_for_progress(crashing)
    os.kill(engine.worker_pid, signal.SIGKILL)
    assert waiting.result(WAIT_S).info["pid"] == engine.worker_pid
    assert crashing.poll() is JobState.FAILED


def test_a_crash_in_a_library_is_named(engine):
    error = failure_of(engine, JobRequest("segfault"))
    assert isinstance(error, EngineError)
    assert "crashed (SIGSEGV" in str(error)
    engine.submit(NAP).result(WAIT_S)


def test_a_worker_that_hangs_is_replaced(tmp_path):
    engine = quick_engine(tmp_path, hung_after_s=1.5)
    try:
        job = engine.submit(LONG_NAP)
        wait_for_progress(job)
        os.kill(engine.worker_pid, signal.SIGSTOP)
        with pytest.raises(EngineError, match=r"has not answered for 1\.5 s"):
            job.result(WAIT_S)
        engine.submit(NAP).result(WAIT_S)
    finally:
        engine.close()


def test_garbage_on_the_pipe_is_ignored(tmp_path):
    noise = (
        r"""printf 'hello\n\377\376\000\n{"event":\n[1, 2]\n{"event": "progress"}\n{"event": "result", "id": "x"}\n"""
    )
    noise += r"""{"event": "result", "id": 1}\n{"event": "error", "id": 1}\n'"""
    engine = quick_engine(tmp_path, wrapper(tmp_path, f'{noise}; exec PYTHON "$@"'))
    try:
        result = engine.submit(JobRequest("nap", {"a": np.arange(3)}, {"seconds": 0.01})).result(WAIT_S)
    finally:
        engine.close()
    np.testing.assert_array_equal(result.arrays["a"], np.arange(3))


def test_what_libraries_print_does_not_reach_the_pipe(engine):
    result = engine.submit(JobRequest("noisy")).result(WAIT_S)
    assert result.info["value"] == 2.5
    assert result.info["warnings"] == ["It was loud."]


@pytest.mark.parametrize(
    ("how", "kind", "sentence"),
    [
        ("bad", BadInputError, "Knight: has no faces."),
        ("backbone", BackboneError, "The backbone is damaged."),
        ("memory", EngineError, "ran out of memory"),
        ("module", EngineError, "has no torch; set Engine Python in the preferences"),
        ("disk", EngineError, "The disk is full (No space left on device)"),
        ("bug", EngineError, "failed in “fail” (ValueError: shapes (3,) and (4,))"),
    ],
)
def test_failures_arrive_as_what_they_are(engine, how, kind, sentence):
    error = failure_of(engine, JobRequest("fail", params={"how": how}))
    assert type(error) is kind
    assert sentence in str(error)
    if kind is BadInputError:
        assert error.fault == "no_faces"
    if how == "bug":
        assert "Traceback" in error.__notes__[0]


def test_a_python_without_torch_says_so(tmp_path):
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    numpy = Path(np.__file__).parent
    for folder in (numpy, numpy.with_name("numpy.libs")):
        if folder.exists():
            (packages / folder.name).symlink_to(folder)
    python = tmp_path / "venv" / "bin" / "python"
    engine = SubprocessEngine(python, site_paths=[packages])
    bare = SubprocessEngine(python)
    try:
        sentence = f"The engine's Python ({python}) has no torch; set Engine Python in the preferences."
        assert str(failure_of(engine, JobRequest("ping"))) == sentence
        assert "has no numpy" in str(failure_of(bare, JobRequest("ping")))
    finally:
        engine.close()
        bare.close()
    report = interpreter.test_engine_python(python, site_paths=[packages])
    assert not report.usable
    assert "torch" in report.missing
    assert "numpy" not in report.missing


def wrong_pythons(folder: Path) -> dict[str, tuple[Path | str, str]]:
    old = (
        "exec PYTHON -c 'import sys; sys.version_info = (3, 9, 1); path = sys.argv[1]; "
        'exec(compile(open(path).read(), path, "exec"), {"__name__": "__main__", "__file__": path})\' "$@"'
    )
    (folder / "old").mkdir()
    (folder / "text.txt").write_text("no program")
    return {
        "missing": (folder / "nothing", "does not exist"),
        "folder": (folder, "cannot be run"),
        "text": (folder / "text.txt", "cannot be run"),
        "other": ("/bin/echo", "does not answer as a Python does"),
        "blender": ("/usr/bin/blender", "is Blender, not a Python"),
        "old": (wrapper(folder / "old", old), "is Python 3.9.1; the engine needs 3.11 or newer"),
    }


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "other", "blender", "old"])
def test_a_wrong_python_is_named_with_what_to_do(tmp_path, kind):
    python, sentence = wrong_pythons(tmp_path)[kind]
    engine = SubprocessEngine(python)
    try:
        message = str(failure_of(engine, JobRequest("ping")))
    finally:
        engine.close()
    assert sentence in message
    assert str(python) in message
    assert "set Engine Python in the preferences" in message
    report = interpreter.test_engine_python(python)
    assert not report.usable
    assert report.message == message


def test_a_program_that_never_answers_is_given_up(tmp_path):
    python = wrapper(tmp_path, "exec sleep 60")
    engine = SubprocessEngine(python, start_timeout_s=0.5)
    try:
        assert "did not answer within 0.5 s" in str(failure_of(engine, JobRequest("ping")))
    finally:
        engine.close()
    assert "did not answer within 0.2 s" in interpreter.test_engine_python(python, timeout_s=0.2).message


def test_the_right_python_reports_what_it_has():
    report = interpreter.test_engine_python(sys.executable)
    assert report.usable, report.message
    assert report.version == ".".join(map(str, sys.version_info[:3]))
    assert report.torch.startswith("2.")
    assert report.missing == {}


def test_a_full_disk_under_the_result_is_one_sentence(tmp_path):
    engine = quick_engine(tmp_path, wrapper(tmp_path, 'ulimit -f 8; exec PYTHON "$@"'))
    try:
        error = failure_of(engine, JobRequest("big", params={"count": 10_000_000}))
        assert isinstance(error, EngineError)
        assert "free some space on that disk" in str(error)
        engine.submit(NAP).result(WAIT_S)
    finally:
        engine.close()


def test_a_full_disk_under_the_request_is_one_sentence(tmp_path):
    script = (
        "import resource, sys; import numpy as np; from pathlib import Path\n"
        "from tests.backend.engine_helpers import quick_engine; from surface_features.engine import JobRequest\n"
        "engine = quick_engine(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))\n"
        "request = JobRequest('nap', {'a': np.zeros(10**6)}, {'seconds': 0.01})\n"
        "job = engine.submit(request)\n"
        "try: job.result(60)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "print(engine.submit(request).result(60).arrays['a'].shape)\n"
        "engine.close()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    first, second = output.stdout.splitlines()
    assert first.startswith("EngineError The job's data could not be written")
    assert second == "(1000000,)"
