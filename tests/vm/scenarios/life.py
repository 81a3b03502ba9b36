# SPDX-License-Identifier: Apache-2.0
"""A terminal's life with the package, on both releases: installed in the running system, in use, upgraded, removed,
installed again. What happens without a running system is in tests/packaging; the initramfs is in boot.py and
resilience.test_upgraded."""
from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import login
from login import taros_phone
from terminal import Setup, Terminal
from waiting import wait_for

# update-initramfs alone would take minutes here.
SETUP = Setup("life", install=False, prepare="echo update_initramfs=no > /etc/initramfs-tools/update-initramfs.conf")
# The one disk with Debian 13; nobody looks at its desktop here, and an emulated processor draws that for a minute.
SETUP_13 = replace(SETUP, name="life-13", image="gnome", kernel_args="systemd.unit=multi-user.target")
DEB = "/root/sekimori.deb"
NEWER = "/root/sekimori-newer.deb"


def with_version(deb: Path, version: str) -> bytes:
    """The same package under another version."""
    with tempfile.TemporaryDirectory() as name:
        tree, built = Path(name, "tree"), Path(name, "built.deb")
        subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(built)], check=True, capture_output=True)
        return built.read_bytes()


def dpkg(t: Terminal, *words: str) -> str:
    return t.check(f"DEBIAN_FRONTEND=noninteractive dpkg {' '.join(words)} 2>&1", deadline=600.0)


def expect_one_chain(t: Terminal, stream: str) -> list[dict]:
    """One chain from record 1 on, without a gap."""
    records = t.records(stream)
    assert [r["skm"]["n"] for r in records] == list(range(1, len(records) + 1)), [r["skm"]["n"] for r in records]
    assert len({r["skm"]["c"] for r in records}) == 1, stream
    assert not [r for r in records if r["event"] == "CHAIN_BROKEN"], stream
    return records


def refused_at_once(t: Terminal, serial: str) -> None:
    with t.watch_devices() as seen, t.usb.stick(serial=serial):
        t.wait_record(event="EXPORT_DENIED", serial=serial)
    assert seen.block == [] and seen.generic == [], seen.events


def upgraded_under_attack(t: Terminal) -> None:
    with t.watch_devices() as seen:
        stick = t.usb.gadget("storage", serial="LIFE-UPGRADE", port=1).plug()
        t.vm.spawn(f"dpkg -i {NEWER} > /root/upgrade.log 2>&1; echo $? > /root/upgrade.code")
        while t.run("test -s /root/upgrade.code")[0] != 0:
            stick.cycle(2)
        assert t.check("cat /root/upgrade.code").strip() == "0", t.check("cat /root/upgrade.log")
        wait_for(lambda: t.run("systemctl is-active sekimorid")[1].strip() == "active", "the agent after the upgrade")
        t.wait_record(event="EXPORT_DENIED", serial="LIFE-UPGRADE")
        stick.unplug()
        t.settle()
    assert seen.block == [] and seen.generic == [], seen.events
    assert t.check("dpkg-query -W -f='${Version}' sekimori") == "9.0"


def from_installation_to_reinstallation(t: Terminal, release: str) -> None:
    assert t.deb
    assert t.check(". /etc/os-release; echo $VERSION_CODENAME").strip() == release
    t.vm.put_file(t.deb, DEB)
    t.vm.put_file(with_version(t.deb, "9.0"), NEWER)
    dpkg(t, "-i", DEB)
    refused_at_once(t, "LIFE-1")

    t.check(login.ENROLLED, deadline=600.0)
    phone = taros_phone(t)
    assert not login.su(t, ["taro", phone.wrong(t)]).ok
    assert login.su(t, ["taro", phone.fresh(t)]).ok

    upgraded_under_attack(t)
    code = phone.fresh(t)
    assert login.su(t, ["taro", code]).ok                   # enrolment and key outlived it,
    assert not login.su(t, ["taro", code]).ok               # and so did what was used
    assert "AUTH_REPLAY" in [r["event"] for r in expect_one_chain(t, "auth")]

    dpkg(t, "--remove", "sekimori")
    said = login.su(t, ["taro"])
    assert said.ok and said.answered == 1, said
    with t.watch_devices() as seen, t.usb.stick(serial="LIFE-2"):
        t.wait_seen(seen, lambda s: s.block, "the disk of a stick, once nobody guards the gate")
    before = {stream: expect_one_chain(t, stream) for stream in ("agent", "auth")}
    assert before["agent"], "removal took the records along"

    dpkg(t, "-i", NEWER)
    refused_at_once(t, "LIFE-3")
    after = expect_one_chain(t, "agent")
    # it says that it begins again, as the next record of the same chain
    assert after[:len(before["agent"])] == before["agent"]
    assert "AGENT_START" in [r["event"] for r in after[len(before["agent"]):]], after[-5:]
    t.check("sekimori mfa status --user taro")              # 0: still enrolled


def test_on_debian_12(t: Terminal) -> None:
    from_installation_to_reinstallation(t, "bookworm")


def test_on_debian_13(t: Terminal) -> None:
    from_installation_to_reinstallation(t, "trixie")


test_on_debian_13.setup = SETUP_13
