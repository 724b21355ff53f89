# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and validate dist/surface_features-<version>.zip with Blender's own builder.

python tools/build_extension.py [--out DIR] [--with-wheels]

Blender's builder comes from the bpy wheel of the Python this runs on, or from the program named by BLENDER.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def builder() -> list[str]:
    """The command line of Blender's extension tool, to which a subcommand is added."""
    if blender := os.environ.get("BLENDER"):
        return [blender, "--factory-startup", "--command", "extension"]
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise SystemExit(f"{sys.executable} has no bpy: install it there, or name a Blender with BLENDER=…")
    tools = sorted(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not tools:
        raise SystemExit(f"{Path(spec.origin).parent} has no extension builder: bpy 4.2 or newer is needed.")
    return [sys.executable, str(tools[0])]


def build(source: Path, out: Path, file_name: str | None = None) -> Path:
    """Build the extension in `source` and validate the zip; returns its path.

    Raises `SystemExit` with the builder's own words when either fails.
    """
    manifest = tomllib.loads((source / "blender_manifest.toml").read_text(encoding="utf-8"))
    archive = out.resolve() / (file_name or f"{manifest['id']}-{manifest['version']}.zip")
    archive.parent.mkdir(parents=True, exist_ok=True)
    _call("build", "--source-dir", str(source), "--output-filepath", str(archive))
    _call("validate", str(archive))
    return archive


def _call(*arguments: str) -> None:
    done = subprocess.run([*builder(), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="folder for the zip")
    options = parser.parse_args()
    print(build(ROOT, options.out))


if __name__ == "__main__":
    main()
