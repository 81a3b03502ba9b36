#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who logs in at the same moment with the same code: one. 100 runs each of 16, 64 and 256 sessions with one code of an app, and
with one recovery code; of 16 with one code of a counter token; and 100 runs of 256 guesses, of which no more are compared than
may be tried.

    test_race.py BUILD          as root: `./run test race` does it

The service, the module and libpam are the real ones, at this machine's own speed: an emulated terminal takes minutes for what
is a second here, and in an emulator the sessions meet less often. google-authenticator and pam_oath run beside them, as
strictly as they can be set; what they do is shown, not judged. Half of the runs each are made by WORKERS at the same time, in
mount namespaces of their own: the hash of a recovery code takes a processor, what the others wait for is the disk.

Rejected: sanitizers. They change what races are about, the time between two steps; the same code runs under them in tests/seam."""
from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from host import AUDIT, SECONDS, Host, rig       # noqa: E402

import login                            # noqa: E402
import rivals                           # noqa: E402
from waiting import wait_for            # noqa: E402

WORKERS = 2
RUNS = 100 // WORKERS               # of each size, by each of them
SESSIONS = (16, 64, 256)
GUESSES = 256
RIVALS_EVERY = {16: 2, 64: 5, 256: 10}  # they take ten times our time: not in all runs
FREE_TRIES = 5                      # as conf/sekimori.conf says
STARVED_MAX = 20                    # runs in which the machine was too slow for anybody; each is made again
MANY = (RUNS + STARVED_MAX) * 6      # people: of app, counter token and guesses each run, its repetitions, and one more
SECRET, EMERGENCY = b"s" * 32, "12345678"
NAMES = {"sekimori": "Sekimori", "ga": "google-authenticator", "oath": "pam_oath"}
USED, WRONG, LATE = "使用済み", "確認コードが違います", "応答しません"
Found = dict[str, list[int]]


class Trail:
    """The service's own records, as they come."""

    def __init__(self) -> None:
        self.read: dict[str, int] = {}

    def events(self, user: str) -> list[str]:
        """This person's since the last time, oldest first."""
        found: list[str] = []
        for path in sorted(AUDIT.glob("*.jsonl")):
            with path.open("rb") as stream:
                stream.seek(self.read.get(path.name, 0))
                # a checkpoint may be half written at this moment
                lines = [line for line in stream if line.endswith(b"\n")]
            self.read[path.name] = self.read.get(path.name, 0) + sum(map(len, lines))
            records = map(json.loads, lines)
            found += [record["event"] for record in records if (record.get("user") or {}).get("name") == user]
        return found


