# SPDX-License-Identifier: Apache-2.0
"""The second factor at the doors that need no desktop: console, su, sudo and sshd; and what happens to it when the clock,
the disk or the service fails."""
from __future__ import annotations

import login
from login import Console, Phone, clock, taros_phone, taros_recovery
from terminal import Setup, Terminal
from waiting import wait_for

SETUP = Setup("doors", prepare=login.ENROLLED)
DOORS = {"su": login.su, "sudo": login.sudo, "ssh": lambda t, answers: login.ssh(t, "keyboard-interactive", answers)}

WRONG = "確認コードが違います。"
CLOCK = "端末の時刻がずれています。"
REPLAYED = "使用済みのコードです。"
UNENROLLED = "多要素認証が未登録のため使用できません。"
UNAVAILABLE = "確認サービスが応答しません。"


def refused_with(said: login.Said, text: str) -> None:
    assert not said.ok and not said.stuck and text in said.text, said


def test_right_code(t: Terminal) -> None:
    phone = taros_phone(t)
    for name, door in DOORS.items():
        said = door(t, ["taro", phone.fresh(t)])
        assert said.ok, (name, said)
        t.wait_record(event="AUTH_OK", stream="auth", where=lambda r: name in str(r))


def test_wrong_code(t: Terminal) -> None:
    phone = taros_phone(t)
    for name, door in DOORS.items():
        said = door(t, ["taro", phone.wrong(t)])
        assert not said.ok and said.answered == 2, (name, said)
        if name == "su":                    # sudo wants PAM_SILENT, sshd shows messages only with the next question
            assert WRONG in said.text, said


def test_wrong_password_is_not_told_apart_by_the_code(t: Terminal) -> None:
    """Nobody without the password is asked for a code, and so nobody burns somebody else's tries."""
    said = login.converse(t, ["su", "-c", "id -un", "taro"], [(login.PASSWORD, "wrong")], "hanako")
    assert not said.ok and "確認コード" not in said.text, said
    assert t.find_record(event="AUTH_FAIL", stream="auth") is None


def test_console_is_asked_in_ascii(t: Terminal) -> None:
    phone, console = taros_phone(t), Console(t, 2).show()
    text = console.login("taro", ["taro", phone.wrong(t)])
    assert "Login incorrect" in text, text
    text = console.login("taro", ["taro", phone.fresh(t)])
    assert "taro@terminal:" in text and "Verification code (6 digits):" in text, text


def test_sshd_password_method_is_refused(t: Terminal) -> None:
    """One field, no second question: the password alone does not do, and is not counted as a wrong code."""
    said = login.ssh(t, "password", ["taro"])
    assert not said.ok and said.answered == 1, said
    assert t.find_record(event="AUTH_LOCKED", stream="auth") is None
    assert login.su(t, ["taro", taros_phone(t).fresh(t)]).ok


def test_sshd_password_method_with_both_in_one_field(t: Terminal) -> None:
    t.check("sed -i 's/pam_sekimori.so split$/pam_sekimori.so split services=i3lock,sshd/' /etc/pam.d/common-auth; "
            "grep -q 'split services=i3lock,sshd' /etc/pam.d/common-auth")
    phone = taros_phone(t)
    said = login.ssh(t, "password", ["taro" + phone.fresh(t)])
    assert said.ok, said
    assert not login.ssh(t, "password", ["taro" + phone.wrong(t)]).ok


def test_unenrolled_person_is_refused(t: Terminal) -> None:
    refused_with(login.su(t, ["hanako", "123456"], user="hanako", by="taro"), UNENROLLED)


def test_code_is_taken_once(t: Terminal) -> None:
    phone = taros_phone(t)
    code = phone.fresh(t)
    assert login.su(t, ["taro", code]).ok
    refused_with(login.su(t, ["taro", code]), REPLAYED)
    t.wait_record(event="AUTH_REPLAY", stream="auth")


def test_recovery_code_works_once(t: Terminal) -> None:
    codes = taros_recovery(t)
    assert len(codes) >= 8, codes
    said = login.su(t, ["taro", codes[2]])
    assert said.ok and "代用コードで認証しました。" in said.text, said
    assert not login.su(t, ["taro", codes[2]]).ok
    assert login.su(t, ["taro", codes[3].lower().replace("-", " ")]).ok


def test_clock_set_back(t: Terminal) -> None:
    phone = taros_phone(t)
    assert login.su(t, ["taro", phone.fresh(t)]).ok
    t.vm.set_clock(clock(t) - 3600)
    refused_with(login.su(t, ["taro", phone.code(t)]), CLOCK)
    assert login.su(t, ["taro", taros_recovery(t)[0]]).ok


def test_clock_in_2037_and_back(t: Terminal) -> None:
    phone, before = taros_phone(t), clock(t)
    old = phone.fresh(t)
    assert login.su(t, ["taro", old]).ok
    t.vm.set_clock(2_127_000_000)
    assert login.su(t, ["taro", phone.code(t)]).ok
    t.vm.set_clock(before + 60)
    refused_with(login.su(t, ["taro", phone.code(t)]), CLOCK)
    refused_with(login.su(t, ["taro", old]), CLOCK)
    assert login.su(t, ["taro", taros_recovery(t)[0]]).ok


