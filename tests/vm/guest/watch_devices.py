#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records every kernel uevent that has to do with USB, so that "no disk ever appeared" is counted, not polled.

    watch_devices.py start     returns as soon as the kernel's messages are being received
    watch_devices.py show      prints what has come so far, as JSON
    watch_devices.py stop      the same, and ends the watch

It listens to the kernel's own multicast group, not to udevd: udevd may be stopped, and a udev rule can hide a device.
{"events": [{"action": "add", "subsystem": "block", "path": "/devices/...", "name": "sda", ...}], "lost": false}
"lost" is true if the kernel dropped messages: then the events prove nothing.
"""
import errno
import json
import os
import re
import select
import socket
import sys

CONTROL = "\0rig-watch-devices"         # an abstract address: it goes away with the process
NETLINK_KOBJECT_UEVENT = 15
SO_RCVBUFFORCE = 33
KEPT = ("DEVTYPE", "DEVNAME", "DRIVER", "PRODUCT", "INTERFACE", "TYPE")


def parse(message: bytes) -> dict | None:
    """One uevent as a dict, or None if its device does not sit behind a USB controller."""
    head, *pairs = message.decode(errors="replace").rstrip("\0").split("\0")
    if "@" not in head:
        return None
    values = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    path = values.get("DEVPATH", "")
    if not re.search(r"/usb\d+/", path):
        return None
    event = {"action": values.get("ACTION"), "subsystem": values.get("SUBSYSTEM"), "path": path,
             "name": path.rsplit("/", 1)[1], "seqnum": int(values.get("SEQNUM", 0))}
    event.update((key.lower(), values[key]) for key in KEPT if key in values)
    return event


class Watcher:
    """The background process: receives uevents, answers `show` and `stop` on a socket."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.lost = False
        self.kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        self.kernel.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
        self.kernel.setblocking(False)
        self.kernel.bind((0, 1))
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.bind(CONTROL)
        self.control.listen(4)

    def drain(self) -> None:
        """Takes all that the kernel has queued: a uevent is in the queue before the step that caused it returns."""
        while True:
            try:
                event = parse(self.kernel.recv(1 << 16))
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.lost = True
                continue
            if event:
                self.events.append(event)

    def serve(self) -> None:
        """Works until somebody says `stop`."""
        while True:
            ready, _, _ = select.select([self.kernel, self.control], [], [])
            self.drain()
            if self.control not in ready:
                continue
            client, _ = self.control.accept()
            with client:
                command = client.recv(16)
                self.drain()
                client.sendall(json.dumps({"events": self.events, "lost": self.lost}).encode())
            if command == b"stop":
                return


def start() -> None:
    watcher = Watcher()                 # both sockets are bound before the parent returns: nothing is missed
    if os.fork() != 0:
        return
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    watcher.serve()


def ask(command: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(CONTROL)
        control.sendall(command.encode())
        return b"".join(iter(lambda: control.recv(1 << 16), b"")).decode()


if __name__ == "__main__":
    if sys.argv[1:] == ["start"]:
        start()
    elif sys.argv[1:] in (["show"], ["stop"]):
        print(ask(sys.argv[1]))
    else:
        sys.exit(__doc__)
