# SPDX-License-Identifier: GPL-3.0-or-later
"""Computed arrays on disk, by the hash of everything that decides them.

One `.npz` file for each entry, never pickled, written under another name and then renamed: several processes may share
a folder. Nothing here ever fails a job: what cannot be read is computed again, what cannot be written is a warning.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .files import write_npz
from .mesh import TriangleMesh
from .progress import JobContext
from .settings import FeatureSettings

Arrays = dict[str, np.ndarray]

SUFFIX = ".npz"
ABANDONED_AFTER_S = 3600.0  # a temporary file this old belongs to a process that died


def feature_key(mesh: TriangleMesh, settings: FeatureSettings, model_fingerprint: str, code_version: int) -> str:
    """Hex name of what `settings` and the model make of the mesh's geometry; the mesh's name plays no part.

    model_fingerprint: changes with the backbone's weights; code_version: raised when the code gives other results.
    """
    parts: dict[str, Any] = {"settings": settings.to_json(), "model": model_fingerprint, "code": code_version}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for array in (mesh.vertices, mesh.faces):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class FeatureCache:
    """Entries in a folder, the longest unused ones deleted when they outgrow `max_bytes`."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes

    def get(self, key: str, context: JobContext | None = None) -> Arrays | None:
        """The arrays stored under a key, or None; a damaged entry is deleted and counts as absent."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            self._discard(path, f"A cached result could not be read ({error}); computing again.", context)
            return None
        self._touch(path)
        return arrays

    def put(self, key: str, arrays: Mapping[str, np.ndarray], context: JobContext | None = None) -> None:
        """Store arrays under a key, and delete the longest unused entries that no longer fit.

        A full disk or a read-only folder is a warning on the context. Raises ValueError for arrays of objects.
        """
        if any(array.dtype.hasobject for array in arrays.values()):
            raise ValueError("arrays of objects are not cached")
        size = sum(array.nbytes for array in arrays.values())
        if size > self.max_bytes:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_npz(self._path(key), arrays)
        except OSError as error:
            _warn(context, f"Could not keep the result in the cache: {_reason(error)}. See Cache in the preferences.")
            return
        self._shrink(keep=key)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    def clear(self) -> int:
        """Delete every entry and what crashed processes left; returns how many entries could be deleted."""
        self._delete_abandoned(0.0)
        return sum(self._delete(path) for _, _, path in self._entries())

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"not a cache key: {key!r}")
        return self.folder / f"{key}{SUFFIX}"

    def _entries(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of every entry, the longest unused first."""
        entries = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                status = path.stat()
            except OSError:  # another process has deleted it meanwhile
                continue
            entries.append((status.st_mtime, status.st_size, path))
        return sorted(entries)

    def _shrink(self, keep: str) -> None:
        self._delete_abandoned(ABANDONED_AFTER_S)
        entries = self._entries()
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.max_bytes:
                return
            if path.stem != keep and self._delete(path):
                total -= size

    def _delete_abandoned(self, age_s: float) -> None:
        for path in self.folder.glob("*.tmp"):
            try:
                old = time.time() - path.stat().st_mtime >= age_s
            except OSError:  # its writer has renamed it meanwhile
                continue
            if old:
                self._delete(path)

    def _discard(self, path: Path, message: str, context: JobContext | None) -> None:
        _warn(context, message)
        self._delete(path)

    @staticmethod
    def _delete(path: Path) -> bool:
        try:
            path.unlink()
        except OSError:  # in use on Windows, read-only, or already deleted by another process
            return False
        return True

    @staticmethod
    def _touch(path: Path) -> None:
        """The file's time is its last use."""
        try:
            os.utime(path)
        except OSError:  # a read-only folder still serves what it holds
            return


def _warn(context: JobContext | None, message: str) -> None:
    if context is not None:
        context.warn(message)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
