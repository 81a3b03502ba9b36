# SPDX-License-Identifier: Apache-2.0
"""Builds USB descriptors byte by byte, rightly or, on purpose, wrongly (USB 2.0, chapter 9.6).

    config = configuration([interface(0, "08:06:50", BULK_PAIR)])
    config = configuration([interface(0, "03:01:01", [endpoint(0x81, 3, 8, 10)])], total_length=0xFFFF)

What a device description contradicts is said by overriding a length or a count, or by cutting the bytes.
"""
from __future__ import annotations

import struct


def device(vendor: int = 0x1D6B, product: int = 0x0104, device_class: str = "00:00:00", configs: int = 1,
           manufacturer: int = 0, name: int = 0, serial: int = 0, usb: int = 0x0200, max_packet: int = 64) -> bytes:
    """The device descriptor; `manufacturer`, `name` and `serial` are string numbers, 0 for none."""
    return struct.pack("<BBHBBBBHHHBBBB", 18, 1, usb, *bytes.fromhex(device_class.replace(":", "")), max_packet,
                       vendor, product, 0x0100, manufacturer, name, serial, configs)


def endpoint(address: int, attributes: int, max_packet: int, interval: int = 0) -> bytes:
    """An endpoint: `attributes` 2 = bulk, 3 = interrupt; bit 7 of `address` = towards the host."""
    return struct.pack("<BBBBHB", 7, 5, address, attributes, max_packet, interval)


BULK_PAIR = [endpoint(0x81, 2, 512), endpoint(0x02, 2, 512)]
INTERRUPT_IN = [endpoint(0x81, 3, 8, 10)]


def interface(number: int, triple: str, endpoints: list[bytes], alternate: int = 0, extra: bytes = b"",
              endpoint_count: int | None = None, name: int = 0) -> bytes:
    """An interface with its endpoints; `triple` is class:subclass:protocol; `extra` are class descriptors."""
    count = len(endpoints) if endpoint_count is None else endpoint_count
    head = struct.pack("<BBBBB", 9, 4, number, alternate, count) + bytes.fromhex(triple.replace(":", ""))
    return head + bytes([name]) + extra + b"".join(endpoints)


def hid_extra(report_length: int) -> bytes:
    """The HID class descriptor that stands between a HID interface and its endpoint."""
    return struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, report_length)


def configuration(interfaces: list[bytes], value: int = 1, total_length: int | None = None,
                  interface_count: int | None = None, extra: bytes = b"") -> bytes:
    """A configuration with all that follows it; the lengths are right unless given."""
    body = b"".join(interfaces) + extra
    numbers = {part[2] for part in interfaces}
    count = len(numbers) if interface_count is None else interface_count
    length = 9 + len(body) if total_length is None else total_length
    return struct.pack("<BBHBBBBB", 9, 2, length, count, value, 0, 0x80, 50) + body
