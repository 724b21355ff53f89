#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Make or complete a virtual environment; each requirement file is installed in its own step, in the given order.
# Usage: make_venv.sh FOLDER PYTHON_VERSION REQUIREMENTS…
set -euo pipefail

folder=$1 version=$2
shift 2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! "$folder/bin/python" -m pip --version > /dev/null 2>&1; then # absent, half made, or its Python is gone
    python=$("$tools/find_python.sh" "$version")
    rm -rf "$folder"
    "$python" -m venv "$folder"
fi
for requirements in "$@"; do
    echo "$folder: $requirements"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
done
