#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at a service that has nothing to do, and prints JSON.

    bench_idle.py memory UNIT           PSS of all its processes in bytes, and of each mapping
    bench_idle.py wakeups UNIT SECONDS  how often its threads woke up, and how often its own timers rang meanwhile
    bench_idle.py cpu UNIT              processor time so far, microseconds

A thread that goes to sleep counts one voluntary context switch: so many sleeps, so many wake-ups. When the timers ring
is read from fdinfo of the timer descriptors (Documentation/filesystems/proc.rst), not assumed.
"""
import collections
import glob
import json
import os
import re
import sys
import time


def read(path: str) -> str:
    with open(path, errors="replace") as handle:
        return handle.read()


def group(unit: str) -> str:
    return f"/sys/fs/cgroup/system.slice/{unit}.service"


def processes(unit: str) -> list[str]:
    return read(f"{group(unit)}/cgroup.procs").split()


def memory(unit: str) -> dict:
    """PSS shares a page among all who map it; a mapping without a name is "anonymous"."""
    total, mappings = 0, collections.Counter()
    for pid in processes(unit):
        total += int(re.search(r"^Pss:\s+(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.M)[1]) * 1024
        name = ""
        for line in read(f"/proc/{pid}/smaps").splitlines():
            if head := re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)", line):
                name = os.path.basename(head[1]) or "anonymous"
            elif size := re.match(r"Pss:\s+(\d+) kB", line):
                mappings[name] += int(size[1]) * 1024
    return {"pss": total, "processes": len(processes(unit)), "mappings": dict(mappings.most_common(8))}


def switches(unit: str) -> int:
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", read(path), re.M)[1])
               for pid in processes(unit) for path in glob.glob(f"/proc/{pid}/task/*/status"))


def timer_rings(unit: str, seconds: float) -> int:
    """How often the timers that are armed now will ring within the next `seconds`."""
    rings = 0
    for pid in processes(unit):
        for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
            found = dict(re.findall(r"^(it_value|it_interval): \((\d+, \d+)\)", read(path), re.M))
            if not found:
                continue
            value, interval = (int(pair.split(", ")[0]) + int(pair.split(", ")[1]) / 1e9
                               for pair in (found["it_value"], found["it_interval"]))
            if 0 < value <= seconds:
                rings += 1 + (int((seconds - value) / interval) if interval else 0)
    return rings


def wakeups(unit: str, seconds: float) -> dict:
    pids = processes(unit)
    timers, before, began = timer_rings(unit, seconds), switches(unit), time.monotonic()
    time.sleep(seconds)
    return {"wakeups": switches(unit) - before, "timers": timers, "seconds": time.monotonic() - began,
            "same_processes": pids == processes(unit)}


def cpu(unit: str) -> dict:
    return {"usec": int(re.search(r"^usage_usec (\d+)", read(f"{group(unit)}/cpu.stat"), re.M)[1])}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["memory", unit]:
            result = memory(unit)
        case ["wakeups", unit, seconds]:
            result = wakeups(unit, float(seconds))
        case ["cpu", unit]:
            result = cpu(unit)
        case _:
            sys.exit(__doc__)
    print(json.dumps(result))
