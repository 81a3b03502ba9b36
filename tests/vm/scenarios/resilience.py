# SPDX-License-Identifier: Apache-2.0
"""The gate holds while the agent does not: dead, frozen, stopped, upgraded, misconfigured, without a disk to write to."""
from __future__ import annotations

import json

from expect import expect_nothing_opened, set_config
from terminal import Terminal
from waiting import wait_for

LOG = "/var/log/sekimori/agent"


def agent_pid(t: Terminal) -> int:
    return int(t.check("systemctl show -P MainPID sekimorid"))


def wait_restarted(t: Terminal, old: int, deadline: float = 180.0) -> int:
    return wait_for(lambda: (pid := agent_pid(t)) not in (0, old) and
                    t.run("systemctl is-active sekimorid")[1].strip() == "active" and pid, "another agent", deadline)


def hold_down(t: Terminal) -> None:
    """Keeps systemd from restarting the agent, so that the kernel stands alone."""
    t.check("mkdir -p /run/systemd/system/sekimorid.service.d && "
            "printf '[Service]\\nRestart=no\\n' > /run/systemd/system/sekimorid.service.d/no.conf && systemctl daemon-reload")


def let_up(t: Terminal) -> None:
    t.check("rm -r /run/systemd/system/sekimorid.service.d && systemctl daemon-reload && systemctl restart sekimorid")


def test_killed(t: Terminal) -> None:
    hold_down(t)
    t.check(f"kill -9 {agent_pid(t)}")
    wait_for(lambda: agent_pid(t) == 0, "the agent to be gone")
    with t.watch_devices() as seen, t.usb.stick(serial="K9"), t.usb.gadget("storage", serial="K9-G"):
        assert t.wait_usb(serial="K9")["authorized"] == 0
        t.wait_usb(serial="K9-G")
        t.settle()
        assert not t.find_record(serial="K9")
        let_up(t)
        record = t.wait_record(event="EXPORT_DENIED", serial="K9")
        assert record["peripheral_device"]["at_start"] is True, record
        t.wait_record(event="EXPORT_DENIED", serial="K9-G")
    assert seen.block == [] and seen.generic == [], seen.events


def test_killed_again_and_again(t: Terminal) -> None:
    with t.watch_devices() as seen:
        for number in range(5):
            old = agent_pid(t)
            t.check(f"kill -9 {old}")
            with t.usb.stick(serial=f"AGAIN-{number}"):
                wait_restarted(t, old)
                t.wait_record(event="EXPORT_DENIED", serial=f"AGAIN-{number}", deadline=120.0)
    expect_nothing_opened(seen)


def test_frozen(t: Terminal) -> None:
    """The watchdog notices and systemd starts another one."""
    old = agent_pid(t)
    t.check(f"kill -STOP {old}")
    with t.watch_devices() as seen, t.usb.stick(serial="FROZEN"):
        assert t.wait_usb(serial="FROZEN")["authorized"] == 0
        wait_restarted(t, old, 240.0)
        t.wait_record(event="EXPORT_DENIED", serial="FROZEN", deadline=120.0)
    expect_nothing_opened(seen)


def test_stopped(t: Terminal) -> None:
    t.check("systemctl stop sekimorid")
    t.wait_record(event="AGENT_STOP")
    with t.watch_devices() as seen, t.usb.stick(serial="STOPPED"):
        assert t.wait_usb(serial="STOPPED")["authorized"] == 0
        t.settle()
        code, out, _ = t.run("sekimori --lang en status")
        assert code == 1 and "closed" in out, (code, out)
        t.check("systemctl start sekimorid")
        t.wait_record(event="EXPORT_DENIED", serial="STOPPED")
    expect_nothing_opened(seen)


def test_keyboard_plugged_while_dead_works_afterwards(t: Terminal) -> None:
    with t.usb.gadget("keyboard", serial="BEFORE") as before:
        t.wait_record(event="DEVICE_ALLOWED", serial="BEFORE")
        wait_for(lambda: before.press("keyboard"), "a key press")
        t.check("systemctl stop sekimorid")
        assert before.press("keyboard"), "the keyboard was lost with the agent"
        with t.usb.gadget("keyboard", serial="DURING", port=1) as during:
            t.wait_usb(serial="DURING")
            t.check("systemctl start sekimorid")
            wait_for(lambda: during.press("keyboard"), "a key press of the keyboard plugged in meanwhile", 120.0)
            assert before.press("keyboard"), "the keyboard was lost by the restart"


