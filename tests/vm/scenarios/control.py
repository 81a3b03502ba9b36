# SPDX-License-Identifier: Apache-2.0
"""Who may ask what: the kernel's word on the caller, and what somebody without a role can do (nothing)."""
from __future__ import annotations

import json

from terminal import Terminal
from waiting import wait_for

FLOOD = r'''
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sockets = []
for i in range(1000):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    try:
        s.connect("/run/sekimori/control")
        if i % 2: s.send(b"\x01")          # half a message
        sockets.append(s)
    except OSError:
        s.close()
print(len(sockets), flush=True)
sys.stdin.readline()
'''


def test_nobody_learns_nothing(t: Terminal) -> None:
    with t.usb.stick(serial="SECRET-SERIAL"):
        t.wait_record(event="EXPORT_DENIED", serial="SECRET-SERIAL")
        for command in ("status", "devices", "log show", "devices --json", "status --json"):
            code, out, err = t.run(f"setpriv --reuid=nobody --regid=nogroup --clear-groups sekimori --lang en {command}")
            assert code == 3 and "SECRET-SERIAL" not in out + err, (command, code, out, err)
        for path in ("/etc/sekimori/sekimori.conf", "/var/log/sekimori/agent", "/var/lib/sekimori"):
            assert t.run(f"setpriv --reuid=nobody --regid=nogroup --clear-groups ls {path}/ || "
                         f"setpriv --reuid=nobody --regid=nogroup --clear-groups cat {path}")[0] != 0, path


def test_roles_may_read(t: Terminal) -> None:
    with t.usb.stick(serial="SEEN"):
        t.wait_record(event="EXPORT_DENIED", serial="SEEN")
        for role in ("auditor", "helpdesk", "approver", "admin"):
            t.check(f"useradd -G sekimori-{role} {role}-user")
            told = json.loads(t.check(f"runuser -u {role}-user -- sekimori devices --json"))
            assert "SEEN" in json.dumps(told), told
            assert "SEEN" in t.check(f"runuser -u {role}-user -- sekimori log show --json --event EXPORT_DENIED"), role
            assert t.run(f"runuser -u {role}-user -- touch /var/log/sekimori/agent/x")[0] != 0
            assert t.run(f"runuser -u {role}-user -- sh -c 'echo >> /var/log/sekimori/agent/00000001.jsonl'")[0] != 0


def test_a_thousand_connections(t: Terminal) -> None:
    t.vm.put_file(FLOOD.encode(), "/root/flood.py")
    pid = t.check("systemctl show -P MainPID sekimorid").strip()
    process = t.vm.spawn("sleep 100000 | python3 /root/flood.py > /root/flood.out")
    wait_for(lambda: t.run("cat /root/flood.out")[1].strip(), "a thousand connections", 120.0)
    for _ in range(3):
        assert json.loads(t.run("sekimori status --json")[1])["gate"]["closed"] is True
    with t.watch_devices() as seen, t.usb.stick(serial="FLOOD"):
        t.wait_record(event="EXPORT_DENIED", serial="FLOOD")
    assert seen.block == []
    assert t.check("systemctl show -P MainPID sekimorid").strip() == pid, "the agent was restarted"
    t.run("pkill sleep")
    assert process


def test_status_and_follow(t: Terminal) -> None:
    code, out, err = t.run("sekimori --lang en status")
    assert code == 0, (code, out, err)
    t.vm.spawn("timeout 300 sekimori log follow --json > /root/follow.out")
    wait_for(lambda: t.run("pgrep -f 'log follow'")[0] == 0, "log follow")
    with t.usb.stick(serial="FOLLOWED"):
        wait_for(lambda: "FOLLOWED" in t.run("cat /root/follow.out")[1], "the record to be followed")
    shown = t.check("sekimori --lang ja log show --serial FOLLOWED")
    assert "持ち出し試行を遮断" in shown, shown
    assert t.check("sekimori log show --json --event DEVICE_REMOVED --serial FOLLOWED").count("\n") == 1
