#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves the rig itself, on a terminal WITHOUT Sekimori: what a scenario later says did not happen, happens here.

A test that finds no block device is worth something only if its detector finds one where there is one.
Measured on two cores without KVM: boot 14 to 20 s when idle, up to 80 s under load; all of this 8 to 17 minutes on a busy machine.
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import descriptors as d             # noqa: E402
from media import SECRET            # noqa: E402
from terminal import BARE, Setup, Terminal      # noqa: E402
from waiting import wait_for        # noqa: E402

SETUP = BARE
SHUT = Setup("bare-shut", install=False, prepare="""
    for hub in /sys/bus/usb/devices/usb*; do echo 0 > $hub/authorized_default; done
    echo 0 > /sys/module/usbcore/parameters/authorized_default""")
BOOT_SHUT = Setup("bare-boot-shut", install=False, kernel_args="usbcore.authorized_default=0")


def on(setup: Setup):
    """Gives one scenario another setup than its file's."""
    def mark(function):
        function.setup = setup
        return function
    return mark


# ------------------------------------------------------------------------------------- QEMU's devices appear

def test_stick_appears_and_can_be_read(t: Terminal) -> None:
    with t.watch_devices() as seen:
        with t.usb.stick(serial="S1") as stick:
            t.wait_seen(seen, lambda seen: "sda1" in seen.block, "the stick's partition")
            t.check("mount -o ro /dev/sda1 /mnt")
            assert t.check("cat /mnt/SECRET.TXT").encode() == SECRET
            t.check("umount /mnt")
            assert not stick.changed()
            device = t.wait_usb(serial="S1")
            assert t.interfaces_of(device["name"])["08:06:50"]["driver"] == "usb-storage"
        t.wait_seen(seen, lambda seen: any(e["action"] == "remove" and e["name"] == "sda" for e in seen.events),
                    "the stick to go")
    assert seen.block == ["sda", "sda1"] and seen.generic and seen.bound