class Worker:
    """One terminal's worth of runs."""

    def __init__(self, t: Host) -> None:
        self.t, self.trail = t, Trail()
        self.people: Iterator[str] = iter(people())
        self.paper: list[str] = []      # of recovery codes, for this person:
        self.owner = ""
        self.other = login.Phone(rivals.SECRET)
        t.check(rivals.SERVICES)
        login.install_race(t)           # type: ignore[arg-type]

    # ---- fresh answers: a person of their own for each code, so that no clock has to be waited for

    def enrolled(self, kind: str) -> str:
        user = next(self.people)
        self.t.check(f"sekimori mfa import --user {user} --secret - --type {kind} --algorithm sha256 --digits 6",
                     base64.b32encode(SECRET).rstrip(b"=") + b"\n")
        return user

    def app(self) -> tuple[str, str]:
        user = self.enrolled("totp")
        return user, login.Phone(SECRET, "sha256").code_at(time.time())

    def counter(self) -> tuple[str, str]:
        return self.enrolled("hotp"), login.hotp(SECRET, 0, 6, "sha256")

    def recovery(self) -> tuple[str, str]:
        self.owner = self.owner or self.enrolled("totp")
        if not self.paper:
            self.paper = json.loads(self.t.check(f"sekimori mfa recovery --user {self.owner} --json"))["recovery_codes"]
        return self.owner, self.paper.pop(0)

    # ---- one run

    def race(self, name: str, user: str, answers: list[str], times: int = 1) -> dict[str, Any]:
        found = login.race(self.t, f"race-{name}", user, answers, times)        # type: ignore[arg-type]
        assert found["unfinished"] == 0, found
        return found

    def raced(self, user: str, answers: list[str], times: int = 1) -> tuple[dict[str, Any], int, list[str]]:
        """With us: what was found, how many gave up waiting, and what is on record of it."""
        self.trail.events(user)
        ours = self.race("sekimori", user, answers, times)
        late = told(ours, LATE)
        if late > 0:
            # One of those may be in work at this moment; who asks now is answered after him.
            wait_for(lambda: '"enrolled"' in self.t.check(f"sekimori mfa status --user {user} --json || :"), "an answer", SECONDS)
        return ours, late, self.trail.events(user)

    def one_of(self, sessions: int, user: str, code: str) -> tuple[int, int]:
        """How many got in with this code, which nobody has used, and how many gave up waiting. Everybody else is told that it
        was used. That nobody got in is right only when somebody gave up: the code may be his."""
        ours, late, records = self.raced(user, [code], sessions)
        events, used = Counter(records), told(ours, USED)
        taken = events["AUTH_OK"] + events["SUBSTITUTE_USED"]
        assert ours["accepted"] <= taken <= 1, (ours, events)
        assert ours["accepted"] + used + late == sessions, (ours, events)
        assert ours["accepted"] == 1 or late > 0, (ours, events)
        return ours["accepted"], late

    def guesses(self, right_at: int) -> tuple[int, int, int]:
        """How many got in, and gave up, and were compared at most in a row, of many guesses with the right one at this place."""
        user, right = self.app()
        ours, late, events = self.raced(user, around(right, right_at))
        row, taken, failed = longest_row(events), events.count("AUTH_OK"), events.count("AUTH_FAIL")
        assert ours["accepted"] <= taken <= 1, (ours, Counter(events))
        # The right one clears the count, as for any person: then the limit is met once more.
        assert row <= FREE_TRIES and failed <= FREE_TRIES * (1 + taken), (ours, Counter(events))
        assert told(ours, WRONG) <= failed and (row == FREE_TRIES or late > 0), (ours, Counter(events))
        return ours["accepted"], late, row

    # ---- all runs of one kind

    def same_code(self, fresh: Callable[[], tuple[str, str]], sessions: int) -> Found:
        found: Found = {name: [] for name in (*NAMES, "late", "repeated")}
        while len(found["sekimori"]) < RUNS:
            accepted, late = self.one_of(sessions, *fresh())
            found["late"].append(late)
            if accepted == 0:
                found["repeated"].append(1)
                assert len(found["repeated"]) <= STARVED_MAX, f"{sessions} sessions: too slow for anybody, again and again"
                continue
            if len(found["sekimori"]) % RIVALS_EVERY[sessions] == 0:
                for name in ("ga", "oath") if fresh != self.recovery else ("ga",):
                    rivals.reset(self.t, emergency=EMERGENCY)       # type: ignore[arg-type]
                    code = EMERGENCY if fresh == self.recovery else self.other.code_at(time.time())
                    found[name].append(self.race(name, "taro", [code], sessions)["accepted"])
            found["sekimori"].append(accepted)
        return found

    def many_guesses(self) -> Found:
        found: Found = {name: [] for name in (*NAMES, "late", "repeated")}
        while len(found["sekimori"]) < RUNS:
            run = len(found["sekimori"])
            accepted, late, row = self.guesses(run * GUESSES // RUNS)
            found["late"].append(late)
            if row < FREE_TRIES:
                found["repeated"].append(1)
                assert len(found["repeated"]) <= STARVED_MAX, "256 guesses: too slow for five of them, again and again"
                continue
            for name in ("ga", "oath") if run % RIVALS_EVERY[GUESSES] == 0 else ():
                rivals.reset(self.t)    # type: ignore[arg-type]
                answers = around(self.other.code_at(time.time()), run * GUESSES // RUNS)
                found[name].append(self.race(name, "taro", answers)["accepted"])
            found["sekimori"].append(accepted)
        return found


def people() -> list[str]:
    return [f"person{i}" for i in range(MANY)]


def told(found: dict[str, Any], part: str) -> int:
    """How many sessions got a message with these words."""
    return sum(count for text, count in found["texts"].items() if part in text)


def around(right: str, place: int) -> list[str]:
    """GUESSES of six digits, the right one at this place; the others are right at no time near."""
    near = {phone.code_at(time.time() + 30 * i) for i in range(-10, 11)
            for phone in (login.Phone(SECRET, "sha256"), login.Phone(rivals.SECRET))} | {right}
    wrong = [code for code in (str(i).zfill(6) for i in range(GUESSES + len(near))) if code not in near][:GUESSES - 1]
    return [*wrong[:place], right, *wrong[place:]]


def longest_row(events: list[str]) -> int:
    """Of failures without a success between them."""
    row = longest = 0
    for event in events:
        row = row + 1 if event == "AUTH_FAIL" else 0 if event == "AUTH_OK" else row
        longest = max(longest, row)
    return longest


def work(build: Path, number: int) -> None:
    """What one worker does; prints what it found."""
    with rig(build, ["taro", *people()]) as t:
        worker = Worker(t)
        deeds: list[tuple[str, Callable[[], Found]]] = [
            (f"one code of an app, {sessions:3} sessions", partial(worker.same_code, worker.app, sessions)) for sessions in SESSIONS]
        deeds.append((f"{GUESSES} guesses", worker.many_guesses))
        deeds.append(("one code of a counter token, 16 sessions", partial(worker.same_code, worker.counter, 16)))
        deeds += [(f"one recovery code, {sessions:3} sessions", partial(worker.same_code, worker.recovery, sessions))
                  for sessions in SESSIONS]
        # From both ends: so that not all of them want the processor, or the disk, at the same time.
        found: dict[str, Found] = {}
        for what, deed in deeds if number % 2 == 0 else reversed(deeds):
            began = time.monotonic()
            found[what] = deed()
            print(f"     {what}, {RUNS} runs in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        print(json.dumps(found))


def merged(build: Path) -> dict[str, Found]:
    """What all workers found."""
    command = [sys.executable, __file__, str(build)]
    workers = [subprocess.Popen([*command, str(i)], stdout=subprocess.PIPE) for i in range(WORKERS)]
    outputs = [worker.communicate()[0] for worker in workers]
    assert all(worker.returncode == 0 for worker in workers), "a worker failed, see above"
    found: dict[str, Found] = {}
    for output in outputs:
        for what, counts in json.loads(output).items():
            together = found.setdefault(what, {})
            for name, values in counts.items():
                together[name] = together.get(name, []) + values
    return found


def show(what: str, found: Found) -> None:
    ours = found["sekimori"]
    print(f"{what}, {len(ours)} runs:", ", ".join(f"{ours.count(n)} x {n} accepted" for n in sorted(set(ours))),
          f"({sum(found['late'])} sessions without an answer in time, {len(found['repeated'])} runs made again)")
    for name in ("ga", "oath"):
        theirs = found[name]
        if theirs and "guesses" in what:
            print(f"    {NAMES[name]}, {len(theirs)} runs: the right guess got in in {sum(n > 0 for n in theirs)}")
        elif theirs:
            print(f"    {NAMES[name]}, {len(theirs)} runs: {min(theirs)}..{max(theirs)} accepted, more than one in"
                  f" {sum(n > 1 for n in theirs)}")


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    if len(sys.argv) == 3:
        work(build, int(sys.argv[2]))
        return 0
    assert os.geteuid() == 0, "needs root: folders are mounted over the machine's"
    login.race_tool()                   # before two of them would write it
    began = time.monotonic()
    for what, found in sorted(merged(build).items()):
        show(f"Sekimori, {what}", found)
        runs, allowed = len(found["sekimori"]), {0, 1} if "guesses" in what else {1}
        assert runs == RUNS * WORKERS and set(found["sekimori"]) <= allowed, (what, found["sekimori"])
    print(f"done in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
