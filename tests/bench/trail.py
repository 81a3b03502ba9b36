#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the audit trail on this machine: how fast it is written, proven, sent and collected.

    trail.py --build DIR [--json] [--folder DIR] [PART…]

stream      a record on disk beside a bare write and fdatasync of as many bytes, alone and in groups
verify      a stream proven beside b2sum over the same bytes
fleet       a day of 10,000 terminals as the collector has it, proven with the codes of every record
forward     sekimori-forward with a real collector: its memory, and how fast it catches up
collector   rsyslogd and sekimori-store, 1, 2 and 4 of each, beside as many bare writes and fdatasyncs
terminals   3,000 terminals at once in TLS sessions with one collector: how long each waits for its answer

Everything is real (rsyslogd, TLS 1.3 with certificates on both sides, fdatasync) and on the loopback. What is compared
takes turns, so that what else the machine does meets both: look at the ratios. DIR has a release build.
Ends with 0 if no claim is refuted, with 1 if one is.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "net"))

from harness import Collector, Sender, wait_for     # noqa: E402
from records import Terminal                        # noqa: E402

PART_NAMES = ("stream", "verify", "fleet", "forward", "collector", "terminals")
FLEET_CHAINS, FLEET_RECORDS = 10000, 200            # a day of a terminal: docs/sizing.md
TURNS = 3
LIVE_RECORDS = 2000                 # in each turn, for each process
TERMINALS = 3000
EACH_SECONDS, SECONDS = 10, 30      # every terminal sends one record in so many seconds; for so long
CONNECTING = 64                     # terminals that shake hands at the same time
DEADLINE_SECONDS = 60
FORWARD_RECORDS = 30000
# Below these the machine is too slow, or too busy, to show what is claimed.
B2SUM_MB = 900                      # a second
BARE_RATE = 4500                    # bare writes and fdatasyncs a second: 0.2 ms each
BARE_RECORDS = 500
GROUPED_BARE_RATE = 800000          # as many bytes a second as so many records have: 1.2 GB


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Table:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str, str]] = []
        self.result: dict[str, Any] = {"claims": {}}

    def row(self, what: str, ours: float, rival: float | None, unit: str, holds: bool | None = None, able: bool = True) -> None:
        """`holds` None: this is shown, not claimed. Not `able`: the rival shows that the machine, or what else it does, is
        too slow for what is claimed; that speaks neither for nor against us."""
        def show(value: float | None) -> str:
            return "-" if value is None else f"{value:,.{0 if value >= 100 else 2}f} {unit}"
        ratio = f"{ours / rival:.2f}" if rival else "-"
        judged = holds is not None and (holds or able)
        word = "holds" if holds else "does not hold" if judged else "cannot be told here" if holds is not None else ""
        self.rows.append((what, show(ours), show(rival), ratio, word))
        if judged:
            self.result["claims"][what] = holds

    def text(self) -> str:
        lines = [("", "Sekimori", "beside it", "ratio", "claim"), *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(5)]
        return "\n".join("  ".join(text.ljust(width) if column in (0, 4) else text.rjust(width)
                                   for column, (text, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


class Bench:
    def __init__(self, build: Path, folder: Path, table: Table) -> None:
        self.build, self.folder, self.table = build, folder, table

    def tool(self, name: str, *arguments: str) -> dict[str, Any]:
        command = [str(self.build / "tests" / name), *arguments]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=self.folder).stdout)
        self.table.result[" ".join([name, *arguments[-2:]] if name == "bench_verify" else [name])] = found
        return found

    # ------------------------------------------------------------------------------------------------ writing

    def stream(self) -> None:
        idle = is_idle()
        folder = self.folder / "stream"
        folder.mkdir()
        found = self.tool("bench_stream", str(folder))
        ratio = found["chained_over_bare"]
        self.table.row("a record on disk, p50 (bare write + fdatasync; at most 1.3 times)", found["chained_p50_usec"],
                       found["bare_p50_usec"], "µs", ratio <= 1.3)
        self.table.row("… p99", found["chained_p99_usec"], found["bare_p99_usec"], "µs")
        self.table.row("records in groups (bare, as many bytes; at least 200,000)", found["grouped_records_per_second"],
                       found["grouped_bare_per_second"], "/s", found["grouped_records_per_second"] >= 200000,
                       idle and found["grouped_bare_per_second"] >= GROUPED_BARE_RATE)
        cpu = 1e6 / found["grouped_cpu_usec"]
        self.table.row("… as far as the processor goes (at least 200,000)", cpu, None, "/s", cpu >= 200000, idle)
        shutil.rmtree(folder)

    # ------------------------------------------------------------------------------------------------ proving

    def verify(self) -> None:
        idle = is_idle()            # two threads beside one of b2sum
        found = self.tool("bench_verify")
        self.table.row("a stream proven (b2sum; at least 0.5 times)", found["chain_mb_per_sec"], found["b2sum_mb_per_sec"],
                       "MB/s", found["chain_to_b2sum"] >= 0.5, idle)
        rate = found["macs_records_per_sec"]
        self.table.row("… with the code of each record (at least 300,000)", rate, None, "/s", rate >= 300000,
                       idle and found["b2sum_mb_per_sec"] >= B2SUM_MB)

    def fleet(self) -> None:
        found = self.tool("bench_verify", str(FLEET_RECORDS), str(FLEET_CHAINS))
        self.table.row(f"a day of {FLEET_CHAINS:,} terminals proven ({found['records']:,} records; b2sum)", found["macs_sec"],
                       found["bytes"] / found["b2sum_mb_per_sec"] / 1e6, "s")

    # ------------------------------------------------------------------------------------------------ sending

    def forward(self) -> None:
        with Site(self.folder / "forward", self.build) as site:
            site.messages(FORWARD_RECORDS)
            config = site.folder / "sekimori.conf"
            config.write_text(f'terminal: {{ number = "T-1"; }};\nforward: {{ host = "127.0.0.1"; port = "{site.collector.port}"; '
                              f'name = "collector.test"; start_jitter = "0s"; ca = "{site.bundle}/ca.pem"; '
                              f'cert = "{site.bundle}/terminal.pem"; key = "{site.bundle}/terminal.key"; }};\n')
            config.chmod(0o600)
            for name in ("log/agent", "log/auth", "state"):
                (site.folder / name).mkdir(parents=True)
            (site.folder / "log/agent/00000001.jsonl").write_bytes(b"".join(line + b"\n" for line in site.terminal.lines))
            took, pss = self.catch_up(site)
            assert site.collector.stored() == site.terminal.lines, "lost, doubled or out of order"
            bare = BARE_RECORDS / together([bare_writes], [(str(site.folder / "bare"), BARE_RECORDS)])
        rate = FORWARD_RECORDS / took
        self.table.row("sekimori-forward: memory (PSS, at most 4 MB)", pss, None, "MB", pss <= 4)
        self.table.row("… catching up, from its start until all is stored (at least 20,000)", rate, None, "/s", rate >= 20000,
                       bare >= BARE_RATE)

    def catch_up(self, site: Site) -> tuple[float, float]:
        """Seconds and MB."""
        size = sum(len(line) + 1 for line in site.terminal.lines)
        begin = time.monotonic()
        with open(site.folder / "journal", "wb") as journal:
            forwarder = subprocess.Popen([str(self.build / "agent/sekimori-forward"), "--config", "sekimori.conf",
                                          "--log", "log", "--state", "state", "--control", "control"], cwd=site.folder, stderr=journal)
        try:
            wait_for("the records at the collector", lambda: stored_bytes(site.collector) >= size)
            return time.monotonic() - begin, memory(forwarder.pid)
        finally:
            forwarder.terminate()
            forwarder.wait(DEADLINE_SECONDS)

    # ------------------------------------------------------------------------------------------------ collecting

    def collector(self) -> None:
        for count in (1, 2, 4):
            bare, ours = [], []
            with ExitStack() as stack:
                sites = [stack.enter_context(Site(self.folder / f"site-{count}-{number}", self.build)) for number in range(count)]
                for _ in range(TURNS):
                    bare.append(together([bare_writes] * count, [(str(site.folder / "bare"), LIVE_RECORDS) for site in sites]))
                    ours.append(together([Site.send] * count, [(site, site.messages(LIVE_RECORDS)) for site in sites]))
                for site in sites:
                    assert site.collector.stored() == site.terminal.lines, "lost, doubled or out of order"
            rate, beside = (count * LIVE_RECORDS / min(times) for times in (ours, bare))
            self.table.row(f"live, one record a message, rsyslogd and store: {count} (bare write + fdatasync"
                           + ("; at least 3,500)" if count == 1 else ")"), rate, beside, "/s", rate >= 3500 if count == 1 else None,
                           beside >= BARE_RATE)

    def terminals(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4 * TERMINALS, 4 * TERMINALS))
        with Site(self.folder / "terminals", self.build) as site:
            crowd = Crowd(site)
            bare = BARE_RECORDS / together([bare_writes], [(str(site.folder / "bare"), BARE_RECORDS)])
            asyncio.run(crowd.run())
            rsyslogd = memory(site.collector.process.pid)
            stored = len(site.collector.stored())
        assert stored == len(crowd.waited_ms), f"{len(crowd.waited_ms)} answers, {stored} records"
        p99 = percentile(crowd.waited_ms, 0.99)
        self.table.row(f"{TERMINALS:,} terminals in TLS sessions, {TERMINALS // EACH_SECONDS} records/s: answer, p50",
                       percentile(crowd.waited_ms, 0.5), None, "ms")
        # What comes in must be less than half of what the disk can sync, or it is the queue that is measured.
        self.table.row("… p99 (at most 250)", p99, None, "ms", p99 <= 250, bare >= 2 * TERMINALS / EACH_SECONDS)
        self.table.row("… until all are connected", crowd.connected_sec, None, "s")
        self.table.row("… memory of rsyslogd (PSS)", rsyslogd, None, "MB")
        self.table.result["terminals"] = {"answers": stored, "p99_ms": p99, "max_ms": max(crowd.waited_ms)}


