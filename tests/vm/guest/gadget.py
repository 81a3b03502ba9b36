#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes USB devices inside the terminal itself: configfs gadgets on dummy_hcd, a cable between the kernel and itself.

    gadget.py create < definition.json      builds the gadget, not yet plugged in
    gadget.py plug NAME [PORT]              PORT 0...: which dummy controller, so which place in the device tree
    gadget.py unplug NAME
    gadget.py destroy NAME
    gadget.py cycle NAME COUNT              unplugs and plugs as fast as the kernel goes; ends plugged in
    gadget.py replug NAME COUNT             the same, waiting each time until the host side has seen it; ends unplugged
    gadget.py swap OLD NEW                  NEW takes OLD's port at once
    gadget.py press NAME FUNCTION           presses and releases the key `a`; prints what the host side said

Definition: {"name": "g1", "vendor": "1d6b", "product": "0104", "serial": "S", "manufacturer": "M", "product_name": "P",
 "class": 0, "configs": [["keyboard", "storage"], ["ecm"]]}. Each inner list is a configuration. No "serial" key: the
device has none. Functions: keyboard mouse hid_other storage rndis ecm ncm acm printer.
Interface: Documentation/usb/gadget_configfs.rst.
"""
import glob
import json
import os
import select
import subprocess
import sys
import time

ROOT = "/sys/kernel/config/usb_gadget"
CONTROLLERS = 4
KEYBOARD_REPORT = bytes.fromhex("05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503"
                                "910395067508150025650507190029658100c0")
MOUSE_REPORT = bytes.fromhex("05010902a1010901a10005091901290315002501950375018102950175058103050109300931158125"
                             "7f750895028106c0c0")
# A vendor-defined page: what a wireless receiver uses to talk to its own configuration program.
OTHER_REPORT = bytes.fromhex("0600ff0901a10109021500257f750895088102090395089102c0")
HID = {"keyboard": (1, 1, 8, KEYBOARD_REPORT), "mouse": (1, 2, 4, MOUSE_REPORT), "hid_other": (0, 0, 8, OTHER_REPORT)}
CONFIGFS_NAME = {"storage": "mass_storage", **dict.fromkeys(HID, "hid")}


def write(path: str, value: str | bytes) -> None:
    with open(path, "wb") as handle:
        handle.write(value if isinstance(value, bytes) else value.encode())


def read(path: str) -> str:
    with open(path) as handle:
        return handle.read().strip()


def load_modules() -> None:
    if not os.path.isdir(ROOT):
        subprocess.run(["modprobe", "libcomposite"], check=True)
        if not os.path.ismount("/sys/kernel/config"):
            subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)
    if not os.path.isdir("/sys/module/dummy_hcd"):
        subprocess.run(["modprobe", "dummy_hcd", f"num={CONTROLLERS}"], check=True)
    # The controllers' own root hubs have to be there before anything is plugged into them.
    while len(os.listdir("/sys/class/udc")) < CONTROLLERS:
        time.sleep(0.01)


def configure(folder: str, kind: str, gadget: str) -> None:
    """Sets one function up before it is linked into a configuration."""
    if kind in HID:
        subclass, protocol, length, report = HID[kind]
        write(f"{folder}/subclass", str(subclass))
        write(f"{folder}/protocol", str(protocol))
        write(f"{folder}/report_length", str(length))
        write(f"{folder}/report_desc", report)
    elif kind == "storage":
        medium = f"/run/rig-{gadget}-{os.path.basename(folder)}.img"
        with open(medium, "wb") as handle:
            handle.write(b"RECOGNISABLE-CONTENT-OF-THE-STICK\n")
            handle.truncate(8 << 20)
        write(f"{folder}/lun.0/removable", "1")
        write(f"{folder}/lun.0/file", medium)


def create(definition: dict) -> None:
    load_modules()
    name = definition["name"]
    base = f"{ROOT}/{name}"
    os.mkdir(base)
    write(f"{base}/idVendor", "0x" + definition.get("vendor", "1d6b"))
    write(f"{base}/idProduct", "0x" + definition.get("product", "0104"))
    write(f"{base}/bcdDevice", "0x0100")
    write(f"{base}/bDeviceClass", str(definition.get("class", 0)))
    os.mkdir(f"{base}/strings/0x409")
    for key, file in (("serial", "serialnumber"), ("manufacturer", "manufacturer"), ("product_name", "product")):
        if key in definition:
            # configfs takes one newline away at the end: add one, so that the text's own newlines stay.
            write(f"{base}/strings/0x409/{file}", definition[key] + "\n")
    count = 0
    for value, functions in enumerate(definition["configs"], 1):
        config = f"{base}/configs/c.{value}"
        os.mkdir(config)
        for kind in functions:
            folder = f"{base}/functions/{CONFIGFS_NAME.get(kind, kind)}.{name}{count}"
            count += 1
            os.mkdir(folder)
            configure(folder, kind, name)
            os.symlink(folder, f"{config}/f{count}-{kind}")


def plug(name: str, port: int) -> None:
    write(f"{ROOT}/{name}/UDC", f"dummy_udc.{port}")


def unplug(name: str) -> None:
    if read(f"{ROOT}/{name}/UDC"):
        write(f"{ROOT}/{name}/UDC", "\n")


def destroy(name: str) -> None:
    """Takes the gadget apart, in the opposite order of create()."""
    unplug(name)
    base = f"{ROOT}/{name}"
    for config in os.listdir(f"{base}/configs"):
        for entry in os.listdir(f"{base}/configs/{config}"):
            if os.path.islink(f"{base}/configs/{config}/{entry}"):
                os.unlink(f"{base}/configs/{config}/{entry}")
        os.rmdir(f"{base}/configs/{config}")
    for function in os.listdir(f"{base}/functions"):
        os.rmdir(f"{base}/functions/{function}")
    os.rmdir(f"{base}/strings/0x409")
    os.rmdir(base)


def wait_host(serial: str, present: bool) -> None:
    """Until the kernel's other side has enumerated the device with this serial, or has noticed that it is gone."""
    end = time.monotonic() + 120
    while any(read_or_empty(path) == serial for path in glob.glob("/sys/bus/usb/devices/*/serial")) != present:
        if time.monotonic() > end:
            sys.exit(f"the host side did not notice: {serial} present={present}")
        time.sleep(0.005)


