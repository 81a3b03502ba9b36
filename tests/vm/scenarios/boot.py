# SPDX-License-Identifier: Apache-2.0
"""From power-on: before udev, before login, in the initramfs."""
from __future__ import annotations

from expect import of_port
from terminal import Terminal
from waiting import wait_for


def test_stick_and_keyboard_from_power_on(t: Terminal) -> None:
    t.boot_with(t.usb.stick(serial="POWER-ON"), t.usb.uas_disk(serial="POWER-ON-2"), t.usb.keyboard())
    for serial in ("POWER-ON", "POWER-ON-2"):
        record = t.wait_record(event="EXPORT_DENIED", serial=serial)
        assert record["peripheral_device"]["at_start"] is True, record
        assert t.wait_usb(serial=serial)["authorized"] == 0
    assert t.state()["block"] == []
    bound = [i for i in t.state()["interfaces"] if i["class"] == "03:01:01" and i["driver"] == "usbhid"]
    assert bound, "the keyboard a person boots with is lost"
    # not one interface of the disks was ever made, not even for a moment in the initramfs
    kernel = t.check("dmesg")
    assert "usb-storage" not in kernel.replace("usbcore: registered new interface driver usb-storage", ""), kernel
    for serial in ("POWER-ON", "POWER-ON-2"):
        assert len([r for r in of_port(t, t.wait_usb(serial=serial)["name"]) if r["event"] == "EXPORT_DENIED"
                    and r["skm"]["b"] == t.check("tr -d - < /proc/sys/kernel/random/boot_id").strip()]) == 1


def test_the_gate_is_closed_before_udev(t: Terminal) -> None:
    """systemd's own account of the order."""
    def entered(unit: str) -> int:
        return int(t.check(f"systemctl show -P ActiveEnterTimestampMonotonic {unit}"))
    gate, agent, udev = (entered(u) for u in ("sekimori-gate.service", "sekimorid.service", "systemd-udev-trigger.service"))
    assert 0 < gate <= agent <= udev, (gate, agent, udev)


def test_without_the_initramfs_part(t: Terminal) -> None:
    """A kernel that came up open (no usbcore option): what is there is closed and judged by the early units."""
    t.boot_with(t.usb.stick(serial="LATE"), t.usb.keyboard(), kernel_args="usbcore.authorized_default=1 break=none")
    t.wait_record(event="EXPORT_DENIED", serial="LATE")
    wait_for(lambda: t.find_usb(serial="LATE")["authorized"] == 0, "the stick to be closed")
    assert t.state()["block"] == []
    assert all(h["authorized_default"] == 0 and h["interface_authorized_default"] == 0 for h in t.state()["hubs"])
