# SPDX-License-Identifier: Apache-2.0
"""A terminal whose disk is encrypted: the passphrase is typed on a USB keyboard, and a stick that was in from power-on is
never bound, not even in the initramfs."""
from __future__ import annotations

import re

from terminal import Setup, Terminal
from usb import QemuDevice
from waiting import Deadline, Timeout, wait_for

PASSPHRASE = "gate"

# The root file system moves to an encrypted second disk; PBKDF2 with few rounds, since this processor is emulated.
# Of the modules only those that this machine needs: update-initramfs with all of them takes ten minutes here.
MOVE_ROOT = f"""set -e
echo MODULES=list > /etc/initramfs-tools/conf.d/rig
printf '%s\\n' virtio_pci virtio_blk virtio_console ext4 crc32c_generic xhci_pci usbhid hid_generic usb_storage uas dm_crypt \\
    aes_generic xts > /etc/initramfs-tools/modules
printf {PASSPHRASE} > /root/pass
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdb /root/pass
cryptsetup open --key-file /root/pass /dev/vdb cryptroot
mkfs.ext4 -q /dev/mapper/cryptroot
mount /dev/mapper/cryptroot /mnt
echo "cryptroot /dev/vdb none luks,initramfs,tries=0" > /etc/crypttab
rm /root/pass
cp -ax /. /mnt
printf '/dev/mapper/cryptroot / ext4 defaults 0 1\\n' > /mnt/etc/fstab
mount --bind /dev /mnt/dev; mount -t proc proc /mnt/proc; mount -t sysfs sysfs /mnt/sys
chroot /mnt update-initramfs -u
cp /mnt/boot/initrd.img-* /boot/
umount /mnt/dev /mnt/proc /mnt/sys /mnt
cryptsetup close cryptroot
"""
TYPES = True
SETUP = Setup("encrypted", prepare=MOVE_ROOT, second_disk_mb=3072)


def console(t: Terminal) -> str:
    return t.vm.console_path.read_text(errors="replace")


def boot(t: Terminal, *devices: QemuDevice) -> None:
    """Boots from the encrypted disk and types the passphrase on the USB keyboard, the only one there is, until it is taken:
    a key pressed before the question is asked is lost, as it is for a person."""
    t.vm.use_guest_initrd()
    t.vm.power_off()
    for device in devices:
        device.plug_before_power_on()
    before = len(console(t))
    t.vm.start(root="/dev/mapper/cryptroot", console="tty0", ps2_keyboard=False)
    # the kernel's word that a keyboard is there; without it there is no use in typing
    try:
        wait_for(lambda: "QEMU USB Keyboard as" in console(t)[before:], "the keyboard in the initramfs", 300.0)
    except Timeout as error:
        about_usb = re.findall(r"^.*(?:usb|hub|hid|sekimori).*$", console(t)[before:], re.MULTILINE | re.IGNORECASE)
        raise Timeout("\n".join([str(error), *about_usb[-40:]])) from error
    until = Deadline(600.0)
    while True:
        t.vm.type_text(PASSPHRASE + "\n")
        try:
            t.vm.wait_ready(60.0)
            return
        except Timeout:
            assert not until.over(), "the passphrase was never taken\n" + t.vm.what_it_saw()


def expect_unlocked_and_closed(t: Terminal, serial: str) -> None:
    assert "cryptroot" in t.check("findmnt -no SOURCE /")
    record = t.wait_record(event="EXPORT_DENIED", serial=serial)
    assert record["peripheral_device"]["at_start"] is True, record
    assert t.wait_usb(serial=serial)["authorized"] == 0
    assert t.state()["block"] == []
    assert "USB Mass Storage device detected" not in t.check("dmesg")


def test_passphrase_on_a_usb_keyboard(t: Terminal) -> None:
    """First with the keyboard in the machine, then with it behind two hubs, as in a dock."""
    boot(t, t.usb.keyboard(), t.usb.stick(serial="EARLY"))
    expect_unlocked_and_closed(t, "EARLY")
    t.usb.unplug_all()
    boot(t, t.usb.hub(port="1"), t.usb.hub(port="1.1"), t.usb.keyboard(port="1.1.1"), t.usb.stick(serial="EARLY-2", port="2"))
    expect_unlocked_and_closed(t, "EARLY-2")
