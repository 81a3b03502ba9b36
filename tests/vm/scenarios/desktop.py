# SPDX-License-Identifier: Apache-2.0
"""The second factor at a real login screen: LightDM, its keyring, polkit and screen lockers that run as the user. And what
a person sees there who plugs in a stick."""
from __future__ import annotations

import re

import login
from login import CURSOR_BYTES, Greeter, differing, in_session, keyring_is_unlocked, taros_phone
from terminal import Setup, Terminal
from waiting import wait_for

TYPES = True
SETUP = Setup("desktop", image="desktop", memory_mb=1536, prepare=login.KEYRING + login.ENROLLED + login.LIGHTDM_DEBUG)


def log_in(t: Terminal, phone: login.Phone) -> None:
    greeter = Greeter(t)
    greeter.wait_shown()
    greeter.begin("taro")
    assert greeter.answer("taro") == "asked"
    assert greeter.answer(phone.fresh(t)) == "Success"
    greeter.wait_session()


def test_lightdm(t: Terminal) -> None:
    phone, greeter = taros_phone(t), Greeter(t)
    greeter.wait_shown()
    greeter.begin("taro")
    assert greeter.answer("taro") == "asked"
    t.vm.screenshot(t.vm.log_dir / "login.png")
    assert greeter.answer(phone.wrong(t)) != "Success"
    greeter.wait_again("taro")
    t.vm.screenshot(t.vm.log_dir / "login-refused.png")
    # what comes behind the code in the stack, and knows the password by now
    assert t.run("journalctl --no-pager -t lightdm | grep 'gkr-pam: stashed password'")[0] != 0, "the keyring was offered the password"
    told_of_the_code = t.vm.picture()
    assert greeter.answer("taro") == "asked"
    assert greeter.answer("taro") != "Success", "the password was taken for a code"
    greeter.wait_again("taro")
    assert greeter.answer("no password of taro") != "Success"
    greeter.wait_again("taro")
    assert differing(told_of_the_code, t.vm.picture()) > CURSOR_BYTES, "a wrong code is shown as a wrong password"
    assert greeter.answer("taro") == "asked"
    assert greeter.answer(phone.fresh(t)) == "Success"
    greeter.wait_session()
    wait_for(lambda: keyring_is_unlocked(t), "the unlocked keyring")
    t.wait_record(event="AUTH_OK", stream="auth", where=lambda record: "lightdm" in str(record))


def test_polkit(t: Terminal) -> None:
    phone = taros_phone(t)
    said = login.pkexec(t, ["taro", phone.fresh(t)])
    assert said.ok, said
    said = login.pkexec(t, ["taro", phone.wrong(t)])
    assert not said.ok and said.answered == 2, said


def locker_runs(t: Terminal, name: str) -> bool:
    return t.run(f"pgrep -u taro -x {name}")[0] == 0


def lock_screen(t: Terminal) -> None:
    """i3lock in one colour: it is there when the whole screen has it, and has the keyboard when it stands still."""
    wait_for(lambda: t.run("pgrep -u taro -x openbox")[0] == 0, "the window manager", 180.0)
    Greeter(t).wait_still()
    in_session(t, "i3lock -n -c 224466")
    wait_for(lambda: set(t.vm.picture()[:30000]) == {0x22, 0x44, 0x66}, "i3lock to cover the screen", 180.0)
    Greeter(t).wait_still()


def test_i3lock(t: Terminal) -> None:
    """It has one field and runs as the user: password and code are typed together. The password alone is refused, which
    is explained in the system's log and not counted as a wrong code."""
    phone = taros_phone(t)
    log_in(t, phone)
    lock_screen(t)
    t.vm.type_text("taro\n")
    wait_for(lambda: t.run("journalctl --no-pager | grep 'pam_sekimori(i3lock'")[0] == 0, "a word on i3lock in the log", 180.0)
    assert locker_runs(t, "i3lock")
    assert t.find_record(event="AUTH_FAIL", stream="auth") is None
    # it forgets the refused answer some seconds later
    Greeter(t).wait_still()
    t.vm.type_text("taro" + phone.fresh(t) + "\n")
    wait_for(lambda: not locker_runs(t, "i3lock"), "i3lock to open", 180.0)