def test_writing_to_the_stick_is_noticed(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.stick() as stick:
        t.wait_seen(seen, lambda seen: "sda1" in seen.block, "the stick's partition")
        t.check("mount /dev/sda1 /mnt && echo leak > /mnt/LEAK.TXT && umount /mnt")
        assert stick.changed()


def test_uas_disk_appears(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.uas_disk():
        t.wait_seen(seen, lambda seen: seen.block, "a disk")
    assert "uas" in [driver for driver, _ in seen.bound]


def test_card_reader_shows_its_medium_later(t: Terminal) -> None:
    with t.usb.card_reader(medium=False) as reader:
        size = lambda: t.run("blockdev --getsize64 /dev/sda")[1].strip()        # noqa: E731
        wait_for(lambda: "sda" in t.state()["block"], "the reader's disk")
        assert size() in ("", "0")
        reader.put_in()
        wait_for(lambda: size() not in ("", "0"), "the medium")
        reader.take_out()
        wait_for(lambda: size() in ("", "0"), "the medium to go")


def test_optical_drive_appears(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.optical():
        t.wait_seen(seen, lambda seen: "sr0" in seen.block, "the drive")


def test_phone_can_be_claimed(t: Terminal) -> None:
    with t.usb.phone(serial="P1"):
        name = t.wait_usb(serial="P1", configuration="1")["name"]
        assert t.interfaces_of(name)["06:01:01"]["driver"] is None
        assert '"ok"' in t.usb.helper(f"usbfs_claim.py {name} claim 0")


def test_network_adapter_appears(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.network():
        t.wait_seen(seen, lambda seen: seen.net, "a network device")


def test_serial_adapter_carries_data(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.serial_adapter() as adapter:
        t.wait_seen(seen, lambda seen: "ttyUSB0" in seen.tty, "a serial line")
        t.check("sleep 0; echo leak > /dev/ttyUSB0")
        wait_for(lambda: b"leak" in adapter.received(), "the bytes to come out")


def test_smart_card_reader_appears(t: Terminal) -> None:
    with t.usb.smart_card_reader():
        wait_for(lambda: any(entry["class"].startswith("0b") for entry in t.state()["interfaces"]), "class 0b")


def test_keyboard_mouse_tablet_behind_a_hub(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.hub(port="1"), t.usb.keyboard(port="1.1"), t.usb.mouse(port="1.2"), \
            t.usb.stick(serial="BEHIND", port="1.3"):
        t.wait_seen(seen, lambda seen: seen.block and len([b for b in seen.bound if b[0] == "usbhid"]) == 2,
                    "keyboard, mouse and stick")
        assert t.wait_usb(serial="BEHIND")["name"].endswith("-1.3")


def test_typing_and_screenshot(t: Terminal) -> None:
    t.check("systemctl restart getty@tty1")
    wait_for(lambda: "agetty" in t.check("ps -o comm= -t tty1 || true"), "the login prompt")
    with t.usb.tablet():
        t.vm.type_text("taro\n")
        wait_for(lambda: "login" in t.check("ps -o comm= -t tty1 || true"), "the password prompt")
        picture = t.vm.work / "screen.png"
        t.vm.screenshot(picture)
        assert picture.read_bytes().startswith(b"\x89PNG")


# ------------------------------------------------------------------------------------- devices from inside

def test_composite_gadget(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.gadget("keyboard", "storage", serial="C1") as gadget:
        t.wait_seen(seen, lambda seen: seen.block and seen.input, "keyboard and disk")
        name = t.wait_usb(serial="C1")["name"]
        assert set(t.interfaces_of(name)) == {"03:01:01", "08:06:50"}
        assert gadget.press("keyboard")


def test_all_gadget_functions(t: Terminal) -> None:
    cases = {"rndis": "net", "ecm": "net", "ncm": "net", "acm": "tty", "printer": "usbmisc", "mouse": "input"}
    for function, subsystem in cases.items():
        with t.watch_devices() as seen, t.usb.gadget(function):
            t.wait_seen(seen, lambda seen: seen.added(subsystem), f"{function} in {subsystem}")


def test_wireless_receiver(t: Terminal) -> None:
    with t.usb.wireless_receiver() as receiver:
        name = t.wait_usb(product_name="USB Receiver", configuration="1")["name"]
        assert set(t.interfaces_of(name)) == {"03:01:01", "03:01:02", "03:00:00"}
        assert t.find_usb(name=name)["serial"] is None
        assert receiver.press("keyboard")


def test_second_configuration(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.gadget(configs=[["keyboard"], ["storage"]], serial="TWO"):
        name = t.wait_usb(serial="TWO", configuration="1")["name"]
        assert seen.block == []
        # The kernel's driver holds configuration 1; root may switch all the same.
        t.check(f"echo 2 > /sys/bus/usb/devices/{name}/bConfigurationValue")
        t.wait_seen(seen, lambda seen: seen.block, "the disk of configuration 2")


def test_same_serial_twice_and_empty_serial(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.gadget("storage", serial="SAME", port=0), \
            t.usb.gadget("storage", serial="SAME", port=1), t.usb.gadget("storage", serial="", port=2):
        t.wait_seen(seen, lambda seen: len(seen.block) == 3, "three disks")
        serials = [device["serial"] for device in t.state()["usb"]]
        assert serials.count("SAME") == 2 and len(serials) == 3 and set(serials) <= {"SAME", "", None}, serials


def test_odd_strings_arrive_unchanged(t: Terminal) -> None:
    for text in ("line\nbreak", 'quote"back\\slash', "bell\a\x1b[31mred", "x" * 125):
        with t.usb.gadget("keyboard", serial=text):
            t.wait_usb(serial=text)
    for text in ("日本語" * 42, "tab\tnul-free \U0001f600"):
        with t.usb.crafted([d.interface(0, "ff:00:00", [])], serial=text):
            t.wait_usb(serial=text)


def test_cycling_and_swapping(t: Terminal) -> None:
    with t.watch_devices() as seen:
        first = t.usb.gadget("keyboard", serial="FIRST").plug()
        t.wait_usb(serial="FIRST")
        second = t.usb.gadget("storage", serial="SECOND").create()
        first.swap_for(second)
        t.wait_seen(seen, lambda seen: seen.block, "the disk that took the keyboard's port")
        second.cycle(50)
        t.wait_usb(serial="SECOND")
        second.unplug()
        first.unplug()


def test_crafted_stick(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.crafted_stick(serial="K1") as stick:
        t.wait_seen(seen, lambda seen: "sda" in seen.block, "the disk")
        assert t.check("head -c 34 /dev/sda").encode() == SECRET
        t.check("printf leak | dd of=/dev/sda bs=512 count=1 conv=sync,fsync status=none")
        assert stick.heard()["writes"] >= 1


def test_crafted_nonsense(t: Terminal) -> None:
    """Descriptors that contradict themselves reach the kernel byte for byte; sysfs shows what its parser came to."""
    storage = d.interface(0, "08:06:50", d.BULK_PAIR)
    whole = d.configuration([storage])
    cases = {"too long a length": d.configuration([storage], total_length=0xFFFF),
             "cut in an endpoint": whole[:20], "cut after the head": whole[:9],
             "seven interfaces, of which one": d.configuration([storage], interface_count=7),
             "a descriptor of length zero": d.configuration([storage], extra=b"\x00\x04" + bytes(40)),
             "lengths beyond the end": d.configuration([storage], extra=b"\xff\x24" * 9),
             "63 KB": d.configuration([storage], extra=b"\x03\x24\x00" * 21000)}
    for name, config in cases.items():
        with t.usb.crafted(configs=[config], serial=name) as device:
            found = t.wait_usb(serial=name)
            kept = bytes.fromhex(found["descriptors"])[18:]
            assert len(kept) >= 9 and config.startswith(kept), name
            assert device.heard()["asked"]["config:0"] >= 1


def test_crafted_device_that_changes_its_mind(t: Terminal) -> None:
    """A keyboard that says it is a stick when it is asked again, after a reset."""
    hid = d.configuration([d.interface(0, "03:01:01", d.INTERRUPT_IN, extra=d.hid_extra(4))])
    disk = d.configuration([d.interface(0, "08:06:50", d.BULK_PAIR)])
    with t.usb.crafted(configs=[[hid, hid, disk]], serial="JANUS", hid_report="0501a1c0", storage=True):
        name = t.wait_usb(serial="JANUS", configuration="1")["name"]
        assert "03:01:01" in t.interfaces_of(name)
        busnum, devnum = (t.find_usb(name=name)[key] for key in ("busnum", "devnum"))
        t.check(f"usbreset {busnum:03d}/{devnum:03d} || true")
        wait_for(lambda: "08:06:50" in t.interfaces_of(name), "the other face")


# ------------------------------------------------------------------------------------- the kernel's own gate

@on(SHUT)
def test_shut_gate_lets_nothing_in(t: Terminal) -> None:
    """The detector stays silent where the kernel refuses; also on controllers that come later."""
    with t.watch_devices() as seen:
        with t.usb.stick(serial="S1"), t.usb.uas_disk(), t.usb.network(), t.usb.serial_adapter(), t.usb.keyboard():
            t.wait_seen(seen, lambda seen: len(seen.devices) == 5, "five devices from outside")
            device = t.wait_usb(serial="S1")
            assert device["authorized"] == 0 and "0806" in device["descriptors"]
            assert '"ok"' not in t.usb.helper(f"usbfs_claim.py {device['name']} claim 0")
            t.settle()
        with t.usb.gadget("keyboard", "storage", serial="G1"), t.usb.crafted_stick(serial="K1"):
            t.wait_usb(serial="G1")
            t.wait_usb(serial="K1")
            t.settle()
    assert len(seen.devices) == 7
    assert seen.block == seen.net == seen.tty == seen.input == seen.generic == seen.bound == []


@on(SHUT)
def test_an_administrator_can_open_it(t: Terminal) -> None:
    with t.watch_devices() as seen, t.usb.stick(serial="S1"):
        name = t.wait_usb(serial="S1")["name"]
        assert t.usb.helper(f"rebind.sh authorize {name} 1").strip() == "ok"
        t.wait_seen(seen, lambda seen: seen.block, "the disk")


@on(BOOT_SHUT)
def test_stick_present_at_power_on_stays_shut(t: Terminal) -> None:
    t.boot_with(t.usb.stick(serial="EARLY"), t.usb.uas_disk(serial="EARLY-2"))
    assert t.wait_usb(serial="EARLY")["authorized"] == 0
    assert t.state()["block"] == []


# ------------------------------------------------------------------------------------- the terminal itself

def test_snapshot_forgets_and_clock_is_right(t: Terminal) -> None:
    t.check("touch /root/forget /run/forget && sync")
    t.restore()
    assert t.run("ls /root/forget /run/forget")[0] != 0
    assert abs(float(t.check("date +%s.%N")) - time.time()) < 5
    with t.watch_devices() as seen, t.usb.stick():
        t.wait_seen(seen, lambda seen: seen.block, "a disk after the restoration")


def test_stick_present_at_power_on(t: Terminal) -> None:
    t.boot_with(t.usb.stick(serial="EARLY"), t.usb.uas_disk(serial="EARLY-2"))
    t.wait_usb(serial="EARLY-2")
    assert len([name for name in t.state()["block"] if len(name) == 3]) == 2


def test_power_cut(t: Terminal) -> None:
    t.check("echo kept > /root/kept && sync && echo lost > /root/lost")
    t.vm.hard_reset()
    assert t.check("cat /root/kept") == "kept\n"
    assert t.run("cat /root/lost")[1] != "lost\n"


def test_initrd_made_by_the_terminal_is_booted(t: Terminal) -> None:
    script = "/etc/initramfs-tools/scripts/init-bottom/mark"
    t.vm.put_file(b"#!/bin/sh\n[ \"$1\" = prereqs ] || echo rig-mark > /run/rig-mark\n", script, 0o755)
    t.vm.use_quick_initramfs()
    t.check("update-initramfs -u", deadline=1800.0)
    t.vm.use_guest_initrd()
    t.vm.reboot()
    assert t.check("cat /run/rig-mark") == "rig-mark\n"


# ------------------------------------------------------------------------------------- a package

@on(Setup("package"))
def test_package_is_in_the_image_and_in_its_initrd(t: Terminal) -> None:
    assert t.check("cat /usr/share/rig-probe") == "probe\n"
    assert t.check("cat /run/rig-mark") == "rig-mark\n"
    t.check("mkdir -p /var/log/sekimori/agent")
    line = '{"event":"EXPORT_DENIED","peripheral_device":{"serial_number":"S1"}}'
    t.check(f"echo '{line}' > /var/log/sekimori/agent/1.jsonl; printf '{{\"half' >> /var/log/sekimori/agent/1.jsonl")
    assert t.wait_record(event="EXPORT_DENIED", serial="S1")
    assert t.find_record(event="EXPORT_DENIED", serial="S2") is None


def test_package_can_be_installed_in_the_running_terminal(t: Terminal) -> None:
    t.vm.use_quick_initramfs()
    t.vm.install_deb(PACKAGE)
    assert t.check("cat /usr/share/rig-probe") == "probe\n"


PACKAGE = Path(tempfile.gettempdir()) / f"rig-probe-{os.getuid()}.deb"


def build_package() -> None:
    """A package that depends on what Sekimori depends on, and puts a script into the initrd."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        script = root / "usr/share/initramfs-tools/scripts/init-bottom/rig-mark"
        for path, text in (
                (root / "DEBIAN/control", "Package: rig-probe\nVersion: 1\nArchitecture: all\nMaintainer: rig <r@x>\n"
                 "Depends: libudev1, libconfig9, libsodium23, libjansson4\nDescription: proves the rig\n"),
                (root / "DEBIAN/triggers", "activate-noawait update-initramfs\n"),
                (root / "usr/share/rig-probe", "probe\n"),
                (script, '#!/bin/sh\n[ "$1" = prereqs ] || echo rig-mark > /run/rig-mark\n')):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        script.chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder, str(PACKAGE)], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": "1"})


if __name__ == "__main__":
    from run_tests import main
    build_package()
    sys.exit(main(["--deb", str(PACKAGE), *sys.argv[1:], str(Path(__file__).resolve())]))
