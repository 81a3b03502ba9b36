#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The built sekimori-notify on a session bus of its own. The agent is played here, from the protocol's description
(include/sekimori/control.h), and so is the notification server, which tells what it was asked to show.

usage: session.py SOURCE_DIR BUILD_DIR"""
from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEADLINE = 60.0
STORAGE = 6                             # enum skm_device_kind
SUBSCRIBE = struct.pack("<BBHI", 1, 4, 0, 0)
WELCOME = struct.pack("<BBHI", 1, 0, 0, 0)
BUSY = struct.pack("<BBHI", 1, 4, 0, 0)


def wait_for(fn: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + DEADLINE
    while True:
        result = fn()
        if result:
            return result
        assert time.monotonic() < end, f"waited {DEADLINE:.0f} s for {what}; the last answer was {result!r}"
        time.sleep(0.02)


def read_proc(path: Path) -> str:
    """What it says of a thread or a descriptor that may be gone by now."""
    try:
        return path.read_text()
    except OSError:
        return ""


# ---------------------------------------------------------------------------------------------- the notification server

def serve_notifications() -> None:
    """Runs as a process of its own, by Debian's Python, whose the modules are: one line of JSON for each notice."""
    import dbus
    import dbus.mainloop.glib
    import dbus.service
    from gi.repository import GLib

    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    interface = "org.freedesktop.Notifications"

    class Server(dbus.service.Object):
        last = 0

        @dbus.service.method(interface, in_signature="susssasa{sv}i", out_signature="u")
        def Notify(self, app, replaces, icon, title, body, actions, hints, timeout):
            if not replaces:
                self.last += 1
            number = replaces or self.last
            print(json.dumps({"app": app, "id": number, "replaces": replaces, "title": title, "body": body,
                              "timeout": timeout}), flush=True)
            return dbus.UInt32(number)

        @dbus.service.method(interface, out_signature="as")
        def GetCapabilities(self):
            return ["body", "body-markup"]

        @dbus.service.method(interface, out_signature="ssss")
        def GetServerInformation(self):
            return "test", "Sekimori", "1", "1.2"

        @dbus.service.method(interface, in_signature="u")
        def CloseNotification(self, number):
            pass

    bus = dbus.SessionBus()
    server = Server(bus, "/org/freedesktop/Notifications")
    name = dbus.service.BusName(interface, bus)
    print(json.dumps({"ready": True}), flush=True)
    GLib.MainLoop().run()
    del server, name


