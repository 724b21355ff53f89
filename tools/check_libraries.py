# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in one line which system libraries Blender's Python module needs and this machine lacks."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

# Debian's and Ubuntu's package for every system library that bpy's wheels link against
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXt.so.6": "libxt6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libuuid.so.1": "libuuid1",
    "libwayland-client.so.0": "libwayland-client0",
    "libxkbcommon.so.0": "libxkbcommon0",
}


def main() -> int:
    spec = importlib.util.find_spec("bpy")
    if spec is None or not spec.submodule_search_locations:
        print("bpy is not installed in this Python.", file=sys.stderr)
        return 1
    if sys.platform != "linux":
        return 0
    missing: set[str] = set()
    for library in Path(spec.submodule_search_locations[0]).glob("__init__*.so"):
        found = subprocess.run(["ldd", str(library)], capture_output=True, text=True, check=True).stdout
        missing.update(re.findall(r"^\s*(\S+) => not found", found, re.MULTILINE))
    if missing:
        packages = sorted({PACKAGES.get(name, f"(the package with {name})") for name in missing})
        print(
            f"Blender's module needs {', '.join(sorted(missing))}: apt install {' '.join(packages)}.", file=sys.stderr
        )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
