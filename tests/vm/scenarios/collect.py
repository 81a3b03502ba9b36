# SPDX-License-Identifier: Apache-2.0
"""A terminal and its collector under a real systemd, with the commands that the collector prints: what happens at the USB
port arrives, also when the collector was away. Both stand on one machine; everything else is as installed."""
from __future__ import annotations

import json

from terminal import Setup, Terminal
from waiting import wait_for

SETUP = Setup("collect", image="collector")
STORE = "/var/lib/sekimori-store"
WITNESS = "/var/lib/sekimori-witness"
SECONDS = 300.0


def set_up(t: Terminal) -> None:
    """What the IT section does: two packages, two commands at the collector, the printed ones at the terminal."""
    assert t.deb
    for name in ("sekimori-verify", "sekimori-collector"):
        deb, = t.deb.parent.glob(f"{name}_*.deb")
        t.vm.put_file(deb, f"/root/{name}.deb")
    t.check("DEBIAN_FRONTEND=noninteractive dpkg -i /root/sekimori-verify.deb /root/sekimori-collector.deb", deadline=600.0)
    t.check("sekimori-collector init --name collector.test --address 127.0.0.1", deadline=300.0)
    t.check("systemctl enable --now sekimori-collector")
    told = t.check("cd /root && sekimori-collector add-terminal terminal --out /root/terminal.tar", deadline=300.0)
    commands = [line.strip() for line in told.splitlines() if line.startswith("  ")]
    assert commands, told
    t.check("cd /root && set -e\n" + "\n".join(commands))


def complete_to(t: Terminal, stream: str) -> int:
    code, out, err = t.run("sekimori-collector status --json")
    assert code in (0, 1), (code, out, err)
    return max((row["complete_to"] for row in json.loads(out) if row["stream"] == stream), default=0)


def last(t: Terminal, stream: str) -> int:
    line = t.check(f"cat /var/log/sekimori/{stream}/*.jsonl | tail -n 1")
    return json.loads(line)["skm"]["n"]


def wait_collected(t: Terminal, what: str) -> None:
    try:
        wait_for(lambda: complete_to(t, "agent") >= last(t, "agent") > 0, what, SECONDS)
    except Exception as error:
        saw = t.run("journalctl --no-pager -n 60 -u sekimori-forward -u sekimori-collector; sekimori-collector status")[1]
        raise AssertionError(f"{error}\n{saw}") from error


def test_records_arrive(t: Terminal) -> None:
    set_up(t)
    wait_collected(t, "the first records at the collector")
    with t.usb.stick(serial="COLLECT1"):
        t.wait_record(event="EXPORT_DENIED", serial="COLLECT1")
    wait_collected(t, "the refusal at the collector")
    assert t.run(f"cat {STORE}/records/*.jsonl | grep -q COLLECT1")[0] == 0

    wait_for(lambda: "ok" == state(t)[1], "the state of the agent's stream", SECONDS)

    t.check("systemctl stop sekimori-collector")
    assert (1, "unwatched") == state(t)
    with t.usb.stick(serial="COLLECT2"):
        t.wait_record(event="EXPORT_DENIED", serial="COLLECT2")
    assert t.run(f"cat {STORE}/records/*.jsonl | grep -q COLLECT2")[0] != 0
    t.check("systemctl start sekimori-collector")
    wait_collected(t, "what happened while the collector was away")
    assert t.run(f"cat {STORE}/records/*.jsonl | grep -q COLLECT2")[0] == 0

    sent = set(t.check("cat /var/log/sekimori/agent/*.jsonl").splitlines())
    stored = t.check(f"cat {STORE}/records/*.jsonl").splitlines()
    assert len(stored) == len(set(stored)) and sent - set(stored) == set(), "not each record once, byte for byte"
    code, out, err = t.run("sekimori-collector verify --chain-only")
    # the emulated clock may have jumped (10); who wrote them is not to be seen without the key
    assert code in (0, 10) and "unbroken" in out and "NOT PROVEN" in out, (code, out, err)
    assert t.check("systemctl --failed --no-legend --plain").strip() == ""


def state(t: Terminal) -> tuple[int, str]:
    """The command's exit status and the state of the agent's stream."""
    code, out, _ = t.run("sekimori-collector status --json")
    return code, next((row["state"] for row in json.loads(out) if row["stream"] == "agent"), "")


def alarms(t: Terminal, word: str) -> int:
    """How often the store has told it, in its own stream."""
    return int(t.run(f"cat {STORE}/log/*.jsonl | grep -c '\"detail\":\"{word}'")[1])