class Process:
    """A program whose output is read while it runs."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.argv, self.lines, self.errors = argv, [], []
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.readers = [threading.Thread(target=self.read, args=(pipe, into), daemon=True) for pipe, into in
                        ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()

    def read(self, pipe, into: list[str]) -> None:
        for line in pipe:
            into.append(line.rstrip("\n"))

    def wait_end(self, code: int) -> None:
        try:
            found = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv} does not end; it said {self.errors}") from None
        for reader in self.readers:
            reader.join(DEADLINE)
        assert found == code, f"{self.argv} ended with {found}, not {code}; it said {self.errors}"

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        if self.is_alive():
            self.process.kill()
        self.process.wait()


# -------------------------------------------------------------------------------------------------------- the agent

class Agent:
    """Listens at a socket and lets everybody subscribe who says the right word."""

    def __init__(self, path: Path) -> None:
        self.path, self.subscribers, self.wrong = path, queue.Queue(), []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            said = connection.recv(64)
            if said != SUBSCRIBE:
                self.wrong.append(said)
            connection.send(WELCOME)
            self.subscribers.put(connection)

    def subscriber(self) -> socket.socket:
        try:
            return self.subscribers.get(timeout=DEADLINE)
        except queue.Empty:
            raise AssertionError(f"nobody subscribed within {DEADLINE:.0f} s") from None

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        self.path.unlink()
        assert not self.wrong, f"said instead of the request: {self.wrong}"


def refusal(receipt: int, product: str = "Ultra", reason: str = "", kind: int = STORAGE) -> bytes:
    texts = b"".join(struct.pack("<H", len(text.encode())) + text.encode() for text in (product, reason))
    body = struct.pack("<QBBHH", receipt, 0, kind, 0x0781, 0x5581) + texts
    return struct.pack("<BBHI", 1, 1, 0, len(body)) + body


# -------------------------------------------------------------------------------------------------------- the session

class Session:
    def __init__(self, build: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="skm-session-"))
        self.socket, self.build, self.processes = self.folder / "session", build, []
        self.server: Process | None = None
        # No service may be started by its name: what is on this bus is here.
        config = self.folder / "bus.conf"
        config.write_text(f"<busconfig><type>session</type><listen>unix:dir={self.folder}</listen>"
                          "<policy context='default'><allow send_destination='*'/><allow own='*'/>"
                          "<allow receive_sender='*'/></policy></busconfig>")
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                    "LANG": "ja_JP.UTF-8"}
        self.bus = self.start(["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"])
        wait_for(lambda: self.bus.lines, "the session bus")
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.lines[0]

    def start(self, argv: list[str]) -> Process:
        self.processes.append(Process(argv, self.env))
        return self.processes[-1]

    def start_server(self) -> None:
        self.server = self.start(["/usr/bin/python3", __file__, "--server"])
        wait_for(lambda: self.server.lines or not self.server.is_alive(), "the notification server")
        assert self.server.lines, f"the notification server says {self.server.errors}"
        assert json.loads(self.server.lines[0]) == {"ready": True}, (self.server.lines, self.server.errors)

    def notifier(self, *more: str) -> Process:
        return self.start([str(self.build / "agent" / "sekimori-notify"), "--socket", str(self.socket), *more])

    def shown(self) -> list[dict[str, Any]]:
        assert self.server
        return [json.loads(line) for line in self.server.lines[1:]]

    def wait_shown(self, count: int, notifier: Process) -> list[dict[str, Any]]:
        wait_for(lambda: len(self.shown()) >= count or not notifier.is_alive(), f"notice {count}; the notifier said "
                 f"{notifier.errors}")
        assert notifier.is_alive(), f"the notifier is gone; it said {notifier.errors}"
        return self.shown()

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
        shutil.rmtree(self.folder)


def test_a_refusal_is_shown(s: Session) -> None:
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier()
    line = agent.subscriber()
    began = time.monotonic()
    line.send(refusal(1234, "<b>Ultra</b>", "窓口2番へ"))
    notice = s.wait_shown(1, notifier)[0]
    print(f"  shown after {time.monotonic() - began:.3f} s")
    assert notice["title"] == "USB機器は使用できません", notice
    assert "受付番号 1234" in notice["body"] and "窓口2番へ" in notice["body"], notice
    assert "＜b＞Ultra＜/b＞" in notice["body"] and not set("<>&") & set(notice["body"]), notice
    assert notice["app"] == "関守" and notice["replaces"] == 0 and notice["timeout"] == 30000, notice
    notifier.process.send_signal(signal.SIGTERM)
    notifier.wait_end(0)
    assert not notifier.errors, notifier.errors
    agent.stop()


def test_english_when_asked_for(s: Session) -> None:
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier("--lang", "en")
    agent.subscriber().send(refusal(7))
    notice = s.wait_shown(1, notifier)[0]
    assert notice["title"] == "USB device blocked" and "No. 7" in notice["body"], notice
    agent.stop()


def test_a_flood_makes_three_bubbles_and_a_count(s: Session) -> None:
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier("--lang", "en")
    line = agent.subscriber()
    for receipt in range(1, 201):
        line.send(refusal(receipt))
    wait_for(lambda: any("197 more" in notice["title"] for notice in s.shown()), "the count of the rest")
    shown = s.shown()
    assert [notice["title"] for notice in shown[:3]] == ["USB device blocked"] * 3, shown
    assert len({notice["id"] for notice in shown}) == 4, "one bubble for all the rest"
    assert "No. 4-200" in shown[-1]["body"], shown[-1]
    assert len(shown) < 50, f"{len(shown)} drawings for one flood"
    assert notifier.is_alive()
    agent.stop()


def test_it_comes_back_after_a_restart_of_the_agent(s: Session) -> None:
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier()
    agent.subscriber().close()
    first = agent.subscriber()           # thrown out: it comes back at once
    agent.stop()
    first.close()
    agent = Agent(s.socket)
    agent.subscriber().send(refusal(8))
    assert "受付番号 8" in s.wait_shown(1, notifier)[0]["body"]
    agent.stop()


def watches_a_folder(notifier: Process) -> bool:
    return any("inotify wd:" in read_proc(info) for info in Path(f"/proc/{notifier.process.pid}/fdinfo").iterdir())


def test_it_waits_for_an_agent_that_is_not_there_yet(s: Session) -> None:
    s.start_server()
    notifier = s.notifier()
    wait_for(lambda: notifier.errors, "a word that there is no agent")
    assert "cannot listen at" in notifier.errors[0], notifier.errors
    assert watches_a_folder(notifier), "it would find the agent late"
    agent = Agent(s.socket)
    agent.subscriber().send(refusal(9))
    s.wait_shown(1, notifier)
    assert not watches_a_folder(notifier), "connected, and woken by whatever happens in the folder"
    assert len(notifier.errors) == 1, f"said once: {notifier.errors}"
    agent.stop()


def test_nonsense_from_the_socket_is_survived(s: Session) -> None:
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier()
    for nonsense in (b"x", refusal(1)[:-1], refusal(1) + b"x", refusal(0), refusal(1, kind=200), BUSY, b"\0" * 4096):
        agent.subscriber().send(nonsense)
    agent.subscriber().send(refusal(10))
    shown = s.wait_shown(1, notifier)
    assert len(shown) == 1 and "受付番号 10" in shown[0]["body"], shown
    agent.stop()


def test_without_a_server_the_last_ones_wait(s: Session) -> None:
    agent, notifier = Agent(s.socket), s.notifier("--lang", "en")
    line = agent.subscriber()
    for receipt in range(1, 6):
        line.send(refusal(receipt))
    wait_for(lambda: notifier.errors, "a word that nobody shows it")
    assert len(notifier.errors) == 1 and "nobody shows notices" in notifier.errors[0], notifier.errors
    s.start_server()
    shown = s.wait_shown(4, notifier)
    numbers = [notice["body"].rsplit("No. ", 1)[1] for notice in shown]
    assert numbers == ["3", "4", "5", "1-2"] and shown[3]["title"] == "2 more connections blocked", shown
    line.send(refusal(6))
    s.wait_shown(5, notifier)
    assert len(notifier.errors) == 1, notifier.errors
    agent.stop()


def test_the_newest_of_a_session_stays(s: Session) -> None:
    s.start_server()
    agent, first = Agent(s.socket), s.notifier()
    agent.subscriber()
    second = s.notifier()
    first.wait_end(0)
    agent.subscriber().send(refusal(11))
    assert len(s.wait_shown(1, second)) == 1
    agent.stop()


def test_it_ends_with_the_session(s: Session) -> None:
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier()
    agent.subscriber()
    s.bus.kill()
    notifier.wait_end(0)
    assert not notifier.errors, notifier.errors
    agent.stop()


def test_without_a_session_it_says_so(s: Session) -> None:
    s.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={s.folder}/none"
    notifier = s.notifier()
    notifier.wait_end(1)
    assert len(notifier.errors) == 1 and "session's bus" in notifier.errors[0], notifier.errors


def test_it_sleeps_while_nothing_happens(s: Session) -> None:
    """The switches of its threads over a second in which nothing happens: whoever polls wakes up."""
    s.start_server()
    agent, notifier = Agent(s.socket), s.notifier()
    line = agent.subscriber()
    line.send(refusal(12))
    s.wait_shown(1, notifier)

    def switches() -> int:
        return sum(int(line.split()[1]) for task in Path(f"/proc/{notifier.process.pid}/task").iterdir()
                   for line in read_proc(task / "status").splitlines() if line.startswith("voluntary_ctxt"))

    def is_quiet() -> bool:
        before = switches()
        time.sleep(1.0)                  # the second in which nothing happens
        return switches() == before
    # GLib's helpers may still be ending after the first notice.
    wait_for(lambda: is_quiet() and is_quiet(), "two seconds without a wake-up")
    line.send(refusal(13))
    s.wait_shown(2, notifier)
    agent.stop()


def test_usage(s: Session) -> None:
    for argument, code in (("--help", 0), ("--version", 0), ("--nonsense", 2), ("--lang=fr", 2), ("operand", 2)):
        s.start([str(s.build / "agent" / "sekimori-notify"), argument]).wait_end(code)


def main() -> int:
    if sys.argv[1:] == ["--server"]:
        serve_notifications()
        return 0
    build, failed = Path(sys.argv[2]).resolve(), 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (len(sys.argv) > 3 and sys.argv[3] not in name):
            continue
        print(f"{name} ...", flush=True)
        session = Session(build)
        try:
            test(session)
        except Exception as error:
            failed += 1
            print(f"{name} FAILED: {error!r}")
            for process in session.processes:
                print(f"  {process.argv[0]} said: {process.lines[-20:]} {process.errors[-40:]}")
        finally:
            session.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
