# SPDX-License-Identifier: Apache-2.0
"""What a scenario gets: a running terminal, the devices to plug into it, and its audit records."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image import ensure_image
from usb import QemuDevice, Usb
from vm import VM
from waiting import Deadline, wait_for

RECORDS = "/var/log/sekimori/{stream}/*.jsonl"
SNAPSHOT = "ready"


@dataclass(frozen=True)
class Setup:
    """What a scenario needs before it begins. Scenarios with an equal Setup share one boot and one snapshot."""
    name: str
    install: bool = True                # with the package given by --deb
    kernel_args: str = ""
    memory_mb: int = 1024
    prepare: str = ""                   # shell commands after the installation, before the snapshot
    second_disk_mb: int = 0             # an empty /dev/vdb of that size
    image: str = "base"                 # "collector" has rsyslog; "desktop" LightDM, X, screen lockers; "gnome": Debian 13


BARE = Setup("bare", install=False)     # Debian without Sekimori
AGENT = Setup("agent")                  # Sekimori as a user has it, after the first boot


@dataclass
class Seen:
    """What the kernel announced during watch_devices(); lists hold kernel names in order of appearance."""
    events: list[dict[str, Any]] = field(default_factory=list)
    lost: bool = False

    def added(self, subsystem: str) -> list[str]:
        return [event["name"] for event in self.events
                if event["action"] == "add" and event["subsystem"] == subsystem]

    @property
    def block(self) -> list[str]:
        return self.added("block")

    @property
    def net(self) -> list[str]:
        return self.added("net")

    @property
    def tty(self) -> list[str]:
        return self.added("tty")

    @property
    def input(self) -> list[str]:
        return self.added("input")

    @property
    def generic(self) -> list[str]:
        """SCSI pass-through nodes (sg, bsg): raw access to a disk without a block device."""
        return self.added("scsi_generic") + self.added("bsg")

    @property
    def devices(self) -> list[str]:
        """USB devices, e.g. "1-2", without root hubs. Seeing them is no breach: the kernel has to, to refuse them."""
        return [event["name"] for event in self.events if event["action"] == "add"
                and event.get("devtype") == "usb_device" and not event["name"].startswith("usb")]

    @property
    def bound(self) -> list[tuple[str, str]]:
        """(driver, interface) for each driver that got an interface, e.g. ("usb-storage", "1-2:1.0"), without those of
        root hubs, which come along with a new controller."""
        return [(event.get("driver", "?"), event["name"]) for event in self.events
                if event["action"] == "bind" and event.get("devtype") == "usb_interface" and "-0:" not in event["name"]]


class Terminal:
    """A virtual terminal as a scenario sees it. `vm` and `usb` are open for whatever is not here."""

    def __init__(self, vm: VM, setup: Setup) -> None:
        self.vm, self.setup = vm, setup
        self.deb: Path | None = None        # the package under test, for a scenario that installs it again
        self.usb = Usb(vm)

    # --------------------------------------------------------------------------------------------- life

    @classmethod
    @contextmanager
    def running(cls, setup: Setup, deb: Path | None, log_dir: Path) -> Iterator["Terminal"]:
        """Boots a terminal, brings it into the state that `setup` describes, and takes the snapshot."""
        assert deb or not setup.install, f"the scenarios of {setup.name!r} need --deb FILE"
        image = ensure_image(deb if setup.install else None, setup.image)
        with VM(image, setup.memory_mb, log_dir, setup.second_disk_mb) as vm:
            terminal = cls(vm, setup)
            terminal.deb = deb
            vm.start(setup.kernel_args)
            vm.wait_ready()
            terminal.usb.install_helpers()
            if setup.prepare:
                vm.check(setup.prepare, deadline=600.0)
            vm.save_snapshot(SNAPSHOT)
            yield terminal

    def restore(self) -> None:
        """Brings back the state before the scenario."""
        self.usb.unplug_all()
        self.vm.restore_snapshot(SNAPSHOT)

    def boot_with(self, *devices: QemuDevice, kernel_args: str | None = None) -> None:
        """Shuts down, and boots with these devices plugged in from the first moment."""
        self.usb.unplug_all()
        self.vm.power_off()
        for device in devices:
            device.plug_before_power_on()
        self.vm.start(self.setup.kernel_args if kernel_args is None else kernel_args)
        self.vm.wait_ready()

    # --------------------------------------------------------------------------------------------- commands

    def run(self, command: str, **more: Any) -> tuple[int, str, str]:
        """A shell command as root: exit code, stdout, stderr."""
        return self.vm.run(command, **more)

    def check(self, command: str, **more: Any) -> str:
        """A shell command as root that has to succeed: stdout."""
        return self.vm.check(command, **more)

    # --------------------------------------------------------------------------------------------- devices

    def state(self) -> dict[str, Any]:
        """What USB has brought into the system at this moment (guest/probe_state.py)."""
        return json.loads(self.usb.helper("probe_state.py"))

    def find_usb(self, **attributes: Any) -> dict[str, Any] | None:
        """The USB device with these attributes, e.g. find_usb(serial="S1"), or None."""
        for device in self.state()["usb"]:
            if all(device.get(key) == value for key, value in attributes.items()):
                return device
        return None

    def wait_usb(self, deadline: float = 180.0, **attributes: Any) -> dict[str, Any]:
        """The same, when it has come: the kernel has enumerated the device and read its strings."""
        return wait_for(lambda: self.find_usb(**attributes), f"a USB device with {attributes}", deadline)

    def interfaces_of(self, name: str) -> dict[str, dict[str, Any]]:
        """The interfaces of device `name` by their class triple; empty if it is not authorised."""
        return {entry["class"]: entry for entry in self.state()["interfaces"] if entry["name"].startswith(name + ":")}

    def settle(self) -> None:
        """Waits until udevd has handled all that the kernel has announced so far."""
        self.check("udevadm settle --timeout=120")

    @contextmanager
    def watch_devices(self) -> Iterator[Seen]:
        """Records each device that appears meanwhile; the result is complete after the block, see also peek()."""
        self.usb.helper("watch_devices.py start")
        seen = Seen()
        try:
            yield seen
        finally:
            self._fill(seen, "stop")
        assert not seen.lost, "the kernel dropped uevents: this run proves nothing"

    def peek(self, seen: Seen) -> Seen:
        """Brings `seen` up to date inside the block."""
        self._fill(seen, "show")
        return seen

    def _fill(self, seen: Seen, command: str) -> None:
        report = json.loads(self.usb.helper(f"watch_devices.py {command}"))
        seen.events, seen.lost = report["events"], report["lost"]

    def wait_seen(self, seen: Seen, condition: Callable[[Seen], Any], what: str, deadline: float = 180.0) -> Any:
        """Waits until `condition(seen)` is true, e.g. lambda seen: seen.block."""
        return wait_for(lambda: condition(self.peek(seen)), what, deadline)

    # --------------------------------------------------------------------------------------------- audit records

    def records(self, stream: str = "agent") -> list[dict[str, Any]]:
        """All audit records of a stream, oldest first."""
        text = self.run(f"cat {RECORDS.format(stream=stream)} 2>/dev/null")[1]
        # The last line may be half written at this moment: it has no newline yet.
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def find_record(self, event: str | None = None, serial: str | None = None, stream: str = "agent",
                    where: Callable[[dict[str, Any]], bool] = lambda record: True) -> dict[str, Any] | None:
        """The first record with this event id and this serial number of its device for which `where` holds."""
        for record in self.records(stream):
            device = record.get("peripheral_device") or {}
            if event in (None, record.get("event")) and serial in (None, device.get("serial_number")) and where(record):
                return record
        return None

    def wait_record(self, event: str | None = None, serial: str | None = None, stream: str = "agent",
                    where: Callable[[dict[str, Any]], bool] = lambda record: True,
                    deadline: float | Deadline = 180.0) -> dict[str, Any]:
        """The same, when it has been written."""
        return wait_for(lambda: self.find_record(event, serial, stream, where),
                        f"an audit record event={event} serial={serial} in {stream}", deadline)

    def refused_by_apparmor(self) -> list[str]:
        """What AppArmor refused our services, in all boots since the installation, oldest first; each line once, though
        the journal has it from the kernel's log and from its audit subsystem."""
        code, out, _ = self.run("journalctl --no-pager --quiet -o cat _TRANSPORT=kernel + _TRANSPORT=audit")
        assert code == 0, "the journal cannot be read: what AppArmor refused is not known"
        lines = [line[line.index("apparmor="):] for line in out.splitlines()
                 if 'apparmor="DENIED"' in line and 'profile="sekimori' in line]
        return list(dict.fromkeys(lines))

    def what_it_saw(self) -> str:
        """Console, journal and the newest audit records, for a failure report."""
        text = self.vm.what_it_saw()
        try:
            records = self.run(f"tail -q -n 5 {RECORDS.format(stream='*')} 2>/dev/null", deadline=60.0)[1]
        except Exception as error:          # the report must come out whatever else is broken
            records = str(error)
        return f"{text}\n--- newest audit records\n{records}" if records else text
