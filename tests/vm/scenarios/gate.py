# SPDX-License-Identifier: Apache-2.0
"""What is plugged into a terminal that runs Sekimori as it comes: no edit, no rule."""
from __future__ import annotations

import json
from contextlib import contextmanager

import descriptors as d
from expect import expect_nothing_opened, of_port, one_record
from terminal import Terminal
from usb import Device
from waiting import wait_for

REFUSALS = {"EXPORT_DENIED", "NETDEV_DENIED"}


@contextmanager
def plugged_and_refused(t: Terminal, device: Device, event: str, kind: str):
    """Plugs it in, waits for its one record, yields its port; then nothing may have been opened."""
    with t.watch_devices() as seen:
        with device:
            record = t.wait_record(event=event)
            port = record["peripheral_device"]["port"]
            assert record["peripheral_device"]["kind"] == kind, record
            assert record["policy"]["rule"] == "builtin:default-deny", record
            assert record["outcome"] == "blocked", record
            yield port
            t.settle()
            assert t.find_usb(name=port)["authorized"] == 0
            one_record(t, port, REFUSALS)
    expect_nothing_opened(seen)


def test_stick(t: Terminal) -> None:
    stick = t.usb.stick(serial="S1")
    with plugged_and_refused(t, stick, "EXPORT_DENIED", "mass-storage") as port:
        record = t.find_record(serial="S1")
        assert record and record["peripheral_device"]["vid_pid"] == "46f4:0001", record
        claim = json.loads(t.usb.helper(f"usbfs_claim.py {port} claim 0"))
        assert claim["result"] != "ok", claim
    assert not stick.changed()
    t.wait_record(event="DEVICE_REMOVED", serial="S1")


def test_uas_disk(t: Terminal) -> None:
    with plugged_and_refused(t, t.usb.uas_disk(), "EXPORT_DENIED", "mass-storage"):
        pass


def test_card_reader(t: Terminal) -> None:
    reader = t.usb.card_reader(medium=False)
    with plugged_and_refused(t, reader, "EXPORT_DENIED", "mass-storage"):
        reader.put_in()


def test_optical_drive(t: Terminal) -> None:
    with plugged_and_refused(t, t.usb.optical(), "EXPORT_DENIED", "mass-storage"):
        pass


def test_phone(t: Terminal) -> None:
    with plugged_and_refused(t, t.usb.phone(), "EXPORT_DENIED", "imaging") as port:
        claim = json.loads(t.usb.helper(f"usbfs_claim.py {port} claim 0"))
        assert claim["result"] != "ok", claim


def test_network_adapter(t: Terminal) -> None:
    with plugged_and_refused(t, t.usb.network(), "NETDEV_DENIED", "network"):
        pass


def test_serial_adapter(t: Terminal) -> None:
    adapter = t.usb.serial_adapter()
    with plugged_and_refused(t, adapter, "EXPORT_DENIED", "vendor"):
        pass
    assert adapter.received() == b""


def test_every_gadget_function(t: Terminal) -> None:
    for function, event, kind in (("rndis", "NETDEV_DENIED", "network"), ("ecm", "NETDEV_DENIED", "network"),
                                  ("ncm", "NETDEV_DENIED", "network"), ("acm", "EXPORT_DENIED", "serial"),
                                  ("printer", "EXPORT_DENIED", "printer"), ("hid_other", "EXPORT_DENIED", "hid")):
        serial = f"G-{function}"
        with t.watch_devices() as seen, t.usb.gadget(function, serial=serial):
            record = t.wait_record(event=event, serial=serial)
            assert record["peripheral_device"]["kind"] == kind, record
            t.settle()
        expect_nothing_opened(seen)


def test_every_other_class(t: Terminal) -> None:
    """Classes that have no emulation: what counts is the word in the record and that nothing is opened."""
    for triple, kind in (("01:01:00", "audio"), ("0e:01:00", "video"), ("e0:01:01", "wireless"), ("fe:01:01", "firmware-upgrade"),
                         ("ff:ff:00", "vendor"), ("42:00:00", "unknown"), ("fe:03:01", "measurement")):
        serial = f"C-{triple}"
        with t.watch_devices() as seen, t.usb.crafted([d.interface(0, triple, [])], serial=serial):
            record = t.wait_record(serial=serial, where=lambda r: r["event"] in REFUSALS)
            assert record["peripheral_device"]["kind"] == kind, record
            assert triple in record["policy"]["reason"], record
            t.settle()
        expect_nothing_opened(seen)