def is_idle() -> bool:
    """Do others leave the processors alone? For a second."""
    def ticks() -> tuple[int, int]:
        with open("/proc/stat") as file:
            numbers = [int(word) for word in file.readline().split()[1:]]
        return numbers[3] + numbers[4], sum(numbers)        # idle and waiting for a disk
    idle, total = ticks()
    time.sleep(1)
    idle_then, total_then = ticks()
    return idle_then - idle >= 0.8 * (total_then - total)


def memory(pid: int) -> float:
    """MB, of shared pages its share (PSS)."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024 / 1e6


def stored_bytes(collector: Collector) -> int:
    return sum(path.stat().st_size for path in Path(collector.state).glob("records/*"))


class Site(AbstractContextManager["Site"]):
    """A collector, and a terminal that sends to it."""

    def __init__(self, folder: Path, build: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.collector = Collector(str(folder / "collector"), str(build))
        self.bundle = self.collector.add_terminal("T-1")
        self.terminal = Terminal("T-1")

    def __enter__(self) -> Site:
        try:
            self.collector.start()
        except BaseException:
            self.collector.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.collector.stop()
        shutil.rmtree(self.folder)

    def messages(self, count: int) -> list[bytes]:
        """The next records of its chain, one a message."""
        first = len(self.terminal.lines)
        for n in range(count):
            self.terminal.add(text=f"the bench writes record {first + n + 1}")
        return [self.terminal.message(line) for line in self.terminal.lines[first:]]

    def send(self, messages: list[bytes]) -> None:
        Sender(self.collector.port, self.bundle, messages).once()


def bare_writes(path: str, count: int) -> None:
    """What storing alone costs: lines of the same length."""
    terminal = Terminal("T-1")
    terminal.add(text="the bench writes record 1000")
    line = terminal.lines[0] + b"\n"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(count):
        os.write(fd, line)
        os.fdatasync(fd)
    os.close(fd)


def together(functions: list[Callable[..., None]], arguments: list[tuple[Any, ...]]) -> float:
    """Each in a process of its own; the seconds from the moment when all are ready to the end of the last."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(len(functions) + 1)

    def work(function: Callable[..., None], words: tuple[Any, ...]) -> None:
        barrier.wait(DEADLINE_SECONDS)
        function(*words)

    workers = [fork.Process(target=work, args=pair) for pair in zip(functions, arguments)]
    for worker in workers:
        worker.start()
    barrier.wait(DEADLINE_SECONDS)
    begin = time.monotonic()
    for worker in workers:
        worker.join(5 * DEADLINE_SECONDS)
    took = time.monotonic() - begin
    assert all(worker.exitcode == 0 for worker in workers), "a sender failed"
    return took


