# SPDX-License-Identifier: Apache-2.0
"""One virtual terminal: a QEMU process, its disk overlay and its two control sockets.

    with VM(ensure_image()) as vm:
        vm.start("usbcore.authorized_default=0")
        vm.wait_ready()
        code, out, err = vm.run("lsusb")

It knows nothing about USB devices (usb.py) nor about Sekimori (terminal.py). The shared image is never written: every
VM has a qcow2 overlay in a folder of its own, which goes away at the end. Kernel and initrd are given to QEMU directly,
so "reboot" means: let the guest shut down, then start QEMU again on the same overlay. That also lets use_guest_initrd()
put what the guest's own update-initramfs made into the next boot.
"""
from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from channel import ChannelClosed, CommandFailed, GuestAgent, Qmp
from image import Image, cache_dir
from keys import keys_for
from waiting import Deadline, Timeout, wait_for

READY_SECONDS = 420.0       # an idle machine needs about 30; a busy one has been seen to need many times that
RUN_SECONDS = 180.0


class GuestCommandFailed(AssertionError):
    """A command that had to work inside the terminal did not."""


def _work_folder() -> tuple[Path, int]:
    """A new folder for one VM, locked while the VM lives; folders that a killed run left behind are swept away."""
    for old in cache_dir().glob("vm-*"):
        lock = os.open(old, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
        except BlockingIOError:
            pass                    # its VM lives
        finally:
            os.close(lock)
    folder = Path(tempfile.mkdtemp(prefix="vm-", dir=cache_dir()))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


class VM:
    """A virtual terminal. Create it, start() it, wait_ready(), use it; leaving the `with` block ends it."""

    def __init__(self, image: Image, memory_mb: int = 1024, log_dir: Path | None = None,
                 second_disk_mb: int = 0) -> None:
        self.image = image
        self.initrd = image.initrd
        self.memory_mb, self.second_disk_mb = memory_mb, second_disk_mb
        self.work, self._work_lock = _work_folder()
        self.log_dir = log_dir or self.work
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self.console_path = self.log_dir / "console.log"
        self.boot_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._kernel_args = ""
        # QEMU arguments of what is plugged in when the power comes on; usb.Usb sets it.
        self.devices_at_power_on: Callable[[], list[list[str]]] = list
        self._qmp: Qmp | None = None
        self._agent: GuestAgent | None = None

    def __enter__(self) -> "VM":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.kill()
        shutil.rmtree(self.work, ignore_errors=True)
        os.close(self._work_lock)

    # --------------------------------------------------------------------------------------------- power

    @property
    def qmp(self) -> Qmp:
        assert self._qmp is not None, "the VM is not running: start() it first"
        return self._qmp

    @property
    def agent(self) -> GuestAgent:
        assert self._agent is not None, "the VM is not running: start() it first"
        return self._agent

    @property
    def overlay(self) -> Path:
        return self.work / "disk.qcow2"

    @property
    def second_disk(self) -> Path:
        """An empty disk of the scenario's own, /dev/vdb."""
        return self.work / "second.qcow2"

    def start(self, kernel_args: str = "", *, root: str = "/dev/vda", console: str = "ttyS0",
              ps2_keyboard: bool = True) -> None:
        """Switches the terminal on; `kernel_args` are appended to the kernel command line. `console` is where programs
        without a terminal of their own talk (the serial console, which is recorded, or tty0, the screen)."""
        self._root, self._console, self._ps2_keyboard = root, console, ps2_keyboard
        assert self._process is None, "the VM is running already"
        self._kernel_args = kernel_args
        if not self.overlay.exists():
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(self.image.disk),
                            str(self.overlay)], check=True)
        if self.second_disk_mb and not self.second_disk.exists():
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(self.second_disk), f"{self.second_disk_mb}M"],
                           check=True)
        qmp_ours, qmp_theirs = socket.socketpair()
        agent_ours, agent_theirs = socket.socketpair()
        with qmp_theirs, agent_theirs, (self.log_dir / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(qmp_theirs.fileno(), agent_theirs.fileno()), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, pass_fds=(qmp_theirs.fileno(), agent_theirs.fileno()))
        self._qmp, self._agent = Qmp(qmp_ours), GuestAgent(agent_ours)
        self._started = time.monotonic()
        try:
            self._qmp.negotiate(60.0)
        except ChannelClosed as error:
            raise ChannelClosed(f"QEMU did not start: {error}\n{(self.log_dir / 'qemu.log').read_text()}") from error

    def _command(self, qmp_fd: int, agent_fd: int) -> list[str]:
        """The QEMU command line."""
        accel = os.environ.get("SEKIMORI_VM_ACCEL", "tcg,thread=multi")
        disk = {"driver": "qcow2", "node-name": "disk", "file": {
            "driver": "file", "filename": str(self.overlay), "cache": {"no-flush": True}}}
        command = [
            # The kernel ends QEMU when the test runner dies, however it dies.
            "setpriv", "--pdeathsig", "KILL", "--",
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-vga", "std",
            "-machine", f"q35,i8042={'on' if self._ps2_keyboard else 'off'}", "-accel", accel, "-cpu", "max", "-smp", "2", "-m", str(self.memory_mb),
            "-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control",
            "-chardev", f"file,id=console,path={self.console_path},append=on", "-serial", "chardev:console",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={agent_fd}",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-blockdev", json.dumps(disk), "-device", "virtio-blk-pci,drive=disk",
            "-device", "qemu-xhci,id=xhci,p2=8,p3=8",
            "-kernel", str(self.image.kernel), "-initrd", str(self.initrd),
            "-append", f"root={self._root} rw console=tty0 console=ttyS0 console={self._console} "
                       f"{self._kernel_args}".strip(),
        ]
        if self.second_disk_mb:
            second = {"driver": "qcow2", "node-name": "second", "file": {
                "driver": "file", "filename": str(self.second_disk), "cache": {"no-flush": True}}}
            command += ["-blockdev", json.dumps(second), "-device", "virtio-blk-pci,drive=second"]
        for arguments in self.devices_at_power_on():
            command += arguments
        return command

    def wait_ready(self, deadline: float = READY_SECONDS) -> float:
        """Waits until systemd has finished booting and the guest agent answers; returns the seconds since power-on.

        A failed unit does not count against it: whoever minds asks run("systemctl --failed").
        """
        limit = Deadline(deadline)
        try:
            wait_for(lambda: self._alive() and self.agent.sync(2.0), "the guest agent to answer", limit)
            wait_for(lambda: self.run("systemctl is-system-running", deadline=limit.left())[1].strip()
                     in ("running", "degraded"), "systemd to finish booting", limit)
        except (Timeout, ChannelClosed) as error:
            raise type(error)(f"{error}\n{self.console_tail()}") from error
        self.boot_seconds = time.monotonic() - self._started
        return self.boot_seconds

    def _alive(self) -> bool:
        """True; raises if QEMU has ended (with -no-reboot that is also what a guest's reboot or crash looks like)."""
        if self._process is None or self._process.poll() is not None:
            raise ChannelClosed("QEMU has ended")
        return True

    def _reap(self, deadline: float) -> None:
        """Waits for the end of QEMU and closes the sockets."""
        if self._process is None:
            return
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            raise Timeout(f"QEMU did not end within {deadline:.0f} s\n{self.console_tail()}") from error
        for channel in (self._qmp, self._agent):
            if channel:
                channel.close()
        self._process = self._qmp = self._agent = None

    def power_off(self, deadline: float = 240.0) -> None:
        """Shuts the terminal down properly and waits until it is off."""
        self.agent.start_process(["/bin/systemctl", "poweroff", "--no-block"])
        self._reap(deadline)

    def cut_power(self) -> None:
        """Takes the power away: nothing that the guest has not flushed is on the disk."""
        try:
            self.qmp.execute("quit")
        except ChannelClosed:
            pass                    # it was quicker than its answer
        self._reap(60.0)

    def reboot(self, kernel_args: str | None = None) -> float:
        """Shuts down, starts again with the same overlay (and the present initrd), waits; returns the boot seconds.
        What is plugged in stays so."""
        self.power_off()
        return self._again(kernel_args)

    def hard_reset(self, kernel_args: str | None = None) -> float:
        """A power cut, then the same."""
        self.cut_power()
        return self._again(kernel_args)

    def _again(self, kernel_args: str | None) -> float:
        self.start(self._kernel_args if kernel_args is None else kernel_args)
        return self.wait_ready()

    def kill(self) -> None:
        """Ends QEMU at once, whatever its state."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._reap(60.0)

    # --------------------------------------------------------------------------------------------- inside the guest

    def run(self, command: str, stdin: bytes = b"", deadline: float = RUN_SECONDS) -> tuple[int, str, str]:
        """Runs a shell command as root; returns exit code, stdout and stderr."""
        limit = Deadline(deadline)
        pid = self.agent.start_process(["/bin/sh", "-c", command], stdin, limit.left())
        code, out, err = self.agent.wait_process(pid, f"the end of: {command}", limit)
        return code, out.decode(errors="replace"), err.decode(errors="replace")

    def check(self, command: str, stdin: bytes = b"", deadline: float = RUN_SECONDS) -> str:
        """Runs a shell command that has to succeed; returns its stdout."""
        code, out, err = self.run(command, stdin, deadline)
        if code != 0:
            raise GuestCommandFailed(f"exit code {code} from: {command}\n{out}{err}")
        return out

    def spawn(self, command: str) -> int:
        """Starts a shell command and does not wait; returns its process number for `agent.wait_process`."""
        return self.agent.start_process(["/bin/sh", "-c", command])

    def put_file(self, source: Path | bytes, path: str, mode: int = 0o644) -> None:
        """Copies a file, or bytes, to a path inside the terminal."""
        data = source if isinstance(source, bytes) else source.read_bytes()
        self.agent.write_file(path, data)
        self.check(f"chmod {mode:o} '{path}'")

    def get_file(self, path: str) -> bytes:
        """Returns the content of a file inside the terminal."""
        return self.agent.read_file(path)

    def use_quick_initramfs(self) -> None:
        """Lets the guest's update-initramfs pack only what this machine needs. The usual 1,100 modules take more than
        ten minutes on the emulated processor, where each of the thousands of processes started costs 20 ms."""
        modules = "virtio_pci virtio_blk virtio_console ext4 crc32c_generic xhci_pci usbhid hid_generic usb_storage uas"
        self.put_file(b"MODULES=list\n", "/etc/initramfs-tools/conf.d/rig")
        self.put_file("\n".join(modules.split()).encode() + b"\n", "/etc/initramfs-tools/modules")

    def install_deb(self, deb: Path) -> None:
        """Installs a package in the running terminal, as an administrator would. What it depends on must be in the
        image: there is no network. If it rebuilds the initrd, call use_quick_initramfs() before."""
        self.put_file(deb, f"/root/{deb.name}")
        self.check(f"DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install /root/{deb.name}",
                   deadline=1800.0)

    def use_guest_initrd(self) -> None:
        """Takes the initrd that the guest's update-initramfs made; the next boot uses it."""
        target = self.work / "initrd"
        target.write_bytes(self.get_file(self.check("echo /boot/initrd.img-$(uname -r)").strip()))
        self.initrd = target

    # --------------------------------------------------------------------------------------------- snapshots

    def save_snapshot(self, name: str) -> None:
        """Freezes the whole terminal (memory, processor, disk) under a name. Nothing may be plugged in from outside:
        QEMU can neither save some USB devices nor load a snapshot into a machine with other devices."""
        self.qmp.run_job("snapshot-save", {"tag": name, "vmstate": "disk", "devices": ["disk"]})

    def restore_snapshot(self, name: str) -> None:
        """Brings back the moment of save_snapshot() and sets the guest's clock to now."""
        self.qmp.run_job("snapshot-load", {"tag": name, "vmstate": "disk", "devices": ["disk"]})
        wait_for(lambda: self.agent.sync(2.0), f"the guest agent after restoring {name!r}", 120.0)
        self.set_clock(time.time())

    def set_clock(self, seconds: float) -> None:
        """Sets the guest's wall clock (seconds since 1970)."""
        self.check(f"date --utc --set=@{seconds:.3f}")

    # --------------------------------------------------------------------------------------------- screen and keyboard

    def screenshot(self, path: Path) -> None:
        """Photographs the screen as a PNG."""
        self.qmp.execute("screendump", {"filename": str(path), "format": "png"})

    def sleep(self, seconds: float = 5.0) -> None:
        """Suspends it to memory and wakes it. Its clock counts sleep in whole seconds: let it be some."""
        self.spawn("echo mem > /sys/power/state")
        self.qmp.wait_event("SUSPEND", lambda data: True)
        asleep = Deadline(seconds)
        wait_for(asleep.over, "the machine to have slept")
        self.qmp.execute("system_wakeup", {})
        self.wait_ready()

    def picture(self) -> bytes:
        """The screen as pixels of three bytes, row by row."""
        path = self.work / "screen.ppm"
        self.qmp.execute("screendump", {"filename": str(path)})
        # "P6", width and height, 255: three lines, then the pixels
        return path.read_bytes().split(b"\n", 3)[3]

    def press(self, *keys: str) -> None:
        """Presses keys together (QKeyCode names), on the newest keyboard, which may be a USB one."""
        self.qmp.execute("send-key", {"keys": [{"type": "qcode", "data": key} for key in keys], "hold-time": 30})

    def type_text(self, text: str) -> None:
        """Types a text. QEMU queues the keys, and the emulated keyboard's buffer is small: one at a time."""
        for character in text:
            self.press(*keys_for(character))
            time.sleep(0.08)            # the hold time; there is nothing to ask whether the key has gone up

    # --------------------------------------------------------------------------------------------- what it saw

    def console_tail(self, lines: int = 40) -> str:
        """The end of what the serial console printed."""
        text = self.console_path.read_text(errors="replace") if self.console_path.exists() else ""
        return f"--- console, last {lines} lines\n" + "\n".join(text.splitlines()[-lines:])

    def what_it_saw(self, lines: int = 60) -> str:
        """Console and journal, for a failure report. Never raises: it is called when something is wrong already."""
        parts = [self.console_tail(lines)]
        try:
            # The guest agent notes every poll of ours: that would hide the rest.
            journal = self.run("journalctl --no-pager -o short-monotonic -n 5000 | grep -v 'qemu-ga\\[' | "
                               f"tail -n {lines}", deadline=60.0)[1]
            parts.append(f"--- journal, last {lines} lines\n{journal}")
        except (AssertionError, ChannelClosed, CommandFailed, OSError) as error:
            parts.append(f"--- no journal: {error}")
        return "\n".join(parts)
