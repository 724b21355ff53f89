#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Test the extension in a real Blender window with real events (make test-gui).
#
# With root: Debian's Blender in a chroot kept in $GUI_CHROOT (default ~/.cache/surface-features-gui/trixie).
# Without:   BLENDER=/path/to/blender tests/gui/run.sh, on this machine's own Xvfb.
# Screenshots and the log of the last run are in tests/gui/screenshots/.
#
# Everything runs in mount and process namespaces of its own: however the run ends, the kernel takes the mounts,
# Xvfb, Blender and its worker away with it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
chroot_folder=${GUI_CHROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/surface-features-gui/trixie}
python=$project/.venv/bin/python
screenshots=$here/screenshots

stop() { echo "test-gui: $*" >&2; exit 1; }

missing_packages() {
    local pair missing=""
    for pair in "$@"; do
        command -v "${pair%%:*}" > /dev/null || missing="$missing ${pair##*:}"
    done
    echo "${missing# }"
}

require() {
    local missing
    missing=$(missing_packages "$@")
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        echo "test-gui: installing $missing"
        # shellcheck disable=SC2086
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } \
            > /dev/null 2>&1 || true
        missing=$(missing_packages "$@")
    fi
    [ -z "$missing" ] || stop "missing: $missing (install with: apt-get install $missing)"
}

# Called again inside the namespaces: bind what is needed and change into the chroot.
if [ "${1:-}" = --inside ]; then
    root=$chroot_folder
    bash "$here/setup_chroot.sh" "$root"
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    mountpoint -q "$root/dev" || mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount -t tmpfs tmpfs "$root/tmp"
    bind_read_only() {
        mkdir -p "$root$1"
        mount --bind "$1" "$root$1"
        mount -o remount,ro,bind "$root$1"
    }
    # The Python the .venv was made from, at the same path, unless it is part of the system.
    base=$("$python" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
    case $base in
        /usr | /usr/*) stop "$project/.venv is made from $base; make it from a Python with a folder of its own" ;;
    esac
    # A .venv names its Python by the path it was found at, which may be a link: bind both.
    named=$("$python" -c 'import sys; print(sys.base_prefix)')
    bind_read_only "$base"
    [ "$named" = "$base" ] || bind_read_only "$named"
    bind_read_only "$project"
    venv=$(readlink -f "$project/.venv")
    case $venv in "$project"/*) ;; *) bind_read_only "$venv" ;; esac
    mount --bind "$screenshots" "$root$screenshots"
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
        bash "$here/in_display.sh" blender "$project" "$screenshots"
fi

[ -x "$python" ] || stop "no .venv; make it first: make venv"
rm -rf "$screenshots"
mkdir -p "$screenshots"
"$python" "$here/make_characters.py" "$screenshots/characters.npz" > "$screenshots/characters.log" 2>&1 ||
    { tail -n 5 "$screenshots/characters.log" >&2; stop "building the characters failed"; }
"$python" "$project/tools/build_extension.py" > "$screenshots/build.log" 2>&1 ||
    { tail -n 5 "$screenshots/build.log" >&2; stop "building the extension failed"; }

if [ -n "${BLENDER:-}" ]; then
    require Xvfb:xvfb convert:imagemagick
    exec bash "$here/in_display.sh" "$BLENDER" "$project" "$screenshots"
fi
[ "$(id -u)" = 0 ] || stop "the chroot needs root; name a Blender instead: BLENDER=/path/to/blender make test-gui"
require debootstrap:debootstrap unshare:util-linux mount:mount
exec unshare --mount --propagation private --pid --fork --kill-child=KILL --mount-proc bash "$here/run.sh" --inside
