#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds, once, the Debian disks on which the test terminals run, and one more of each for each package to test.

The result is three files in the cache folder: a raw ext4 disk without partitions, and the kernel and the initrd that
Debian's own tools made inside it. QEMU is given kernel and initrd directly, so a test can choose the kernel command
line; the disk is never written, each VM puts a qcow2 overlay above it (see vm.py).

The package to test is installed here, in a chroot, and not in the running terminal: it rebuilds the initrd, which takes
ten seconds here and ten minutes on the emulated processor. (VM.install_deb() is for testing the installation itself.)

The file names carry a hash of everything that goes into the build, so a changed package list or recipe builds a new
disk and an old one is never used by mistake. Run as a program it builds the disk, if needed, and prints the paths.
    image.py [--kind base|collector|desktop|gnome] [PACKAGE.deb]
    image.py --root trixie NAME...      instead: an archive of a small system with these packages, to build in
"""
from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# One line for each reason why a package is there.
SYSTEM_PACKAGES = """
    linux-image-amd64 initramfs-tools kmod zstd
    systemd systemd-sysv libpam-systemd udev dbus
    apparmor
    qemu-guest-agent
    cryptsetup cryptsetup-initramfs
    libudev1 libsodium23 libjansson4 libqrencode4
    login passwd sudo openssh-server openssh-client
    procps psmisc jq acl usbutils sg3-utils fdisk dosfstools e2fsprogs attr
    python3
    oathtool
""".split()
# udev, kmod ... libqrencode4: what the product's package depends on: it is installed without a network. See also SONAMES.
# apparmor:                    as Debian installs it by itself; loads the profiles, which the kernel then enforces.
# login ... openssh-client:    the doors that the second factor guards.
# procps ... attr:             what scenarios look at the terminal with.
# python3:                     runs the helpers in guest/. python3-minimal has neither json nor ctypes.
# oathtool:                    the app of the person for whom the second factor is switched on.

# The same, where the releases name them differently: a package that was built on one does not install on the other.
SONAMES = {"bookworm": ["libconfig9", "libnettle8"], "trixie": ["libconfig11", "libnettle8t64"]}

# USBGuard's services are masked, no PAM stack names the modules.
COMPARED_PACKAGES = "usbguard libpam-google-authenticator libpam-oath pamtester".split()

BASE_PACKAGES = SYSTEM_PACKAGES + SONAMES["bookworm"] + COMPARED_PACKAGES

# What the collector's package depends on.
COLLECTOR_PACKAGES = "openssl rsyslog rsyslog-relp rsyslog-gnutls libcurl4 librdkafka1".split()

DESKTOP_PACKAGES = """
    xserver-xorg-core xserver-xorg-input-libinput xinit x11-xserver-utils xterm openbox
    lightdm lightdm-gtk-greeter adwaita-icon-theme dbus-user-session
    gnome-keyring libpam-gnome-keyring libsecret-tools
    i3lock xsecurelock
    polkitd pkexec
    libnotify4 dunst python3-xdg
    fonts-vlgothic locales
""".split()
# xserver ... openbox:         the X server draws on QEMU's standard VGA with the modesetting driver that it brings.
# gnome-keyring ...:           must still be unlocked by the login password when a code is asked as well.
# i3lock, xsecurelock:         screen lockers that run as the user.
# polkitd, pkexec:             with its text agent.
# libnotify4, dunst:           the notifier's library; what shows its notices, started by the first one.
# python3-xdg:                 with it openbox starts what is in /etc/xdg/autostart.
# fonts-vlgothic, locales:     the small Japanese font, and a greeter that speaks Japanese, as in a town hall.

# Debian 13, where GNOME has the login screen and the screen lock (and login, polkit are others than in Debian 12).
GNOME_PACKAGES = SYSTEM_PACKAGES + SONAMES["trixie"] + """
    gdm3 gnome-shell gnome-session dbus-user-session
    gnome-keyring libpam-gnome-keyring libsecret-tools
    polkitd pkexec
    fonts-vlgothic locales
