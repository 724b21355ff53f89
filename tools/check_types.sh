#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Type-check the extension as the package Blender makes of it, whatever this folder is called, and the scripts beside it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mypy="$root/.venv-lint/bin/python -m mypy --config-file $root/pyproject.toml --cache-dir $root/.mypy_cache"
stage=$root/build/types
rm -rf "$stage"
mkdir -p "$stage/extension"
for part in __init__.py preferences.py properties bridge operators panels surface_features; do
    [ -e "$root/$part" ] && ln -s "$root/$part" "$stage/extension/$part"
done
scripts=()
for part in examples benchmarks training tools; do
    ln -s "$root/$part" "$stage/$part"
    [ -n "$(find "$root/$part" -name '*.py' -print -quit)" ] && scripts+=("$part")
done
ln -s "$root/surface_features" "$stage/surface_features"
cd "$stage"
status=0
$mypy -p extension || status=1
$mypy "${scripts[@]}" || status=1
exit $status