def wait_alarm(t: Terminal, word: str, times: int = 1) -> None:
    try:
        wait_for(lambda: alarms(t, word) == times, f"the alarm {word} number {times}", SECONDS)
    except Exception as error:
        saw = t.run(f"cat {STORE}/log/*.jsonl | tail -n 5; tail -n 3 /var/log/sekimori/agent/*.jsonl; sekimori-collector status;"
                    " journalctl --no-pager -n 40 -u sekimori-forward -u sekimorid")[1]
        raise AssertionError(f"{error}\n{saw}") from error


def hurry(t: Terminal) -> None:
    """The shortest silence. The agent's own beat is slower: one that nothing is plugged into is called silent too."""
    t.check("sed -i 's|--log |--silent-after 1min --log |' /etc/sekimori-collector/rsyslog.conf"
            " && systemctl restart sekimori-collector")
    wait_collected(t, "the first records at the collector")


def test_an_agent_that_is_stopped(t: Terminal) -> None:
    """By somebody, while the machine goes on: the record says so, and the collector raises it until it runs again."""
    set_up(t)
    hurry(t)
    t.check("systemctl stop sekimorid")
    assert t.wait_record(event="AGENT_STOP")["policy"]["rule"] == "builtin:stop-service"
    wait_alarm(t, "STOPPED ")
    # the state is saved a second after an alarm
    wait_for(lambda: (1, "stopped") == state(t), "the state of the agent's stream", SECONDS)
    t.check("systemctl start sekimorid")
    wait_collected(t, "the agent's records after it was started again")


def seconds_of(t: Terminal) -> float:
    """Since the terminal was switched on."""
    return float(t.check("cat /proc/uptime").split()[0])


def silenced(t: Terminal, serial: str, times: int) -> None:
    """A stick at a terminal whose agent cannot speak: the kernel refuses it, nobody writes it down, the collector says so."""
    written = last(t, "agent")
    with t.watch_devices() as seen, t.usb.stick(serial=serial) as stick:
        t.wait_usb(serial=serial)
        t.settle()
        wait_alarm(t, "SILENT:", times)
    assert seen.block == [] and seen.generic == [] and not stick.changed()
    assert last(t, "agent") == written, "an agent that cannot speak wrote a record"
    wait_for(lambda: (1, "silent") == state(t), "the state of the agent's stream", SECONDS)


def test_an_agent_that_is_frozen_or_killed_and_stays_so(t: Terminal) -> None:
    """By root, who has also told systemd to let it be. The same sticks do not make an agent silent that writes them down."""
    set_up(t)
    t.check("mkdir -p /run/systemd/system/sekimorid.service.d && printf '[Service]\\nRestart=no\\nWatchdogSec=0\\n'"
            " > /run/systemd/system/sekimorid.service.d/let-it-be.conf && systemctl daemon-reload && systemctl restart sekimorid")
    hurry(t)
    began, serial = seconds_of(t), 0
    while seconds_of(t) - began < 100:      # 60 of silence, and what the collector needs to notice it
        serial += 1
        with t.usb.stick(serial=f"ALIVE{serial}"):
            t.wait_record(event="EXPORT_DENIED", serial=f"ALIVE{serial}")
    wait_collected(t, "the refusals at the collector")
    assert alarms(t, "SILENT:") == 0, t.check(f"tail -n 5 {STORE}/log/*.jsonl")

    t.check("kill -STOP $(systemctl show -P MainPID sekimorid)")
    # From now on no message arrives, so none starts the collector's store: this goes on where it is to be noticed.
    t.check("systemctl restart sekimori-collector")
    silenced(t, "FROZEN", 1)
    t.check("kill -CONT $(systemctl show -P MainPID sekimorid)")
    with t.usb.stick(serial="THAWED"):
        t.wait_record(event="EXPORT_DENIED", serial="THAWED")
    wait_collected(t, "the records of the agent that goes on")
    wait_for(lambda: state(t)[1] != "silent", "the end of the silence", SECONDS)

    t.check("kill -KILL $(systemctl show -P MainPID sekimorid)")
    silenced(t, "KILLED", 2)
    assert t.run("systemctl is-active sekimorid")[1].strip() == "failed"
    t.check("systemctl start sekimorid")
    with t.usb.stick(serial="AGAIN"):
        t.wait_record(event="EXPORT_DENIED", serial="AGAIN")
    wait_collected(t, "the records of the agent that was started again")
    wait_for(lambda: state(t)[1] != "silent", "the end of the silence", SECONDS)


