# SPDX-License-Identifier: Apache-2.0
"""A terminal whose disk is encrypted: the passphrase is typed on a USB keyboard, and a stick that was in from power-on is
never bound, not even in the initramfs."""
from __future__ import annotations

from terminal import Setup, Terminal
from waiting import wait_for

PASSPHRASE = "gate"

# The root file system moves to an encrypted second disk; PBKDF2 with few rounds, since this processor is emulated.
MOVE_ROOT = f"""set -e
printf {PASSPHRASE} > /root/pass
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdb /root/pass
cryptsetup open --key-file /root/pass /dev/vdb cryptroot
mkfs.ext4 -q /dev/mapper/cryptroot
mount /dev/mapper/cryptroot /mnt
echo "cryptroot /dev/vdb none luks,initramfs" > /etc/crypttab
rm /root/pass
cp -ax / /mnt
printf '/dev/mapper/cryptroot / ext4 defaults 0 1\\n' > /mnt/etc/fstab
mount --bind /dev /mnt/dev; mount -t proc proc /mnt/proc; mount -t sysfs sysfs /mnt/sys
chroot /mnt update-initramfs -u
cp /mnt/boot/initrd.img-* /boot/
umount /mnt/dev /mnt/proc /mnt/sys /mnt
cryptsetup close cryptroot
"""
SETUP = Setup("encrypted", prepare=MOVE_ROOT, second_disk_mb=3072)


def wait_console(t: Terminal, text: str, deadline: float = 300.0) -> None:
    wait_for(lambda: text in t.vm.console_tail(400), f"{text!r} on the console", deadline)


def type_passphrase_and_wait(t: Terminal) -> None:
    wait_console(t, "unlock disk")
    t.vm.type_text(PASSPHRASE + "\n")
    t.vm.wait_ready()


def boot(t: Terminal, *devices) -> None:
    t.vm.power_off()
    t.vm.use_guest_initrd()
    t.vm.start("root=/dev/mapper/cryptroot", [device.arguments() for device in devices], root=False)
    type_passphrase_and_wait(t)


def expect_unlocked_and_closed(t: Terminal, serial: str) -> None:
    assert "cryptroot" in t.check("findmnt -no SOURCE /")
    record = t.wait_record(event="EXPORT_DENIED", serial=serial)
    assert record["peripheral_device"]["at_start"] is True, record
    assert t.wait_usb(serial=serial)["authorized"] == 0
    assert t.state()["block"] == []
    assert "USB Mass Storage device detected" not in t.check("dmesg")


def test_passphrase_on_a_usb_keyboard(t: Terminal) -> None:
    boot(t, t.usb.keyboard(), t.usb.stick(serial="EARLY"))
    expect_unlocked_and_closed(t, "EARLY")


def test_keyboard_behind_two_hubs(t: Terminal) -> None:
    boot(t, t.usb.hub(port="1"), t.usb.hub(port="1.1"), t.usb.keyboard(port="1.1.1"), t.usb.stick(serial="EARLY-HUB", port="2"))
    expect_unlocked_and_closed(t, "EARLY-HUB")
