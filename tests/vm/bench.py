#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures speed and size beside USBGuard, and the second factor beside google-authenticator and pam_oath, in one run of
one virtual terminal.

    bench.py --deb FILE [--tools DIR] [--json] [--plugs N] [--races N] [--only idle,plug,register,mfa]

Both services run on the same boot, never together, with the same devices, taking turns, so that what else the machine
does meets both. USBGuard has its package's configuration and a rule that lets keyboards in. While it works, what
Sekimori leaves behind is out of its way: the udev rule is masked, and the interface defaults are the kernel's.
An emulated processor is some ten times slower than a real one, and its memory is not slower: look at the ratios.
After each start the first plug is not counted.
Ends with 0 if every claim about Sekimori holds, with 1 if one does not. A login's time is shown, not claimed: `./run bench
login` claims it, on a real processor.
DIR has bench_policy and bench_plug of a release build (tests/bench): `./run bench` makes them.
"""
from __future__ import annotations

import argparse
import json
import math
import random
import shlex
import signal
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bench_mfa                                # noqa: E402
from demo import progress as running_clock      # noqa: E402
from image import ImageError, ensure_image      # noqa: E402
from terminal import Setup, Terminal            # noqa: E402
from usb import GUEST_DIR, Gadget               # noqa: E402
from waiting import Timeout, wait_for           # noqa: E402

# An office's terminal has no serial line. Here the kernel would print each plug's lines on one, a character at a time, and QEMU
# holds both processors up for it: some milliseconds for whoever runs on the other one at that moment, a tenth of it all.
TERMINAL = Setup("bench", kernel_args="loglevel=3")
ROUNDS = 4                          # how often the two take turns
PLUGS = 100                         # of the keyboard and of the stick, each, in all rounds together
IDLE_SECONDS = 60
ROWS = (10, 1000, 100000)
ROW_PLUGS, ROW_SECONDS = 12, 45     # for each size of the register, each time, and no longer than that
ROW_ROUNDS = 4                      # how often our sizes take turns; USBGuard's are that far apart that once shows it
START_SECONDS = 180                 # USBGuard reads a large rule file slowly: then it is given up
PSS_MAX = 1_500_000
GROWTH_MAX = 1.5
LOAD_USEC_MAX = 1_000_000
PARTS = ("idle", "plug", "register", "mfa")
RACES = 100                         # of each number of sessions

MASK = "/etc/udev/rules.d/72-sekimori.rules"
OURS_BEGIN = f"rm -f {MASK}; udevadm control --reload"
THEIRS_BEGIN = f"""ln -sf /dev/null {MASK}; udevadm control --reload
for file in /sys/bus/usb/devices/usb*/interface_authorized_default; do echo 1 >$file; done"""
# A start that takes long is a result here, not a fault.
THEIRS_PREPARE = f"""systemctl unmask usbguard.service
mkdir -p /etc/systemd/system/usbguard.service.d /var/log/usbguard
printf '[Service]\\nTimeoutStartSec={START_SECONDS}\\n' >/etc/systemd/system/usbguard.service.d/bench.conf
systemctl daemon-reload
grep -q '^IPCAllowedUsers=root' /etc/usbguard/usbguard-daemon.conf
grep -q '^ImplicitPolicyTarget=block' /etc/usbguard/usbguard-daemon.conf"""
KEYBOARD_RULE = "allow with-interface equals { 03:*:* }\n"


def sekimori_rules(rows: int) -> tuple[str, bytes]:
    lines = ["id,reason,vid_pid,serial"]
    lines += [f"USB-{row:06},office,0781:5581,4C530001{row:08}" for row in range(rows)]
    return "/etc/sekimori/register.csv", "\r\n".join([*lines, ""]).encode()


def usbguard_rules(rows: int) -> tuple[str, bytes]:
    lines = [f'allow id 0781:5581 serial "4C530001{row:08}"\n' for row in range(rows)]
    return "/etc/usbguard/rules.conf", "".join([*lines, KEYBOARD_RULE]).encode()


@dataclass
class Service:
    """One of the two that are compared."""
    name: str
    unit: str
    begin: str                      # shell commands before it starts
    log: str                        # a shell pattern; the newest file counts
    word: str                       # stands in the line that says that a stick was refused
    rules: Any                      # rows -> (path, content) of its list of permitted devices
    latency: dict[str, list[float]] = field(default_factory=lambda: {"keyboard": [], "stick": []})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {"keyboard": [], "stick": []})


SEKIMORI = Service("sekimori", "sekimorid", OURS_BEGIN, "/var/log/sekimori/agent/*.jsonl", "EXPORT_DENIED", sekimori_rules)
# Its line Device.Insert stands there before the rules are asked; the one of the decision is Policy.Device.Update.
USBGUARD = Service("usbguard", "usbguard", THEIRS_BEGIN, "/var/log/usbguard/usbguard-audit.log", "target.new='block'",
                   usbguard_rules)
SERVICES = (SEKIMORI, USBGUARD)


def progress(text: str) -> AbstractContextManager[None]:
    return running_clock(text) if sys.stderr.isatty() else nullcontext()


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(turns: list[dict[str, Any] | None]) -> dict[str, float] | None:
    """What measure_register() found in all its turns; None if one of the starts failed."""
    done = [one for one in turns if one]
    if len(done) < len(turns):
        return None
    latencies = [value for one in done for value in one["latencies_ms"]]
    return {"latency_ms": statistics.median(latencies), "plugs": len(latencies),
            **{key: statistics.median(one[key] for one in done) for key in ("start_s", "cpu_ms", "pss")}}


class Bench:
    """The terminal, what was measured on it, and what was claimed."""

    def __init__(self, t: Terminal, plugs: int) -> None:
        self.t, self.plugs = t, plugs
        self.rows: list[tuple[str, str, str, str, str]] = []    # what, ours, theirs, ratio, verdict
        self.result: dict[str, Any] = {"claims": {}}
        self.gadgets: dict[str, Gadget] = {}
        self.second_table = ""      # of the second factor
        self.serial = 0             # each plug has a serial number of its own

    # ---------------------------------------------------------------------------------------- the table

    def row(self, what: str, ours: float | None, theirs: float | None, unit: str, holds: bool | None = None) -> None:
        """`holds` None: this is shown, not claimed."""
        show = lambda value: "-" if value is None else f"{value:,.{0 if value >= 100 else 2}f} {unit}".strip()   # noqa: E731
        ratio = "-" if ours is None or not theirs else f"{ours / theirs:.2f}"
        self.rows.append((what, show(ours), show(theirs), ratio, "" if holds is None else
                          "holds" if holds else "does not hold"))
        if holds is not None:
            self.result["claims"][what] = holds

    def table(self) -> str:
        lines = [("", "Sekimori", "USBGuard", "ratio", "claim"), *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(5)]
        return "\n".join("  ".join(text.ljust(width) if column in (0, 4) else text.rjust(width)
                                   for column, (text, width) in enumerate(zip(line, widths))).rstrip() for line in lines)

    # ---------------------------------------------------------------------------------------- the services

    def prepare(self) -> None:
        self.make_gadgets()         # while Sekimori runs: USBGuard would cut the new controllers' root hubs off
        self.t.check(THEIRS_PREPARE)
        for service in SERVICES:
            self.set_rules(service, 0)
        self.t.check("systemctl stop sekimorid")

    def set_rules(self, service: Service, rows: int) -> None:
        path, content = service.rules(rows)
        self.t.vm.put_file(content, path, 0o600)
        if service is SEKIMORI:
            text = f'usb: {{ register = "{path}"; }};\n' if rows else ""
            self.t.vm.put_file(text.encode(), "/etc/sekimori/sekimori.conf", 0o640)

    def start(self, service: Service) -> float:
        """Starts it alone; the seconds until systemd calls it ready."""
        for other in SERVICES:
            self.t.check(f"systemctl stop {other.unit}", deadline=300.0)
        self.t.check(service.begin)
        seconds = float(self.t.check(
            f"systemctl reset-failed {service.unit}; a=$(cut -d' ' -f1 /proc/uptime); systemctl start {service.unit}; "
            f"r=$?; echo $(cut -d' ' -f1 /proc/uptime) $a | awk '{{print $1 - $2}}'; exit $r",
            deadline=START_SECONDS + 60.0))
        self.t.settle()
        return seconds

    def idle(self, command: str) -> dict[str, Any]:
        return json.loads(self.t.usb.helper(f"bench_idle.py {command}", deadline=IDLE_SECONDS + 120.0))

    def plug(self, service: Service, kind: str, count: int, seconds: int) -> tuple[dict[str, list[float]], float]:
        """Plugs the gadget of that kind `count` times: the latencies in ms by what they end with, and the service's CPU
        time for each plug."""
        gadget = self.gadgets[kind]
        end = ""
        if kind == "stick":
            path = self.t.check(f"ls -t {service.log} | head -n 1").strip()
            end = f"{path} {shlex.quote(service.word)}"
        before = self.idle(f"cpu {service.unit}")["usec"]
        out = json.loads(self.t.usb.helper(
            f"bench_plug {gadget.name} dummy_udc.0 {self.serial} {count} {seconds} {end}", deadline=seconds + 300.0))
        after = self.idle(f"cpu {service.unit}")["usec"]
        self.serial += count
        done = len(out["usec"]) + out["missed"]
        assert out["missed"] == 0, f"{service.name}: {out['missed']} of {done} plugs of the {kind} had no effect"
        times = {kind: out["usec"], kind + " driven": out["driven_usec"]}
        return {end: [usec / 1000 for usec in values] for end, values in times.items() if values}, (after - before) / 1000 / done

    def make_gadgets(self) -> None:
        """One after the other they use the same controller of the terminal."""
        more = {"vendor": "0781", "product": "5581", "serial": "BENCH"}
        self.gadgets = {"keyboard": self.t.usb.gadget("keyboard", **more).create(),
                        "stick": self.t.usb.gadget("storage", **more).create()}
        self.t.settle()

    # ---------------------------------------------------------------------------------------- 1. idle

    def measure_idle(self) -> None:
        found: dict[str, Any] = {}
        for service in SERVICES:
            with progress(f"{service.name}: idle for {IDLE_SECONDS} s"):
                self.start(service)
                with self.t.usb.keyboard(port="1"), self.t.usb.stick(serial="IDLE", port="2"):
                    self.t.wait_usb(serial="IDLE")
                    self.t.settle()
                    self.wait_quiet(service)
                    found[service.name] = self.idle(f"wakeups {service.unit} {IDLE_SECONDS}")
                    found[service.name].update(self.idle(f"memory {service.unit}"))
        self.result["idle"] = found
        ours, theirs = (found[service.name] for service in SERVICES)
        self.row("idle: memory (PSS, at most 1.5 MB)", ours["pss"] / 1e6, theirs["pss"] / 1e6, "MB", ours["pss"] <= PSS_MAX)
        self.row("idle: wake-ups a minute", ours["wakeups"], theirs["wakeups"], "")
        other = [max(0, one["wakeups"] - one["timers"]) for one in (ours, theirs)]
        self.row("idle: of these not by a timer of its own (none)", *other, "", other[0] == 0 and ours["same_processes"])

    def wait_quiet(self, service: Service) -> None:
        """Helper processes may outlive their work by some seconds: waits until none came or went for eight."""
        def is_asleep() -> bool:
            seen = self.idle(f"wakeups {service.unit} 8")
            return seen["same_processes"] and seen["wakeups"] <= seen["timers"] + 1
        wait_for(is_asleep, f"{service.name} to fall asleep", 120.0)

    # ---------------------------------------------------------------------------------------- 2. plugs

    def measure_plugs(self) -> None:
        share = math.ceil(self.plugs / ROUNDS)
        for turn in range(ROUNDS):
            for service in SERVICES if turn % 2 == 0 else reversed(SERVICES):
                with progress(f"{service.name}: plugging, turn {turn + 1} of {ROUNDS}"):
                    self.start(service)
                    for kind in ("keyboard", "stick"):
                        self.plug(service, kind, 1, 60)         # what is read from the disk once is read now
                        latency, cpu = self.plug(service, kind, share, share * 10)
                        for end, values in latency.items():
                            service.latency.setdefault(end, []).extend(values)
                        service.cpu[kind].append(cpu)
        self.row("keyboard: its driver at work: median", *(statistics.median(service.latency["keyboard driven"])
                                                           for service in SERVICES), "ms")
        for end, what in (("keyboard", "keyboard usable"), ("stick", "stick refused and recorded")):
            ours, theirs = (service.latency[end] for service in SERVICES)
            self.claim_no_later(f"{what}: median of {len(ours)} plugs", statistics.median, ours, theirs)
            self.claim_no_later(f"{what}: 99th percentile", lambda values: percentile(values, 0.99), ours, theirs)
        for kind in ("keyboard", "stick"):
            self.row(f"{kind}: CPU time for a plug", *(statistics.median(service.cpu[kind]) for service in SERVICES), "ms")
        self.result["plug_ms"] = {service.name: service.latency for service in SERVICES}

    def claim_no_later(self, what: str, of: Callable[[list[float]], float], ours: list[float], theirs: list[float]) -> None:
        """The claim fails where we are later by more than chance explains: plugs drawn anew from those that were measured
        (bootstrap) say otherwise in less than one of forty. The interval of the difference is shown."""
        draw = random.Random(0)
        spread = sorted(of(draw.choices(ours, k=len(ours))) - of(draw.choices(theirs, k=len(theirs))) for _ in range(2000))
        low, high = spread[50], spread[-51]
        self.row(f"{what} ({low:+.1f} to {high:+.1f} ms)", of(ours), of(theirs), "ms", low <= 0)

    # ---------------------------------------------------------------------------------------- 3. registers

    def measure_registers(self) -> None:
        with progress("judging by registers of 10 to 100,000 devices"):
            policy = {rows: json.loads(self.t.usb.helper(f"bench_policy {rows}")) for rows in ROWS}
        self.result["policy"] = policy
        small, large = policy[ROWS[0]], policy[ROWS[-1]]
        for key, what in (("judge_registered_nsec", "registered"), ("judge_unknown_nsec", "unknown")):
            for rows in ROWS:
                self.row(f"judging a device, {what}, register of {rows:,}", policy[rows][key] / 1000, None, "us",
                         None if rows != ROWS[-1] else large[key] <= GROWTH_MAX * small[key])
        load = large["parse_usec"] + large["compile_usec"]
        self.row(f"loading {ROWS[-1]:,} (under 1 s)", load / 1e6, None, "s", load < LOAD_USEC_MAX)
        found: dict[tuple[int, str], list[dict[str, Any] | None]] = {(rows, one.name): [] for rows in ROWS for one in SERVICES}
        for turn in range(ROW_ROUNDS):
            for rows in ROWS:
                for service in SERVICES if turn == 0 else (SEKIMORI,):
                    found[rows, service.name].append(self.measure_register(service, rows))
        self.result["register"] = {rows: {service.name: summary(found[rows, service.name]) for service in SERVICES}
                                   for rows in ROWS}
        self.show_registers(self.result["register"])

    def measure_register(self, service: Service, rows: int) -> dict[str, Any] | None:
        """Start, memory and refused sticks with so many permitted devices; None if it did not get ready in time."""
        with progress(f"{service.name}: {rows:,} permitted devices"):
            self.set_rules(service, rows)
            try:
                start = self.start(service)
            except (AssertionError, Timeout) as error:
                print(f"{service.name}: no start with {rows:,} devices in {START_SECONDS} s: {error}", file=sys.stderr)
                return None
            self.plug(service, "stick", 1, 60)
            latencies, cpu = self.plug(service, "stick", ROW_PLUGS, ROW_SECONDS)
            pss = self.idle(f"memory {service.unit}")["pss"]
        return {"start_s": start, "latencies_ms": latencies["stick"], "cpu_ms": cpu, "pss": pss}

    def show_registers(self, found: dict[int, dict[str, dict[str, float] | None]]) -> None:
        for key, what, unit, scale in (("latency_ms", "stick refused and recorded", "ms", 1), ("cpu_ms", "CPU time for that", "ms", 1),
                                       ("start_s", "start", "s", 1), ("pss", "memory", "MB", 1e6)):
            for rows in ROWS:
                values = [one and one[key] / scale for one in found[rows].values()]
                holds = None
                if key == "latency_ms" and rows == ROWS[-1]:
                    first, last = found[ROWS[0]]["sekimori"], found[rows]["sekimori"]
                    holds = bool(first and last) and last[key] <= GROWTH_MAX * first[key]
                self.row(f"{what}, {rows:,} devices", *values, unit, holds)
        if any(one is None for pair in found.values() for one in pair.values()):
            self.result["note"] = f"-: not ready within {START_SECONDS} s"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and size beside USBGuard, in the same virtual terminal.")
    parser.add_argument("--deb", type=Path, required=True, help="the package to measure")
    parser.add_argument("--tools", type=Path, default=HERE.parents[1] / "build" / "release" / "tests",
                        help="where bench_policy and bench_plug are (default: build/release/tests)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON instead of the table")
    parser.add_argument("--plugs", type=int, default=PLUGS, help=f"of the keyboard and of the stick (default: {PLUGS})")
    parser.add_argument("--races", type=int, default=RACES, help=f"runs with one code in many sessions (default: {RACES})")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--logs", type=Path, default=HERE.parents[1] / "out" / "bench")
    options = parser.parse_args()
    options.parts = options.only.split(",")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(PARTS)}")
    for tool in ("bench_policy", "bench_plug"):
        if options.parts != ["mfa"] and not (options.tools / tool).is_file():
            parser.error(f"{options.tools / tool} is missing: use ./run bench")
    return options


def measure(bench: Bench, options: argparse.Namespace) -> None:
    if "mfa" in options.parts:
        with progress("the second factor"):
            bench.result["mfa"], claims, bench.second_table = bench_mfa.measure(bench.t, options.races)
        bench.result["claims"].update(claims)
    if options.parts == ["mfa"]:
        return
    for tool in ("bench_policy", "bench_plug"):
        bench.t.vm.put_file(options.tools / tool, f"{GUEST_DIR}/{tool}", 0o755)
    bench.prepare()
    if "idle" in options.parts:
        bench.measure_idle()
    if "plug" in options.parts:
        bench.measure_plugs()
    if "register" in options.parts:
        bench.measure_registers()


def main() -> int:
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the VM is cleared away
    options.logs.mkdir(parents=True, exist_ok=True)
    try:
        ensure_image()
    except ImageError as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 3
    with Terminal.running(TERMINAL, options.deb.resolve(), options.logs.resolve()) as t:
        bench = Bench(t, options.plugs)
        try:
            measure(bench, options)
        except Exception as error:
            print(f"cannot measure: {error}\n{t.what_it_saw()}\nmeasured until then:\n{bench.table()}", file=sys.stderr)
            return 3
    (options.logs / "result.json").write_text(json.dumps(bench.result, indent=1))
    print(json.dumps(bench.result) if options.json else bench.table())
    if bench.second_table and not options.json:
        print(f"\n{bench.second_table}")
    if bench.result.get("note") and not options.json:
        print(bench.result["note"])
    return 0 if all(bench.result["claims"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
