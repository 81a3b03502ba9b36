# SPDX-License-Identifier: Apache-2.0
"""A vocabulary of USB devices for scenarios.

    with t.usb.stick(serial="S1") as stick: ...        plugged in on entry, pulled out on exit
    phone = t.usb.phone(); phone.plug(); phone.unplug()

Three sources, one interface (plug, unplug, `with`):
  QemuDevice   QEMU's own devices on its xHCI controller: real hot-plug from outside the terminal.
  Gadget       made inside the terminal (dummy_hcd + configfs): composites, several configurations, many functions.
  Crafted      made inside the terminal (USB/IP): every descriptor byte is free, also nonsense.
The last two give the kernel a new USB controller when first used, which is itself something an agent has to survive.
"""
from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import TracebackType
from typing import Any

import descriptors
from channel import CommandFailed
from media import SECRET, fat_volume, stick_image
from vm import VM
from waiting import wait_for

GUEST_DIR = "/opt/rig"
HELPERS = Path(__file__).resolve().parent / "guest"


class Device:
    """Something that can be plugged in and pulled out."""
    plugged = False

    def plug(self) -> "Device":
        raise NotImplementedError

    def unplug(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Any:
        return self if self.plugged else self.plug()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self.plugged:
            self.unplug()


class QemuDevice(Device):
    """A device that QEMU emulates: one or more QEMU devices, the first of them on the USB bus, and what backs them."""

    def __init__(self, usb: "Usb", parts: list[dict[str, Any]], nodes: list[dict[str, Any]] | None = None,
                 chardev: dict[str, Any] | None = None) -> None:
        self._usb = usb
        self._qmp = lambda command, arguments: usb.vm.qmp.execute(command, arguments)
        self.parts, self.nodes, self.chardev = parts, nodes or [], chardev
        self.name = parts[0]["id"]

    def arguments(self) -> list[str]:
        """QEMU arguments for having it plugged in when the power comes on."""
        words: list[str] = []
        for node in self.nodes:
            words += ["-blockdev", json.dumps(node)]
        if self.chardev:
            words += ["-chardev", f"file,id={self.chardev['id']},path={self.chardev['path']}"]
        for part in self.parts:
            words += ["-device", json.dumps(part)]
        return words

    def plug_before_power_on(self) -> None:
        """Plugs it into a terminal that is switched off."""
        self.plugged = True
        self._usb.plugged.append(self)

    def plug(self) -> "QemuDevice":
        for node in self.nodes:
            self._qmp("blockdev-add", node)
        if self.chardev:
            backend = {"type": "file", "data": {"out": self.chardev["path"]}}
            self._qmp("chardev-add", {"id": self.chardev["id"], "backend": backend})
        for part in self.parts:
            self._qmp("device_add", part)
        self._before_attach()
        if len(self.parts) > 1:             # usb-bot and usb-uas wait until all their disks are there
            self._qmp("qom-set", {"path": f"/machine/peripheral/{self.name}", "property": "attached", "value": True})
        self.plugged = True
        self._usb.plugged.append(self)
        return self

    def _before_attach(self) -> None:
        """For what has to happen to the device before the terminal sees it."""

    def unplug(self) -> None:
        self._qmp("device_del", {"id": self.name})
        self._usb.vm.qmp.wait_event("DEVICE_DELETED", lambda data: data.get("device") == self.name)
        for node in self.nodes:
            wait_for(lambda: self._removed("blockdev-del", {"node-name": node["node-name"]}),
                     f"QEMU to let go of {node['node-name']}", 30.0)
        if self.chardev:
            wait_for(lambda: self._removed("chardev-remove", {"id": self.chardev["id"]}),
                     f"QEMU to let go of {self.chardev['id']}", 30.0)
        self.plugged = False
        self._usb.plugged.remove(self)

    def _removed(self, command: str, arguments: dict[str, Any]) -> bool:
        """Removes a backend; False while the device that used it is still being taken apart."""
        try:
            self._qmp(command, arguments)
            return True
        except CommandFailed as error:
            if "in use" in str(error) or "busy" in str(error):
                return False
            raise


class Disk(QemuDevice):
    """A device with a medium, whose bytes the scenario can look at from outside."""
    medium: Path
    original: bytes

    def changed(self) -> bool:
        """Whether anything has been written to the medium since it was made: did data leave the terminal?"""
        return self.medium.read_bytes() != self.original


class CardReader(Disk):
    """A reader whose medium can be taken out and put in while the reader stays."""
    with_medium = True

    def _before_attach(self) -> None:
        if not self.with_medium:
            self.take_out()

    def take_out(self) -> None:
        self._qmp("blockdev-open-tray", {"id": self.parts[-1]["id"], "force": True})
        self._qmp("blockdev-remove-medium", {"id": self.parts[-1]["id"]})

    def put_in(self) -> None:
        self._qmp("blockdev-insert-medium", {"id": self.parts[-1]["id"], "node-name": self.nodes[-1]["node-name"]})
        self._qmp("blockdev-close-tray", {"id": self.parts[-1]["id"]})


class Serial(QemuDevice):
    """A USB serial adapter; received() is what the terminal has sent through it."""

    def received(self) -> bytes:
        assert self.chardev is not None
        path = Path(self.chardev["path"])
        return path.read_bytes() if path.exists() else b""


class Gadget(Device):
    """A configfs gadget inside the terminal (guest/gadget.py)."""

    def __init__(self, usb: "Usb", definition: dict[str, Any], port: int) -> None:
        self._usb, self._port, self.name = usb, port, definition["name"]
        self.definition = definition
        self._created = False

    def _do(self, arguments: str, stdin: bytes = b"", deadline: float = 180.0) -> str:
        return self._usb.helper(f"gadget.py {arguments}", stdin, deadline)

    def create(self) -> "Gadget":
        """Builds the gadget without plugging it in."""
        self._do("create", json.dumps(self.definition).encode())
        self._created = True
        return self

    def plug(self) -> "Gadget":
        if not self._created:
            self.create()
        self._do(f"plug {self.name} {self._port}")
        self.plugged = True
        return self

    def unplug(self) -> None:
        self._do(f"destroy {self.name}")
        self.plugged = self._created = False

    def cycle(self, count: int) -> None:
        """Out and in, `count` times, as fast as the kernel can; ends plugged in."""
        self._do(f"cycle {self.name} {count}", deadline=30.0 + count * 5.0)
        self.plugged = True

    def replug(self, count: int) -> None:
        """In and out, `count` times, each time until the kernel has enumerated it; ends unplugged."""
        self._do(f"replug {self.name} {count}", deadline=60.0 + count * 10.0)
        self.plugged = False

    def swap_for(self, other: "Gadget") -> None:
        """Puts `other` into this one's port at once."""
        if not other._created:
            other.create()
        self._do(f"swap {self.name} {other.name}")
        self.plugged, other.plugged = False, True

    def press(self, function: str = "keyboard") -> bool:
        """Presses `a` on one of its HID functions; True if a driver on the other side took the key press."""
        return json.loads(self._do(f"press {self.name} {function}"))["result"] == "taken"


class Crafted(Device):
    """A device with free descriptors inside the terminal (guest/usbip_device.py)."""

    def __init__(self, usb: "Usb", name: str, definition: dict[str, Any]) -> None:
        self._usb, self.name, self.definition = usb, name, definition

    def plug(self) -> "Crafted":
        self._usb.helper(f"usbip_device.py plug {self.name}", json.dumps(self.definition).encode())
        self.plugged = True
        return self

    def unplug(self) -> None:
        self._usb.helper(f"usbip_device.py unplug {self.name}")
        self.plugged = False

    def heard(self) -> dict[str, Any]:
        """What the kernel asked of it: {"asked": {"device:0": 2, ...}, "bulk_out": "<hex>", "writes": 0}."""
        return json.loads(self._usb.helper(f"usbip_device.py heard {self.name}"))


class Usb:
    """The vocabulary. Each method makes a device, not yet plugged in. `port` names a socket of the xHCI controller
    ("1" to "8"; "1.2" is the second socket of a hub in the first); without it QEMU chooses."""

    def __init__(self, vm: VM) -> None:
        self.vm = vm
        self.plugged: list[QemuDevice] = []
        vm.devices_at_power_on = lambda: [device.arguments() for device in self.plugged]
        self._numbers = itertools.count(1)

    def install_helpers(self) -> None:
        """Copies guest/ into the terminal."""
        self.vm.check(f"mkdir -p {GUEST_DIR}")
        for path in sorted(HELPERS.iterdir()):
            if path.is_file():
                self.vm.put_file(path, f"{GUEST_DIR}/{path.name}", 0o755)

    def helper(self, command: str, stdin: bytes = b"", deadline: float = 180.0) -> str:
        """Runs one of the programs of guest/ inside the terminal."""
        return self.vm.check(f"{GUEST_DIR}/{command}", stdin, deadline)

    def unplug_all(self) -> None:
        """Pulls out all that came from outside, so that a snapshot can be restored."""
        for device in reversed(list(self.plugged)):
            device.unplug()

    # --------------------------------------------------------------------------------------------- from QEMU

    def _id(self, kind: str) -> str:
        return f"{kind}{next(self._numbers)}"

    def _medium(self, name: str, content: bytes, read_only: bool = False) -> tuple[Path, dict[str, Any]]:
        """A file with the content of a medium, and its QEMU block node."""
        path = self.vm.work / f"{name}.img"
        path.write_bytes(content)
        node = {"node-name": f"{name}-node", "driver": "raw", "read-only": read_only,
                "file": {"driver": "file", "filename": str(path)}}
        return path, node

    def _part(self, driver: str, name: str, serial: str | None = None, port: str | None = None,
              **more: Any) -> dict[str, Any]:
        part: dict[str, Any] = {"driver": driver, "id": name, "bus": "xhci.0", **more}
        if serial is not None:
            part["serial"] = serial
        if port is not None:
            part["port"] = port
        return part

    def _with_medium(self, device: Disk, path: Path) -> Any:
        device.medium, device.original = path, path.read_bytes()
        return device

    def stick(self, serial: str | None = "STICK-1", content: bytes | None = None, port: str | None = None) -> Disk:
        """A USB stick (bulk-only mass storage) of 16 MB with one FAT partition and SECRET.TXT.

        serial=None gives QEMU's own, made of controller and port; for none or an empty one use gadget()."""
        name = self._id("stick")
        path, node = self._medium(name, stick_image() if content is None else content)
        parts = [self._part("usb-storage", name, serial, port, drive=node["node-name"], removable=True)]
        return self._with_medium(Disk(self, parts, [node]), path)

    def uas_disk(self, serial: str | None = "UAS-1", content: bytes | None = None, port: str | None = None) -> Disk:
        """An external disk that speaks UAS (08:06:62)."""
        name = self._id("uas")
        path, node = self._medium(name, stick_image() if content is None else content)
        parts = [self._part("usb-uas", name, serial, port),
                 {"driver": "scsi-hd", "id": f"{name}-disk", "bus": f"{name}.0", "drive": node["node-name"]}]
        return self._with_medium(Disk(self, parts, [node]), path)

    def card_reader(self, serial: str | None = "READER-1", medium: bool = True, port: str | None = None) -> CardReader:
        """A reader for memory cards, with or without a card in it; see take_out() and put_in()."""
        name = self._id("reader")
        path, node = self._medium(name, stick_image())
        parts = [self._part("usb-bot", name, serial, port),
                 {"driver": "scsi-hd", "id": f"{name}-slot", "bus": f"{name}.0", "drive": node["node-name"],
                  "removable": True}]
        reader = CardReader(self, parts, [node])
        reader.with_medium = medium
        return self._with_medium(reader, path)

    def optical(self, serial: str | None = "OPTICAL-1", port: str | None = None) -> Disk:
        """An external optical drive with a disc in it."""
        name = self._id("optical")
        path, node = self._medium(name, fat_volume({"SECRET.TXT": SECRET}, 16, 1), read_only=True)
        parts = [self._part("usb-bot", name, serial, port),
                 {"driver": "scsi-cd", "id": f"{name}-disc", "bus": f"{name}.0", "drive": node["node-name"]}]
        return self._with_medium(Disk(self, parts, [node]), path)

    def phone(self, serial: str | None = "PHONE-1", port: str | None = None) -> QemuDevice:
        """A phone that offers its files by MTP. No kernel driver takes it: programs talk to it through usbfs."""
        name = self._id("phone")
        root = self.vm.work / name
        (root / "DCIM").mkdir(parents=True)
        (root / "DCIM" / "SECRET.TXT").write_bytes(SECRET)
        return QemuDevice(self, [self._part("usb-mtp", name, serial, port, rootdir=str(root), readonly=False)])

    def network(self, serial: str | None = None, port: str | None = None) -> QemuDevice:
        """A network adapter: RNDIS and CDC Ethernet in two configurations, like a tethering phone."""
        return QemuDevice(self, [self._part("usb-net", self._id("net"), serial, port)])

    def serial_adapter(self, serial: str | None = "SERIAL-1", port: str | None = None) -> Serial:
        """An FTDI serial adapter (vendor class)."""
        name = self._id("serial")
        chardev = {"id": f"{name}-out", "path": str(self.vm.work / f"{name}.out")}
        return Serial(self, [self._part("usb-serial", name, serial, port, chardev=chardev["id"])], chardev=chardev)

    def smart_card_reader(self, serial: str | None = None, port: str | None = None) -> QemuDevice:
        """A smart-card reader (class 0b), as the My Number card needs."""
        return QemuDevice(self, [self._part("usb-ccid", self._id("ccid"), serial, port)])

    def keyboard(self, serial: str | None = None, port: str | None = None) -> QemuDevice:
        """A keyboard. While it works, VM.press() goes through it."""
        return QemuDevice(self, [self._part("usb-kbd", self._id("keyboard"), serial, port)])

    def mouse(self, serial: str | None = None, port: str | None = None) -> QemuDevice:
        return QemuDevice(self, [self._part("usb-mouse", self._id("mouse"), serial, port)])

    def tablet(self, serial: str | None = None, port: str | None = None) -> QemuDevice:
        return QemuDevice(self, [self._part("usb-tablet", self._id("tablet"), serial, port)])

    def hub(self, port: str = "1") -> QemuDevice:
        """A hub with eight sockets; what stands behind it is made with port="1.1" and so on. Full speed only, so no
        UAS disk. Pull out what is behind it first, or QEMU takes it along."""
        return QemuDevice(self, [self._part("usb-hub", self._id("hub"), None, port)])

    # --------------------------------------------------------------------------------------------- from inside

    def gadget(self, *functions: str, configs: list[list[str]] | None = None, serial: str | None = "GADGET-1",
               vendor: str = "1d6b", product: str = "0104", product_name: str = "Test gadget",
               manufacturer: str = "Sekimori rig", port: int = 0, **more: Any) -> Gadget:
        """A composite of `functions`: keyboard mouse hid_other storage rndis ecm ncm acm printer.

        `configs` instead gives several configurations. serial=None: none; serial="": an empty one."""
        definition = {"name": self._id("gadget"), "vendor": vendor, "product": product, "product_name": product_name,
                      "manufacturer": manufacturer, "configs": configs or [list(functions)], **more}
        if serial is not None:
            definition["serial"] = serial
        return Gadget(self, definition, port)

    def wireless_receiver(self, port: int = 0) -> Gadget:
        """What a receiver for a wireless keyboard and mouse looks like: 03:01:01, 03:01:02, 03:00:00."""
        return self.gadget("keyboard", "mouse", "hid_other", serial=None, product_name="USB Receiver", port=port)

    def crafted(self, interfaces: list[bytes] | None = None, *, serial: str | None = "CRAFTED-1",
                name: str = "Crafted device", device: bytes | list[bytes] | None = None,
                configs: list[bytes | list[bytes]] | None = None, **more: Any) -> Crafted:
        """A device from `interfaces` (descriptors.interface), or from whole `device` and `configs` descriptors, where
        a list is what it answers the first, second, ... time. `more`: see guest/usbip_device.py."""
        strings: dict[str, Any] = {"1": "Sekimori rig", "2": name}
        if serial is not None:
            strings["3"] = serial
        if configs is None:
            configs = [descriptors.configuration(interfaces or [])]
        if device is None:
            device = descriptors.device(configs=len(configs), manufacturer=1, name=2, serial=0 if serial is None else 3)
        definition = {"device": _hex(device), "configs": [_hex(config) for config in configs], "strings": strings, **more}
        return Crafted(self, self._id("crafted"), definition)

    def crafted_stick(self, serial: str | None = "CRAFTED-STICK", **more: Any) -> Crafted:
        """A working stick whose descriptors can be tampered with."""
        return self.crafted([descriptors.interface(0, "08:06:50", descriptors.BULK_PAIR)], serial=serial, storage=True,
                            **more)


def _hex(value: bytes | list[bytes]) -> str | list[str]:
    return value.hex() if isinstance(value, bytes) else [item.hex() for item in value]
