# SPDX-License-Identifier: Apache-2.0
"""Many sessions at one moment, beside google-authenticator and pam_oath in the same terminal: from us, one code is taken
once, and no guess goes past the limit. What the others do is shown, not judged."""
from __future__ import annotations

import json

import login
import rivals
from login import race, taros_phone, taros_recovery
from terminal import Setup, Terminal

RUNS = 2                            # for each number of sessions; the benchmark makes 100
FREE_TRIES = 5
SETUP = Setup("race", prepare=login.ENROLLED + rivals.SERVICES)


def show(what: str, **found: object) -> None:
    print(f"     {what}: {json.dumps(found, ensure_ascii=False)}", flush=True)


def test_one_code_many_sessions(t: Terminal) -> None:
    login.install_race(t)
    phone, other = taros_phone(t), login.Phone(rivals.SECRET)
    for sessions in (16, 64, 256):
        for _ in range(RUNS):
            ours = race(t, "race-sekimori", "taro", [phone.fresh(t)], sessions)
            rivals.reset(t)
            code = other.fresh(t)
            theirs = {name: race(t, f"race-{name}", "taro", [code], sessions)["accepted"] for name in ("ga", "oath")}
            show(f"one code, {sessions} sessions, accepted", sekimori=ours["accepted"], **theirs)
            assert ours["accepted"] == 1 and ours["unfinished"] == 0, ours


def test_one_recovery_code_many_sessions(t: Terminal) -> None:
    login.install_race(t)
    codes = taros_recovery(t)
    for number, sessions in enumerate((16, 64, 256)):
        ours = race(t, "race-sekimori", "taro", [codes[number]], sessions)
        show(f"one recovery code, {sessions} sessions, accepted", sekimori=ours["accepted"])
        assert ours["accepted"] == 1, ours


def test_many_guesses(t: Terminal) -> None:
    """256 guesses at once, the right one among them: no more are compared than may be tried."""
    login.install_race(t)
    phone, other = taros_phone(t), login.Phone(rivals.SECRET)
    for _ in range(RUNS):
        t.check("sekimori mfa unlock --user taro --reason race")
        before = len([r for r in t.records("auth") if r["event"] == "AUTH_FAIL"])
        guesses = [str(i).zfill(6) for i in range(255)]
        ours = race(t, "race-sekimori", "taro", [*guesses, phone.fresh(t)])
        tried = len([r for r in t.records("auth") if r["event"] == "AUTH_FAIL"]) - before
        rivals.reset(t)
        theirs = race(t, "race-ga", "taro", [*guesses, other.fresh(t)])
        show("256 guesses", sekimori_accepted=ours["accepted"], sekimori_tried=tried, texts=ours["texts"],
             ga_accepted=theirs["accepted"])
        locked = sum(count for text, count in ours["texts"].items() if "回誤りました" in text or "Too many" in text)
        assert ours["sessions"] - locked <= FREE_TRIES + ours["accepted"], ours
