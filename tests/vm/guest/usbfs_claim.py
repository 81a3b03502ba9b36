#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goes round the kernel's drivers: asks for a USB interface, or another configuration, through usbfs, as root.

    usbfs_claim.py NAME claim INTERFACE          as libusb, libmtp and adb do
    usbfs_claim.py NAME configuration VALUE      as usb_modeswitch does
    usbfs_claim.py NAME vendor-out HEX           sends bytes by a vendor request on endpoint 0

NAME is the kernel's name of the device, e.g. 1-2. Prints {"result": "ok"} or {"result": "ENODEV"}; exits 0 either way,
so that the scenario compares, and 2 if the device node cannot even be opened.
The ioctls: linux/usbdevice_fs.h.
"""
import ctypes
import errno
import fcntl
import json
import os
import struct
import sys

USBDEVFS_CONTROL = 0xC0185500
USBDEVFS_SETCONFIGURATION = 0x80045505
USBDEVFS_CLAIMINTERFACE = 0x8004550F
VENDOR_OUT = 0x40


def node(name: str) -> str:
    """/dev/bus/usb/BBB/DDD of a device."""
    def read(attribute: str) -> int:
        with open(f"/sys/bus/usb/devices/{name}/{attribute}") as handle:
            return int(handle.read())
    return f"/dev/bus/usb/{read('busnum'):03d}/{read('devnum'):03d}"


def vendor_out(fd: int, data: bytes) -> None:
    buffer = ctypes.create_string_buffer(data, len(data))
    # struct usbdevfs_ctrltransfer: bRequestType, bRequest, wValue, wIndex, wLength, timeout in ms, pointer
    fcntl.ioctl(fd, USBDEVFS_CONTROL,
                struct.pack("BBHHHI4xQ", VENDOR_OUT, 1, 0, 0, len(data), 5000, ctypes.addressof(buffer)))


def main() -> int:
    name, action, value = sys.argv[1:]
    try:
        fd = os.open(node(name), os.O_RDWR)
    except OSError as error:
        print(json.dumps({"result": errno.errorcode[error.errno], "at": "open"}))
        return 2
    try:
        if action == "vendor-out":
            vendor_out(fd, bytes.fromhex(value))
        else:
            request = {"claim": USBDEVFS_CLAIMINTERFACE, "configuration": USBDEVFS_SETCONFIGURATION}[action]
            fcntl.ioctl(fd, request, struct.pack("I", int(value)))
        print(json.dumps({"result": "ok"}))
    except OSError as error:
        print(json.dumps({"result": errno.errorcode[error.errno], "at": action}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
