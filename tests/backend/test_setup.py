# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fresh machine is told when something is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def find_python(project, version, folder, **env):
    """Run the search with nothing but `folder` and the system's own tools to find."""
    env = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "PYENV_ROOT": str(folder / "pyenv"), **env}
    return subprocess.run([project / "tools" / "find_python.sh", version], env=env, capture_output=True, text=True)


def test_a_shim_that_does_not_run_is_passed_over(project, tmp_path):
    program(tmp_path / f"python{VERSION}", "echo 'pyenv: version is not selected' >&2; exit 127")
    real = program(tmp_path / "pyenv" / "versions" / f"{VERSION}.7" / "bin" / "python", f'exec {sys.executable} "$@"')
    found = find_python(project, VERSION, tmp_path)
    assert found.returncode == 0
    # the system may have a working one of its own, which is as good
    assert found.stdout.strip() in (str(real), f"/usr/bin/python{VERSION}", f"/bin/python{VERSION}", "/usr/bin/python3")


def test_a_named_python_comes_first(project, tmp_path):
    mine = program(tmp_path / "mine" / "snake", f'exec {sys.executable} "$@"')
    assert find_python(project, VERSION, tmp_path, PYTHON=str(mine)).stdout.strip() == str(mine)


def test_a_missing_python_is_one_line(project, tmp_path):
    missing = find_python(project, "3.99", tmp_path)
    assert missing.returncode == 1
    (line,) = missing.stderr.splitlines()
    assert "Python 3.99 was not found" in line
    assert "make PYTHON=" in line


@pytest.mark.skipif(sys.platform != "linux", reason="system libraries are looked up on Linux only")
def test_missing_system_libraries_are_named_with_their_packages(project, tmp_path):
    program(tmp_path / "ldd", r"printf '\tlibXi.so.6 => not found\n\tlibxkbcommon.so.0 => not found\n'")
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, project / "tools" / "check_libraries.py"]
    told = subprocess.run(command, env=env, capture_output=True, text=True)
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert "apt install libxi6 libxkbcommon0" in line
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_every_requirement_is_pinned(project):
    for path in (project / "requirements").glob("*.txt"):
        for line in path.read_text().splitlines():
            requirement = line.partition("#")[0].strip()
            assert not requirement or re.fullmatch(r"[\w.-]+==[\w.]+", requirement), f"{path.name}: {line}"
