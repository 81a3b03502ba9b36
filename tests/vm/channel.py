# SPDX-License-Identifier: Apache-2.0
"""The two sockets into a virtual machine: QMP (to QEMU) and the guest agent's (to the system inside).

Both speak JSON, one message a line. Each socket is one end of a socketpair whose other end QEMU inherits, so there is
no path to choose, to clean up or to be too long, and both close when either side dies.

Protocols: https://www.qemu.org/docs/master/interop/qmp-spec.html and .../interop/qemu-ga-ref.html
"""
from __future__ import annotations

import base64
import json
import random
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from waiting import Deadline, Timeout, wait_for


class ChannelClosed(Exception):
    """QEMU has gone away."""


class CommandFailed(Exception):
    """QEMU or the guest agent answered with an error. `kind` is its class, e.g. "DeviceNotFound"."""

    def __init__(self, command: str, error: dict[str, Any]) -> None:
        super().__init__(f"{command}: {error.get('desc')} ({error.get('class')})")
        self.kind = error.get("class", "")


class JsonChannel:
    """Sends and receives one JSON object a line."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""

    def close(self) -> None:
        self._sock.close()

    def send(self, message: dict[str, Any], prefix: bytes = b"") -> None:
        """Sends a message. The guest agent reads slowly: the socket blocks, QEMU feeds it on."""
        self._sock.setblocking(True)
        try:
            self._sock.sendall(prefix + json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise ChannelClosed(f"cannot write to the VM: {error}") from error

    def _fill(self, deadline: Deadline) -> bool:
        """Reads what is there; False if nothing comes before the deadline."""
        ready, _, _ = select.select([self._sock], [], [], deadline.left())
        if not ready:
            return False
        try:
            data = self._sock.recv(1 << 20)
        except OSError as error:
            raise ChannelClosed(f"cannot read from the VM: {error}") from error
        if not data:
            raise ChannelClosed("the VM closed its socket")
        self._buffer += data
        return True

    def receive(self, deadline: Deadline) -> dict[str, Any] | None:
        """The next message, or None if none comes before the deadline. Lines that are not JSON are skipped."""
        while True:
            while b"\n" not in self._buffer:
                if not self._fill(deadline):
                    return None
            line, self._buffer = self._buffer.split(b"\n", 1)
            try:
                message = json.loads(line.lstrip(b"\xff").strip() or b"null")
            except ValueError:
                continue
            if isinstance(message, dict):
                return message

    def drop_pending(self) -> None:
        """Forgets whatever has arrived."""
        self._buffer = b""
        while self._fill(Deadline(0)):
            self._buffer = b""


class Qmp(JsonChannel):
    """QEMU's own control channel: commands, and events which are kept until somebody asks."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.events: deque[dict[str, Any]] = deque(maxlen=1000)

    def negotiate(self, deadline: float) -> None:
        """Reads the greeting and enters command mode."""
        limit = Deadline(deadline)
        greeting = self.receive(limit)
        if greeting is None or "QMP" not in greeting:
            raise ChannelClosed(f"QEMU did not greet: {greeting!r}")
        self.execute("qmp_capabilities", deadline=limit.left())

    def execute(self, command: str, arguments: dict[str, Any] | None = None, deadline: float = 120.0) -> Any:
        """Runs one command and returns its result; events that arrive meanwhile are kept."""
        limit = Deadline(deadline)
        self.send({"execute": command, "arguments": arguments or {}})
        while (message := self.receive(limit)) is not None:
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise CommandFailed(command, message["error"])
            elif "return" in message:
                return message["return"]
        raise Timeout(f"QEMU did not answer {command} within {deadline:.0f} s")

    def wait_event(self, name: str, matches: Callable[[dict[str, Any]], bool] = lambda data: True,
                   deadline: float = 60.0) -> dict[str, Any]:
        """Takes the first event of that name whose data match, from those kept or yet to come."""
        limit = Deadline(deadline)
        while True:
            for message in self.events:
                if message["event"] == name and matches(message.get("data", {})):
                    self.events.remove(message)
                    return message.get("data", {})
            message = self.receive(limit)
            if message is None:
                raise Timeout(f"QEMU sent no {name} event within {deadline:.0f} s")
            if "event" in message:
                self.events.append(message)

    def run_job(self, command: str, arguments: dict[str, Any], deadline: float = 300.0) -> None:
        """Runs a command that works as a background job (snapshots) to its end."""
        job = f"job{random.getrandbits(32):x}"
        self.execute(command, {"job-id": job, **arguments})

        def concluded() -> dict[str, Any] | None:
            jobs = {entry["id"]: entry for entry in self.execute("query-jobs")}
            return jobs[job] if jobs[job]["status"] == "concluded" else None

        result = wait_for(concluded, f"QEMU's {command}", deadline)
        self.execute("job-dismiss", {"id": job})
        if "error" in result:
            raise CommandFailed(command, {"desc": result["error"], "class": "JobFailed"})


