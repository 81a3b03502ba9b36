# SPDX-License-Identifier: Apache-2.0
"""The audit chain on a real machine: both daemons write one under their sandboxes, no kill and no power cut breaks it,
and what root does to the files is told. The lines are judged by Python's own BLAKE2b, not by our library."""
from __future__ import annotations

import json
from hashlib import blake2b

import login
from login import taros_phone
from terminal import Setup, Terminal
from waiting import wait_for

SETUP = Setup("chain", prepare=login.ENROLLED)
LOG = "/var/log/sekimori"
STATE = "/var/lib/sekimori/chain"


def judge(t: Terminal, stream: str) -> list[dict]:
    """Every line names the hash of the line before, from number 1 on; the records."""
    records, head = [], b""
    for line in t.check(f"cat {LOG}/{stream}/*.jsonl").splitlines():
        record = json.loads(line)
        body, chain = line[:line.rindex(',"m":')].encode(), record["skm"]
        if not records:
            head = blake2b(bytes.fromhex(chain["c"]), digest_size=32, person=b"skm-rec0").digest()
        assert chain["n"] == len(records) + 1 and chain["p"] == head.hex(), (stream, len(records) + 1, line)
        assert chain["c"] == (records or [record])[0]["skm"]["c"] and chain["bn"] >= 1 and len(record["m"]) == 32, line
        head = blake2b(head + body, digest_size=32, person=b"skm-rec1").digest()
        records.append(record)
    return records


def reasons(records: list[dict]) -> list[str]:
    return [record["checkpoint"]["reason"] for record in records if record["event"] == "CHECKPOINT"]


def unbroken(records: list[dict]) -> bool:
    return not [record for record in records if record["event"] == "CHAIN_BROKEN"]


def main_pid(t: Terminal, unit: str) -> int:
    return int(t.check(f"systemctl show -P MainPID {unit}"))


def test_both_streams_are_chained(t: Terminal) -> None:
    phone = taros_phone(t)
    assert login.su(t, ["taro", phone.fresh(t)]).ok
    t.wait_record(event="AUTH_OK", stream="auth")
    authd = main_pid(t, "sekimori-authd")
    # one service does not see the other one's keys
    assert t.run(f"nsenter -t {authd} -m cat {STATE}/auth/chain >/dev/null")[0] == 0
    assert t.run(f"nsenter -t {authd} -m cat {STATE}/agent/chain >/dev/null")[0] != 0
    t.check("systemctl stop sekimori-authd.service sekimorid.service")
    for stream in ("agent", "auth"):
        records = judge(t, stream)
        assert unbroken(records) and reasons(records)[0] == "start" and reasons(records)[-1] == "stop", records
        assert t.check(f"stat -c '%a %s' {STATE}/{stream}/chain").split() == ["600", "4608"]


def test_kills_and_power_cuts_break_nothing(t: Terminal) -> None:
    phone = taros_phone(t)
    for _ in range(3):
        t.check("pkill -9 -x sekimori-authd; kill -9 $(systemctl show -P MainPID sekimorid)")
        wait_for(lambda: login.su(t, ["taro", phone.fresh(t)]).ok, "a login after the kill", 400.0)
    now = login.clock(t)
    t.check("sync")  # the rig's own files must outlive the cut
    t.vm.spawn("while :; do kill -HUP $(systemctl show -P MainPID sekimorid); done")  # a record each
    wait_for(lambda: len([r for r in t.records() if r["event"] == "POLICY_CHANGED"]) > 5, "records in flight")
    t.vm.hard_reset()
    t.vm.set_clock(now)
    assert login.su(t, ["taro", phone.fresh(t)]).ok
    t.wait_record(event="AUTH_OK", stream="auth")
    t.check("systemctl stop sekimori-authd.service")
    for stream in ("agent", "auth"):
        records = judge(t, stream)
        assert unbroken(records), records
        assert records[-1]["skm"]["bn"] > records[0]["skm"]["bn"], stream


def test_what_root_cuts_off_is_told(t: Terminal) -> None:
    t.check("systemctl stop sekimorid")
    segment = t.check(f"ls {LOG}/agent/*.jsonl | tail -n 1").strip()
    t.check(f"sed -i '$d' {segment} && sed -i '$d' {segment} && systemctl start sekimorid")
    record = t.wait_record(event="CHAIN_BROKEN")
    assert "the last 2 records" in record["detail"], record
    assert t.check(f"ls {LOG}/agent/*.jsonl | tail -n 1").strip() != segment