""".split()

# Runs in the new root folder ($1). Whatever would cost boot time and no test needs is switched off.
BASE_SETUP = r"""
set -eu
root=$1
echo terminal > "$root/etc/hostname"
printf '127.0.0.1 localhost terminal\n' > "$root/etc/hosts"
printf '/dev/vda / ext4 defaults 0 1\n' > "$root/etc/fstab"
: > "$root/etc/machine-id"
mkdir -p "$root/var/log/journal" "$root/opt/rig"
chroot "$root" useradd --create-home --shell /bin/bash taro
printf 'root:root\ntaro:taro\n' | chroot "$root" chpasswd
chroot "$root" systemctl --quiet mask usbguard.service usbguard-dbus.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-networkd.service
chroot "$root" systemctl --quiet disable ssh.service
echo MODULES=most > "$root/etc/initramfs-tools/conf.d/rig"
chroot "$root" update-initramfs -u -k all
"""
DESKTOP_SETUP = r"""
printf 'ja_JP.UTF-8 UTF-8\n' > "$root/etc/locale.gen"
chroot "$root" locale-gen
printf 'LANG=ja_JP.UTF-8\n' > "$root/etc/default/locale"
mkdir -p "$root/etc/lightdm/lightdm.conf.d" "$root/etc/X11/xorg.conf.d"
printf '[Seat:*]\nuser-session=openbox\ngreeter-hide-users=true\ngreeter-session=lightdm-gtk-greeter\n' \
    > "$root/etc/lightdm/lightdm.conf.d/50-rig.conf"
printf '[greeter]\nfont-name=VL Gothic 13\nbackground=#2e3440\ntheme-name=Adwaita\nindicators=~host;~spacer;~clock\n' \
    > "$root/etc/lightdm/lightdm-gtk-greeter.conf"
cat > "$root/etc/X11/xorg.conf.d/50-rig.conf" <<'EOF'
Section "Monitor"
    Identifier "screen"
    Option "PreferredMode" "1024x768"
EndSection
Section "Device"
    Identifier "card"
    Driver "modesetting"
    Option "AccelMethod" "none"
    Option "Monitor-Virtual-1" "screen"
EndSection
Section "ServerFlags"
    Option "BlankTime" "0"
    Option "StandbyTime" "0"
    Option "OffTime" "0"
EndSection
EOF
mkdir -p "$root/etc/xdg/dunst/dunstrc.d"
cat > "$root/etc/xdg/dunst/dunstrc.d/50-rig.conf" <<'EOF'
[global]
    font = VL Gothic 13
    width = 480
    height = 400
    offset = 24x24
    padding = 16
    horizontal_padding = 16
    format = "<b>%s</b>\n%b"
    enable_recursive_icon_lookup = true
    icon_theme = Adwaita
    min_icon_size = 48
    max_icon_size = 48
EOF
"""
# Whatever moves, fades or indexes is switched off: each picture is drawn by an emulated processor.
GNOME_SETUP = r"""
printf 'ja_JP.UTF-8 UTF-8\n' > "$root/etc/locale.gen"
chroot "$root" locale-gen
printf 'LANG=ja_JP.UTF-8\n' > "$root/etc/default/locale"
mkdir -p "$root/etc/dconf/profile" "$root/etc/dconf/db/local.d"
printf 'user-db:user\nsystem-db:local\n' > "$root/etc/dconf/profile/user"
cat > "$root/etc/dconf/db/local.d/50-rig" <<'EOF'
[org/gnome/desktop/interface]
enable-animations=false
cursor-blink=false
[org/gnome/desktop/background]
picture-uri=''
picture-uri-dark=''
picture-options='none'
[org/gnome/desktop/session]
idle-delay=uint32 0
[org/gnome/settings-daemon/plugins/power]
sleep-inactive-ac-type='nothing'
EOF
chroot "$root" dconf update
cat >> "$root/etc/gdm3/greeter.dconf-defaults" <<'EOF'
[org/gnome/desktop/interface]
enable-animations=false
cursor-blink=false
[org/gnome/desktop/session]
idle-delay=uint32 0
[org/gnome/settings-daemon/plugins/power]
sleep-inactive-ac-type='nothing'
[org/gnome/login-screen]
disable-user-list=true
EOF
printf '[daemon]\n[debug]\nEnable=true\n' > "$root/etc/gdm3/daemon.conf"
# QEMU 7.2 faults where AVX2's gather instructions would not: the software renderer must do without.
printf 'GALLIUM_OVERRIDE_CPU_CAPS=sse4.1\nLP_NATIVE_VECTOR_WIDTH=128\n' >> "$root/etc/environment"
chroot "$root" systemctl --quiet --global mask localsearch-3.service
"""
# The terminal's own syslog is not what is looked at.
COLLECTOR_SETUP = r"""
chroot "$root" systemctl --quiet disable rsyslog.service
"""
# Debian's own AppArmor profiles are many, and to translate them takes an emulated processor a minute of its first boot.
LAST_SETUP = r"""
for profile in "$root"/etc/apparmor.d/*; do
    if [ -f "$profile" ]; then ln -sf "/etc/apparmor.d/${profile##*/}" "$root/etc/apparmor.d/disable/"; fi
