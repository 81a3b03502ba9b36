# SPDX-License-Identifier: Apache-2.0
"""AppArmor: the services run under their profiles from their first moment, these refuse what a service that was taken over
would want, and where there is no profile the gate is held all the same. That the profiles refuse nothing that the work
needs is looked at after every scenario (run_tests.py)."""
from __future__ import annotations

import json

import login
from terminal import Setup, Terminal
from usb import GUEST_DIR
from waiting import wait_for

# The same boots as those of doors.py and gnome.py. Debian 13 has another kernel, and version 4 of AppArmor.
SETUP = Setup("doors", prepare=login.ENROLLED)
DEBIAN_13 = Setup("gnome", image="gnome", memory_mb=3072, prepare=login.KEYRING + login.ENROLLED + login.GETTY_IN_ASCII)

SERVICES = ("sekimorid", "sekimori-authd", "sekimori-forward")
SEGMENT = "/var/log/sekimori/{}/00000001.jsonl"
DEFAULT = "/sys/bus/usb/devices/usb1/authorized_default"
MACHINE_KEY = "/etc/sekimori/machine.key"

# What each needs, beside what would be worth something to whoever has taken it over. Nothing here is refused by the rights
# of files, so a refusal is AppArmor's.
ALLOWED = {
    "sekimorid": ["unix", f"write:{DEFAULT}", "write:/sys/bus/usb/drivers_probe", "read:/etc/sekimori/sekimori.conf",
                  f"write:{SEGMENT.format('agent')}"],
    "sekimori-authd": ["unix", f"read:{MACHINE_KEY}", "create:/var/lib/sekimori/mfa/tried", f"write:{SEGMENT.format('auth')}"],
    "sekimori-forward": ["inet", "inet6", "unix", f"read:{SEGMENT.format('agent')}",
                         "create:/var/lib/sekimori-forward/state.new"],
}
REFUSED = {
    "sekimorid": ["inet", "inet6", "packet", "run:/bin/sh", "read:/etc/shadow", f"read:{MACHINE_KEY}", "read:/dev/vda",
                  "create:/etc/cron.d/tried", "write:/sys/bus/usb/drivers/usb/unbind", "write:/proc/sys/kernel/core_pattern",
                  f"write:{SEGMENT.format('auth')}", "read:/var/lib/sekimori/chain/auth/chain"],
    "sekimori-authd": ["inet", "inet6", "packet", "run:/bin/sh", "read:/etc/shadow", "read:/dev/vda", f"write:{DEFAULT}",
                       "create:/etc/cron.d/tried", f"write:{SEGMENT.format('agent')}",
                       "read:/var/lib/sekimori/chain/agent/chain"],
    "sekimori-forward": ["datagram", "packet", "run:/bin/sh", "read:/etc/passwd", "read:/etc/hostname",
                         "create:/tmp/tried", "create:/var/lib/sekimori-forward/tried"],
}
FAMILIES = {"inet": "inet", "inet6": "inet6", "datagram": "inet", "packet": "packet"}
AS_FORWARDER = "setpriv --reuid=sekimori-forward --regid=sekimori-forward --groups=sekimori-auditor "


def label(t: Terminal, pid: str) -> str:
    return t.check(f"cat /proc/{pid}/attr/apparmor/current").strip()


def label_of(t: Terminal, service: str) -> str:
    pid = t.check(f"systemctl show -P MainPID {service}.service").strip()
    assert pid != "0", f"{service} does not run"
    return label(t, pid)


def expect_confined(t: Terminal) -> None:
    t.run("sekimori mfa status")        # starts authd
    assert {service: label_of(t, service) for service in SERVICES} == {name: f"{name} (enforce)" for name in SERVICES}
    workers = t.check("pgrep -f '^/usr/sbin/sekimorid$'").split()
    assert len(workers) > 1 and {label(t, pid) for pid in workers} == {"sekimorid (enforce)"}, workers


def sign_of(what: str) -> str:
    """How a refusal of it can be told from others in the journal."""
    path = what.partition(":")[2]
    if not path:
        return f'family="{FAMILIES[what]}"'
    if path == DEFAULT:                 # by its whole path, which is the machine's
        return "/usb1/authorized_default\""
    return 'name="{}"'.format(path.replace("/bin/sh", "/usr/bin/dash"))


def unrecorded(t: Terminal, service: str) -> list[str]:
    """What was refused without a word in the journal."""
    lines = [line for line in t.refused_by_apparmor() if f'profile="{service}"' in line]
    return [what for what in REFUSED[service] if not any(sign_of(what) in line for line in lines)]


def try_everything(t: Terminal) -> None:
    t.check("echo 0 > /proc/sys/kernel/printk_ratelimit")       # ten refusals at once are logged, the others counted
    for service in SERVICES:
        user = AS_FORWARDER if service == "sekimori-forward" else ""
        tries = ALLOWED[service] + REFUSED[service]
        told = json.loads(t.check(f"{user}{GUEST_DIR}/confined.py {service} {' '.join(tries)}"))
        assert {what for what in tries if told[what] == "done"} == set(ALLOWED[service]), (service, told)
        assert {told[what] for what in REFUSED[service]} == {"EACCES"}, (service, told)
        # and nothing of it in silence
        wait_for(lambda: not unrecorded(t, service), f"the refusals of {service} in the journal")


def test_services_are_confined_since_boot(t: Terminal) -> None:
    assert t.check("cat /sys/module/apparmor/parameters/enabled").strip() == "Y"
    assert t.check("systemctl show -P NRestarts sekimorid").strip() == "0"
    expect_confined(t)
    t.check("systemctl reload sekimorid sekimori-forward")
    # "config check" runs the agent's program, but is not the agent: it reads what whoever asks may read
    t.check("cp /etc/sekimori/sekimori.conf /home/taro/ && sekimori config check /home/taro/sekimori.conf")


def test_what_a_service_does_not_need_is_refused(t: Terminal) -> None:
    try_everything(t)


def test_without_profiles_the_gate_is_held(t: Terminal) -> None:
    for service in SERVICES:
        t.check(f"apparmor_parser -R /etc/apparmor.d/{service}")
    t.check("systemctl stop sekimori-authd.service && systemctl restart sekimorid sekimori-forward")
    t.run("sekimori mfa status")        # starts authd
    assert {label_of(t, service) for service in SERVICES} == {"unconfined"}
    for service in SERVICES:            # loaded too late for who runs, who can be reloaded all the same
        t.check(f"apparmor_parser -r /etc/apparmor.d/{service}")
    t.check("systemctl reload sekimorid sekimori-forward")
    assert json.loads(t.run("sekimori status --json")[1])["gate"]["closed"] is True
    with t.watch_devices() as seen, t.usb.stick(serial="UNCONFINED"):
        t.wait_record(event="EXPORT_DENIED", serial="UNCONFINED")
    assert seen.block == []


def test_debian_13_confines_as_well(t: Terminal) -> None:
    expect_confined(t)
    try_everything(t)


test_what_a_service_does_not_need_is_refused.provokes_refusals = True
test_debian_13_confines_as_well.provokes_refusals = True
test_debian_13_confines_as_well.setup = DEBIAN_13