def read_or_empty(path: str) -> str:
    try:
        return read(path)
    except OSError:
        return ""


def replug(name: str, count: int) -> None:
    """Plugs and unplugs, each time waiting until the host side has seen it; ends unplugged."""
    controller = read(f"{ROOT}/{name}/UDC") or "dummy_udc.0"
    serial = read(f"{ROOT}/{name}/strings/0x409/serialnumber")
    unplug(name)
    for _ in range(count):
        wait_host(serial, False)
        write(f"{ROOT}/{name}/UDC", controller)
        wait_host(serial, True)
        write(f"{ROOT}/{name}/UDC", "\n")


def cycle(name: str, count: int) -> None:
    controller = read(f"{ROOT}/{name}/UDC") or "dummy_udc.0"
    unplug(name)
    for turn in range(count):
        write(f"{ROOT}/{name}/UDC", controller)
        if turn + 1 < count:
            write(f"{ROOT}/{name}/UDC", "\n")


def swap(old: str, new: str) -> None:
    controller = read(f"{ROOT}/{old}/UDC")
    write(f"{ROOT}/{old}/UDC", "\n")
    write(f"{ROOT}/{new}/UDC", controller)


def press(name: str, function: str) -> None:
    """Sends one key press. Without a driver on the other side nobody collects it: then the result is "not taken"."""
    folder = next(entry for entry in sorted(os.listdir(f"{ROOT}/{name}/functions")) if entry.startswith("hid."))
    for link in sorted(os.listdir(f"{ROOT}/{name}/configs/c.1")):
        if link.endswith("-" + function):
            folder = os.path.basename(os.readlink(f"{ROOT}/{name}/configs/c.1/{link}"))
    major_minor = read(f"{ROOT}/{name}/functions/{folder}/dev")
    path = os.path.realpath(f"/dev/char/{major_minor}")
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        for report in (bytes([0, 0, 4, 0, 0, 0, 0, 0]), bytes(8), bytes(8)):
            # The second report goes out only after the host has collected the first.
            if not select.select([], [fd], [], 2.0)[1]:
                print(json.dumps({"result": "not taken"}))
                return
            os.write(fd, report)
        print(json.dumps({"result": "taken"}))
    except OSError as error:
        print(json.dumps({"result": os.strerror(error.errno)}))


def main(arguments: list[str]) -> None:
    match arguments:
        case ["create"]:
            create(json.load(sys.stdin))
        case ["plug", name]:
            plug(name, 0)
        case ["plug", name, port]:
            plug(name, int(port))
        case ["unplug", name]:
            unplug(name)
        case ["destroy", name]:
            destroy(name)
        case ["cycle", name, count]:
            cycle(name, int(count))
        case ["replug", name, count]:
            replug(name, int(count))
        case ["swap", old, new]:
            swap(old, new)
        case ["press", name, function]:
            press(name, function)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
