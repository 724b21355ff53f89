#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Make a Debian root folder with Blender, Xvfb and Mesa's software OpenGL in it: setup_chroot.sh FOLDER
#
# Runs once (about two minutes); a finished folder is kept and reused until RECIPE changes.
# Run it in a mount namespace of its own (run.sh does): debootstrap mounts /proc while it works.
set -euo pipefail

SUITE=trixie
# Debian only recommends NumPy; the Blender everybody else has always carries it.
PACKAGES="blender python3-numpy xvfb libgl1-mesa-dri libegl-mesa0 imagemagick procps"
RECIPE="$SUITE $PACKAGES"
root=${1:?usage: setup_chroot.sh FOLDER}
done_file=$root/.surface-features-recipe

if [ -f "$done_file" ] && [ "$(cat "$done_file")" = "$RECIPE" ]; then
    exit 0
fi

# The mirror this machine already installs from, in either of apt's formats; every Debian mirror carries all suites.
find_mirror() {
    local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list)
    cat "${files[@]}" 2>/dev/null | awk '
        $1 == "URIs:"              { for (i = 2; i <= NF; i++) print $i }
        $1 == "deb"                { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\//) { print $i; break } }
    ' | sed 's:/*$::' | grep -E '/debian$' | head -n 1
}
mirror=${GUI_MIRROR:-$(find_mirror || true)}
if [ -z "$mirror" ]; then
    echo "test-gui: no Debian mirror among this machine's apt sources; name one in GUI_MIRROR" >&2
    exit 1
fi

echo "test-gui: setting up $SUITE with Blender in $root (once, about two minutes)"
rm -rf --one-file-system "$root"
mkdir -p "$root"
debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" "$mirror" > "$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; echo "test-gui: debootstrap failed; the whole log is $root.log" >&2; exit 1; }

# How this machine reaches its mirror (a proxy, a snapshot's dates) holds inside as well, as do its host names.
find /etc/apt/apt.conf.d -type f \( -name '*proxy*' -o -name '99*' \) -exec cp {} "$root/etc/apt/apt.conf.d/" \;
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
# Package scripts must not start services in here.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# shellcheck disable=SC2086
{ chroot "$root" apt-get update && chroot "$root" apt-get install -y --no-install-recommends $PACKAGES; } >> "$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; echo "test-gui: installing Blender failed; the whole log is $root.log" >&2; exit 1; }
chroot "$root" apt-get clean
echo "$RECIPE" > "$done_file"
