# SPDX-License-Identifier: Apache-2.0
"""The second factor on Debian 13: GDM's login screen, the screen lock of gnome-shell, and the other doors of that release."""
from __future__ import annotations

import login
from login import Console, Gdm, keyring_is_unlocked, taros_phone
from terminal import Setup, Terminal
from waiting import wait_for

TYPES = True
SETUP = Setup("gnome", image="gnome", memory_mb=3072, prepare=login.KEYRING + login.ENROLLED + login.GETTY_IN_ASCII)

PASSWORD, CODE = "パスワード", "確認コード"
WRONG = "refused: 確認コードが違います。"
SAME = "refused: パスワードではなく、確認コードを入力してください。"


def records(t: Terminal, event: str) -> int:
    """How many records of this event GDM has caused."""
    return sum(record["event"] == event and "gdm-password" in str(record) for record in t.records("auth"))


def test_stick(t: Terminal) -> None:
    """The gate under this release's kernel and systemd."""
    with t.usb.stick(serial="TRIXIE1"):
        t.wait_record(event="EXPORT_DENIED", serial="TRIXIE1")
    assert t.state()["block"] == []


def test_gdm(t: Terminal) -> None:
    """Log-in, screen lock and unlock: one scenario, because a session of GNOME takes so long to come up."""
    phone, gdm = taros_phone(t), Gdm(t)
    gdm.wait_shown()
    assert PASSWORD in gdm.begin("taro")
    assert CODE in gdm.answer("taro")
    t.vm.screenshot(t.vm.log_dir / "login.png")
    assert gdm.answer(phone.wrong(t)) == WRONG
    t.vm.screenshot(t.vm.log_dir / "login-refused.png")
    assert PASSWORD in gdm.wait_again("taro")
    assert CODE in gdm.answer("taro")
    assert gdm.answer("taro").startswith(SAME)
    assert PASSWORD in gdm.wait_again("taro")
    assert CODE in gdm.answer("taro")
    assert gdm.answer(phone.fresh(t)) == "Success"
    gdm.wait_session()
    wait_for(lambda: keyring_is_unlocked(t), "the unlocked keyring", 600.0)
    wait_for(lambda: records(t, "AUTH_OK") == 1, "the record of the log-in")
    assert records(t, "AUTH_FAIL") == 1, "the password in place of the code was counted"

    assert PASSWORD in gdm.lock()
    assert CODE in gdm.answer("taro")
    t.vm.screenshot(t.vm.log_dir / "lock.png")
    assert gdm.answer(phone.wrong(t)) == WRONG
    t.vm.screenshot(t.vm.log_dir / "lock-refused.png")
    assert PASSWORD in gdm.wait_again("taro")
    assert gdm.is_locked()
    assert CODE in gdm.answer("taro")
    assert gdm.answer(phone.fresh(t)) == "Success"
    wait_for(lambda: not gdm.is_locked(), "the screen to open", 600.0)
    wait_for(lambda: records(t, "AUTH_OK") == 2, "the record of the unlocking")
    assert records(t, "AUTH_FAIL") == 2


def test_console(t: Terminal) -> None:
    """Debian 13 has util-linux's login. Without GDM, which brings its own console to the front whenever it starts again."""
    t.check("systemctl stop gdm.service")
    phone, console = taros_phone(t), Console(t, 3).show()
    text = console.login("taro", ["taro", phone.wrong(t)])
    assert "Login incorrect" in text, text
    text = console.login("taro", ["taro", phone.fresh(t)])
    assert "taro@terminal:" in text and "Verification code (6 digits):" in text, text


def test_commands(t: Terminal) -> None:
    phone = taros_phone(t)
    doors = {"su": login.su, "sudo": login.sudo, "polkit-1": login.pkexec,
             "sshd": lambda t, answers: login.ssh(t, "keyboard-interactive", answers)}
    for service, door in doors.items():
        said = door(t, ["taro", phone.wrong(t)])
        assert not said.ok and said.answered == 2, (service, said)
        said = door(t, ["taro", phone.fresh(t)])
        assert said.ok, (service, said)
        t.wait_record(event="AUTH_OK", stream="auth", where=lambda record: service in str(record))
    assert sum(record["event"] == "AUTH_FAIL" for record in t.records("auth")) == len(doors)


def test_no_other_service_of_gdm(t: Terminal) -> None:
    """GDM has stacks of its own for cards and fingerprints. Without such a reader's module they let nobody in, whatever is
    typed. The one that lets everybody in is used by GDM alone, when its configuration wants it."""
    login.install_race(t)
    assert login.race(t, "gdm-autologin", "taro", [""])["accepted"] == 1, "an open stack would not be noticed"
    services = t.check("ls /etc/pam.d | grep -E '^gdm-(smartcard|fingerprint)'").split()
    assert {"gdm-fingerprint", "gdm-smartcard"} <= set(services), services
    for service in services:
        said = login.race(t, service, "taro", ["taro", ""])
        assert said["accepted"] == 0, (service, said)
    assert t.run("grep -E '^ *(Automatic|Timed)LoginEnable *= *[Tt]rue' /etc/gdm3/daemon.conf")[0] != 0
