#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a second factor costs on this machine's own processor and disk, beside google-authenticator and pam_oath.

    login.py BUILD          as root, in a mount namespace of its own (unshare --mount): `./run bench` does it

The virtual terminal shows the same under an emulator, where a processor is ten times slower and the disk is not: there a
module without a service of its own looks faster than it is. Everything that is written lies below BUILD, on its disk;
nothing of this machine is touched. Ends with 0 if the claim holds, with 1 if it does not.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "vm"))

import bench_mfa                        # noqa: E402
import rivals                           # noqa: E402
from waiting import wait_for            # noqa: E402

LOGINS = 600                        # of each module: they take milliseconds here
PEOPLE = "taro:x:10001:10001::/nonexistent:/bin/false\nsaburo:x:10002:10002::/nonexistent:/bin/false\n"


class Host:
    """This machine in the words of a terminal: what bench_mfa asks of one."""

    def __init__(self) -> None:
        self.vm = self.usb = self

    def check(self, command: str, stdin: bytes = b"") -> str:
        done = subprocess.run(["/bin/sh", "-c", command], input=stdin, capture_output=True)
        assert done.returncode == 0, (command, done.stderr.decode())
        return done.stdout.decode()

    def put_file(self, source: Path | bytes, path: str, mode: int = 0o644) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        Path(path).chmod(mode)

    def helper(self, command: str, stdin: bytes = b"", deadline: float = 0.0) -> str:
        del deadline
        return self.check(f"/opt/rig/{command}", stdin)


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def prepare(build: Path, scratch: Path) -> None:
    """Folders of this measurement over the machine's own, with the module and the commands in their places."""
    machine = Path("/etc/passwd").read_text()
    module = next(build.glob("pam_module/**/pam_sekimori.so"))
    for name in ("lib", "etc", "pam.d"):
        (scratch / name).mkdir()
    (scratch / "passwd").write_text(machine + PEOPLE)
    mount("--bind", str(scratch / "lib"), "/var/lib")
    mount("--bind", str(scratch / "passwd"), "/etc/passwd")
    mount("--bind", str(scratch / "pam.d"), "/etc/pam.d")
    mount("-t", "tmpfs", "tmpfs", "/run")
    mount("-t", "tmpfs", "tmpfs", "/opt")
    Path("/etc/pam.d/other").write_text("auth required pam_deny.so\n")
    rivals.SERVICES = rivals.SERVICES.replace("pam_sekimori.so", str(module))
    Path("/run/sekimori").mkdir()


def serve(build: Path, scratch: Path) -> subprocess.Popen[bytes]:
    configuration = scratch / "etc" / "sekimori.conf"
    configuration.write_bytes((HERE.parents[1] / "conf" / "sekimori.conf").read_bytes())
    configuration.chmod(0o640)
    words = [str(next(build.glob("pam_module/**/sekimori-authd"))), "--config", str(configuration), "--key", str(scratch / "etc/key"),
             "--state", "/var/lib/sekimori/mfa", "--fallback", "/run/sekimori-authd", "--log", "/var/lib/log", "--chain", "/var/lib/sekimori/chain/auth.chain"]
    for folder in ("sekimori/mfa", "sekimori/chain", "log"):
        Path("/var/lib", folder).mkdir(parents=True, mode=0o700)
    Path("/run/sekimori-authd").mkdir(mode=0o700)
    subprocess.run([*words, "--create-key"], check=True, stdout=subprocess.DEVNULL)
    service = subprocess.Popen([*words, "--socket", "/run/sekimori/auth"])
    wait_for(Path("/run/sekimori/auth").exists, "the service's socket", 30.0)
    return service


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    bench_mfa.LOGINS = LOGINS
    scratch = Path(tempfile.mkdtemp(prefix="bench-login-", dir=build))
    try:
        prepare(build, scratch)
        os.environ["PATH"] = f"{build}/agent:{os.environ['PATH']}"
        service = serve(build, scratch)
        try:
            host = Host()
            bench_mfa.prepare(host)     # type: ignore[arg-type]
            claims, table = bench_mfa.show_logins(bench_mfa.measure_logins(host))   # type: ignore[arg-type]
        finally:
            service.terminate()
            service.wait()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(table)
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
