# SPDX-License-Identifier: Apache-2.0
"""The policy file on a running terminal: permits, refusals, mode audit, the register, devices that carry the system."""
from __future__ import annotations

import json

from expect import set_config
from terminal import Terminal
from waiting import wait_for

LENT = 'usb: { rules = ( { id = "lent-7"; action = "allow"; reason = "税務課に貸与"; vid_pid = "46f4:0001"; serial = "LENT"; } ); };\n'


def test_a_permitted_stick_and_its_recall(t: Terminal) -> None:
    set_config(t, LENT)
    t.wait_record(event="POLICY_CHANGED")
    with t.usb.stick(serial="LENT"), t.usb.stick(serial="OTHER"):
        record = t.wait_record(event="DEVICE_ALLOWED", serial="LENT")
        assert record["policy"]["rule"] == "lent-7" and record["policy"]["reason"] == "税務課に貸与", record
        wait_for(lambda: len([b for b in t.state()["block"] if len(b) == 3]) == 1, "one disk")
        t.wait_record(event="EXPORT_DENIED", serial="OTHER")
        set_config(t, "# nothing is permitted any more\n")
        t.wait_record(event="EXPORT_DENIED", serial="LENT")
        wait_for(lambda: t.state()["block"] == [], "the disk to be gone")


def test_register_of_devices(t: Terminal) -> None:
    rows = "".join(f"M-{n:05d},貸出媒体,46f4:0001,REG-{n}\r\n" for n in range(20000))
    t.vm.put_file(("id,reason,vid_pid,serial\r\n" + rows).encode(), "/etc/sekimori/devices.csv", 0o640)
    set_config(t, 'usb: { register = "/etc/sekimori/devices.csv"; };\n')
    t.wait_record(event="POLICY_CHANGED", deadline=120.0)
    with t.usb.stick(serial="REG-19999"), t.usb.stick(serial="REG-20000"):
        assert t.wait_record(event="DEVICE_ALLOWED", serial="REG-19999")["policy"]["rule"] == "M-19999"
        t.wait_record(event="EXPORT_DENIED", serial="REG-20000")


def test_a_copied_serial_is_refused(t: Terminal) -> None:
    set_config(t, 'usb: { rules = ( { id = "g"; action = "allow"; reason = "x"; vid_pid = "1d6b:0104"; serial = "COPY"; } ); };\n')
    with t.watch_devices() as seen, t.usb.gadget("storage", serial="COPY", port=0):
        t.wait_seen(seen, lambda s: "sda" in s.block, "the permitted disk")
        with t.usb.gadget("storage", serial="COPY", port=1):
            t.wait_record(event="EXPORT_DENIED", serial="COPY")
            t.settle()
        assert [b for b in seen.block if b.startswith("sdb")] == [], seen.block


def test_a_bad_file_changes_nothing(t: Terminal) -> None:
    set_config(t, LENT)
    t.wait_record(event="POLICY_CHANGED")
    cases = {
        "unknown": 'usb: { colour = "red"; };', "type": "usb: { mode = 1; };", "overflow": "usb: { reconcile_interval = 99999999999; };",
        "twice": 'usb: { rules = ( { id = "a"; action = "allow"; reason = "x"; port = "1-1"; }, '
                 '{ id = "a"; action = "allow"; reason = "x"; port = "1-2"; } ); };',
        "include": '@include "/etc/passwd"', "large": "# " + "x" * (1 << 20), "utf8": 'terminal: { section = "\udcff\udcfe"; };',
        "audit": 'usb: { mode = "audit"; };',
    }
    with t.usb.stick(serial="LENT"):
        wait_for(lambda: t.state()["block"], "the permitted disk")
        for number, (name, text) in enumerate(cases.items(), 1):
            t.vm.put_file(text.encode(errors="surrogateescape"), "/etc/sekimori/sekimori.conf", 0o640)
            code, out, err = t.run("sekimori --lang en config check")
            assert code == 1 and "/etc/sekimori/sekimori.conf" in err + out, (name, code, out, err)
            t.check("systemctl reload sekimorid")
            wait_for(lambda n=number: len([r for r in t.records() if r["event"] == "CONFIG_BROKEN"]) == n, f"a record of {name}")
        set_config(t, LENT)
        t.check("chmod 0664 /etc/sekimori/sekimori.conf && systemctl reload sekimorid")
        wait_for(lambda: len([r for r in t.records() if r["event"] == "CONFIG_BROKEN"]) == len(cases) + 1, "a record of the mode")
        t.check("mv /etc/sekimori/sekimori.conf /root/c && ln -s /root/c /etc/sekimori/sekimori.conf && systemctl reload sekimorid")
        wait_for(lambda: len([r for r in t.records() if r["event"] == "CONFIG_BROKEN"]) == len(cases) + 2, "a record of the link")
        assert t.state()["block"], "a broken file took a permit away"
        status = json.loads(t.run("sekimori status --json")[1])
        assert status["config"]["broken"] is True, status


