# SPDX-License-Identifier: Apache-2.0
"""What scenarios say again and again."""
from __future__ import annotations

from typing import Any

from terminal import Seen, Terminal


def expect_nothing_opened(seen: Seen) -> None:
    """No disk, network device, terminal, raw node or input, and no driver got an interface."""
    for what in ("block", "net", "tty", "generic", "input"):
        assert getattr(seen, what) == [], f"{what} appeared: {getattr(seen, what)}"
    # a new controller's own root hub ("3-0:1.0") is no device that somebody plugged in
    bound = [(driver, name) for driver, name in seen.bound if "-0:" not in name]
    assert bound == [], f"drivers bound: {bound}"


def of_port(t: Terminal, port: str) -> list[dict[str, Any]]:
    """All records about the devices that were at a port, oldest first."""
    return [r for r in t.records() if (r.get("peripheral_device") or {}).get("port") == port]


def one_record(t: Terminal, port: str, events: set[str]) -> dict[str, Any]:
    """There is exactly one record of these events about that port."""
    found = [r for r in of_port(t, port) if r["event"] in events]
    assert len(found) == 1, f"{len(found)} records of {events} about {port}: {found}"
    return found[0]


def set_config(t: Terminal, text: str) -> None:
    """Replaces the configuration and has it read."""
    t.vm.put_file(text.encode(), "/etc/sekimori/sekimori.conf", 0o640)
    t.check("systemctl reload sekimorid")
