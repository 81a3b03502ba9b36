#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power under an audit stream on ext4, over and over, and prints JSON: what each cut left, started anew, must be
called complete by `sekimori log verify` with its keys, and no record may be gone that was reported as stored.

    power_cuts.py flakey DISK ROUNDS SEED   while records are written the disk begins to drop all writes (the cut), or to
                                            fail them; the writer goes on into the void, is killed, and the disk is well
                                            again and mounted (dm-flakey)
    power_cuts.py replay DISK POINTS SEED   the writes of some lives are logged (dm-log-writes); then, for points between two
                                            writes, the disk is made as a cut there may leave it: what was flushed, and of
                                            what was not, each write or none (a disk's cache keeps no order)
    power_cuts.py agent DISK ROUNDS SEED    as flakey, always a cut, with the installed agent on its own folders

A kill alone tests none of this: what a killed process wrote is in the kernel's cache and reaches the disk all the same.
"""
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = Path("/run/power-cuts")
SECTOR = 512
DATA_BYTES = 32 << 20
LOG_BYTES = 192 << 20
GROUP = 8                               # records between two syncs
SEGMENT_BYTES = 30000                   # so that many a cut falls into the change from one segment to the next
DEADLINE_SECONDS = 60
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8  # Documentation/admin-guide/device-mapper/log-writes.rst
LOG_MAGIC = 0x6a736677736872


def run(*words, ok=(0,)):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode in ok, f"{words}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def dm_create(name, table):
    run("dmsetup", "create", name, "--table", table)
    return f"/dev/mapper/{name}"


def sectors(size):
    return size // SECTOR


def make_file_system(device):
    run("mkfs.ext4", "-q", "-F", "-b", 4096, "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", device)


class Writer:
    """tests/net/chain_writer.c, which says after each sync how many records are stored."""

    def __init__(self, *words):
        self.process = subprocess.Popen([HERE / "chain_writer", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.said = b""

    def stored(self):
        """As it said last."""
        return int(self.said.split(b"\n")[-2])

    def hear(self, pipe, what):
        assert select.select([pipe], [], [], DEADLINE_SECONDS)[0], f"waited {DEADLINE_SECONDS} s for {what}"
        data = os.read(pipe.fileno(), 65536)
        assert data, (what, self.process.wait(), self.said, self.process.stderr.read())
        return data

    def write(self, count):
        """Waits for so many more words; what came beyond counts too."""
        wanted = self.said.count(b"\n") + count
        while self.said.count(b"\n") < wanted:
            self.said += self.hear(self.process.stdout, "the next sync")

    def stop(self):
        """As in the evening."""
        _, complaints = self.process.communicate()
        assert self.process.returncode == 0, (self.process.returncode, complaints)

    def kill(self):
        self.process.kill()
        self.said += self.process.communicate()[0]
        assert self.process.returncode == -signal.SIGKILL, self.process.returncode


class Stream:
    """One stream with its chain, on whatever is mounted at `root`."""

    def __init__(self, root):
        self.root, self.log, self.chain = root, root / "log" / "agent", root / "chain"

    def make_folders(self):
        self.log.mkdir(parents=True)
        self.chain.mkdir()

    def start(self, count=0):
        """With a count it writes no further."""
        return Writer(self.log, self.chain / "chain", "agent", "T", PUBLIC_KEY, str(count), str(GROUP), str(SEGMENT_BYTES))

    def live(self):
        writer = self.start(1)
        writer.write(1)
        writer.stop()

    def lines(self):
        return [line for path in sorted(self.log.glob("*.jsonl")) for line in path.read_bytes().split(b"\n")[:-1]]

    def keep_key(self):
        """What the verifier got when the terminal was set up."""
        (WORK / "sealed").write_bytes((self.chain / "chain.sealed").read_bytes())

    def judge(self, stored, what):
        """A start after the cut, then everything that was stored is there, as it was, and all is proven."""
        self.live()
        return self.prove(stored, what)

    def prove(self, stored, what):
        lines = self.lines()
        assert lines[:len(stored)] == stored, f"{what}: of {len(stored)} records that were stored, not all are there"
        told = [json.loads(line)["event"] for line in lines]
        assert "CHAIN_BROKEN" not in told, (what, [line for line in lines if b"CHAIN_BROKEN" in line])
        report = json.loads(run("sekimori", "--json", "log", "verify", "--key", WORK / "key", "--sealed", WORK / "sealed",
                                self.log, ok=range(256)))
        chains = [chain for stream in report["streams"] for chain in stream["chains"]]
        # the emulated processor's clock may jump (CLOCK, 10): that takes nothing from completeness
        assert report["complete"] and report["exit"] in (0, 10) and len(chains) == 1, (what, report)
        assert chains[0]["last"] == len(lines), (what, report, len(lines))
        return Counter(told)


@contextmanager
def mounted(device, *options):
    root = WORK / "mnt"
    root.mkdir(exist_ok=True)
    run("mount", *options, device, root)
    try:
        yield Stream(root)
    finally:
        run("umount", root)


# --------------------------------------------------------------------------------------------- dm-flakey

class FlakeyDisk:
    NAME = "flaky"

    def __init__(self, disk):
        self.disk, self.size = disk, sectors(DATA_BYTES)
        self.device = dm_create(self.NAME, f"0 {self.size} linear {disk} 0")

    def become(self, table):
        # what is on its way stays there, and the file system is not told to come to rest
        run("dmsetup", "suspend", "--noflush", "--nolockfs", self.NAME)
        run("dmsetup", "load", self.NAME, "--table", f"0 {self.size} {table}")
        run("dmsetup", "resume", self.NAME)

    def fail(self, how):
        self.become(f"flakey {self.disk} 0 0 3600 1 {how}")

    def heal(self):
        self.become(f"linear {self.disk} 0")


def one_cut(disk, how, chance):
    """Records up to a moment by chance, the cut, and more records into the void; those that had been stored."""
    with mounted(disk.device) as stream:
        writer = stream.start()
        writer.write(chance.randint(1, 12))
        stored = writer.stored()
        disk.fail(how)
        if how == "error_writes":
            writer.hear(writer.process.stderr, "its complaint")
        else:
            writer.write(chance.randint(0, 8))
        writer.kill()
        if how == "error_writes":       # a disk that lies about nothing: all that it said holds
            stored = writer.stored()
        lines = stream.lines()          # from the cache
    disk.heal()
    run("blockdev", "--flushbufs", disk.device)
    return lines[:stored]


def flakey(disk_path, rounds, chance):
    disk = FlakeyDisk(disk_path)
    make_file_system(disk.device)
    with mounted(disk.device) as stream:
        stream.make_folders()
        stream.live()
        stream.keep_key()
    hows, told = Counter(), Counter()
    for number in range(rounds):
        how = chance.choice(["drop_writes", "drop_writes", "error_writes"])
        stored = one_cut(disk, how, chance)
        with mounted(disk.device) as stream:
            told = stream.judge(stored, f"cut {number}, {how}")
        hows[how] += 1
    return {"cuts": hows, "records": sum(told.values()), "torn_lines_cut": told["LOG_RECOVERED"]}


# --------------------------------------------------------------------------------------------- the installed agent

class Agent(Stream):
    """The service on its own folders, which lie on the disk that fails."""
    PLACES = {"log": "/var/log/sekimori/agent", "chain": "/var/lib/sekimori/chain/agent"}

    def __init__(self, root):
        super().__init__(root)
        self.log, self.chain = root / "log", root / "chain"

    def move_in(self):
        """Begins a chain whose first key the verifier gets. Everybody else who looks at the folders has to go."""
        run("systemctl", "stop", "sekimorid", "sekimori-forward", "sekimori-authd.socket", "sekimori-authd.service")
        for name, place in self.PLACES.items():
            run("cp", "-a", place, self.root / name)
            run("find", self.root / name, "-type", "f", "-delete")
        with open("/etc/sekimori/sekimori.conf", "a", encoding="utf-8") as config:
            config.write(f'audit: {{ segment_size = "64K"; verifier_key = "{PUBLIC_KEY}"; }};\n')

    @contextmanager
    def running(self):
        for name, place in self.PLACES.items():
            run("mount", "--bind", self.root / name, place)
        try:
            run("systemctl", "start", "sekimorid")
            yield self
        finally:
            run("systemctl", "stop", "sekimorid")
            for place in self.PLACES.values():
                run("umount", place)

    def write(self, count):
        """So many times another record, each with a sync of its own."""
        for _ in range(count):
            before, end = len(self.lines()), time.monotonic() + DEADLINE_SECONDS
            run("systemctl", "kill", "--kill-who=main", "--signal=HUP", "sekimorid")
            while len(self.lines()) == before:
                assert time.monotonic() < end, f"waited {DEADLINE_SECONDS} s for a record; there are {before}"
                os.sched_yield()


def agent(disk_path, rounds, chance):
    disk = FlakeyDisk(disk_path)
    make_file_system(disk.device)
    with mounted(disk.device) as plain:
        Agent(plain.root).move_in()
        with Agent(plain.root).running() as stream:
            stream.write(1)
            stream.keep_key()
    told, stored = Counter(), []
    for number in range(rounds + 1):
        with mounted(disk.device) as plain, Agent(plain.root).running() as stream:
            stream.write(1)                     # its first records are stored
            told = stream.prove(stored, f"cut {number}")
            if number == rounds:
                break
            stream.write(chance.randint(1, 5))
            stored = stream.lines()
            stream.write(1)                     # written, so what was before it is synced
            disk.fail("drop_writes")
            stream.write(chance.randint(0, 3))
            if chance.random() < 0.5:
                run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "sekimorid")
        disk.heal()
        run("blockdev", "--flushbufs", disk.device)
    return {"cuts": rounds, "records": sum(told.values()), "torn_lines_cut": told["LOG_RECOVERED"]}


# --------------------------------------------------------------------------------------------- dm-log-writes

class LoggedDisk:
    """Two parts of the disk: what is written to, and the log of it."""

    def __init__(self, disk):
        data, log = sectors(DATA_BYTES), sectors(LOG_BYTES)
        self.plain = dm_create("plain", f"0 {data} linear {disk} 0")
        self.log = dm_create("log", f"0 {log} linear {disk} {data}")

    def begin(self):
        return dm_create("logged", f"0 {sectors(DATA_BYTES)} log-writes {self.plain} {self.log}")

    @staticmethod
    def mark(text):
        run("dmsetup", "message", "logged", 0, "mark", text)

    @staticmethod
    def end():
        run("dmsetup", "remove", "--retry", "logged")


def read_log(path):
    """The entries in their order: (flags, first byte, data)."""
    entries = []
    with open(path, "rb", buffering=1 << 20) as log:
        def number(data, at):
            return int.from_bytes(data[at:at + 8], "little")
        head = log.read(SECTOR)
        sector_bytes = int.from_bytes(head[24:28], "little")
        assert number(head, 0) == LOG_MAGIC and number(head, 8) == 1, head[:32]
        log.seek(sector_bytes)
        for _ in range(number(head, 16)):
            entry = log.read(sector_bytes)
            first, count, flags, data_len = (number(entry, at) for at in (0, 8, 16, 24))
            if flags & MARK:
                entries.append((flags, 0, entry[32:32 + data_len]))
            else:
                assert not flags & DISCARD, "the file system was not told to discard"
                entries.append((flags, first * sector_bytes, log.read(count * sector_bytes)))
    return entries


def record_lives(disk, lives, chance):
    """Lives that end by a kill; each acknowledgement is marked in the log. The lines of the stream at the end."""
    with mounted(disk.begin()) as stream:
        disk.mark("begin")
        for _ in range(lives):
            writer = stream.start()
            for _ in range(chance.randint(4, 10)):
                writer.write(1)
                disk.mark(f"stored-{writer.stored()}")
            writer.kill()
        lines = stream.lines()
    disk.end()
    return lines


class Replay:
    """What is surely on the disk, from write to write."""

    def __init__(self, image, entries):
        self.image, self.entries, self.at = image, entries, 0
        self.loose = []                         # written and not flushed, in order
        self.stored = 0

    @staticmethod
    def put(image, entry):
        _, first, data = entry
        image[first:first + len(data)] = data

    def step(self):
        entry = self.entries[self.at]
        self.at += 1
        flags, _, data = entry
        if flags & MARK:
            if data.startswith(b"stored-"):
                self.stored = int(data[7:].rstrip(b"\0"))
            return
        if flags & FLUSH:
            for loose in self.loose:
                self.put(self.image, loose)
            self.loose = []
        if flags & FUA:
            self.loose.append(entry)            # over what is loose at the same place
            self.put(self.image, entry)
        elif data:
            self.loose.append(entry)

    def after_a_cut(self, chance):
        """The disk as it may be found."""
        image = bytearray(self.image)
        share = chance.choice([0.0, 0.5, 0.5, 1.0])
        for entry in self.loose:
            if entry[0] & FUA or chance.random() < share:
                self.put(image, entry)
        return image


def replay(disk_path, points, chance):
    disk = LoggedDisk(disk_path)
    make_file_system(disk.plain)
    with mounted(disk.plain) as stream:
        stream.make_folders()
        stream.live()
        stream.keep_key()
    image = bytearray(Path(disk.plain).read_bytes())
    lines = record_lives(disk, 4, chance)
    entries = read_log(disk.log)
    begin = next(i for i, entry in enumerate(entries) if entry[0] & MARK and entry[2].startswith(b"begin"))
    scene = Replay(image, entries)
    told, loose = Counter(), 0
    for point in sorted(chance.sample(range(begin + 1, len(entries) + 1), min(points, len(entries) - begin))):
        while scene.at < point:
            scene.step()
        (WORK / "image").write_bytes(scene.after_a_cut(chance))
        loose += bool(scene.loose)
        with mounted(WORK / "image", "-o", "loop") as stream:
            told += stream.judge(lines[:scene.stored], f"a cut at entry {point} of {len(entries)}")
    flushes = sum(bool(entry[0] & FLUSH) for entry in entries)
    return {"cuts": points, "with_unflushed": loose, "log_entries": len(entries), "flushes": flushes, "records": len(lines),
            "torn_lines_cut": told["LOG_RECOVERED"]}


def main():
    mode, disk, count, seed = sys.argv[1:]
    print(json.dumps({"flakey": flakey, "replay": replay, "agent": agent}[mode](disk, int(count), random.Random(int(seed)))))


if __name__ == "__main__":
    WORK.mkdir(exist_ok=True)
    (WORK / "key").unlink(missing_ok=True)
    PUBLIC_KEY = json.loads(run("sekimori", "--json", "log", "verify", "--new-key", WORK / "key"))["public_key"]
    main()
