#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package where there is no terminal to look at it from: in a chroot, in a container, without a network, on a
full disk, cut off in the middle, installed twice at once, over newer state. Each time: a clear message, nothing half
done, and no PAM stack that names a module which is not there.

    test_deb_install.py --deb sekimori.deb          (root; it makes its own namespaces)

Every case has a small system of its own: an overlay in memory above one that is unpacked once. It has no /sys, so the gate
of the machine that tests is never touched.
"""
from __future__ import annotations

import argparse
import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
from image import SONAMES, ImageError, ensure_root                      # noqa: E402

# What the package depends on: dpkg does not fetch it, and there is no network.
PACKAGES = "systemd udev libpam-runtime libpam-modules libjansson4 libqrencode4 libsodium23 libgnutls30 initramfs-tools".split()
LOG, STATE, FORWARD = "var/log/sekimori", "var/lib/sekimori", "var/lib/sekimori-forward"


class Box:
    """A system to install into."""

    def __init__(self, root: Path, folder: Path, deb: Path) -> None:
        self.root, self.folder = root, folder
        (root / "root/sekimori.deb").write_bytes(deb.read_bytes())

    def run(self, *argv: str, **env: str) -> tuple[int, str]:
        """A command inside: exit code, and all that it said."""
        done = subprocess.run(["chroot", str(self.root), *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                                   "LC_ALL": "C.UTF-8", "HOME": "/root", **env})
        return done.returncode, done.stdout

    def check(self, *argv: str, **env: str) -> str:
        code, said = self.run(*argv, **env)
        assert code == 0, (argv, code, said)
        return said

    def install(self, **env: str) -> str:
        return self.check("dpkg", "-i", "/root/sekimori.deb", **env)

    def status(self) -> str:
        """What dpkg thinks: "installed", "unpacked", "config-files" ..., or "" if it has never heard of it."""
        code, said = self.run("dpkg-query", "-W", "-f=${db:Status-Status}", "sekimori")
        return said.strip() if code == 0 else ""

    def grow(self) -> None:
        subprocess.run(["mount", "-o", "remount,size=200m", str(self.folder)], check=True)

    def expect_logins_work(self) -> None:
        """No stack names a module that is not there: it would let nobody in."""
        for stack in (self.root / "etc/pam.d").iterdir():
            for module in re.findall(r"^[^#\n-][^#\n]*\b(pam_\w+\.so)", stack.read_text(), re.M):
                places = list(self.root.glob(f"usr/lib/*/security/{module}"))
                assert places, f"{stack.name} names {module}, which is not there"

    def expect_installed(self) -> None:
        assert self.status() == "installed", self.status()
        self.check("dpkg", "--verify", "sekimori")
        assert self.check("stat", "-c", "%a %U", "/etc/sekimori/machine.key").split() == ["600", "root"]
        for unit in ("sekimorid.service", "sekimori-gate.service"):
            assert self.run("systemctl", "is-enabled", unit)[1].strip() == "enabled", unit
        assert self.check("cat", "/var/lib/sekimori/format") == "1"
        self.expect_logins_work()

    def rebuilt(self, version: str, state_format: int = 1) -> str:
        """The same package with another version number, and another form of its state; its path inside."""
        tree, target = self.folder / "rebuilt", f"root/sekimori-{version}.deb"
        subprocess.run(["dpkg-deb", "-R", str(self.root / "root/sekimori.deb"), str(tree)], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
        for name, was, now in (("DEBIAN/preinst", "\nformat=1\n", f"\nformat={state_format}\n"),
                               ("usr/lib/tmpfiles.d/sekimori.conf", "- 1\n", f"- {state_format}\n")):
            text = re.sub(r"-   1\n", "- 1\n", (tree / name).read_text())
            assert was in text, name
            (tree / name).write_text(text.replace(was, now))
        subprocess.run(["dpkg-deb", "-Znone", "-b", str(tree), str(self.root / target)], check=True, stdout=subprocess.DEVNULL)
        return "/" + target


def files_of(deb: Path) -> list[str]:
    listing = subprocess.run(["dpkg-deb", "-c", str(deb)], check=True, capture_output=True, text=True).stdout
    return [line.split()[5].removeprefix("./") for line in listing.splitlines() if line.startswith("-")]


# ------------------------------------------------------------------------------------------------------------ the cases

def test_chroot(box: Box) -> None:
    """systemd does not run, as when an image is made: installed, enabled, and it says when the gate closes."""
    said = box.install()
    assert "the USB gate closes at the next start of this system" in said, said
    box.expect_installed()
    assert "pam_sekimori" not in (box.root / "etc/pam.d/common-auth").read_text()
    assert "次回の起動時に閉じます" in box.check("dpkg-reconfigure", "sekimori", LC_ALL="ja_JP.UTF-8")
    box.check("dpkg", "--purge", "sekimori")
    left = [name for name in (STATE, FORWARD, LOG, "etc/sekimori") if (box.root / name).exists()]
    assert not left, (left, box.check("find", *("/" + name for name in left)))


def test_container(box: Box) -> None:
    """systemd is said to run, but answers nobody."""
    (box.root / "run/systemd/system").mkdir(parents=True)
    (box.root / "run/systemd/container").write_text("lxc\n")
    said = box.install()
    assert "could not be closed" not in said, said          # the host's gate is not the container's to close
    box.expect_installed()
    box.check("dpkg", "--remove", "sekimori")
    assert box.status() == "config-files"
    box.expect_logins_work()


def test_full_disk(box: Box) -> None:
    """dpkg gives up and says why; with space it goes through."""
    code, said = box.run("dpkg", "-i", "/root/sekimori.deb")
    assert code != 0 and "No space left on device" in said, said
    files = files_of(box.root / "root/sekimori.deb")
    there = [name for name in files if (box.root / name).exists()]
    # Whatever the moment: none of it, or all of it and yet to be configured (see test_cut_off_after_unpacking).
    assert there == (files if box.status() in ("unpacked", "half-configured") else []), (box.status(), there)
    box.expect_logins_work()
    box.grow()
    box.install()
    box.expect_installed()


def test_twice_at_once(box: Box) -> None:
    """The second one is told that the first one runs."""
    with (box.root / "var/lib/dpkg/lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        code, said = box.run("dpkg", "-i", "/root/sekimori.deb")
        assert code != 0 and "locked by another process" in said, said
        assert box.status() == "" and not (box.root / "usr/sbin/sekimorid").exists()
    box.install()
    box.expect_installed()


def test_cut_off_after_unpacking(box: Box) -> None:
    """Started in this state the machine blocks and has a keyboard: modprobe's option and the agent go together."""
    box.check("dpkg", "--unpack", "/root/sekimori.deb")
    assert box.status() == "unpacked"
    box.expect_logins_work()
    box.check("pam-auth-update", "--package")               # another package's installation
    assert "pam_sekimori" not in (box.root / "etc/pam.d/common-auth").read_text()
    assert list(box.root.glob("usr/lib/modprobe.d/sekimori.conf"))
    for unit in ("sekimorid.service", "sekimori-gate.service"):
        wanted = box.root / "usr/lib/systemd/system/sysinit.target.wants" / unit
        assert wanted.is_symlink() and (box.root / "usr/lib/systemd/system" / unit).exists(), unit
    box.check("dpkg", "--configure", "-a")
    box.expect_installed()


