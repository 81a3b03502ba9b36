# SPDX-License-Identifier: Apache-2.0
"""This machine as a terminal with a second factor: our module and our service, google-authenticator and pam_oath, each at
this machine's own speed and on its own disk.

    with rig(build, ["taro"]) as t:
        t.check("sekimori mfa list")

As root: folders are mounted over the machine's, in a mount namespace that the process makes for itself and keeps. Nothing of
the machine is touched; all that is written lies below `build`. To leave the namespace to the caller (unshare --mount) was
rejected: forgotten once, it hides the machine's accounts and packages from everybody on it. A container or a chroot was not
taken: it would need a distribution's tree, and PAM would be another one than the machine's."""
from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "vm"))

import rivals                           # noqa: E402
from waiting import wait_for            # noqa: E402

CLONE_NEWNS = 0x00020000            # <linux/sched.h>
FIRST_UID = 10001
AUDIT = Path("/var/lib/log")            # of the service, inside
SECONDS = 60.0                          # for what gives no deadline of its own


class Host:
    """This machine in the words of a terminal (tests/vm/terminal.py), as far as login.py, rivals.py and bench_mfa.py ask."""

    def __init__(self) -> None:
        self.vm = self.usb = self

    def check(self, command: str, stdin: bytes = b"", deadline: float = SECONDS) -> str:
        # A group of its own: what a shell leaves behind holds the pipes, and would be waited for.
        process = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = process.communicate(stdin, deadline)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"{command}: not done after {deadline:.0f} s: {out!r} {err!r}") from None
        assert process.returncode == 0, (command, process.returncode, err.decode(errors="replace"))
        return out.decode()

    def put_file(self, source: Path | bytes, path: str, mode: int = 0o644) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        Path(path).chmod(mode)

    def helper(self, command: str, stdin: bytes = b"", deadline: float = SECONDS) -> str:
        return self.check(f"/opt/rig/{command}", stdin, deadline)


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def leave_mounts() -> None:
    """From here on this process and its children have mounts of their own. (os.unshare is not in Debian 12's Python.)"""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.readlink("/proc/self/ns/mnt")
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a mount namespace")
    assert os.readlink("/proc/self/ns/mnt") != before, "still in the machine's mount namespace"
    mount("--make-rprivate", "/")


def prepare(build: Path, scratch: Path, people: Iterable[str]) -> None:
    """Folders of this rig over the machine's own, with the module and the commands in their places."""
    leave_mounts()
    module = next(build.glob("pam_module/**/pam_sekimori.so"))
    for name in ("lib", "etc", "pam.d"):
        (scratch / name).mkdir()
    lines = (f"{name}:x:{uid}:{uid}::/nonexistent:/bin/false\n" for uid, name in enumerate(people, FIRST_UID))
    (scratch / "passwd").write_text(Path("/etc/passwd").read_text() + "".join(lines))
    mount("--bind", str(scratch / "lib"), "/var/lib")
    mount("--bind", str(scratch / "passwd"), "/etc/passwd")
    mount("--bind", str(scratch / "pam.d"), "/etc/pam.d")
    mount("-t", "tmpfs", "tmpfs", "/run")
    mount("-t", "tmpfs", "tmpfs", "/opt")
    Path("/etc/pam.d/other").write_text("auth required pam_deny.so\n")
    rivals.SERVICES = rivals.SERVICES.replace("pam_sekimori.so", str(module))
    Path("/run/sekimori").mkdir()
    os.environ["PATH"] = f"{build}/agent:{os.environ['PATH']}"


@contextmanager
def served(build: Path, scratch: Path) -> Iterator[None]:
    """With the service on its socket. That it ended by itself is a failure, whatever else went well."""
    configuration = scratch / "etc" / "sekimori.conf"
    configuration.write_bytes((TESTS.parent / "conf" / "sekimori.conf").read_bytes())
    configuration.chmod(0o640)
    words = [str(next(build.glob("pam_module/**/sekimori-authd"))), "--config", str(configuration),
             "--key", str(scratch / "etc/key"), "--state", "/var/lib/sekimori/mfa", "--fallback", "/run/sekimori-authd",
             "--log", str(AUDIT), "--chain", "/var/lib/sekimori/chain/auth.chain"]
    for folder in ("sekimori/mfa", "sekimori/chain", "log"):
        Path("/var/lib", folder).mkdir(parents=True, mode=0o700)
    Path("/run/sekimori-authd").mkdir(mode=0o700)
    subprocess.run([*words, "--create-key"], check=True, stdout=subprocess.DEVNULL)
    # It tells each refusal on its standard error, which is the journal elsewhere: hundreds a second.
    journal = scratch / "journal"
    with journal.open("wb") as stream:
        service = subprocess.Popen([*words, "--socket", "/run/sekimori/auth"], stderr=stream)
    try:
        wait_for(Path("/run/sekimori/auth").exists, "the service's socket", 30.0)
        yield
        assert service.poll() is None, f"the service ended by itself: {service.returncode}"
    except BaseException:
        print("--- the service said last:", *journal.read_text(errors="replace").splitlines()[-20:], sep="\n", file=sys.stderr)
        raise
    finally:
        service.terminate()
        service.wait()


@contextmanager
def rig(build: Path, people: Iterable[str]) -> Iterator[Host]:
    """The whole of it, with accounts of these names."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # the service ends with us
    scratch = Path(tempfile.mkdtemp(prefix="host-", dir=build))
    try:
        prepare(build, scratch, people)
        with served(build, scratch):
            yield Host()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