def test_mode_audit_is_loud_and_ends(t: Terminal) -> None:
    set_config(t, f'usb: {{ mode = "audit"; audit_until = "{t.check("date +%F -d tomorrow").strip()}"; }};\n')
    t.wait_record(event="AUDIT_MODE")
    with t.watch_devices() as seen, t.usb.stick(serial="WATCHED"):
        record = t.wait_record(event="DEVICE_OBSERVED", serial="WATCHED")
        assert record["outcome"] == "observed" and record["policy"]["rule"] == "builtin:default-deny", record
        t.wait_seen(seen, lambda s: s.block, "the disk that mode audit lets pass")
        code, out, _ = t.run("sekimori --lang en status")
        assert code == 1 and "AUDIT" in out.upper().splitlines()[0], (code, out)
        t.vm.set_clock(float(t.check("date +%s")) + 3 * 86400)
        # three days, and what the asking took: not a second less than 259,199
        t.wait_record(event="CLOCK_JUMP", where=lambda r: "moved by +259" in r["detail"])
        t.wait_record(event="EXPORT_DENIED", serial="WATCHED", deadline=120.0)
        wait_for(lambda: t.state()["block"] == [], "the disk to be gone")


def test_the_system_disk_is_never_cut_off(t: Terminal) -> None:
    set_config(t, LENT)
    with t.usb.stick(serial="LENT"):
        wait_for(lambda: "sda1" in t.state()["block"], "the permitted disk")
        t.check("mkdir -p /srv && mount /dev/sda1 /srv")
        set_config(t, "# the permit is gone, the mount is not\n")
        t.wait_record(event="SYSTEM_DISK", serial="LENT")
        assert t.run("sekimorid --system-devices")[1].count("LENT") == 1
        port = t.find_usb(serial="LENT")["name"]
        assert port in t.run("sekimori --lang en status")[1]
        t.check("systemctl restart sekimorid")
        t.settle()
        t.check("ls /srv > /dev/null && touch /srv/alive && sync -f /srv")
        assert t.state()["block"]
        t.check("umount /srv")
        t.check("systemctl restart sekimorid")
        wait_for(lambda: t.state()["block"] == [], "the disk to be closed once nothing needs it")


def test_dry_run_says_what_the_agent_does(t: Terminal) -> None:
    with t.usb.stick(serial="DRY"), t.usb.gadget("keyboard", "storage", serial="DRY-COMBO"):
        for serial, event in (("DRY", "EXPORT_DENIED"), ("DRY-COMBO", "DEVICE_PARTIAL")):
            record = t.wait_record(event=event, serial=serial)
            path = f"/sys/bus/usb/devices/{record['peripheral_device']['port']}"
            for source in (path, f"/tmp/{serial}"):
                if source != path:
                    t.check(f"cat {path}/descriptors > {source}")
                code, out, err = t.run(f"sekimori policy test --json {source}")
                told = json.loads(out)
                assert code == 1, (code, out, err)
                assert told["rule"] == record["policy"]["rule"] and told["reason"] == record["policy"]["reason"], (told, record)
    code, out, _ = t.run('sekimori policy test --json --describe "vid_pid=046d:c31c interfaces=03:01:01,03:00:00"')
    assert code == 0 and json.loads(out)["verdict"] == "allow", out