def test_cut_off_while_configuring(box: Box) -> None:
    """postinst fails half-way; the next attempt ends it."""
    tool = box.root / "usr/sbin/pam-auth-update"
    kept = tool.read_bytes()
    tool.write_text("#!/bin/sh\necho 'no more' >&2\nexit 1\n")
    code, said = box.run("dpkg", "-i", "/root/sekimori.deb")
    assert code != 0 and "no more" in said and box.status() == "half-configured", (said, box.status())
    box.expect_logins_work()
    tool.write_bytes(kept)
    key = (box.root / "etc/sekimori/machine.key").read_bytes()
    box.check("dpkg", "--configure", "-a")
    box.expect_installed()
    assert (box.root / "etc/sekimori/machine.key").read_bytes() == key, "a second key: the first one's factors are lost"


def test_upgrade_with_the_factor_switched_on(box: Box) -> None:
    """The stack keeps the module, and the module is there at each step; removal takes it out of the stack first."""
    box.install()
    box.check("pam-auth-update", "--package", "--enable", "sekimori")
    stack = box.root / "etc/pam.d/common-auth"
    assert "pam_sekimori.so" in stack.read_text()
    newer = box.rebuilt("9.0")
    box.check("dpkg", "--unpack", newer)
    assert "pam_sekimori.so" in stack.read_text()
    box.expect_logins_work()
    box.check("dpkg", "--configure", "-a")
    assert "pam_sekimori.so" in stack.read_text()
    box.expect_installed()
    box.check("dpkg", "--remove", "sekimori")
    assert "pam_sekimori" not in stack.read_text()
    box.expect_logins_work()
    assert (box.root / "etc/sekimori/machine.key").exists() and (box.root / STATE).exists()


