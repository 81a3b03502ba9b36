#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a USB device of which every descriptor byte can be chosen, plugged in at vhci_hcd, the kernel's USB/IP client.

    usbip_device.py plug NAME < definition.json    returns when the kernel has taken the device; prints {"port": N}
    usbip_device.py unplug NAME
    usbip_device.py heard NAME                      what the kernel asked of the device so far

Nothing checks the definition: it may be truncated, contradict itself, change between two questions or never answer.
{"speed": "high",                       low, full, high or super
 "device": "<hex>",                     or a list: the first for the first question, the last for all later ones
 "configs": ["<hex>", ...],             each as above
 "strings": {"1": "text" or {"raw": "<hex>"}},
 "bos": "<hex>", "hid_report": "<hex>",
 "storage": true,                       answers bulk-only SCSI commands like a disk of 8 MiB
 "stall": ["string:3", "config"],       questions that are refused,
 "hang": ["string:1"],                  never answered,
 "delay_ms": {"config": 2000}}          or answered late
Questions are named device, qualifier, config, string, bos, hid_report, with ":index" if only one index is meant.

Protocol: Documentation/usb/usbip_protocol.rst. The socket is one end of a socketpair; no network is involved.
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

VHCI = "/sys/devices/platform/vhci_hcd.0"
FOLDER = "/run/rig-usbip"
CMD_SUBMIT, CMD_UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4
EPIPE, ECONNRESET = -32, -104
SPEEDS = {"low": 1, "full": 2, "high": 3, "super": 5}
KINDS = {1: "device", 2: "config", 3: "string", 6: "qualifier", 15: "bos", 0x22: "hid_report"}


class Disk:
    """The SCSI side of a USB stick, as little of it as Linux needs (USB Mass Storage Bulk-Only 1.0, SBC-3)."""
    BLOCK = 512

    def __init__(self) -> None:
        self.data = bytearray(8 << 20)
        self.data[:34] = b"RECOGNISABLE-CONTENT-OF-THE-STICK\n"
        self.answer = b""           # waits for bulk IN
        self.status = b""           # follows it
        self.writing: tuple[int, int] | None = None
        self.writes = 0

    def out(self, data: bytes) -> None:
        """A bulk OUT transfer: a command, or data to write."""
        if self.writing:
            offset, left = self.writing
            self.data[offset:offset + len(data)] = data
            self.writing = (offset + len(data), left - len(data)) if left > len(data) else None
            return
        if len(data) != 31 or data[:4] != b"USBC":
            return
        tag, length, flags, _, size = struct.unpack("<IIBBB", data[4:15])
        command = data[15:15 + size]
        self.answer = self._execute(command)[:length]
        missing = length - len(self.answer) if flags & 0x80 else 0
        self.status = struct.pack("<4sIIB", b"USBS", tag, missing, 0)

    def _execute(self, command: bytes) -> bytes:
        blocks = len(self.data) // self.BLOCK
        match command[0]:
            case 0x12:      # INQUIRY: a removable disk
                return bytes([0, 0x80, 4, 2, 31, 0, 0, 0]) + b"RIG     CRAFTED DISK    1.0 "
            case 0x25:      # READ CAPACITY(10)
                return struct.pack(">II", blocks - 1, self.BLOCK)
            case 0x1A:      # MODE SENSE(6)
                return bytes([3, 0, 0, 0])
            case 0x03:      # REQUEST SENSE
                return bytes([0x70, 0, 0, 0, 0, 0, 0, 10]) + bytes(10)
            case 0x28:      # READ(10)
                start, count = struct.unpack(">xxIxH", command[:9])
                return bytes(self.data[start * self.BLOCK:(start + count) * self.BLOCK])
            case 0x2A:      # WRITE(10)
                start, count = struct.unpack(">xxIxH", command[:9])
                self.writing, self.writes = (start * self.BLOCK, count * self.BLOCK), self.writes + 1
        return b""

    def take(self, length: int) -> bytes | None:
        """What the next bulk IN gets; None if there is nothing to say yet."""
        if self.answer:
            piece, self.answer = self.answer[:length], self.answer[length:]
            return piece
        if self.status and not self.writing:
            piece, self.status = self.status, b""
            return piece
        return None


