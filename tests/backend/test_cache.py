# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache saves time and never costs a result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from surface_features import cache as cache_module
from surface_features.cache import FeatureCache, feature_key
from surface_features.mesh import TriangleMesh
from surface_features.progress import JobContext
from surface_features.settings import FeatureSettings

from .shapes import box, moved

KEY = "a" * 64
MEGABYTE = 2**20


def entry(rows: int = 100, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        "values": generator.random((rows, 64), np.float32),
        "confidence": generator.random(rows, np.float32),
    }


def assert_same(found: dict[str, np.ndarray] | None, expected: dict[str, np.ndarray]) -> None:
    assert found is not None
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "größe" / "cache", 100 * MEGABYTE)


def test_what_was_put_is_got_by_another_cache_on_the_same_folder(cache: FeatureCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, entry())
    assert_same(FeatureCache(cache.folder, MEGABYTE).get(KEY), entry())
    assert cache.get("b" * 64) is None


def test_clear_empties_the_folder_and_leaves_other_files(cache: FeatureCache) -> None:
    cache.put(KEY, entry())
    cache.put("b" * 64, entry())
    (cache.folder / "notes.txt").write_text("mine")
    (cache.folder / ".123-abc.tmp").write_bytes(b"of a crashed process")
    assert cache.size() > 2 * sum(array.nbytes for array in entry().values())
    assert cache.clear() == 2
    assert cache.size() == 0
    assert [path.name for path in cache.folder.iterdir()] == ["notes.txt"]


def test_key_changes_with_everything_that_changes_the_result() -> None:
    mesh, settings = box(), FeatureSettings()
    other_faces = TriangleMesh(mesh.vertices, mesh.faces[::-1])
    keys = [
        feature_key(mesh, settings, "model", 1),
        feature_key(moved(mesh, (0, 0, 1e-6)), settings, "model", 1),
        feature_key(other_faces, settings, "model", 1),
        feature_key(mesh, FeatureSettings(views=12), "model", 1),
        feature_key(mesh, FeatureSettings(up="Y"), "model", 1),
        feature_key(mesh, settings, "retrained", 1),
        feature_key(mesh, settings, "model", 2),
    ]
    assert len(set(keys)) == len(keys)
    renamed = TriangleMesh(mesh.vertices.copy(), mesh.faces.copy(), "Another name")
    assert feature_key(renamed, settings, "model", 1) == keys[0]


def test_the_longest_unused_entries_go_first(tmp_path: Path) -> None:
    bytes_each = sum(array.nbytes for array in entry().values()) + 1000
    cache = FeatureCache(tmp_path, 3 * bytes_each)
    for age, name in ((300, "old"), (200, "middle"), (100, "new")):
        cache.put(name, entry())
        past = time.time() - age
        os.utime(tmp_path / f"{name}.npz", (past, past))
    assert cache.get("old") is not None  # now the latest used
    cache.put("newest", entry())
    assert cache.get("middle") is None
    assert all(cache.get(name) is not None for name in ("old", "new", "newest"))
    assert cache.size() <= cache.max_bytes


def test_what_is_larger_than_the_whole_cache_is_not_kept(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 10_000)
    cache.put("small", entry(10))
    cache.put(KEY, entry(1000))
    assert cache.get(KEY) is None
    assert cache.get("small") is not None


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "garbage", "pickled", "folder"])
def test_a_damaged_entry_is_dropped(cache: FeatureCache, damage: str) -> None:
    cache.put(KEY, entry())
    path = cache.folder / f"{KEY}.npz"
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "pickled":
        with path.open("wb") as file:
            np.savez(file, values=np.array([{"run": "me"}], object))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"truncated": whole[:middle], "empty": b"", "flipped": flipped, "garbage": b"x" * 500}[damage])
    context = JobContext()
    assert cache.get(KEY, context) is None
    assert len(context.warnings) == 1
    if damage != "folder":
        cache.put(KEY, entry(), context)
        assert_same(cache.get(KEY, context), entry())


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow past 1,000 bytes: the system call fails as on a full disk. Never while pytest itself writes."""
    resource = pytest.importorskip("resource", reason="file size limits are a Unix thing")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_warning_and_leaves_nothing_behind(cache: FeatureCache) -> None:
    context = JobContext()
    with full_disk():
        cache.put("before", {"values": np.zeros(50, np.float32)})
        cache.put(KEY, entry(), context)
        cache.put(KEY, entry(), context)
    assert len(context.warnings) == 1
    assert "Could not keep the result in the cache" in context.warnings[0]
    assert [path.name for path in cache.folder.iterdir()] == ["before.npz"]
    assert cache.get("before", context) is not None


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    # A file where the folder should be fails for every user, root included.
    (tmp_path / "cache").write_text("not a folder")
    cache = FeatureCache(tmp_path / "cache", MEGABYTE)
    context = JobContext()
    assert cache.get(KEY, context) is None
    cache.put(KEY, entry(), context)
    assert len(context.warnings) == 1
    assert cache.size() == 0
    assert cache.clear() == 0


def test_a_read_only_folder_still_serves_what_it_holds(cache: FeatureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put(KEY, entry())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    context = JobContext()
    assert_same(cache.get(KEY, context), entry())
    assert context.warnings == []
    assert cache.clear() == 0


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    script = """
import sys, numpy as np
from pathlib import Path
from surface_features.cache import FeatureCache
cache = FeatureCache(Path(sys.argv[1]), 60_000)
for step in range(150):
    key = f"k{step % 5}"
    value = step % 5
    found = cache.get(key)
    assert found is None or (found["values"] == value).all()
    cache.put(key, {"values": np.full((50, 64), value, np.float32)})
"""
    root = Path(__file__).parents[2]
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=root, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [worker.communicate(timeout=60)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    assert FeatureCache(tmp_path, 60_000).size() <= 80_000
    assert not list(tmp_path.glob("*.tmp"))


def test_what_a_crashed_process_left_is_deleted_in_time(cache: FeatureCache) -> None:
    cache.put("first", entry())
    left, busy = cache.folder / ".1-a.tmp", cache.folder / ".2-b.tmp"
    left.write_bytes(b"half")
    busy.write_bytes(b"half")
    long_ago = time.time() - 2 * cache_module.ABANDONED_AFTER_S
    os.utime(left, (long_ago, long_ago))
    cache.put(KEY, entry())
    assert not left.exists()
    assert busy.exists()


def test_a_cached_read_takes_milliseconds(cache: FeatureCache) -> None:
    cache.put(KEY, entry(10_000))
    mesh = TriangleMesh(np.zeros((10_000, 3)), np.zeros((20_000, 3)))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        feature_key(mesh, FeatureSettings(), "model", 1)
        assert cache.get(KEY) is not None
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_a_key_is_no_path(cache: FeatureCache) -> None:
    with pytest.raises(ValueError, match="not a cache key"):
        cache.get("../../etc/passwd")