def test_suspended(t: Terminal) -> None:
    """A code that was taken before the machine slept is a used one after it has woken up."""
    phone = taros_phone(t)
    code = phone.fresh(t)
    assert login.su(t, ["taro", code]).ok
    t.vm.sleep()
    refused_with(login.su(t, ["taro", code]), REPLAYED)
    assert login.su(t, ["taro", phone.fresh(t)]).ok
    assert login.su(t, ["taro", taros_recovery(t)[0]]).ok


def test_service_killed_during_logins(t: Terminal) -> None:
    """Whatever happens to a login in flight: a code that was accepted is not accepted again."""
    phone = taros_phone(t)
    killer = t.vm.spawn("for i in $(seq 40); do pkill -9 -x sekimori-authd; sleep 0.1; done")
    accepted = 0
    for _ in range(4):
        code = phone.fresh(t)
        first = login.su(t, ["taro", code])
        second = login.su(t, ["taro", code])
        assert not (first.ok and second.ok), (first, second)
        accepted += first.ok or second.ok
    t.vm.agent.wait_process(killer, "the end of the killing", 120.0)
    wait_for(lambda: login.su(t, ["taro", phone.fresh(t)]).ok, "a login after the last kill", 400.0)


def test_service_masked(t: Terminal) -> None:
    """Refused with a message, at once, and nothing is counted."""
    phone = taros_phone(t)
    t.check("systemctl mask --now sekimori-authd.socket sekimori-authd.service")
    refused_with(login.su(t, ["taro", phone.fresh(t)]), UNAVAILABLE)
    t.check("systemctl unmask sekimori-authd.socket sekimori-authd.service && systemctl start sekimori-authd.socket")
    assert login.su(t, ["taro", phone.fresh(t)]).ok
    assert t.find_record(event="AUTH_FAIL", stream="auth") is None


def test_disk_full(t: Terminal) -> None:
    """Log and state: the login needs no space."""
    phone = taros_phone(t)
    assert login.su(t, ["taro", phone.fresh(t)]).ok
    t.check("fallocate -l $(df --output=avail -B1 / | tail -n 1) /var/full 2>/dev/null; "
            "dd if=/dev/zero of=/var/full2 bs=4k 2>/dev/null; sync; test $(df --output=avail / | tail -n 1) -eq 0")
    code = phone.fresh(t)
    assert login.su(t, ["taro", code]).ok
    refused_with(login.su(t, ["taro", code]), REPLAYED)


def test_disk_read_only(t: Terminal) -> None:
    """A token's code still works, once; a recovery code cannot be crossed out durably and is refused."""
    phone, recovery = taros_phone(t), taros_recovery(t)
    t.check("systemctl stop sekimorid systemd-journald 2>/dev/null; sync; echo u > /proc/sysrq-trigger; "
            "timeout 60 sh -c 'until ! touch /var/probe 2>/dev/null; do :; done'")
    code = phone.fresh(t)
    assert login.su(t, ["taro", code]).ok
    assert not login.su(t, ["taro", code]).ok
    assert not login.su(t, ["taro", recovery[0]]).ok


def test_power_cut_during_logins(t: Terminal) -> None:
    """What was accepted before the cut stays used, whatever the logins in flight were doing."""
    login.install_race(t)
    t.check("printf 'auth required pam_sekimori.so\\n' > /etc/pam.d/race-sekimori; sync")
    phone = taros_phone(t)
    for _ in range(2):
        code = phone.fresh(t)
        assert login.su(t, ["taro", code]).ok
        now = clock(t)
        t.vm.spawn("while :; do printf '000000\\n' | /opt/rig/race race-sekimori taro together 2; done")
        wait_for(lambda: t.run("pgrep -x race")[0] == 0, "logins in flight")
        t.vm.hard_reset()
        t.vm.set_clock(now)
        t.check("sekimori mfa unlock --user taro --reason rig")
        refused_with(login.su(t, ["taro", code]), REPLAYED)
        assert login.su(t, ["taro", phone.fresh(t)]).ok


def test_user_cannot_ask_for_another(t: Terminal) -> None:
    code, out, err = t.run("runuser -u hanako -- sekimori mfa unlock --user taro --reason x")
    assert code != 0, (out, err)
    assert t.run("runuser -u hanako -- sekimori mfa status --user taro")[0] != 0
    folder = t.check("stat -c '%U %a' /run/sekimori").split()
    assert folder == ["root", "755"], folder
    assert t.run("runuser -u hanako -- rm -f /run/sekimori/auth")[0] != 0


FLOOD = """
import socket, time
sockets = []
for _ in range(1000):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        s.connect("/run/sekimori/auth")
    except OSError:
        pass
    sockets.append(s)
print("open", flush=True)
time.sleep(600)
"""


def test_a_thousand_connections(t: Terminal) -> None:
    """A user who holds a thousand connections does not keep others out."""
    t.vm.put_file(FLOOD.encode(), "/opt/rig/flood.py")
    t.check("ulimit -n 2000; runuser -u hanako -- python3 /opt/rig/flood.py > /root/flood 2>&1 &")
    wait_for(lambda: "open" in t.run("cat /root/flood")[1], "the flood")
    phone = taros_phone(t)
    assert login.su(t, ["taro", phone.fresh(t)], by="hanako").ok
    assert login.sudo(t, ["taro", phone.fresh(t)]).ok
