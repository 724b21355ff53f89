# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as a user gets it: built, installed and enabled in a Blender with settings of its own, no window."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY, EXTENSION = "user_default", "surface_features"
MODULE = f"bl_ext.{REPOSITORY}.{EXTENSION}"


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send what Blender itself prints to a file; Python's own output too, until the block ends."""
    sys.stdout.flush()
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = os.dup(1)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


def build_zip() -> Path:
    """Build the extension as `make extension` does."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "build_extension.py")], check=True, stdout=subprocess.DEVNULL)
    return max((ROOT / "dist").glob("surface_features-*.zip"), key=lambda path: path.stat().st_mtime)


def install(user_folder: Path) -> ModuleType:
    """Install the freshly built zip into an empty user folder of Blender, enable it and open an empty file.

    Must come before anything imports bpy. Returns the extension's module.
    """
    if "bpy" in sys.modules:
        raise RuntimeError("install() must run before bpy is imported: Blender reads its user folder only once")
    archive = build_zip()
    shutil.rmtree(user_folder, ignore_errors=True)
    user_folder.mkdir(parents=True)
    os.environ["BLENDER_USER_RESOURCES"] = str(user_folder)
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(repo=REPOSITORY, filepath=str(archive), enable_on_install=True)
    if MODULE not in bpy.context.preferences.addons:
        raise RuntimeError(f"{archive.name} was installed, but Blender did not enable it: see the messages above")
    return importlib.import_module(MODULE)


def ask_engine(task: str, params: dict[str, Any] | None = None) -> tuple[dict[str, Any], float]:
    """Let the extension's own worker do a task without arrays. Returns its information and the seconds it took."""
    import bpy

    engine_module = importlib.import_module(f"{MODULE}.bridge.engine")
    protocol = importlib.import_module(f"{MODULE}.surface_features.engine.protocol")
    preferences = bpy.context.preferences.addons[MODULE].preferences
    start = time.perf_counter()
    job = engine_module.session_engine(preferences.python_path).submit(protocol.JobRequest(task, {}, params or {}))
    return dict(job.result(timeout_s=120).info), time.perf_counter() - start


def disable() -> None:
    """Disable the extension: its classes are unregistered and its worker ends."""
    import bpy

    bpy.ops.preferences.addon_disable(module=MODULE)


def select(active: Any, *others: Any) -> None:
    """Select objects as a user would: the source last, so that it is the active one."""
    import bpy

    for obj in bpy.context.view_layer.objects:
        obj.select_set(False)
    for obj in (*others, active):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = active