def test_removal_with_a_line_by_hand(box: Box) -> None:
    """Somebody's own line names the module: it stays installed, and says what to take out."""
    box.install()
    stack = box.root / "etc/pam.d/login"
    stack.write_text("auth required pam_sekimori.so\n" + (stack.read_text() if stack.exists() else ""))
    code, said = box.run("dpkg", "--remove", "sekimori")
    assert code != 0 and "/etc/pam.d/login" in said, said
    box.expect_logins_work()
    assert box.status() == "installed", box.status()


def test_downgrade(box: Box) -> None:
    """Refused while the state is newer, with the reason; what is installed stays whole."""
    box.check("dpkg", "-i", box.rebuilt("9.0", state_format=2))
    for language, words in (("C.UTF-8", "written by a newer version (format 2, this one knows 1)"),
                            ("ja_JP.UTF-8", "新しい版のものです (形式 2、この版は 1 まで)")):
        code, said = box.run("dpkg", "-i", "/root/sekimori.deb", LC_ALL=language)
        assert code != 0 and words in said, said
    assert box.status() == "installed"
    assert box.check("dpkg-query", "-W", "-f=${Version}", "sekimori") == "9.0"
    box.check("dpkg", "--verify", "sekimori")
    assert box.check("cat", "/var/lib/sekimori/format") == "2"
    # removed in between, it is not installed either
    box.check("dpkg", "--remove", "sekimori")
    assert box.run("dpkg", "-i", "/root/sekimori.deb")[0] != 0
    assert not (box.root / "usr/sbin/sekimorid").exists()
    (box.root / STATE / "format").write_text("1")
    box.install()
    box.expect_installed()


def segment(box: Box, stream: str, number: int, lines: int) -> bytes:
    """Writes a segment; its bytes."""
    data = b"".join(b'{"n":%d,"text":"%s %d","m":"%048d"}\n' % (i, stream.encode(), number, i) for i in range(lines))
    (box.root / LOG / stream / f"{number:08}.jsonl").write_bytes(data)
    return data


def position(data: bytes, number: int, offset: int, unsent: int = 0) -> str:
    tail = data[:offset - 1][-48:].hex()
    return f"segment={number} offset={offset} n=7 missing=0/0 unsent={unsent}/{unsent} tail={tail}"


def kept(box: Box) -> list[str]:
    return sorted(str(path.relative_to(box.root / LOG)) for path in (box.root / LOG).rglob("*") if path.is_file())


def purge_with(box: Box, agent: str, auth: str) -> tuple[list[str], str]:
    """Purges with these positions of the forwarder; the files that are left, and what was said."""
    (box.root / FORWARD).mkdir(exist_ok=True)
    (box.root / FORWARD / "state").write_text(
        f"sekimori-forward 1\nagent {agent}\nauth {auth}\ncertificate not_after=0 warned_days=0\n")
    said = box.check("dpkg", "--purge", "sekimori")
    assert not (box.root / STATE).exists() and not (box.root / FORWARD).exists()
    assert all(f"/{LOG}/{name} " in said for name in kept(box)), said
    return kept(box), said


