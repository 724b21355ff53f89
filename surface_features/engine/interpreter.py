# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python an engine runs on: how it is started, how it ended, and whether it has what the backend needs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EngineError
from ..parallel import RESTING
from .wire import decode_message

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
SET_PYTHON = "set Engine Python in the preferences"
# not an argument, which would end up in the complaints of a program that is no Python
OPTIONS_VARIABLE = "SURFACE_FEATURES_ENGINE"
# What a shell or a launcher may have set for another Python; any of it can break the one started here.
FOREIGN_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONPLATLIBDIR",
    "PYTHONINSPECT",
    "__PYVENV_LAUNCHER__",
)
# No console, and behind Blender's own window; elsewhere the worker steps back by itself (`worker.YIELDING`).
WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)


@dataclass(frozen=True)
class EngineReport:
    """What a Python answered when asked whether it can run the engine.

    version: "3.11.7", empty where the program never answered.
    torch: torch's version, empty where it is missing.
    missing: module name → why it cannot be imported.
    seconds: time the imports took.
    message: one sentence for the user.
    """

    usable: bool
    message: str
    version: str = ""
    torch: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def start_python(
    python: Path | str, package_root: Path, options: Mapping[str, Any], env: Mapping[str, str] | None, **pipes: Any
) -> subprocess.Popen[bytes]:
    """Start the bootstrap script in another Python.

    env: the environment to start from, this process's own when None; variables meant for another Python are dropped.
    Raises `EngineError` where there is no such program, or it is Blender itself.
    """
    python = Path(python)
    if python.stem.lower().startswith("blender"):
        raise EngineError(f"“{python}” is Blender, not a Python; {SET_PYTHON}.")
    bootstrap = package_root / "surface_features" / "engine" / "bootstrap.py"
    environment = RESTING | _clean_environment(os.environ if env is None else env)
    try:
        return subprocess.Popen(
            [str(python), str(bootstrap)],
            env=environment | {OPTIONS_VARIABLE: json.dumps(options)},
            creationflags=WINDOWS_FLAGS,
            **pipes,
        )
    except FileNotFoundError as error:
        raise EngineError(f"The engine's Python “{python}” does not exist; {SET_PYTHON}.") from error
    except OSError as error:
        raise EngineError(
            f"The engine's Python “{python}” cannot be run ({error.strerror or error}); {SET_PYTHON}."
        ) from error


def refusal_sentence(python: Path | str, message: Mapping[str, Any]) -> str:
    """Why the bootstrap script would not go on."""
    if "module" in message:
        return f"The engine's Python ({python}) has no {message['module']}; {SET_PYTHON}."
    return (
        f"The engine's Python ({python}) is Python {message.get('python')}; the engine needs {message.get('oldest')} "
        f"or newer; {SET_PYTHON}."
    )


def exit_sentence(python: Path | str, code: int, answered: bool, last_words: str) -> str:
    """Why the worker is gone.

    code: as `subprocess` tells it, negative for a signal. answered: whether the worker ever said hello.
    last_words: the last line of its stderr.
    """
    words = f": {last_words}" if last_words else ""
    if code == -getattr(signal, "SIGKILL", 9):
        return "The engine ran out of memory or was killed (signal 9); nothing was changed, run again."
    if code < 0 or code >= 0xC0000000:  # Windows tells access violations and the like as large exit codes
        name = _signal_name(-code) if code < 0 else f"{code:#x}"
        return f"The engine crashed ({name}{words}); nothing was changed, run again."
    if not answered:
        return f"“{python}” does not answer as a Python does (exit code {code}{words}); {SET_PYTHON}."
    return f"The engine stopped unexpectedly (exit code {code}{words}); nothing was changed, run again."


def test_engine_python(
    python: Path | str,
    *,
    package_root: Path = PACKAGE_ROOT,
    site_paths: Sequence[Path | str] = (),
    timeout_s: float = 60.0,
) -> EngineReport:
    """Import everything the backend needs in another Python and tell what came of it.

    Blocks for as long as the imports take, `timeout_s` at most. Never raises for a bad `python`.
    """
    options = {"mode": "probe", "site_paths": [str(path) for path in site_paths]}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with start_python(python, package_root, options, None, **pipes) as process:
            try:
                output, errors = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                return EngineReport(False, f"“{python}” did not answer within {timeout_s:g} s; {SET_PYTHON}.")
    except EngineError as error:
        return EngineReport(False, str(error))
    for line in output.splitlines():
        message = decode_message(line, "event")
        if message is not None:
            return _report(python, message)
    return EngineReport(False, exit_sentence(python, process.returncode, False, last_line(errors)))


test_engine_python.__test__ = False  # type: ignore[attr-defined]  # a name for users, not a test for pytest


def last_line(text: bytes) -> str:
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def _report(python: Path | str, message: Mapping[str, Any]) -> EngineReport:
    if message["event"] == "refused":
        return EngineReport(False, refusal_sentence(python, message), str(message.get("python", "")))
    version, missing = str(message["python"]), dict(message["missing"])
    torch, seconds = str(message["versions"].get("torch", "")), float(message["seconds"])
    if missing:
        text = f"The engine's Python ({python}) has no {', '.join(missing)}; install them there or {SET_PYTHON}."
    else:
        text = f"Python {version} with torch {torch} is ready ({seconds:.1f} s to start)."
    return EngineReport(not missing, text, version, torch, missing, seconds)


def _clean_environment(env: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in env.items() if name.upper() not in FOREIGN_VARIABLES}
    clean["PYTHONUTF8"] = "1"  # file names and messages alike on every platform
    return clean


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if sys.platform != "win32" else f"code {number}"
