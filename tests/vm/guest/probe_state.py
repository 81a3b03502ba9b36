#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints as JSON what USB has brought into this system at this moment.

    {"usb":        [{"name": "1-2", "vendor": "46f4", "product": "0001", "serial": "S1", "authorized": 1,
                     "class": "00", "configuration": "1", "descriptors": "<hex>", "sysfs": "/sys/devices/..."}],
     "interfaces": [{"name": "1-2:1.0", "class": "08:06:50", "authorized": 1, "driver": "usb-storage"}],
     "hubs":       [{"name": "usb1", "authorized_default": 1, "interface_authorized_default": 1}],
     "block": [...], "net": [...], "tty": [...], "scsi_generic": [...], "bsg": [...], "input": [...], ...}

The last lines name the devices of those kernel subsystems whose sysfs path goes through USB.
"""
import json
import os
import re

USB = "/sys/bus/usb/devices"
SUBSYSTEMS = ("block", "net", "tty", "scsi_generic", "bsg", "scsi_device", "input", "hidraw", "usbmisc", "sound",
              "video4linux", "bluetooth", "mmc_host", "leds")


def attribute(path: str, name: str) -> str | None:
    """The text of a sysfs attribute without its newline, or None."""
    try:
        with open(os.path.join(path, name), "rb") as handle:
            return handle.read().decode(errors="backslashreplace").removesuffix("\n")
    except OSError:
        return None


def number(text: str | None) -> int | None:
    return int(text) if text is not None else None


def device(name: str) -> dict:
    path = os.path.realpath(f"{USB}/{name}")
    try:
        with open(f"{path}/descriptors", "rb") as handle:
            descriptors = handle.read().hex()
    except OSError:
        descriptors = None
    return {"name": name, "vendor": attribute(path, "idVendor"), "product": attribute(path, "idProduct"),
            "serial": attribute(path, "serial"), "manufacturer": attribute(path, "manufacturer"),
            "product_name": attribute(path, "product"), "authorized": number(attribute(path, "authorized")),
            "class": attribute(path, "bDeviceClass"), "configuration": attribute(path, "bConfigurationValue"),
            "busnum": number(attribute(path, "busnum")), "devnum": number(attribute(path, "devnum")),
            "descriptors": descriptors, "sysfs": path}


def interface(name: str) -> dict:
    path = f"{USB}/{name}"
    triple = [attribute(path, f"bInterface{part}") for part in ("Class", "SubClass", "Protocol")]
    driver = os.path.basename(os.readlink(f"{path}/driver")) if os.path.islink(f"{path}/driver") else None
    return {"name": name, "class": ":".join(part or "?" for part in triple),
            "authorized": number(attribute(path, "authorized")), "driver": driver}


def root_hub(name: str) -> dict:
    return {"name": name, "authorized_default": number(attribute(f"{USB}/{name}", "authorized_default")),
            "interface_authorized_default": number(attribute(f"{USB}/{name}", "interface_authorized_default"))}


def through_usb(subsystem: str) -> list[str]:
    """The devices of a subsystem that sit behind a USB controller. /sys/class/block has disks and partitions."""
    folder = f"/sys/class/{subsystem}"
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name for name in names if re.search(r"/usb\d+/", os.path.realpath(f"{folder}/{name}")))


def main() -> None:
    names = sorted(os.listdir(USB)) if os.path.isdir(USB) else []
    state = {"usb": [device(name) for name in names if ":" not in name and not name.startswith("usb")],
             "interfaces": [interface(name) for name in names if ":" in name],
             "hubs": [root_hub(name) for name in names if name.startswith("usb")]}
    state.update((subsystem, through_usb(subsystem)) for subsystem in SUBSYSTEMS)
    print(json.dumps(state))


if __name__ == "__main__":
    main()