def test_upgraded(t: Terminal) -> None:
    """The package is installed over itself while a stick is plugged in and out."""
    assert t.deb
    t.vm.use_quick_initramfs()
    t.vm.put_file(t.deb, "/root/sekimori.deb")
    with t.watch_devices() as seen:
        stick = t.usb.gadget("storage", serial="UPGRADE", port=1).plug()
        process = t.vm.spawn("dpkg -i /root/sekimori.deb > /root/upgrade.log 2>&1; echo $? > /root/upgrade.code")
        while not t.run("test -s /root/upgrade.code")[0] == 0:
            stick.cycle(5)
        assert t.check("cat /root/upgrade.code").strip() == "0", t.check("cat /root/upgrade.log")
        t.settle()
        wait_for(lambda: t.run("systemctl is-active sekimorid")[1].strip() == "active", "the agent after the upgrade")
        stick.cycle(1)
        t.wait_record(event="EXPORT_DENIED", serial="UPGRADE")
        assert process
    expect_nothing_opened(seen)


def test_broken_configuration(t: Terminal) -> None:
    t.check("echo 'usb: { mode = 7; };' > /etc/sekimori/sekimori.conf")
    t.check("systemctl reload sekimorid")
    record = t.wait_record(event="CONFIG_BROKEN")
    assert "usb.mode" in json.dumps(record), record
    code, out, _ = t.run("sekimori --lang en status")
    assert code == 1 and "usb.mode" in out, (code, out)
    with t.watch_devices() as seen, t.usb.stick(serial="BROKEN"):
        t.wait_record(event="EXPORT_DENIED", serial="BROKEN")
        t.check("systemctl restart sekimorid")
        with t.usb.gadget("keyboard", serial="BROKEN-KBD") as keyboard:
            t.wait_record(event="DEVICE_ALLOWED", serial="BROKEN-KBD")
            wait_for(lambda: keyboard.press("keyboard"), "a key press")
    assert seen.block == [], seen.block


def test_full_log_disk(t: Terminal) -> None:
    """A stick that the policy permits stays closed, a keyboard works, and what could not be written is written later."""
    t.check(f"mkdir -p /mnt/save && cp -a {LOG}/. /mnt/save && mount -t tmpfs -o size=64k,mode=0750 tmpfs {LOG} && "
            f"cp -a /mnt/save/. {LOG}/ 2>/dev/null; dd if=/dev/zero of={LOG}/filler bs=1k 2>/dev/null; true")
    set_config(t, 'usb: { rules = ( { id = "lent"; action = "allow"; reason = "lent out"; vid_pid = "46f4:0001"; } ); };\n')

    def is_full() -> bool:
        # the last page of the segment still takes a record or two: fill it with reloads
        t.check("systemctl reload sekimorid")
        code, out, _ = t.run("sekimori --lang en status")
        return code == 1 and "No space" in out
    wait_for(is_full, "status to say that the disk is full")
    with t.watch_devices() as seen:
        with t.usb.stick(serial="FULL"), t.usb.gadget("keyboard", serial="FULL-KBD") as keyboard:
            t.wait_usb(serial="FULL")
            wait_for(lambda: keyboard.press("keyboard"), "a key press")
            assert "cannot store audit records" in t.check("journalctl -b -u sekimorid -o cat")
            t.settle()
            assert t.state()["block"] == []
            t.check(f"rm {LOG}/filler")
            wait_for(lambda: t.state()["block"], "the permitted disk, once its record is on disk", 120.0)
            t.wait_record(event="LOG_RESUMED")
        assert [b for b in seen.bound if b[0] == "usb-storage"] == [] or t.find_record(serial="FULL")
    numbers = [r["skm"]["n"] for r in t.records()]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers), numbers


def test_read_only_log(t: Terminal) -> None:
    """A read-only file system comes over the folder, as when a disk gave up; later it goes away again."""
    t.check(f"mount -t tmpfs -o ro,mode=0750 tmpfs {LOG}")
    with t.watch_devices() as seen, t.usb.stick(serial="RO"), t.usb.gadget("keyboard", serial="RO-KBD") as keyboard:
        t.wait_usb(serial="RO")
        wait_for(lambda: t.run("sekimori status")[0] == 1, "status to complain")
        wait_for(lambda: keyboard.press("keyboard"), "a key press")
        t.settle()
        assert "cannot store audit records" in t.check("journalctl -b -u sekimorid -o cat")
        t.check(f"umount {LOG}")
        t.wait_record(event="EXPORT_DENIED", serial="RO")
        t.wait_record(event="LOG_RESUMED")
    assert seen.block == [] and seen.generic == [], seen.events