done
rm -rf "$root"/var/lib/apt/lists/* "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
"""

# Turns root.tar into disk, kernel and initrd; $1: size of the disk, $2: a package to install first, or nothing.
# It runs in mount and process namespaces of its own, so whatever it mounts goes away with it.
MAKE_DISK = r"""
set -eu
mkdir root
tar -xf "$3" -C root --numeric-owner --exclude='./dev/*'
if [ -n "$2" ]; then
    cp "$2" root/root/package.deb
    mount --rbind /dev root/dev
    mount -t proc proc root/proc
    DEBIAN_FRONTEND=noninteractive chroot root apt-get -q -y --no-install-recommends install /root/package.deb
    umount root/proc
    umount -l root/dev          # not -R: who is not root in truth may only take the whole of it away
    rm root/root/package.deb
fi
truncate -s "$1" disk
mke2fs -q -F -t ext4 -L terminal -d root disk
cp root/boot/vmlinuz-* kernel
cp root/boot/initrd.img-* initrd
chmod 0644 disk kernel initrd
rm -rf --one-file-system root
"""


@dataclass(frozen=True)
class Kind:
    """One sort of terminal. The desktop is apart, so that what needs no screen stays quick."""
    name: str
    packages: tuple[str, ...]
    setup: str
    suite: str = "bookworm"
    disk_size: str = "4G"

    @property
    def key(self) -> str:
        """A short hash of all that determines the image's content, save what the mirror has today."""
        return _short_hash("\n".join([self.suite, self.disk_size, *sorted(self.packages), self.setup, MAKE_DISK]).encode())


KINDS = {kind.name: kind for kind in (
    Kind("base", tuple(BASE_PACKAGES), BASE_SETUP + LAST_SETUP),
    Kind("collector", tuple(BASE_PACKAGES + COLLECTOR_PACKAGES), BASE_SETUP + COLLECTOR_SETUP + LAST_SETUP),
    Kind("desktop", tuple(BASE_PACKAGES + DESKTOP_PACKAGES), BASE_SETUP + DESKTOP_SETUP + LAST_SETUP),
    Kind("gnome", tuple(GNOME_PACKAGES), BASE_SETUP + GNOME_SETUP + LAST_SETUP, "trixie", "6G"),
)}


@dataclass(frozen=True)
class Image:
    """The three files from which a VM boots. None of them may be written."""
    disk: Path
    kernel: Path
    initrd: Path

    def exists(self) -> bool:
        return all(path.exists() for path in (self.disk, self.kernel, self.initrd))


class ImageError(Exception):
    """The image cannot be built; the text says what to do about it."""


def cache_dir() -> Path:
    """The folder for everything that may be deleted at any time and is slow to make again."""
    chosen = os.environ.get("SEKIMORI_CACHE")
    if not chosen:
        chosen = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sekimori")
    path = Path(chosen)
    path.mkdir(parents=True, exist_ok=True)
    return path


def say(text: str) -> None:
    """One line a step, flushed, so that a log file grows while something slow happens."""
    print(f"image: {text}", file=sys.stderr, flush=True)


def _short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


# ---------------------------------------------------------------------------------------- the host's apt configuration

def _host_codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    raise ImageError("/etc/os-release names no VERSION_CODENAME: the image is built from the apt sources of a Debian host")


def _deb822_entries(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yields (uri, suite, components, signed-by) for each enabled binary source of a .sources file."""
    for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n", "", text)):
        fields = {key.lower(): " ".join(value.split())
                  for key, value in re.findall(r"(?ms)^([\w-]+):(.*?)(?=^\S|\Z)", paragraph + "\n")}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield uri, suite, fields.get("components", ""), fields.get("signed-by", "")


def _one_line_entries(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yields the same for each `deb [options] uri suite components` line of a .list file."""
    for options, uri, suite, components in re.findall(
            r"(?m)^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)[ \t]+([^#\n]*)", text):
        key = re.search(r"signed-by=(\S+)", options)
        yield uri, suite, components.strip(), key.group(1) if key else ""


def apt_sources(suite: str) -> list[str]:
    """The host's Debian archives as `deb` lines for a release. Third-party archives are left out."""
    codename = _host_codename()
    entries = []
    folder = Path("/etc/apt/sources.list.d")
    for path in sorted(folder.glob("*.sources")):
        entries += _deb822_entries(path.read_text())
    for path in [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))]:
        if path.exists():
            entries += _one_line_entries(path.read_text())
    lines = []
    for uri, their_suite, components, signed_by in entries:
        kind = re.fullmatch(re.escape(codename) + r"(|-updates|-security)", their_suite)
        if not kind or "main" not in components.split():
            continue
        option = f"[signed-by={signed_by}] " if signed_by.startswith("/") else ""
        lines.append(f"deb {option}{uri} {suite}{kind.group(1)} main")
    if not lines:
        raise ImageError(f"no Debian archive for {codename} in /etc/apt: cannot tell where to get {suite} from")
    return list(dict.fromkeys(lines))


def apt_options() -> list[str]:
    """The host's proxy and date checks: mmdebstrap starts from an empty apt configuration of its own."""
    dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    wanted = r"Acquire::(?:https?::Proxy\S*|Check-Valid-Until|Check-Date|ForceIPv4|Retries) \".+\";"
    return [f"--aptopt={line.rstrip(';')}" for line in dump.splitlines() if re.fullmatch(wanted, line)]


# ------------------------------------------------------------------------------------------------------------ the build

def _namespaces() -> list[str]:
    """Runs what follows with mounts and processes of its own; who is not root is so there, with other users beside it."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child",
            *(["--map-root-user", "--map-auto"] if os.geteuid() != 0 else [])]


def _check_tools() -> None:
    """Raises ImageError with what to do about it, if nothing can be built here."""
    os.environ["PATH"] += ":/usr/sbin"      # there is mke2fs, but in nobody's PATH save root's
    for tool in ("mmdebstrap", "mke2fs", "tar", "unshare"):
        if not shutil.which(tool):
            raise ImageError(f"{tool} is missing: apt-get install mmdebstrap e2fsprogs tar util-linux uidmap")
    tried = subprocess.run([*_namespaces(), "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise ImageError(f"{tried.stderr.strip()}: only root can build a disk on this machine (a container, a chroot, or one "
                         "that gives user namespaces to nobody else)")


def _clear(work: Path) -> None:
    """Removes a folder to build in. What an interrupted build left there may belong to users of its namespace only."""
    subprocess.run([*_namespaces(), "rm", "-rf", "--one-file-system", str(work)], stdin=subprocess.DEVNULL, check=False)


@contextmanager
def _work_folder(cache: Path) -> Iterator[Path]:
    """A folder to build in, for who holds the lock: any other is of a build that was killed."""
    for left in cache.glob("building-*/"):
        _clear(left)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
    try:
        work.chmod(0o755)           # without root, mmdebstrap's hooks enter it as another user
        yield work
    finally:
        _clear(work)