class Crowd:
    """Terminals with a chain and a TLS session each. They share one certificate: the collector compares names only while
    hands are shaken, and making 3,000 would take longer than all the rest."""

    def __init__(self, site: Site) -> None:
        self.port = site.collector.port
        self.context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=site.bundle + "/ca.pem")
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(site.bundle + "/terminal.pem", site.bundle + "/terminal.key")
        self.waited_ms: list[float] = []
        self.connected_sec = 0.0

    async def run(self) -> None:
        begin = time.monotonic()
        turnstile = asyncio.Semaphore(CONNECTING)
        sessions = await asyncio.gather(*(self.connect(turnstile) for _ in range(TERMINALS)))
        self.connected_sec = time.monotonic() - begin
        await asyncio.gather(*(self.live(number, *session) for number, session in enumerate(sessions)))

    async def connect(self, turnstile: asyncio.Semaphore) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with turnstile:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", self.port, ssl=self.context, server_hostname="collector.test"), DEADLINE_SECONDS)
            offers = b"relp_version=0\nrelp_software=bench\ncommands=syslog"
            writer.write(b"1 open %d %s\n" % (len(offers), offers))
            await self.answer(reader)
            return reader, writer

    @staticmethod
    async def answer(reader: asyncio.StreamReader) -> None:
        """One frame: TXNR SP rsp SP DATALEN SP DATA LF"""
        head = b""
        while head.count(b" ") < 3:
            head += await asyncio.wait_for(reader.readexactly(1), DEADLINE_SECONDS)
        data = await asyncio.wait_for(reader.readexactly(int(head.split()[2]) + 1), DEADLINE_SECONDS)
        assert data.startswith(b"200"), data

    async def live(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One record in each period, at a time of its own in it."""
        terminal = Terminal(f"T-{number}")
        moment = random.Random(number).random() * EACH_SECONDS
        begin = time.monotonic()
        for turn in range(SECONDS // EACH_SECONDS):
            await asyncio.sleep(max(0.0, begin + turn * EACH_SECONDS + moment - time.monotonic()))
            terminal.add(text="the bench writes a record")
            message = terminal.message(terminal.lines[-1])
            sent = time.monotonic()
            writer.write(b"%d syslog %d %s\n" % (turn + 2, len(message), message))
            await self.answer(reader)
            self.waited_ms.append((time.monotonic() - sent) * 1000)
        writer.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="How fast the audit trail is written, proven, sent and collected.")
    parser.add_argument("--build", type=Path, required=True, help="a release build")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk to be measured (default: /var/tmp)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON instead of the table")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PART_NAMES)} (default: all)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PART_NAMES):
        parser.error(f"{', '.join(unknown)}: there are {', '.join(PART_NAMES)}")
    table = Table()
    with tempfile.TemporaryDirectory(prefix="sekimori-bench-", dir=options.folder) as folder:
        os.chmod(folder, 0o755)
        bench = Bench(options.build.resolve(), Path(folder), table)
        for part in options.parts or PART_NAMES:
            print(f"measuring: {part}", file=sys.stderr)
            getattr(bench, part)()
    print(json.dumps(table.result | {"table": table.rows}) if options.json else table.text())
    return 0 if all(table.result["claims"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
