# SPDX-License-Identifier: GPL-3.0-or-later
"""One Blender for all tests: a user folder of its own, and the extension built, installed and enabled in it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.surface_features"
FEW_VIEWS = 8  # the tests are about Blender's side; quality is measured elsewhere

# Blender reads this once, when it is imported, and `bmesh` can only be imported after it.
_user_folder = tempfile.TemporaryDirectory(prefix="surface_features-tests-")
os.environ["BLENDER_USER_RESOURCES"] = _user_folder.name
importlib.import_module("bpy")

_rigify_was_enabled = False
_EXIT_STATUS = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, built and validated by Blender's own builder."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "tools" / "build_extension.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def extension(archive: Path) -> Iterator[Callable[[str], ModuleType]]:
    """The enabled extension: a function that gives its modules by name.

    It is disabled before the interpreter ends: a registered operator crashes Blender 4.2 there, and 4.5 hangs.
    """
    import bpy

    bpy.ops.extensions.package_install_files(repo="user_default", filepath=str(archive), enable_on_install=True)
    assert MODULE in bpy.context.preferences.addons
    yield lambda name: importlib.import_module(f"{MODULE}.{name}")
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the characters that most tests use are computed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def empty_scene(extension: Callable[[str], ModuleType], shared_cache: Path) -> None:
    """An empty file, default preferences, few views."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.surface_features.views = FEW_VIEWS
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = ""
    preferences.cache_folder = str(shared_cache)


@pytest.fixture
def preferences() -> Any:
    import bpy

    return bpy.context.preferences.addons[MODULE].preferences


@pytest.fixture
def rigify() -> Iterator[None]:
    """Rigify enabled."""
    import bpy

    global _rigify_was_enabled
    _rigify_was_enabled = True
    bpy.ops.preferences.addon_enable(module="rigify")
    yield
    bpy.ops.preferences.addon_disable(module="rigify")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """As a module, Blender 4.2 crashes at the end of any program that has once enabled Rigify, and 4.5 hangs where it
    has generated a rig. Neither takes an extension, so there is nothing to mend here: leave without that end.
    """
    import bpy

    if _rigify_was_enabled and bpy.app.version < (5, 0, 0):
        _user_folder.cleanup()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_EXIT_STATUS])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_EXIT_STATUS] = int(exitstatus)