class GuestAgent(JsonChannel):
    """qemu-guest-agent, which runs as root inside the terminal. One command at a time."""

    def sync(self, deadline: float = 5.0) -> bool:
        """Makes sure that the next answer belongs to the next question; False if nobody answers."""
        limit = Deadline(deadline)
        self.drop_pending()
        token = random.getrandbits(31)
        # The byte 0xff makes the agent throw away a half command that an earlier owner of the socket left.
        self.send({"execute": "guest-sync-delimited", "arguments": {"id": token}}, prefix=b"\xff")
        while (message := self.receive(limit)) is not None:
            if message.get("return") == token:
                return True
        return False

    def execute(self, command: str, arguments: dict[str, Any] | None = None, deadline: float = 120.0) -> Any:
        """Runs one command of the agent and returns its result."""
        self.send({"execute": command, "arguments": arguments or {}})
        message = self.receive(Deadline(deadline))
        if message is None:
            raise Timeout(f"the guest agent did not answer {command} within {deadline:.0f} s")
        if "error" in message:
            raise CommandFailed(command, message["error"])
        return message["return"]

    def start_process(self, argv: list[str], stdin: bytes = b"", deadline: float = 120.0) -> int:
        """Starts a program as root and returns its process number; its output is kept by the agent."""
        arguments: dict[str, Any] = {"path": argv[0], "arg": argv[1:], "capture-output": True}
        if stdin:
            arguments["input-data"] = base64.b64encode(stdin).decode()
        return self.execute("guest-exec", arguments, deadline)["pid"]

    def wait_process(self, pid: int, what: str, deadline: float | Deadline) -> tuple[int, bytes, bytes]:
        """Waits until that program ends; returns its exit code (128 + signal if killed), stdout and stderr."""
        def ended() -> dict[str, Any] | None:
            status = self.execute("guest-exec-status", {"pid": pid})
            return status if status["exited"] else None

        status = wait_for(ended, what, deadline)
        code = status["exitcode"] if "exitcode" in status else 128 + status.get("signal", 0)
        return code, base64.b64decode(status.get("out-data", "")), base64.b64decode(status.get("err-data", ""))

    def write_file(self, path: str, data: bytes) -> None:
        """Writes a file inside the terminal, in pieces that the virtual serial port swallows in one go."""
        handle = self.execute("guest-file-open", {"path": path, "mode": "w"})
        try:
            for start in range(0, len(data), 1 << 20):
                piece = base64.b64encode(data[start:start + (1 << 20)]).decode()
                self.execute("guest-file-write", {"handle": handle, "buf-b64": piece})
        finally:
            self.execute("guest-file-close", {"handle": handle})

    def read_file(self, path: str) -> bytes:
        """Reads a file inside the terminal."""
        handle = self.execute("guest-file-open", {"path": path, "mode": "r"})
        try:
            pieces = []
            while True:
                answer = self.execute("guest-file-read", {"handle": handle, "count": 1 << 20})
                pieces.append(base64.b64decode(answer["buf-b64"]))
                if answer["eof"] or answer["count"] == 0:
                    return b"".join(pieces)
        finally:
            self.execute("guest-file-close", {"handle": handle})
