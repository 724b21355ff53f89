# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip and what Blender makes of it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from inspect import isfunction
from pathlib import Path

import bpy

import surface_features

from .conftest import MODULE, ROOT


def test_manifest_tells_the_packages_version() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == surface_features.__version__
    assert manifest["id"] == "surface_features"


def test_zip_holds_what_is_needed_and_nothing_else(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    top = {name.partition("/")[0] for name in names}
    assert top == {
        "LICENSE", "blender_manifest.toml", "__init__.py", "preferences.py",
        "bridge", "operators", "panels", "properties", "surface_features",
    }  # fmt: skip
    for path in (ROOT / "surface_features" / "models").rglob("*.safetensors"):
        assert path.relative_to(ROOT).as_posix() in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_extension_can_be_disabled_and_enabled_again() -> None:
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert not hasattr(bpy.types.Scene, "surface_features")
    assert not hasattr(bpy.types, "SURFACE_FEATURES_OT_transfer_weights")
    assert not hasattr(bpy.types, "SURFACE_FEATURES_PT_main")
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert hasattr(bpy.types.Scene, "surface_features")
    assert bpy.ops.surface_features.test_engine() == {"FINISHED"}


def test_disabling_ends_the_worker(extension) -> None:
    import os
    import time

    bpy.ops.surface_features.test_engine()
    pid = extension("bridge.engine").session_engine("").worker_pid
    bpy.ops.preferences.addon_disable(module=MODULE)
    try:
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() if Path("/proc").exists() else _alive(os, pid):
            assert time.monotonic() < deadline, "the worker outlived the extension"
            time.sleep(0.05)
    finally:
        bpy.ops.preferences.addon_enable(module=MODULE)


def _alive(os, pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_enabling_imports_no_heavy_library(archive: Path, tmp_path: Path) -> None:
    script = f"""
import bpy, sys
bpy.ops.extensions.package_install_files(repo="user_default", filepath={str(archive)!r}, enable_on_install=True)
assert hasattr(bpy.types.Scene, "surface_features")
heavy = {{"torch", "scipy", "transformers", "embreex", "trimesh"}} & set(sys.modules)
bpy.ops.preferences.addon_disable(module={MODULE!r})
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"BLENDER_USER_RESOURCES": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_property_groups_have_no_methods(extension) -> None:
    """Blender 4.2 as a module keeps the functions of such classes for ever, and crashes at the end of the program."""
    groups = [cls for cls in bpy.types.PropertyGroup.__subclasses__() if cls.__module__.startswith(MODULE)]
    assert groups
    assert not [f"{cls.__name__}.{name}" for cls in groups for name, kept in vars(cls).items() if isfunction(kept)]
