#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The disk of a test terminal can be written by who is not root. Continuous integration is root, so nobody else would notice:
# a namespace of one's own allows less (a mount that came from outside cannot be taken away by itself, "umount -R" fails).
# The system on the disk is a folder with two programs in it.
set -eu
PATH=$PATH:/usr/sbin:/sbin
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/system
mkdir -p "$root/dev" "$root/proc" "$root/root" "$root/boot" "$root/usr/bin" "$work/build"
touch "$root/boot/vmlinuz-0" "$root/boot/initrd.img-0" "$work/sekimori.deb"
cp /usr/bin/true "$root/usr/bin/apt-get"
ldd /usr/bin/true | grep -o '/[^ ]*' | while read -r library; do cp --parents "$library" "$root"; done
tar -C "$root" --owner=0 --group=0 -cf "$work/root.tar" .
cp "$source/tests/vm/image.py" "$work"       # the tree may lie where only root can read
chmod 755 "$work"

user=""
if [ "$(id -u)" = 0 ]; then
    chown 65534:65534 "$work/build"
    user="setpriv --reuid 65534 --regid 65534 --clear-groups"
fi
# shellcheck disable=SC2086 # a list of words; python3 by its path, since others may come first that only root can read
PYTHONDONTWRITEBYTECODE=1 $user /usr/bin/python3 - "$work" <<'END'
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import image

work = Path(sys.argv[1])
namespaces = image._namespaces()
# "nobody" has no further user ids to lend to a namespace
image._namespaces = lambda: [word for word in namespaces if word != "--map-auto"]
build = work / "build"
made = image.Image(*(build / f"made.{part}" for part in ("disk", "kernel", "initrd")))
try:
    image._make_disk(image.Kind("small", (), "", disk_size="64M"), build, work / "root.tar", work / "sekimori.deb", made)
except image.ImageError as error:
    sys.exit(f"not written: {error}")
left = sorted(path.name for path in build.iterdir())
assert left == ["build.log", "made.disk", "made.initrd", "made.kernel"], left
END
echo "a disk with a package on it, written without root"
