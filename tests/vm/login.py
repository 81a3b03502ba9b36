# SPDX-License-Identifier: Apache-2.0
"""People at the doors of a terminal: the codes on their phones, and every program that asks for one.

    phone = Phone.from_uri(t.check("sekimori mfa enrol --user taro --no-confirm --uri"))
    said = sudo(t, ["taro", phone.fresh(t)])
    assert said.ok, said

Each door takes the answers in the order in which a person gives them, waits for each question before it types, and
returns what was on the screen. Codes are computed here, from RFC 4226 and RFC 6238, not by the code under test.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
import subprocess
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image import cache_dir
from terminal import Terminal
from usb import GUEST_DIR
from waiting import Deadline, Timeout, wait_for

PASSWORD = r"([Pp]assword|パスワード)[^\n]*: ?$"
CODE = r"([Vv]erification code|確認コード)[^\n]*: ?$"
SECONDS = 180.0


# --------------------------------------------------------------------------------------------- codes

def hotp(secret: bytes, counter: int, digits: int = 6, algorithm: str = "sha1") -> str:
    """RFC 4226, 5.3, with the hashes of RFC 6238."""
    mac = hmac.new(secret, counter.to_bytes(8, "big"), algorithm).digest()
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset:offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10 ** digits).zfill(digits)


@dataclass
class Phone:
    """An authenticator app with one account."""
    secret: bytes
    algorithm: str = "sha1"
    digits: int = 6
    period: int = 30
    last_step: int = 0              # the newest one that fresh() gave away

    @classmethod
    def from_uri(cls, uri: str) -> "Phone":
        """Reads what the person would scan (otpauth://totp/…)."""
        parsed = urllib.parse.urlparse(uri.strip())
        assert parsed.scheme == "otpauth" and parsed.netloc == "totp", uri
        query = dict(urllib.parse.parse_qsl(parsed.query, strict_parsing=True))
        secret = query["secret"]
        return cls(base64.b32decode(secret + "=" * (-len(secret) % 8)), query.get("algorithm", "SHA1").lower(),
                   int(query.get("digits", 6)), int(query.get("period", 30)))

    def code_at(self, seconds: float) -> str:
        return hotp(self.secret, int(seconds) // self.period, self.digits, self.algorithm)

    def code(self, t: Terminal) -> str:
        """What the phone shows at this moment of the terminal's clock."""
        return self.code_at(clock(t))

    def fresh(self, t: Terminal) -> str:
        """A code that was never shown before, at the beginning of its time. Instead of waiting for the next step it sets
        the terminal's clock forward to it: so a slow machine has the whole step to type it."""
        step = max(math.ceil(clock(t) / self.period), self.last_step + 1)
        t.vm.set_clock(step * self.period + 1)
        self.last_step = step
        return self.code_at(step * self.period)

    def wrong(self, t: Terminal) -> str:
        """A code that is right at no time near this one."""
        step = int(clock(t)) // self.period
        near = {hotp(self.secret, step + i, self.digits, self.algorithm) for i in range(-20, 21)}
        return next(code for code in (str(i).zfill(self.digits) for i in range(111111, 999999)) if code not in near)


def clock(t: Terminal) -> float:
    """The terminal's wall clock."""
    return float(t.check("date +%s.%N"))


# --------------------------------------------------------------------------------------------- doors with a terminal

@dataclass(frozen=True)
class Said:
    """How a conversation went."""
    code: int | None
    answered: int                   # how many answers were asked for
    text: str
    stuck: str                      # "" if every question came

    @property
    def ok(self) -> bool:
        return self.code == 0 and not self.stuck


def converse(t: Terminal, argv: Sequence[str], steps: Sequence[tuple[str, str]], user: str | None = None,
             seconds: float = SECONDS, **env: str) -> Said:
    """Runs a program on a terminal of its own in the guest and answers its questions (guest/converse.py)."""
    job: dict[str, Any] = {"argv": list(argv), "user": user, "steps": list(steps), "seconds": seconds, "env": env}
    return Said(**json.loads(t.usb.helper("converse.py", json.dumps(job).encode(), deadline=seconds + 60.0)))


def questions(answers: Sequence[str]) -> list[tuple[str, str]]:
    """The usual order: the password, then the code. Whoever gives more answers gives more codes."""
    return list(zip([PASSWORD, *[CODE] * (len(answers) - 1)], answers))


def su(t: Terminal, answers: Sequence[str], user: str = "taro", by: str = "hanako", **env: str) -> Said:
    """`by` becomes `user`."""
    return converse(t, ["su", "-c", "id -un", user], questions(answers), by, **env)


def sudo(t: Terminal, answers: Sequence[str], user: str = "taro", **env: str) -> Said:
    return converse(t, ["sudo", "-k", "id", "-un"], questions(answers), user, **env)


def ssh(t: Terminal, method: str, answers: Sequence[str], user: str = "taro") -> Said:
    """`method`: keyboard-interactive (a question for each) or password (one field)."""
    options = [f"PreferredAuthentications={method}", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
               "NumberOfPasswordPrompts=1", "LogLevel=ERROR"]
    return converse(t, ["ssh", *(f"-o{option}" for option in options), f"{user}@127.0.0.1", "id", "-un"], questions(answers))


# pkexec's own text agent fails outside of a session ("No session for cookie"). pkttyagent closes the descriptor when it is
# ready: then the read ends.
PKEXEC = r"""
folder=$(mktemp -d); mkfifo "$folder/ready"
pkttyagent --process $$ --notify-fd 4 4>"$folder/ready" &
read -r nothing <"$folder/ready"
pkexec --disable-internal-agent /usr/bin/id -un
code=$?
kill $!
exit $code
"""


def pkexec(t: Terminal, answers: Sequence[str], user: str = "taro") -> Said:
    """With the text agent. `user` is in the group sudo, so it is their own password that polkit wants."""
    return converse(t, ["sh", "-c", PKEXEC], questions(answers), user)


SSHD = r"""
printf 'KbdInteractiveAuthentication yes\nPasswordAuthentication yes\nMaxAuthTries 20\nUsePAM yes\n' \
    > /etc/ssh/sshd_config.d/rig.conf
systemctl start ssh.service
"""
PEOPLE = r"""
useradd --create-home --shell /bin/bash hanako
echo hanako:hanako | chpasswd
usermod -aG sudo taro
echo 'Defaults passwd_tries=1' > /etc/sudoers.d/rig
"""


# --------------------------------------------------------------------------------------------- the console

class Console:
    """A virtual console: keys go in through QEMU's keyboard, the text comes out of the kernel's screen memory."""

    def __init__(self, t: Terminal, number: int) -> None:
        self.t, self.number = t, number

    def show(self) -> "Console":
        """Brings it to the front, as Ctrl-Alt-F does: logind starts a login there. Kernel messages stay away from it. (The
        first one has those of the boot over its question.)"""
        self.t.check("dmesg --console-level emerg; python3 -c 'import fcntl; tty = open(\"/dev/tty0\"); "
                     f"fcntl.ioctl(tty, 0x5606, {self.number}); fcntl.ioctl(tty, 0x5607, {self.number})'")
        return self

    def text(self) -> str:
        """The screen, line by line. /dev/vcsa begins with its size; each character has an attribute behind it."""
        raw = bytes.fromhex(self.t.check(f"python3 -c 'print(open(\"/dev/vcsa{self.number}\", \"rb\").read().hex())'"))
        rows, columns, cells = raw[0], raw[1], raw[4::2].decode("latin-1")
        return "\n".join(cells[row * columns:(row + 1) * columns].rstrip() for row in range(rows)).rstrip()

    def wait(self, pattern: str, seconds: float = SECONDS) -> str:
        """Waits until the end of the screen matches."""
        def fits() -> str | None:
            text = self.text()
            return text if re.search(pattern, text) else None
        try:
            return wait_for(fits, f"{pattern!r} on console {self.number}", seconds)
        except Timeout as error:
            raise Timeout(f"{error}\n--- the screen\n{self.text()}") from error

    def login(self, user: str, answers: Sequence[str], seconds: float = SECONDS) -> str:
        """Types the name and the answers as they are asked for, and waits for the shell or a refusal. Returns what is on
        the screen below the name."""
        self.wait(r"login:$", seconds)
        self.t.vm.type_text(user + "\n")
        for pattern, answer in questions(answers):
            # the screen's lines have lost the blanks at their ends
            self.wait(rf"login: {user}\n(.*\n)*.*" + pattern.replace(": ?$", ":$"), seconds)
            self.t.vm.type_text(answer + "\n")
        text = self.wait(rf"login: {user}\n(?!(.*\n)*.*login: {user}\n)(.*\n)*({user}@terminal:|Login incorrect)", seconds)
        return text.rpartition(f"login: {user}\n")[2]

    def logout(self) -> None:
        self.t.vm.type_text("exit\n")
        self.wait(r"login:$")


# --------------------------------------------------------------------------------------------- the desktop

# Every message between LightDM and its greeter is then in its log.
LIGHTDM_DEBUG = r"""
mkdir -p /etc/systemd/system/lightdm.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/sbin/lightdm --debug\n' > /etc/systemd/system/lightdm.service.d/rig.conf
systemctl daemon-reload
systemctl restart lightdm.service
"""
LIGHTDM_LOG = "/var/log/lightdm/lightdm.log"


class Greeter:
    """LightDM with its GTK greeter. What it asks and what PAM answered is read from LightDM's debug log; what a person sees
    is on the screenshot."""

    def __init__(self, t: Terminal) -> None:
        self.t = t
        self._read = 0              # bytes of the log that were dealt with

    def log(self) -> str:
        return self.t.vm.get_file(LIGHTDM_LOG)[self._read:].decode(errors="replace")

    def wait_log(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """Waits for a line, and takes the log up to there as dealt with."""
        def find() -> re.Match[str] | None:
            return re.search(pattern, self.log())
        try:
            match = wait_for(find, f"{pattern!r} in the log of the login screen", seconds)
        except Timeout as error:
            raise Timeout(f"{error}\n" + "\n".join(self.log().splitlines()[-25:])) from error
        self._read += len(self.log()[:match.end()].encode())
        return match

    def wait_shown(self) -> None:
        """Until the greeter has drawn itself and asks for the name."""
        self.wait_log(r"Greeter start authentication\n(?s:.*?)Prompt greeter with 1 message")
        self.wait_still()

    def begin(self, user: str) -> None:
        """Types the name and waits for the first question."""
        self.t.vm.type_text(user + "\n")
        self.wait_again(user)

    def wait_again(self, user: str) -> None:
        """Waits for the first question. After a refusal the greeter begins again for the same person by itself."""
        self.wait_log(rf"Greeter start authentication for {user}\n(?s:.*?)Prompt greeter with 1 message")
        self.wait_still()

    def wait_still(self) -> None:
        """Waits until the screen has not changed for a second, but for a cursor: text that the greeter got is drawn later
        than it was logged, and what is typed meanwhile is lost."""
        last, since = self.t.vm.picture(), time.monotonic()

        def still() -> bool:
            nonlocal last, since
            now = self.t.vm.picture()
            if differing(now, last) >= CURSOR_BYTES:
                last, since = now, time.monotonic()
            return time.monotonic() - since >= 1.0
        wait_for(still, "the greeter to draw", SECONDS)

    def answer(self, text: str) -> str:
        """Types an answer and waits for what follows: "asked" (another question) or the PAM result, e.g. "Success"."""
        self.t.vm.type_text(text + "\n")
        match = self.wait_log(r"Prompt greeter with 1 message|Authenticate result for user \S+: ([^\n]+)")
        if match.group(1):
            return match.group(1)
        self.wait_still()
        return "asked"

    def wait_session(self, user: str = "taro") -> None:
        wait_for(lambda: self.t.run(f"loginctl list-sessions --no-legend | grep -w {user} | grep -w seat0")[0] == 0,
                 f"{user}'s session on the seat", SECONDS)


GNOME_SECONDS = 600.0               # a session stands 40 s after the right code on an idle machine
SCREEN_WIDTH = 1280                 # of QEMU's standard VGA with Debian 13's driver
CURSOR_HEIGHT = 15


class Gdm(Greeter):
    """GDM on Debian 13: gnome-shell's login screen, and the screen lock of a session, which asks GDM as well. What is asked and
    what PAM answered is read from GDM's debug messages in the journal; that the field takes keys, from the screen."""

    def log(self) -> str:
        lines = self.t.check("journalctl --boot --no-pager --output=cat _COMM=gdm-session-wor | grep -aE "
                             "'GdmSessionWorker: (authenticating|received pam|authentication returned|state AUTH)' || true")
        return lines.encode()[self._read:].decode()

    def wait_field(self, seconds: float = GNOME_SECONDS) -> None:
        """Until an empty field has the keyboard: only then it has a text cursor, which does not blink here."""
        wait_for(lambda: has_text_cursor(self.t.vm.picture()), "a field that takes keys", seconds)

    def wait_shown(self) -> None:
        self.wait_field()

    def begin(self, user: str) -> str:
        """Types the name and waits for the first question; returns its text."""
        self.t.vm.type_text(user + "\n")
        return self.wait_again(user)

    def wait_again(self, user: str) -> str:
        text = self.wait_log(rf"authenticating user {user}\n(?s:.*?)type [12] with payload '([^\n]*)'", GNOME_SECONDS).group(1)
        self.wait_field()
        return text

    def answer(self, text: str) -> str:
        """Types an answer and waits for what follows: the text of another question, "refused: " and why, or "Success"."""
        self.t.vm.type_text(text + "\n")
        match = self.wait_log(r"type [12] with payload '([^\n]*)'|state AUTHENTICATED|"
                              r"(?:type 3 with payload '([^\n]*)'\n)?[^\n]*authentication returned \d+", GNOME_SECONDS)
        if "authentication returned" in match.group():
            return f"refused: {match.group(2) or ''}"
        if match.group(1) is None:
            return "Success"
        self.wait_field()
        return match.group(1)

    def wait_session(self, user: str = "taro") -> None:
        """Until the session has registered itself: then GDM ends the greeter."""
        super().wait_session(user)
        wait_for(lambda: self.t.run("loginctl list-sessions --no-legend | grep -w greeter")[0] != 0, "the greeter to end",
                 GNOME_SECONDS)

    def is_locked(self, user: str = "taro") -> bool:
        return self.t.check(f"loginctl show-session --value -p LockedHint {self.session(user)}").strip() == "yes"

    def session(self, user: str = "taro") -> str:
        """The number of the person's session on the seat."""
        return self.t.check("loginctl list-sessions --no-legend | "
                            f"awk '$3 == \"{user}\" && $4 == \"seat0\" {{ print $1 }}'").strip()

    def lock(self, user: str = "taro") -> str:
        """Locks the screen, wakes it up with a key, and waits for the first question; returns its text."""
        def locked() -> bool:
            self.t.check(f"loginctl lock-session {self.session(user)}")       # a signal: lost while the shell starts
            return self.is_locked(user)
        wait_for(locked, "the screen to be locked", GNOME_SECONDS)
        self.t.vm.press("ret")
        return self.wait_again(user)


def has_text_cursor(picture: bytes) -> bool:
    """Is there a text cursor of gnome-shell in the middle of the screen: white, two pixels wide? No letter has such a
    stroke."""
    white = b"\xff" * CURSOR_HEIGHT
    top, bottom = 400, len(picture) // (3 * SCREEN_WIDTH) - 150

    def column(x: int) -> bytes:
        darkest = bytes(map(min, *(picture[3 * (top * SCREEN_WIDTH + x) + colour:3 * bottom * SCREEN_WIDTH:3 * SCREEN_WIDTH]
                                   for colour in range(3))))
        return darkest.translate(NEARLY_WHITE)
    columns = [column(x) for x in range(400, 880)]
    return any(place >= 0 and place == right.find(white) for left, right in zip(columns, columns[1:])
               for place in [left.find(white)])


NEARLY_WHITE = bytes(240) + b"\xff" * 16


CURSOR_BYTES = 600                  # of a picture: more than a text cursor that blinks


def differing(a: bytes, b: bytes) -> int:
    """How many bytes of two pictures differ; all, if they are of different size."""
    if len(a) != len(b):
        return max(len(a), len(b))
    return sum((int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big").translate(NOT_ZERO))


NOT_ZERO = bytes([0] + [1] * 255)


# The person's login keyring, locked with the login password, with one secret in it: made beforehand, because the one that
# the very first login makes is not on the bus until the next.
KEYRING = r"""
runuser -u taro -- dbus-run-session -- sh -c 'printf taro | gnome-keyring-daemon --unlock --components=secrets >/dev/null
printf hush | secret-tool store --label=rig --collection=login rig test'
pkill -u taro gnome-keyring || true
"""


def keyring_is_unlocked(t: Terminal, user: str = "taro") -> bool:
    """Does the session get at the secret in its keyring without a question?"""
    return t.run(f"setpriv --reuid {user} --regid {user} --init-groups env HOME=/home/{user} "
                 f"XDG_RUNTIME_DIR=/run/user/$(id -u {user}) DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u {user})/bus "
                 "timeout 60 secret-tool lookup rig test")[1] == "hush"


def in_session(t: Terminal, command: str, user: str = "taro") -> None:
    """Starts a program in the person's X session."""
    t.check(f"setsid setpriv --reuid {user} --regid {user} --init-groups env HOME=/home/{user} USER={user} DISPLAY=:0 "
            f"XAUTHORITY=/home/{user}/.Xauthority {command} >/dev/null 2>&1 </dev/null &")


# --------------------------------------------------------------------------------------------- Sekimori's second factor

# taro has an app and recovery codes, hanako has nothing; then the login asks for codes. `enable` wants to see a code first.
SWITCH_ON = r"""
set -e
usermod -aG sekimori-admin taro
sekimori mfa enrol --user taro --no-confirm --uri > /root/taro.uri
sekimori mfa recovery --user taro > /root/taro.recovery
secret=$(sed 's/.*secret=\([A-Z2-7]*\).*/\1/' /root/taro.uri)
oathtool --totp=sha256 -b "$secret" | sekimori mfa enable --user taro --yes
"""
ENROLLED = PEOPLE + SSHD + SWITCH_ON

# The console's program speaks the language of its service, and the kernel's console cannot draw kanji.
GETTY_IN_ASCII = r"""
mkdir -p /etc/systemd/system/getty@.service.d
printf '[Service]\nEnvironment=LANG=C.UTF-8\n' > /etc/systemd/system/getty@.service.d/rig.conf
systemctl daemon-reload
"""


def taros_phone(t: Terminal) -> Phone:
    phone = Phone.from_uri(t.check("cat /root/taro.uri"))
    phone.last_step = int(clock(t)) // phone.period + 1     # the preparation used one
    return phone


def taros_recovery(t: Terminal) -> list[str]:
    return re.findall(r"\b\d+-[A-Z]{4}(?:-[A-Z]{4}){4}\b", t.check("cat /root/taro.recovery"))


# --------------------------------------------------------------------------------------------- many at one moment

def race_tool() -> Path:
    """tests/pam/race.c, compiled on this machine: the terminal has no compiler."""
    source = Path(__file__).resolve().parents[1] / "pam" / "race.c"
    target = cache_dir() / f"race-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not target.exists():
        subprocess.run(["cc", "-std=gnu17", "-O2", "-o", str(target), str(source), "-lpam"], check=True)
    return target


def install_race(t: Terminal) -> None:
    t.vm.put_file(race_tool(), f"{GUEST_DIR}/race", 0o755)


def race(t: Terminal, service: str, user: str, answers: Sequence[str], times: int = 1) -> dict[str, Any]:
    """`times` sessions at one moment for each of the answers."""
    text = "".join(f"{answer}\n" for answer in answers).encode()
    return json.loads(t.usb.helper(f"race {service} {user} together {times}", text, deadline=600.0))


def in_turn(t: Terminal, service: str, user: str, answers: Sequence[str], warm_up: int = 0) -> dict[str, Any]:
    """One session after the other, in one process."""
    text = "".join(f"{answer}\n" for answer in answers).encode()
    return json.loads(t.usb.helper(f"race {service} {user} in-turn {warm_up}", text, deadline=600.0))


__all__ = [name for name in dir() if not name.startswith("_")] + ["Deadline"]