def test_purge(box: Box) -> None:
    """What a collector has acknowledged goes, everything else stays and is named."""
    nothing = "segment=0 offset=0 n=0 missing=0/0 unsent=0/0 tail="

    def fresh() -> tuple[bytes, bytes]:
        box.install()
        for stream in ("agent", "auth"):
            for old in (box.root / LOG / stream).glob("*"):
                old.unlink()
            segment(box, stream, 8, 3)
            (box.root / STATE / "chain" / stream / "chain.sealed").write_text("id key\n")
        return segment(box, "agent", 9, 4), segment(box, "auth", 9, 2)

    agent, auth = fresh()
    half = agent.index(b"\n") + 1
    # half of the agent's last segment is acknowledged, all of authd's
    left, _ = purge_with(box, position(agent, 9, half), position(auth, 9, len(auth)))
    assert left == ["agent/00000009.jsonl", "agent/chain.sealed"], left
    everything = [f"{stream}/{name}" for stream in ("agent", "auth") for name in ("00000008.jsonl", "00000009.jsonl", "chain.sealed")]
    agent, auth = fresh()
    # no collector; and lines that no message could carry
    left, said = purge_with(box, nothing, position(auth, 9, len(auth), unsent=1))
    assert left == everything and "not acknowledged by a collector" in said, (left, said)
    # another file under the name, and a position before any file that is there
    agent, auth = fresh()
    left, _ = purge_with(box, position(agent.replace(b"0", b"1"), 9, len(agent)), position(auth, 12, len(auth)))
    assert left == everything, left
    # all of it
    agent, auth = fresh()
    left, said = purge_with(box, position(agent, 9, len(agent)), position(auth, 9, len(auth)))
    assert left == [] and not (box.root / LOG).exists() and "not acknowledged" not in said, (left, said)


# ------------------------------------------------------------------------------------------------------------ the run

SIZES = {"test_full_disk": ["900k", "1300k", "2000k"]}       # of the disk: for each there is another moment to fail


@contextmanager
def box_above(lower: Path, deb: Path, size: str) -> Iterator[Box]:
    with tempfile.TemporaryDirectory(prefix="box-") as name:
        folder = Path(name)
        # The package waits outside of the disk that gets full.
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", name], check=True)
        try:
            for part in ("upper", "work", "root"):
                (folder / part).mkdir()
            root = folder / "root"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                            f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work", str(root)], check=True)
            for source, target, kind in (("tmpfs", "run", "tmpfs"), ("tmpfs", "root", "tmpfs"), ("proc", "proc", "proc")):
                subprocess.run(["mount", "-t", kind, source, str(root / target)], check=True)
            subprocess.run(["mount", "--rbind", "/dev", str(root / "dev")], check=True)
            yield Box(root, folder, deb)
        finally:
            subprocess.run(["umount", "-R", "-l", name], check=True)


def run_all(lower: Path, deb: Path, only: str) -> int:
    failed = 0
    cases = [(name, function, size) for name, function in globals().items() if name.startswith("test_") and only in name
             for size in SIZES.get(name, ["200m"])]
    for name, function, size in cases:
        began = time.monotonic()
        try:
            with box_above(lower, deb, size) as box:
                function(box)
            print(f"ok   {name} ({size})  {time.monotonic() - began:.1f} s", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {name} ({size})\n{traceback.format_exc()}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs the Debian package under hard conditions.")
    parser.add_argument("--deb", type=Path, required=True)
    parser.add_argument("--only", default="", help="a part of the names of the cases to run")
    options = parser.parse_args()
    if os.environ.get("SEKIMORI_UNSHARED") != "yes":
        # The system is fetched while there is a network.
        try:
            root = ensure_root("bookworm", PACKAGES + SONAMES["bookworm"])
        except ImageError as error:
            print(f"cannot run: {error}", file=sys.stderr)
            return 3
        os.environ |= {"SEKIMORI_UNSHARED": "yes", "SEKIMORI_ROOT": str(root)}
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory(prefix="sekimori-deb-", dir="/var/tmp") as name:
        subprocess.run(["tar", "-xf", os.environ["SEKIMORI_ROOT"], "-C", name, "--numeric-owner", "--exclude=./dev/*"], check=True)
        return run_all(Path(name), options.deb.resolve(), options.only)


if __name__ == "__main__":
    sys.exit(main())