def test_a_terminal_that_is_booted_without_its_agent(t: Terminal) -> None:
    """The kernel refuses the stick, nobody writes it down, and the collector says so within two heartbeat periods (20 minutes;
    it takes little more than a minute). The chain's last word is an honest "shutdown", and it arrives only now, with the other
    records that had waited: old records are no sign that the agent lives."""
    set_up(t)
    wait_collected(t, "the first records at the collector")
    t.check("systemctl stop sekimori-collector")        # until the next start: it is enabled
    with t.usb.stick(serial="WAITED"):
        t.wait_record(event="EXPORT_DENIED", serial="WAITED")
    t.boot_with(kernel_args="systemd.mask=sekimorid.service")
    assert t.run("systemctl is-active sekimorid")[1].strip() == "inactive"
    stop = t.records()[-2:]
    assert [record["event"] for record in stop] == ["AGENT_STOP", "CHECKPOINT"], stop
    assert stop[0]["policy"]["rule"] == "builtin:stop-shutdown", stop
    with t.watch_devices() as seen, t.usb.stick(serial="UNSEEN") as stick:
        t.wait_usb(serial="UNSEEN")
        t.settle()
        wait_alarm(t, "SILENT:")
    assert seen.block == [] and seen.generic == [] and not stick.changed()
    told = t.check(f"cat {STORE}/log/*.jsonl | grep '\"detail\":\"SILENT:'")
    assert "the terminal is on, but its agent" in told, told
    wait_for(lambda: (1, "silent") == state(t), "the state of the agent's stream", SECONDS)
    stored = t.check(f"cat {STORE}/records/*.jsonl")
    assert "WAITED" in stored and stop[1]["m"] in stored and "UNSEEN" not in stored, stored[-4000:]


def test_witness_and_output_in_their_units(t: Terminal) -> None:
    """Sandboxed as installed. The nightly proof: a night that is right, and one on which the evidence was changed. Today's
    files stand for yesterday's, and the verifier's key is elsewhere. An output starts, and waits for a cluster that is away."""
    assert t.deb
    set_up(t)
    wait_collected(t, "the first records at the collector")
    day = t.check("date -d yesterday +%F").strip()
    t.check("sekimori-witness create-key")
    t.check("echo 'SEKIMORI_WITNESS_OPTIONS=--chain-only' >/etc/sekimori-witness/options")
    t.check(f"cat {STORE}/records/*.jsonl >{WITNESS}/records/{day}.001.jsonl && chown sekimori-store: {WITNESS}/records/*.jsonl")
    t.check("systemctl enable --now sekimori-witness.timer && systemctl list-timers | grep -q sekimori-witness")
    code = t.run("systemctl start sekimori-witness.service", deadline=120.0)[0]
    journal = t.check("journalctl --no-pager -o cat -u sekimori-witness")
    status = int(t.check("systemctl show -P ExecMainStatus sekimori-witness"))
    assert status in (0, 10) and (code == 0) == (status == 0), (code, status, journal)     # the emulated clock may have jumped
    assert "立会人印" in journal, journal
    key = json.loads(t.check(f"cat {WITNESS}/witness.jsonl"))["key"]
    t.check(f"sekimori-witness check --public-key {key}")

    t.check(f"sed -i '$d' {WITNESS}/records/{day}.001.jsonl")
    assert t.run("systemctl start sekimori-witness.service", deadline=120.0)[0] != 0
    assert t.check("systemctl show -P ExecMainStatus sekimori-witness").strip() == "22"
    assert t.run(f"sekimori-witness check --public-key {key}")[0] == 1
    t.check("systemctl disable --now sekimori-witness.timer; systemctl reset-failed sekimori-witness.service")

    deb, = t.deb.parent.glob("sekimori-collector-output_*.deb")
    t.vm.put_file(deb, "/root/output.deb")
    t.check("dpkg -i /root/output.deb", deadline=180.0)
    t.check("sekimori-collector output kafka --brokers 127.0.0.1:9 --topic records --plaintext")
    unit = "sekimori-collector-output@kafka.service"
    t.check(f"systemctl enable --now {unit}", deadline=120.0)
    said = t.run("sekimori-collector output status --json")
    assert said[0] in (0, 1) and json.loads(said[1]), said
    restarts = t.check(f"systemctl show -P NRestarts -P ActiveState {unit}").split()
    assert sorted(restarts) == ["0", "active"], (restarts, t.run(f"journalctl --no-pager -o cat -u {unit}")[1])