def test_what_an_office_needs_works(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.hub(port="1"), t.usb.keyboard(port="1.1"), t.usb.mouse(port="1.2"), \
            t.usb.smart_card_reader(port="1.3"), t.usb.stick(serial="BEHIND", port="1.4"):
        t.wait_seen(seen, lambda s: len([b for b in s.bound if b[0] == "usbhid"]) == 2, "keyboard and mouse", 120.0)
        record = t.wait_record(event="EXPORT_DENIED", serial="BEHIND")
        wait_for(lambda: [i for i in t.state()["interfaces"] if i["class"].startswith("0b") and i["authorized"] == 1],
                 "an open smart-card reader")
        assert record["peripheral_device"]["port"].endswith("-1.4"), record
    assert seen.block == [], seen.block
    kinds = {r["peripheral_device"]["kind"] for r in t.records() if r["event"] == "DEVICE_ALLOWED"}
    assert {"hub", "keyboard", "mouse", "smart-card"} <= kinds, kinds


def test_wireless_receiver(t: Terminal) -> None:
    with t.usb.wireless_receiver() as receiver:
        record = t.wait_record(event="DEVICE_ALLOWED",
                               where=lambda r: r["peripheral_device"]["name"] == "USB Receiver")
        wait_for(lambda: receiver.press("keyboard"), "a key press that arrives")
        found = t.find_usb(name=record["peripheral_device"]["port"])
        node = f"/dev/bus/usb/{found['busnum']:03d}/{found['devnum']:03d}"
        wait_for(lambda: t.check(f"stat -c %a {node}").strip() == "664", "the usual node of a device that is all allowed")
        t.check("udevadm trigger --settle --subsystem-match=usb")   # as a coldplug does: udev remembers the agent's word
        assert t.check(f"stat -c %a {node}").strip() == "664"


def test_composite_keeps_its_keyboard_and_shows_no_disk(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.gadget("keyboard", "storage", serial="COMBO") as gadget:
        record = t.wait_record(event="DEVICE_PARTIAL", serial="COMBO")
        port = record["peripheral_device"]["port"]
        wait_for(lambda: gadget.press("keyboard"), "a key press that arrives")
        found = t.find_usb(name=port)
        node = f"/dev/bus/usb/{found['busnum']:03d}/{found['devnum']:03d}"
        assert t.check(f"stat -c %a {node}").strip() == "600", "the node of a device allowed in part is not root's alone"
        t.check("udevadm trigger --settle --subsystem-match=usb")
        assert t.check(f"stat -c %a {node}").strip() == "600"
        allowed = {i["kind"]: i["allowed"] for i in record["peripheral_device"]["interfaces"]}
        assert allowed == {"keyboard": True, "mass-storage": False}, record
        disk = t.interfaces_of(port)["08:06:50"]
        assert disk["authorized"] == 0 and disk["driver"] is None, disk
        # by force: the kernel's own lock holds
        for attempt in (f"rebind.sh bind usb-storage {disk['name']}", f"rebind.sh probe {disk['name']}",
                        "rebind.sh new-id usb-storage 1d6b 0104"):
            t.usb.helper(attempt)
        assert json.loads(t.usb.helper(f"usbfs_claim.py {port} claim 1"))["result"] == "ENODEV"
        t.settle()
        assert t.interfaces_of(port)["08:06:50"]["driver"] is None
        one_record(t, port, {"DEVICE_PARTIAL"})
    assert seen.block == [] and seen.generic == [], seen.events
    assert [b for b in seen.bound if b[0] in ("usb-storage", "uas")] == [], seen.bound


def test_second_configuration_stays_closed(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.gadget(configs=[["keyboard"], ["storage"]], serial="TWO"):
        record = t.wait_record(event="DEVICE_PARTIAL", serial="TWO")
        port = record["peripheral_device"]["port"]
        t.wait_usb(serial="TWO", configuration="1")
        wait_for(lambda: (t.interfaces_of(port).get("03:01:01") or {}).get("driver") == "usbhid", "the keyboard")
        t.check(f"echo 2 > /sys/bus/usb/devices/{port}/bConfigurationValue")
        t.wait_record(event="DEVICE_CHANGED", serial="TWO")
        t.settle()
        assert t.interfaces_of(port)["08:06:50"]["driver"] is None
        t.usb.helper(f"usbfs_claim.py {port} configuration 2")
    assert seen.block == [], seen.block


def test_what_another_hand_opens_is_closed_again(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.stick(serial="HAND") as stick:
        port = t.wait_record(event="EXPORT_DENIED", serial="HAND")["peripheral_device"]["port"]
        t.usb.helper(f"rebind.sh authorize {port} 1")
        t.wait_record(event="DEVICE_CHANGED", serial="HAND")
        wait_for(lambda: t.find_usb(name=port)["authorized"] == 0, "the stick to be closed again")
    assert seen.block == [], seen.block
    assert not stick.changed()


def test_swap_at_the_same_port(t: Terminal) -> None:
    def records(event: str, serial: str) -> int:
        return len([r for r in t.records() if r["event"] == event and r["peripheral_device"]["serial_number"] == serial])

    keyboard, stick = t.usb.gadget("keyboard", serial="FIRST"), t.usb.gadget("storage", serial="SECOND").create()
    with t.watch_devices() as seen:
        keyboard.plug()
        for number in range(1, 7):
            wait_for(lambda n=number: records("DEVICE_ALLOWED", "FIRST") == n, f"the keyboard for the {number}. time")
            keyboard.swap_for(stick)
            wait_for(lambda n=number: records("EXPORT_DENIED", "SECOND") == n, f"the stick for the {number}. time")
            stick.swap_for(keyboard)
        t.settle()
    assert seen.block == [], seen.block


def test_same_and_empty_serials(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.gadget("storage", serial="SAME", port=0), \
            t.usb.gadget("storage", serial="SAME", port=1), t.usb.gadget("storage", serial="", port=2), \
            t.usb.gadget("storage", serial=None, port=3):
        wait_for(lambda: len([r for r in t.records() if r["event"] == "EXPORT_DENIED"]) >= 4, "four records")
        t.settle()
    expect_nothing_opened(seen)


def test_a_device_that_changes_its_mind(t: Terminal) -> None:
    """A keyboard that says it is a stick when it is asked again."""
    hid = d.configuration([d.interface(0, "03:01:01", d.INTERRUPT_IN, extra=d.hid_extra(4))])
    disk = d.configuration([d.interface(0, "08:06:50", d.BULK_PAIR)])
    with t.watch_devices() as seen, t.usb.crafted(configs=[[hid, hid, disk]], serial="JANUS", hid_report="0501a1c0",
                                                  storage=True):
        allowed = t.wait_record(event="DEVICE_ALLOWED", serial="JANUS")
        found = t.find_usb(name=allowed["peripheral_device"]["port"])
        t.run(f"usbreset {found['busnum']:03d}/{found['devnum']:03d}")
        t.wait_record(event="EXPORT_DENIED", serial="JANUS")
        t.settle()
    assert seen.block == [], seen.block


def test_a_class_that_is_not_what_the_driver_is_for(t: Terminal) -> None:
    """Vendor and product by which usb-storage and ftdi_sio know their own, whatever the class is (modules.alias), under the
    classes that pass: with the module loaded already nobody offers it the interface, loaded later it is put out again."""
    keyboard = d.interface(0, "03:01:01", [d.endpoint(0x83, 3, 8, 10)], extra=d.hid_extra(4))
    cases = (("CARD", "0b:06:50", [d.interface(0, "0b:06:50", d.BULK_PAIR)]),
             ("HUB", "09:06:50", [d.interface(0, "09:06:50", d.BULK_PAIR)]),
             ("PAD", "03:06:50", [keyboard, d.interface(1, "03:06:50", d.BULK_PAIR)]))
    t.check("modprobe usb-storage && modprobe ftdi_sio")
    with t.watch_devices() as seen:
        for late in (False, True):
            for word, triple, interfaces in cases:
                ic, isc, ip = triple.upper().split(":")
                alias = f"usb:v054Cp02A5d0100dc00dsc00dp00ic{ic}isc{isc}ip{ip}in00"
                assert "usb_storage" in t.check(f"modprobe --resolve-alias {alias}"), f"{alias}: this proves nothing"
                if late:
                    t.check("modprobe -r usb-storage")
                serial = f"{word}-{int(late)}"
                device = d.device(vendor=0x054C, product=0x02A5, manufacturer=1, name=2, serial=3)
                with t.usb.crafted(interfaces, device=device, serial=serial, storage=True, hid_report="0501a1c0") as stick:
                    t.wait_record(event="DEVICE_ALLOWED", serial=serial)
                    t.settle()
                    if late:
                        t.check("modprobe usb-storage")
                        refused = t.wait_record(event="EXPORT_DENIED", serial=serial)
                        assert refused["policy"]["rule"] == "builtin:driver", refused
                        assert "usb-storage" in refused["detail"], refused
                        t.settle()
                        assert t.find_usb(serial=serial)["authorized"] == 0
                    assert stick.heard().get("writes", 0) == 0, stick.heard()
                t.wait_record(event="DEVICE_REMOVED", serial=serial)
        device = d.device(vendor=0x0403, product=0x6001, manufacturer=1, name=2, serial=3)
        with t.usb.crafted([d.interface(0, "0b:00:00", d.BULK_PAIR)], device=device, serial="FTDI"):
            t.wait_record(event="DEVICE_ALLOWED", serial="FTDI")
            t.settle()
    assert seen.block == [] and seen.tty == [] and seen.generic == [], (seen.block, seen.tty, seen.generic)
    bound = {driver for driver, name in seen.bound if "-0:" not in name}
    assert "ftdi_sio" not in bound, seen.bound


def test_nonsense_descriptors(t: Terminal) -> None:
    storage = d.interface(0, "08:06:50", d.BULK_PAIR)
    whole = d.configuration([storage])
    cases = [d.configuration([storage], total_length=0xFFFF), whole[:20], d.configuration([storage], interface_count=7),
             whole + b"\x00\x04" + bytes(40), d.configuration([storage], extra=b"\xff\x24" * 9),
             d.configuration([storage], extra=b"\x03\x24\x00" * 21000)]
    with t.watch_devices() as seen:
        for number, config in enumerate(cases):
            serial = f"ODD-{number}"
            with t.usb.crafted(configs=[config], serial=serial) as device:
                wait_for(lambda: device.heard()["asked"].get("config:0"), f"the kernel to read configuration {number}")
                # the kernel itself may give up on it; what it keeps, we judge
                wait_for(lambda: t.find_record(serial=serial) or not t.find_usb(serial=serial), f"a verdict on {serial}")
            t.settle()
        assert t.check("systemctl is-active sekimorid").strip() == "active"
        assert t.check("systemctl show -P NRestarts sekimorid").strip() == "0"
    expect_nothing_opened(seen)


def test_hostile_strings(t: Terminal) -> None:
    texts = ["line\nbreak", 'quote"back\\slash', "bell\a\x1b[31mred", "x" * 125, "日本語" * 42, "tab\tnul-free \U0001f600"]
    with t.watch_devices() as seen:
        for number, text in enumerate(texts):
            interface = [d.interface(0, "ff:00:00", [])]
            with t.usb.crafted(interface, serial=text, name=f"N{number} {text}"[:120]):
                t.wait_usb(serial=text)
                t.wait_record(serial=text)
        # records() has parsed each line as JSON; no line holds a control byte
        raw = t.check("cat /var/log/sekimori/agent/*.jsonl")
        assert not [c for c in raw if ord(c) < 0x20 and c != "\n"], "a control byte in the log"
        human = t.check("sekimori --lang en log show; sekimori --lang ja devices")
        assert not [c for c in human if ord(c) < 0x20 and c not in "\n\t"], "a control byte on the terminal"
    expect_nothing_opened(seen)


def test_who_is_at_the_console(t: Terminal) -> None:
    t.check("useradd -m sato && echo sato:pw | chpasswd")
    t.check("mkdir -p /run/systemd/system/getty@tty1.service.d && printf '[Service]\\nExecStart=\\nExecStart=-/sbin/agetty "
            "--autologin sato --noclear %%I linux\\n' > /run/systemd/system/getty@tty1.service.d/a.conf && "
            "systemctl daemon-reload && systemctl restart getty@tty1")
    wait_for(lambda: "sato" in t.run("loginctl list-sessions --no-legend")[1], "sato's session", 120.0)
    wait_for(lambda: "ACTIVE_UID" in t.run("cat /run/systemd/seats/seat0")[1], "an active session", 60.0)
    with t.usb.stick(serial="SATO"):
        record = t.wait_record(event="EXPORT_DENIED", serial="SATO")
    assert record["actor"]["user"] == "sato" and record["actor"]["login_user"] == "sato", record["actor"]
    assert of_port(t, record["peripheral_device"]["port"])
