# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and validate dist/surface_features-<version>.zip with Blender's own builder.

python tools/build_extension.py [--out DIR] [--with-wheels]

Blender's builder comes from the bpy wheel of the Python this runs on, or from the program named by BLENDER. With wheels
the zip is several hundred MB and self-contained, for the platform and the Python version this runs on.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGINE_REQUIREMENTS = ("torch.txt", "runtime.txt")
NEVER_BUNDLED = {"numpy"}  # all extensions share one folder ahead of Blender's own packages; see wheels/README.md
BLENDER_WITH_PYTHON_313 = "5.1.0"


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="folder for the zip")
    parser.add_argument("--with-wheels", action="store_true", help="put what the engine needs into the zip")
    options = parser.parse_args()
    archive = build(ROOT, options.out)
    if options.with_wheels:
        archive = build_with_wheels(archive, options.out)
    print(archive)


def build(source: Path, out: Path, name_suffix: str = "") -> Path:
    """Build the extension in `source` and validate the zip; returns its path.

    Raises `SystemExit` with the builder's own words when either fails.
    """
    manifest = tomllib.loads((source / "blender_manifest.toml").read_text(encoding="utf-8"))
    archive = out.resolve() / f"{manifest['id']}-{manifest['version']}{name_suffix}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    _run(*_builder(), "build", "--source-dir", str(source), "--output-filepath", str(archive))
    _run(*_builder(), "validate", str(archive))
    return archive


def build_with_wheels(archive: Path, out: Path) -> Path:
    """Build once more from the files of `archive`, together with the engine's wheels for this platform."""
    with tempfile.TemporaryDirectory(prefix="surface_features-") as folder:
        stage = Path(folder)
        with zipfile.ZipFile(archive) as file:
            file.extractall(stage)
        _download_wheels(stage / "wheels")
        manifest = stage / "blender_manifest.toml"
        manifest.write_text(_manifest_with_wheels(manifest.read_text(encoding="utf-8"), stage), encoding="utf-8")
        return build(stage, out, f"-{_platform()}-py{sys.version_info.major}{sys.version_info.minor}")


def _download_wheels(folder: Path) -> None:
    for name in ENGINE_REQUIREMENTS:
        requirements = ROOT / "requirements" / name
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        _run(*pip, "--dest", str(folder), "--requirement", str(requirements))
    for wheel in folder.glob("*.whl"):
        if wheel.name.partition("-")[0].lower() in NEVER_BUNDLED:
            wheel.unlink()


def _manifest_with_wheels(manifest: str, stage: Path) -> str:
    """The manifest with the wheels, the platform they are for, and the Blender versions whose Python they fit."""
    before, build_section, after = manifest.partition("[permissions]")
    wheels = "".join(f'  "./wheels/{wheel.name}",\n' for wheel in sorted((stage / "wheels").glob("*.whl")))
    lines = [f'platforms = ["{_platform()}"]', f"wheels = [\n{wheels}]"]
    if sys.version_info < (3, 13):
        lines.append(f'blender_version_max = "{BLENDER_WITH_PYTHON_313}"')
    else:
        before = before.replace('blender_version_min = "4.2.0"', f'blender_version_min = "{BLENDER_WITH_PYTHON_313}"')
    return before + "\n".join(lines) + "\n\n" + build_section + after


def _platform() -> str:
    """This platform as Blender's manifests call it."""
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}[platform.system()]
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    return f"{system}-{machine}"


def _builder() -> list[str]:
    """The command line of Blender's extension tool, to which a subcommand is added."""
    if blender := os.environ.get("BLENDER"):
        if shutil.which(blender) is None:
            raise SystemExit(f"BLENDER={blender}: there is no such program.")
        return [blender, "--factory-startup", "--command", "extension"]
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise SystemExit(f"{sys.executable} has no bpy: install it there, or name a Blender with BLENDER=…")
    tools = sorted(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not tools:
        raise SystemExit(f"{Path(spec.origin).parent} has no extension builder: bpy 4.2 or newer is needed.")
    return [sys.executable, str(tools[0])]


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nfailed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
