# SPDX-License-Identifier: Apache-2.0
"""Many sessions at one moment, beside google-authenticator and pam_oath in the same terminal: from us, one code is taken
once, and no guess goes past the limit. What the others do is shown, not judged."""
from __future__ import annotations

import json

import login
import rivals
from login import race, taros_phone, taros_recovery
from terminal import Setup, Terminal

RUNS = 2                            # for each number of sessions; tests/pam/test_race.py makes 100
STARVED_MAX = 2                     # runs in which the host was too slow for anybody to get in
FREE_TRIES = 5
SETUP = Setup("race", prepare=login.ENROLLED + rivals.SERVICES)


def show(what: str, **found: object) -> None:
    print(f"     {what}: {json.dumps(found, ensure_ascii=False)}", flush=True)


def race_once(t: Terminal, answer: str, sessions: int) -> dict:
    """Never more than one gets in. That nobody does is right only when every session gave up waiting: three seconds of a
    starved host; the caller tries again with another code."""
    ours = race(t, "race-sekimori", "taro", [answer], sessions)
    assert ours["accepted"] <= 1 and ours["unfinished"] == 0, ours
    assert ours["accepted"] == 1 or any("応答しません" in text for text in ours["texts"]), ours
    return ours


def test_one_code_many_sessions(t: Terminal) -> None:
    login.install_race(t)
    phone, other = taros_phone(t), login.Phone(rivals.SECRET)
    for sessions in (16, 64, 256):
        won, starved = 0, 0
        while won < RUNS and starved <= STARVED_MAX:
            ours = race_once(t, phone.fresh(t), sessions)
            won += ours["accepted"]
            starved += 1 - ours["accepted"]
            rivals.reset(t)
            code = other.fresh(t)
            theirs = {name: race(t, f"race-{name}", "taro", [code], sessions)["accepted"] for name in ("ga", "oath")}
            show(f"one code, {sessions} sessions, accepted", sekimori=ours["accepted"], **theirs)
        assert won == RUNS, ours


def test_one_recovery_code_many_sessions(t: Terminal) -> None:
    login.install_race(t)
    codes = taros_recovery(t)
    for sessions in (16, 64, 256):
        for _ in range(1 + STARVED_MAX):
            ours = race_once(t, codes.pop(0), sessions)
            show(f"one recovery code, {sessions} sessions, accepted", sekimori=ours["accepted"])
            if ours["accepted"] == 1:
                break
        assert ours["accepted"] == 1, ours


def longest_row_of_failures(records: list[dict]) -> int:
    row = longest = 0
    for record in records:
        row = row + 1 if record["event"] == "AUTH_FAIL" else 0 if record["event"] == "AUTH_OK" else row
        longest = max(longest, row)
    return longest


def test_many_guesses(t: Terminal) -> None:
    """256 guesses at once, the right one among them: no more are compared than may be tried. The right one may come before
    the limit, and clears the count as for any person: then the limit is met once more."""
    login.install_race(t)
    phone, other = taros_phone(t), login.Phone(rivals.SECRET)
    for _ in range(RUNS):
        t.check("sekimori mfa unlock --user taro --reason race")
        before = len(t.records("auth"))
        guesses = [str(i).zfill(6) for i in range(255)]
        ours = race(t, "race-sekimori", "taro", [*guesses, phone.fresh(t)])
        records = t.records("auth")[before:]
        tried = len([r for r in records if r["event"] == "AUTH_FAIL"])
        rivals.reset(t)
        theirs = race(t, "race-ga", "taro", [*guesses, other.fresh(t)])
        show("256 guesses", sekimori_accepted=ours["accepted"], sekimori_tried=tried, texts=ours["texts"],
             ga_accepted=theirs["accepted"])
        compared = sum(count for text, count in ours["texts"].items() if "違います" in text)
        assert ours["accepted"] <= 1 and compared <= FREE_TRIES * (1 + ours["accepted"]), ours
        assert 1 <= longest_row_of_failures(records) <= FREE_TRIES, (ours, records)