def _run(step: str, command: list[str], log: Path, **kwargs) -> None:
    """Runs one command of the build; its output goes to the log, whose end is shown if it fails."""
    say(step)
    with log.open("ab") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kwargs)
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise ImageError(f"cannot build the image: {step}: {command[0]} exited {done.returncode}\n{tail}")


def _fetch_root(kind: Kind, work: Path, target: Path) -> None:
    """Makes the archive of the whole file system from the mirror's packages."""
    setup = work / "setup"
    setup.write_text("#!/bin/sh\n" + kind.setup)
    setup.chmod(0o755)
    _run(f"fetching and unpacking Debian {kind.suite}, {kind.name} ({len(kind.packages)} packages and what they need)",
         ["mmdebstrap", "--variant=minbase", "--components=main", "--include=" + ",".join(kind.packages), *apt_options(),
          f"--customize-hook={setup} \"$1\"", kind.suite, str(work / "root.tar"), *apt_sources(kind.suite)], work / "build.log")
    os.replace(work / "root.tar", target)


def _make_disk(kind: Kind, work: Path, root_tar: Path, deb: Path | None, image: Image) -> None:
    """Makes the image's three files in `work` and renames them into place, the disk last."""
    _run(f"installing {deb.name} and writing its disk" if deb else "writing the disk",
         [*_namespaces(), "sh", "-c", MAKE_DISK, "sh", kind.disk_size, str(deb or ""), str(root_tar)], work / "build.log", cwd=work)
    for name, target in (("kernel", image.kernel), ("initrd", image.initrd), ("disk", image.disk)):
        os.replace(work / name, target)