class Device:
    """Answers the kernel's questions from the definition."""

    def __init__(self, definition: dict, sock: socket.socket, name: str) -> None:
        self.definition = definition
        self.sock = sock
        self.asked: dict[str, int] = {}
        self.bulk_out = b""
        self.pending: list[tuple[int, int, int]] = []       # (sequence, endpoint, length) of IN transfers in wait
        self.disk = Disk() if definition.get("storage") else None
        self.log_path = f"{FOLDER}/{name}.heard"

    def heard(self) -> None:
        """Writes down what has been asked, for `heard`."""
        with open(self.log_path + ".new", "w") as handle:
            json.dump({"asked": self.asked, "bulk_out": self.bulk_out[:4096].hex(),
                       "writes": self.disk.writes if self.disk else 0}, handle)
        os.rename(self.log_path + ".new", self.log_path)

    def _version(self, value: str | list[str], kind: str) -> bytes:
        """The answer for this time: a list is gone through, its last member stays."""
        if isinstance(value, list):
            value = value[min(self.asked[kind], len(value)) - 1]
        return bytes.fromhex(value)

    def _descriptor(self, kind: str, index: int) -> bytes | None:
        name = f"{kind}:{index}"
        self.asked[name] = self.asked.get(name, 0) + 1
        if kind == "config":
            configs = self.definition.get("configs", [])
            return self._version(configs[index], name) if index < len(configs) else None
        if kind != "string":
            return self._version(self.definition[kind], name) if kind in self.definition else None
        if index == 0:
            return b"\x04\x03\x09\x04"
        text = self.definition.get("strings", {}).get(str(index))
        if isinstance(text, dict):
            return bytes.fromhex(text["raw"])
        if text is None:
            return None
        encoded = text.encode("utf-16-le")[:252]
        return bytes([len(encoded) + 2, 3]) + encoded

    def control(self, setup: bytes) -> bytes | int | None:
        """The answer to a control request: bytes, a negative error, or None for no answer at all."""
        request_type, request, value, index, length = struct.unpack("<BBHHH", setup)
        if request == 6 and request_type in (0x80, 0x81):
            kind, number = KINDS.get(value >> 8, "other"), value & 0xFF
            names = {kind, f"{kind}:{number}"}
            time.sleep(max([self.definition.get("delay_ms", {}).get(name, 0) for name in names]) / 1000)
            if names & set(self.definition.get("hang", [])):
                self.asked[f"{kind}:{number}"] = self.asked.get(f"{kind}:{number}", 0) + 1
                return None
            if names & set(self.definition.get("stall", [])):
                return EPIPE
            answer = self._descriptor(kind, number)
            return EPIPE if answer is None else answer[:length]
        key = f"request:{request_type:02x}:{request:02x}"
        self.asked[key] = self.asked.get(key, 0) + 1
        if (request_type, request) == (0xA1, 0xFE):                     # GET MAX LUN
            return b"\0" if self.disk else EPIPE
        if (request_type, request) == (0x80, 0):                        # GET STATUS
            return b"\0\0"
        return bytes(length) if request_type == 0xA1 else (b"" if not request_type & 0x80 else EPIPE)

    def submit(self, sequence: int, incoming: bool, endpoint: int, length: int, setup: bytes) -> None:
        """One transfer that the kernel asks for."""
        data = b"" if incoming else self._read(length)
        if endpoint == 0:
            answer = self.control(setup)
            if answer is None:
                return
            if isinstance(answer, int):
                self._reply(sequence, answer, 0, b"")
            else:
                self._reply(sequence, 0, len(answer) if incoming else length, answer if incoming else b"")
        elif incoming:
            self.pending.append((sequence, endpoint, length))
        else:
            self.bulk_out += data if len(self.bulk_out) < 4096 else b""
            if self.disk:
                self.disk.out(data)
            self._reply(sequence, 0, length, b"")
        self._serve_pending()
        self.heard()

    def _serve_pending(self) -> None:
        """Gives the disk's answers to the IN transfers that wait for them. Other endpoints have nothing to say."""
        while self.disk and self.pending:
            sequence, _, length = self.pending[0]
            answer = self.disk.take(length)
            if answer is None:
                return
            self.pending.pop(0)
            self._reply(sequence, 0, len(answer), answer)

    def unlink(self, sequence: int, victim: int) -> None:
        """The kernel gives up on a transfer."""
        known = [entry for entry in self.pending if entry[0] == victim]
        self.pending = [entry for entry in self.pending if entry[0] != victim]
        self.sock.sendall(struct.pack(">IIIIIi24x", RET_UNLINK, sequence, 0, 0, 0, ECONNRESET if known else 0))

    def _reply(self, sequence: int, status: int, actual: int, data: bytes) -> None:
        self.sock.sendall(struct.pack(">IIIIIiiiii8x", RET_SUBMIT, sequence, 0, 0, 0, status, actual, 0, 0, 0) + data)

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self.sock.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def serve(self) -> None:
        """Works until the kernel closes the socket (unplugged)."""
        try:
            while True:
                command, sequence, _, incoming, endpoint, *_rest = struct.unpack(">IIIII28s", self._read(48))
                fields = struct.unpack(">IiIII8s", _rest[0])
                if command == CMD_SUBMIT:
                    self.submit(sequence, bool(incoming), endpoint, fields[1], fields[5])
                elif command == CMD_UNLINK:
                    self.unlink(sequence, fields[0])
        except (EOFError, ConnectionError, BrokenPipeError):
            return


def free_port(speed: str) -> int:
    """A port of vhci_hcd with nothing on it."""
    with open(f"{VHCI}/status") as handle:
        for hub, port, state in re.findall(r"(?m)^(hs|ss)\s+(\d+)\s+(\d+)", handle.read()):
            if int(state) == 4 and (hub == "ss") == (speed == "super"):
                return int(port)
    sys.exit("vhci_hcd has no free port")


def plug(name: str, definition: dict) -> None:
    subprocess.run(["modprobe", "vhci_hcd"], check=True)
    os.makedirs(FOLDER, exist_ok=True)
    speed = definition.get("speed", "high")
    port = free_port(speed)
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        kernels.close()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        device = Device(definition, ours, name)
        device.heard()
        device.serve()
        os._exit(0)
    ours.close()
    with open(f"{VHCI}/attach", "w") as handle:
        handle.write(f"{port} {kernels.fileno()} {port + 1} {SPEEDS[speed]}")
    with open(f"{FOLDER}/{name}.json", "w") as handle:
        json.dump({"port": port, "pid": pid}, handle)
    print(json.dumps({"port": port, "pid": pid}))


def unplug(name: str) -> None:
    with open(f"{FOLDER}/{name}.json") as handle:
        running = json.load(handle)
    with open(f"{VHCI}/detach", "w") as handle:
        handle.write(str(running["port"]))
    try:
        os.kill(running["pid"], signal.SIGTERM)
    except ProcessLookupError:
        pass
    os.unlink(f"{FOLDER}/{name}.json")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["plug", name]:
            plug(name, json.load(sys.stdin))
        case ["unplug", name]:
            unplug(name)
        case ["heard", name]:
            with open(f"{FOLDER}/{name}.heard") as handle:
                print(handle.read())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
