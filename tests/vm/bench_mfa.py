# SPDX-License-Identifier: Apache-2.0
"""The second factor beside google-authenticator and pam_oath: how long a login takes, from pam_start to pam_end in one
process with everything stored durably, and who takes one code more than once. A part of bench.py.

Right codes are those of a counter token (RFC 4226), of which each has as many as wanted: so no clock has to be moved. The
others use SHA-1, they know nothing else; Sekimori SHA-256. google-authenticator goes without its rate limit here, since it
would refuse the third login."""
from __future__ import annotations

import base64
import statistics
from collections.abc import Sequence
from typing import Any

import login
import rivals
from login import hotp, in_turn, race
from terminal import Terminal

LOGINS = 60                         # of each module, in all rounds together
ROUNDS = 3
WARM_UP = 3                         # what is read from the disk once is read now
SESSIONS = (16, 64, 256)


def prepare(t: Terminal) -> None:
    """saburo has a counter token; taro an app and recovery codes. The login of the terminal stays as it is."""
    t.check(rivals.SERVICES)
    login.install_race(t)
    t.check("id saburo >/dev/null 2>&1 || useradd --create-home saburo")
    t.check("sekimori mfa import --user saburo --secret - --type hotp --algorithm sha256 --digits 6",
            stdin=base64.b32encode(rivals.SECRET) + b"\n")


def measure_logins(t: Terminal) -> dict[str, Any]:
    """Right, wrong and unknown, taking turns; medians over the rounds of p50 and p95, in microseconds."""
    found: dict[str, Any] = {name: {"right": [], "wrong": [], "unknown": []} for name in rivals.NAMES}
    share, used = LOGINS // ROUNDS + WARM_UP, 0
    for turn in range(ROUNDS):
        for name in rivals.NAMES if turn % 2 == 0 else reversed(rivals.NAMES):
            user = "saburo" if name == "sekimori" else "taro"
            algorithm = "sha256" if name == "sekimori" else "sha1"
            if name != "sekimori":
                # google-authenticator's counter moves with each wrong code, and begins with 1
                rivals.reset(t, "hotp", rate_limit=False)
            first = {"sekimori": used, "ga": 1, "oath": 0}[name]
            codes = [hotp(rivals.SECRET, first + i, 6, algorithm) for i in range(share)]
            right = in_turn(t, f"race-{name}", user, codes, WARM_UP)
            assert right["accepted"] == right["sessions"], (name, right)
            found[name]["right"].append(right)
            found[name]["unknown"].append(in_turn(t, f"race-{name}", "nobody-here", ["000000"] * share, WARM_UP))
            found[name]["wrong"].append(in_turn(t, f"race-{name}", user, ["999999"] * 4, 1))
            if name == "sekimori":
                t.check("sekimori mfa unlock --user saburo --reason bench")
        used += share
    return {name: {case: {key: statistics.median(one[key] for one in runs) for key in ("p50_usec", "p95_usec")}
                   for case, runs in cases.items()} for name, cases in found.items()}


def measure_races(t: Terminal, runs: int) -> dict[str, Any]:
    """One right code at one moment in many sessions: how many were accepted, in each run."""
    phone, other = login.Phone(b"s" * 32, "sha256"), login.Phone(rivals.SECRET)
    t.check("id shiro >/dev/null 2>&1 || useradd --create-home shiro")
    t.check("sekimori mfa import --user shiro --secret - --type totp --algorithm sha256",
            stdin=base64.b32encode(phone.secret).rstrip(b"=") + b"\n")
    accepted: dict[str, Any] = {}
    for sessions in SESSIONS:
        accepted[str(sessions)] = {name: [] for name in rivals.NAMES}
        for _ in range(runs):
            for name in rivals.NAMES:
                app, user = (phone, "shiro") if name == "sekimori" else (other, "taro")
                if name == "ga":
                    rivals.reset(t)
                code = other.code_at(login.clock(t)) if name == "oath" else app.fresh(t)
                accepted[str(sessions)][name].append(race(t, f"race-{name}", user, [code], sessions)["accepted"])
    return accepted


def table_of(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join("  ".join(text.ljust(width) if column in (0, 5) else text.rjust(width) for column, (text, width)
                               in enumerate(zip(line, widths))).rstrip() for line in lines)


def login_lines(logins: dict[str, Any], is_claimed: bool) -> tuple[dict[str, bool], list[Sequence[str]]]:
    claims: dict[str, bool] = {}
    lines: list[Sequence[str]] = [("", "Sekimori", "google-auth", "pam_oath", "ratio to the faster", "claim")]
    for case in ("right", "wrong", "unknown"):
        for key in ("p50_usec", "p95_usec"):
            values = [logins[name][case][key] / 1000 for name in rivals.NAMES]
            ratio = values[0] / min(values[1:])
            verdict = ""
            if is_claimed and (case, key) == ("right", "p50_usec"):
                claims["login: not slower than the faster of the two"] = ratio <= 1
                verdict = "holds" if ratio <= 1 else "does not hold"
            lines.append((f"login, {case}: {key[:3]}", *(f"{value:.2f} ms" for value in values), f"{ratio:.2f}", verdict))
    return claims, lines


def show_logins(logins: dict[str, Any]) -> tuple[dict[str, bool], str]:
    claims, lines = login_lines(logins, is_claimed=True)
    return claims, table_of(lines)


def measure(t: Terminal, runs: int) -> tuple[dict[str, Any], dict[str, bool], str]:
    """Figures, claims, and a table for people."""
    prepare(t)
    logins = measure_logins(t)
    races = measure_races(t, runs)
    # tests/bench/login.py claims it, on a real processor, and says why not here
    claims, lines = login_lines(logins, is_claimed=False)
    for sessions, found in races.items():
        claims[f"one code, {sessions} sessions: accepted once"] = all(count == 1 for count in found["sekimori"])
        spans = [f"{min(found[name])}-{max(found[name])}" for name in rivals.NAMES]
        lines.append((f"one code, {sessions} sessions: accepted, {runs} runs", *spans, "",
                      "holds" if all(count == 1 for count in found["sekimori"]) else "does not hold"))
    return {"login": logins, "race": races}, claims, table_of(lines)
