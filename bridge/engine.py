# SPDX-License-Identifier: GPL-3.0-or-later
"""One warm engine per Blender session, and the Python it runs on."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..surface_features.engine import SubprocessEngine
from ..surface_features.errors import EngineError

PYTHON_VARIABLE = "SURFACE_FEATURES_PYTHON"
_COMMANDS = ("python3.13", "python3.12", "python3.11", "python3", "python")
_HAS_TORCH = "import sys, importlib.util as u; sys.exit(sys.version_info < (3, 11) or u.find_spec('torch') is None)"
_PROBE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class EnginePython:
    """An interpreter and the folders of packages it needs beyond its own."""

    python: str
    site_paths: tuple[str, ...] = ()


def find_engine_python(chosen: str) -> EnginePython:
    """The Python to run the engine on.

    chosen: the preference; an interpreter, or the folder of a virtual environment. When empty: the environment variable
    ``SURFACE_FEATURES_PYTHON``, then Blender's own Python if torch is among its packages, then the active virtual
    environment and the Pythons on the search path. Raises `EngineError` where none of them has torch.
    """
    for wanted in (chosen, os.environ.get(PYTHON_VARIABLE, "")):
        if wanted:
            return EnginePython(_interpreter_in(wanted))
    own = importlib.util.find_spec("torch")
    if own is not None and own.origin is not None:
        return EnginePython(sys.executable, (str(Path(own.origin).parents[1]),))
    found = _first_with_torch()
    if found is None:
        raise EngineError(
            "No Python with torch was found on this computer: set Engine Python in the preferences of Surface Features."
        )
    return EnginePython(found)


def session_engine(chosen: str) -> SubprocessEngine:
    """The session's engine; another one when the preference *Engine Python* has changed meanwhile."""
    global _engine
    wanted = find_engine_python(chosen)
    if _engine is not None and _engine[0] == wanted:
        return _engine[1]
    close()
    _engine = wanted, SubprocessEngine(wanted.python, site_paths=wanted.site_paths)
    atexit.register(close)
    return _engine[1]


def close() -> None:
    """Stop the session's engine and its worker, if there is one. The next job starts another."""
    global _engine
    if _engine is not None:
        _engine[1].close()
        _engine = None
    atexit.unregister(close)


_engine: tuple[EnginePython, SubprocessEngine] | None = None


def _interpreter_in(wanted: str) -> str:
    folder = Path(wanted)
    if folder.is_dir():
        for name in ("bin/python3", "bin/python", "Scripts/python.exe", "python.exe"):
            if (folder / name).exists():
                return str(folder / name)
    return wanted


@cache
def _first_with_torch() -> str | None:
    return next((python for python in _candidates() if _has_torch(python)), None)


def _candidates() -> Iterator[str]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := os.environ.get(variable):
            yield _interpreter_in(folder)
    for command in _COMMANDS:
        if path := shutil.which(command):
            yield path


def _has_torch(python: str) -> bool:
    # isolated (-I): neither this session's variables nor the current folder decide what is found
    try:
        command = [python, "-I", "-c", _HAS_TORCH]
        return subprocess.run(command, check=False, capture_output=True, timeout=_PROBE_TIMEOUT_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False  # not a Python that can be used; the next one is asked