def test_new_controller_is_closed(t: Terminal) -> None:
    before = {hub["name"] for hub in t.state()["hubs"]}
    t.check("modprobe dummy_hcd num=2 && modprobe vhci_hcd")
    fresh = [hub["name"] for hub in wait_for(lambda: [h for h in t.state()["hubs"] if h["name"] not in before], "new hubs")]
    wait_for(lambda: all(h["interface_authorized_default"] == 0 and h["authorized_default"] == 0 for h in t.state()["hubs"]),
             "every controller to be closed")
    for name in fresh:
        t.wait_record(event="CONTROLLER_CLOSED", where=lambda r, name=name: r["object"] == name)


def test_new_controllers_keep_their_own_hub(t: Terminal) -> None:
    """The closed default must not catch the root hub itself, or every keyboard behind it is dead."""
    for _ in range(8):
        t.check("modprobe dummy_hcd num=4")
        wait_for(lambda: len([i for i in t.state()["interfaces"] if "-0:" in i["name"] and i["driver"] == "hub"]) ==
                 len(t.state()["hubs"]), "a hub driver on every controller")
        t.check("modprobe -r dummy_hcd")
    with t.usb.gadget("keyboard", serial="HUB-K", port=3) as keyboard:
        wait_for(lambda: keyboard.press("keyboard"), "a key press")


def test_controller_opened_by_hand_is_closed_again(t: Terminal) -> None:
    set_config(t, 'usb: { reconcile_interval = "10s"; };\n')
    t.check("echo 1 > /sys/bus/usb/devices/usb1/authorized_default; echo 1 > /sys/bus/usb/devices/usb1/interface_authorized_default; "
            "echo 3 > /sys/bus/usb/devices/usb2/authorized_default; echo 1 > /sys/module/usbcore/parameters/authorized_default")
    for name in ("usb1", "usb2", "usbcore"):
        t.wait_record(event="CONTROLLER_OPEN", where=lambda r, name=name: r["object"] == name)
    assert all(h["authorized_default"] == 0 and h["interface_authorized_default"] == 0 for h in t.state()["hubs"])
    assert t.check("cat /sys/module/usbcore/parameters/authorized_default").strip() == "0"


def test_many_plugs_under_load(t: Terminal) -> None:
    """200 plugs with both cores busy: not one block device, and the agent ends up with the truth."""
    for _ in range(2):
        t.vm.spawn("while :; do :; done")
    with t.watch_devices() as seen:
        stick = t.usb.gadget("storage", serial="LOAD").create()
        stick.replug(200)
        t.settle()
    expect_nothing_opened(seen)
    assert len(seen.devices) >= 200, f"only {len(seen.devices)} arrivals"
    # what was pulled out before it could be read leaves one record too, of its removal
    wait_for(lambda: len([r for r in t.records() if r["event"] == "DEVICE_REMOVED"]) >= 200, "a record of every arrival")


def test_storm_overflows_and_ends_in_the_truth(t: Terminal) -> None:
    """1,000 events as fast as the kernel makes them into a 4 KiB buffer: the final state equals a fresh scan."""
    set_config(t, 'usb: { receive_buffer = "4K"; };\n')
    keyboard = t.usb.gadget("keyboard", serial="STORM-K", port=0).plug()
    stick = t.usb.gadget("storage", serial="STORM-S", port=1).plug()
    with t.watch_devices() as seen:
        pid = agent_pid(t)
        t.check(f"kill -STOP {pid}")
        stick.cycle(30)
        t.check(f"kill -CONT {pid}")
        keyboard.cycle(120)
        stick.cycle(120)
        t.wait_record(event="UEVENT_OVERFLOW", deadline=120.0)

        def truth() -> bool:
            told = {d["port"]: d["verdict"] for d in json.loads(t.check("sekimori devices --json"))["devices"]}
            real = {u["name"]: u for u in t.state()["usb"]}
            return set(told) == set(real) and all((verdict == "deny") == (real[name]["authorized"] == 0)
                                                  for name, verdict in told.items())
        wait_for(truth, "the agent's list to equal the kernel's", 180.0)
        wait_for(lambda: keyboard.press("keyboard"), "a key press after the storm", 120.0)
    assert seen.block == [] and seen.generic == [], seen.events


def test_resume_looks_again(t: Terminal) -> None:
    """What changed while the machine slept is found at once, not at the next interval."""
    t.check("echo 1 > /sys/bus/usb/devices/usb1/interface_authorized_default")
    t.vm.sleep()
    t.wait_record(event="RESUMED")
    t.wait_record(event="CONTROLLER_OPEN", where=lambda r: r["object"] == "usb1")
    with t.usb.stick(serial="AFTER"):
        t.wait_record(event="EXPORT_DENIED", serial="AFTER")
    assert t.state()["block"] == []
