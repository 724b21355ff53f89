# SPDX-License-Identifier: GPL-3.0-or-later
"""What travels between an engine and its worker: JSON lines, `.npy` files, and failures that keep their class.

Messages to the worker have an ``"op"`` (`run`, `cancel`), messages from it an ``"event"`` (`hello`, `beat`, `started`,
`progress`, `result`, `error`, `bye`, `refused`). Lines are ASCII, so no code page can damage them.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import errors
from ..errors import BadInputError, EngineError, JobCancelled, SurfaceFeaturesError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC, errno.EFBIG}


def encode_message(message: Mapping[str, Any]) -> bytes:
    """One JSON line; NumPy scalars and arrays become numbers and lists."""
    return json.dumps(message, default=_plain).encode("ascii") + b"\n"


def decode_message(line: bytes, key: str) -> dict[str, Any] | None:
    """The message of a line, or None for anything that is not a JSON object with `key`."""
    try:
        message = json.loads(line)
    except ValueError:  # includes UnicodeDecodeError
        return None
    return message if isinstance(message, dict) and key in message else None


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write arrays to numbered files in a new folder; returns file names by array name.

    Raises `EngineError` where the disk is full or cannot be written.
    """
    names = {}
    try:
        folder.mkdir(parents=True)
        for index, (name, array) in enumerate(arrays.items()):
            names[name] = f"{index}.npy"
            np.save(folder / names[name], np.asarray(array), allow_pickle=False)
    except OSError as error:
        raise EngineError(
            f"The job's data could not be written to “{folder.parent}” ({_reason(error)}): "
            "free some space on that disk and run again."
        ) from error
    return names


def load_arrays(folder: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote. Raises `EngineError` when a file is missing or damaged."""
    try:
        return {name: np.load(folder / file, allow_pickle=False) for name, file in names.items()}
    except (OSError, ValueError) as error:
        raise EngineError(f"The job's data in “{folder}” could not be read ({error}): run again.") from error


def failure_to_json(failure: SurfaceFeaturesError) -> dict[str, Any]:
    return {
        "kind": type(failure).__name__,
        "message": str(failure),
        "fault": failure.fault if isinstance(failure, BadInputError) else None,
        "notes": list(getattr(failure, "__notes__", ())),
    }


def failure_from_json(content: Mapping[str, Any]) -> SurfaceFeaturesError:
    """The failure a worker reported, as the same class."""
    kind = getattr(errors, str(content.get("kind")), EngineError)
    message = str(content.get("message"))
    if not (isinstance(kind, type) and issubclass(kind, SurfaceFeaturesError)):
        kind = EngineError
    failure = kind(message, fault=str(content.get("fault"))) if issubclass(kind, BadInputError) else kind(message)
    for note in content.get("notes", ()):
        failure.add_note(str(note))
    return failure


def readable_failure(error: BaseException, task: str) -> SurfaceFeaturesError:
    """Any exception of a task as one sentence; what a developer needs beyond it becomes a note."""
    if isinstance(error, SurfaceFeaturesError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return JobCancelled("Cancelled.")
    failure = EngineError(_sentence(error, task))
    failure.add_note("".join(traceback.format_exception(error)))
    return failure


def _sentence(error: BaseException, task: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(__package__.split(".")[0]):
        module = error.name.partition(".")[0]
        return f"The engine's Python ({sys.executable}) has no {module}; set Engine Python in the preferences."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"The engine ran out of memory in “{task}”: use fewer views, or a smaller mesh, and run again."
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return f"The disk is full ({_reason(error)}): free some space and run again."
    summary = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    return f"The engine failed in “{task}” ({summary}); please report it with the console's text."


def _reason(error: OSError) -> str:
    # numpy reports a short write as an OSError without a code
    return error.strerror or str(error)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot travel as JSON")
