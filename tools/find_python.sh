#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Print a Python of the wanted version that really runs and can make virtual environments; else say what is missing.
# Usage: find_python.sh 3.11      PYTHON=/path/to/python is tried first.
set -uo pipefail

version=$1
without_venv=""

try() {
    [ -n "$1" ] && command -v "$1" > /dev/null || return 1
    # a shim may exist for a version that is not selected, so being there is not enough
    "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" > /dev/null 2>&1 || return 1
    if "$1" -c "import venv, ensurepip" > /dev/null 2>&1; then
        command -v "$1"
        exit 0
    fi
    without_venv=$1
    return 1
}

try "${PYTHON:-}"
while IFS= read -r candidate; do try "$candidate"; done < <(type -aP "python$version" python3 python)
for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python \
    "$HOME/.local/share/uv/python/cpython-$version".*/bin/python \
    "/opt/homebrew/opt/python@$version/bin/python$version" "/usr/local/opt/python@$version/bin/python$version"; do
    try "$candidate"
done

if [ -n "$without_venv" ]; then
    echo "$without_venv cannot make virtual environments: install its venv module (Debian: apt install python$version-venv)." >&2
else
    echo "Python $version was not found: install it (apt install python$version python$version-venv," \
        "or pyenv install $version), or name one: make PYTHON=/path/to/python$version." >&2
fi
exit 1