def xsecurelock_asks(t: Terminal, after: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Waits until its PAM helper waits for an answer, and is another process or has read more than `after`: those two."""
    def asks() -> tuple[int, int] | None:
        code, out, _ = t.run("pid=$(pgrep -u taro -x authproto_pam) && cat /proc/$pid/syscall && grep rchar /proc/$pid/io && echo $pid")
        if code != 0:
            return None
        call, read, pid = out.splitlines()
        now = int(pid), int(read.split()[1])
        is_new = now[0] != after[0] or now[1] > after[1]
        return now if is_new and call.startswith("0 0x0 ") else None       # read(2) on its standard input
    now = wait_for(asks, "xsecurelock to ask", 180.0)
    Greeter(t).wait_still()
    return now


def test_xsecurelock(t: Terminal) -> None:
    """It shows each question in a dialog of its own, and runs as the user too. After a wrong code it asks again."""
    phone = taros_phone(t)
    log_in(t, phone)
    wait_for(lambda: t.run("pgrep -u taro -x openbox")[0] == 0, "the window manager", 180.0)
    Greeter(t).wait_still()
    in_session(t, "env XSECURELOCK_SAVER=saver_blank XSECURELOCK_AUTH_TIMEOUT=600 XSECURELOCK_BLANK_TIMEOUT=-1 xsecurelock")
    wait_for(lambda: set(t.vm.picture()) == {0}, "xsecurelock to cover the screen", 180.0)
    t.vm.press("ctrl")              # the first key only wakes it
    asked = xsecurelock_asks(t)
    t.vm.type_text("taro\n")
    asked = xsecurelock_asks(t, asked)
    t.vm.type_text(phone.wrong(t) + "\n")
    t.wait_record(event="AUTH_FAIL", stream="auth")
    asked = xsecurelock_asks(t, asked)
    assert locker_runs(t, "xsecurelock")
    t.vm.type_text("taro\n")
    xsecurelock_asks(t, asked)
    t.vm.type_text(phone.fresh(t) + "\n")
    wait_for(lambda: not locker_runs(t, "xsecurelock"), "xsecurelock to open", 180.0)


SESSION_SOCKET = "/run/sekimori/session"
NOTIFY = "interface='org.freedesktop.Notifications',member='Notify'"

HANAKOS_SESSION = f"""#!/bin/sh
dbus-monitor "{NOTIFY}" >/tmp/hanako.bus &
exec sekimori-notify
"""


def subscribers(t: Terminal) -> int:
    """How many listen at the agent: connected sockets with its path (state 03)."""
    return int(t.check(f"awk '$6 == \"03\" && $8 == \"{SESSION_SOCKET}\"' /proc/net/unix | wc -l"))


def on_taros_bus(command: str) -> str:
    return ("setpriv --reuid taro --regid taro --init-groups env HOME=/home/taro "
            f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u taro)/bus {command}")


def test_notification(t: Terminal) -> None:
    """taro at the desktop plugs in a stick and is told, with the number of the record. hanako is logged in elsewhere, has
    the same program running, and is told nothing."""
    assert t.deb
    phone = taros_phone(t)
    t.vm.put_file(t.deb.with_name(t.deb.name.replace("sekimori_", "sekimori-notify_")), "/root/notify.deb")
    t.check("dpkg -i /root/notify.deb", deadline=180.0)
    t.vm.put_file(HANAKOS_SESSION.encode(), "/tmp/hanako.sh", 0o755)
    t.check("setsid runuser -u hanako -- dbus-run-session -- /tmp/hanako.sh >/tmp/hanako.log 2>&1 </dev/null &")
    wait_for(lambda: subscribers(t) == 1, "hanako's notifier to listen")
    log_in(t, phone)
    wait_for(lambda: subscribers(t) == 2, "taro's session to start the notifier and it to listen")
    t.check(on_taros_bus(f'setsid dbus-monitor "{NOTIFY}" >/tmp/taro.bus 2>&1 </dev/null &'))
    wait_for(lambda: t.run("test -s /tmp/taro.bus -a -s /tmp/hanako.bus")[0] == 0, "both buses to be listened to")
    with t.usb.stick(serial="N1"):
        record = t.wait_record(event="EXPORT_DENIED", serial="N1")
        number = record["metadata"]["sequence"]
        told = wait_for(lambda: re.search(rf"time=([0-9.]+)(?:(?!time=).)*受付番号 {number}\b", t.check("cat /tmp/taro.bus"), re.DOTALL),
                        f"a notice with the number {number}")
        print(f"  asked to be shown {float(told.group(1)) - record['time'] / 1000:.2f} s after the record's time")
        wait_for(lambda: t.run(on_taros_bus("dunstctl count displayed"))[1].strip() == "1", "the notice on the screen")
        Greeter(t).wait_still()
        t.vm.screenshot(t.vm.log_dir / "notification.png")
    assert "USB機器は使用できません" in t.check("cat /tmp/taro.bus")
    assert "member=Notify" not in t.check("cat /tmp/hanako.bus"), "hanako was told of taro's stick"
    assert subscribers(t) == 2, "one of the notifiers is gone"
    shown = t.check(f"sekimori log show --number {number} --json")
    assert "N1" in shown and shown.count("\n") == 1, shown