def _drop_old(cache: Path) -> None:
    """Removes images of packages that nobody has tested for a day, since each build of the product makes one, and what else
    nobody has used for two weeks: a change of an image's recipe leaves the old one behind."""
    groups: dict[str, list[Path]] = {}
    for path in cache.iterdir():
        if path.is_file() and path.suffix != ".lock":
            groups.setdefault(path.name.partition(".")[0], []).append(path)
    for name, paths in groups.items():
        days = 1 if "-with-" in name else 14
        with suppress(FileNotFoundError):       # somebody else's file that was only being made, or is dropped by him
            if time.time() - max(path.stat().st_mtime for path in paths) > days * 24 * 3600:
                for path in paths:
                    path.unlink()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One builder at a time; the kernel lets go of the lock if the builder dies."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is building it: waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_image(deb: Path | None = None, kind_name: str = "base") -> Image:
    """Returns the image of plain Debian, or of Debian with a package installed; builds what the cache lacks."""
    kind = KINDS[kind_name]
    cache, base = cache_dir(), f"{kind.suite}-{kind.name}-{kind.key}"
    name = f"{base}-with-{_short_hash(deb.read_bytes())}" if deb else base
    image = Image(*(cache / f"{name}.{kind}" for kind in ("disk", "kernel", "initrd")))
    root_tar = cache / f"{base}.tar"
    if image.exists():
        os.utime(image.disk)
        return image
    with _lock(cache / "building.lock"):
        if not image.exists():
            began = time.monotonic()
            _check_tools()
            with _work_folder(cache) as work:
                if not root_tar.exists():
                    _fetch_root(kind, work, root_tar)
                os.utime(root_tar)
                _make_disk(kind, work, root_tar, deb.resolve() if deb else None, image)
            say(f"built in {time.monotonic() - began:.0f} s: {image.disk}")
            _drop_old(cache)
    return image


def ensure_root(suite: str, packages: Iterable[str]) -> Path:
    """Returns an archive of a release's smallest system with these packages: what is built for that release is built
    there, because its libraries have other names."""
    kind = Kind("build", tuple(packages), "", suite)
    cache = cache_dir()
    root_tar = cache / f"{suite}-{kind.name}-{kind.key}.tar"
    with _lock(cache / "building.lock"):
        if not root_tar.exists():
            _check_tools()
            with _work_folder(cache) as work:
                _fetch_root(kind, work, root_tar)
        os.utime(root_tar)
    return root_tar


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the disk of a test terminal, if needed, and prints the paths.")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="a .deb to install; with --root, names of packages")
    parser.add_argument("--kind", choices=KINDS, default="base")
    parser.add_argument("--root", metavar="SUITE", help="instead: an archive of that release, to build in")
    options = parser.parse_args()
    if not options.root and len(options.packages) > 1:
        parser.error("one .deb at most")
    try:
        if options.root:
            print(ensure_root(options.root, options.packages))
            return 0
        image = ensure_image(Path(options.packages[0]) if options.packages else None, options.kind)
    except (ImageError, OSError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"disk={image.disk}\nkernel={image.kernel}\ninitrd={image.initrd}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
