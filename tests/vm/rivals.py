# SPDX-License-Identifier: Apache-2.0
"""google-authenticator and pam_oath, set up as strictly as they can be, beside pam_sekimori: one PAM service for each."""
from __future__ import annotations

import base64

from terminal import Terminal

SECRET = b"12345678901234567890"
NAMES = ("sekimori", "ga", "oath")
SERVICES = r"""
printf 'auth required pam_sekimori.so\n' > /etc/pam.d/race-sekimori
printf 'auth required pam_google_authenticator.so user=root secret=/var/lib/race-ga no_strict_owner\n' > /etc/pam.d/race-ga
printf 'auth required pam_oath.so usersfile=/var/lib/race-oath window=5 digits=6\n' > /etc/pam.d/race-oath
printf 'auth required pam_permit.so\n' > /etc/pam.d/race-permit
"""


def reset(t: Terminal, kind: str = "totp", rate_limit: bool = True, emergency: str = "") -> None:
    """Both as nobody has used them yet, with SECRET and a clock or a counter (hotp, from 0). `emergency`: eight digits which
    google-authenticator takes once instead of a code."""
    lines = [base64.b32encode(SECRET).decode()]
    if rate_limit:
        lines.append('" RATE_LIMIT 3 30')
    lines += ['" DISALLOW_REUSE', '" TOTP_AUTH'] if kind == "totp" else ['" HOTP_COUNTER 1', '" WINDOW_SIZE 5']
    lines += [emergency] if emergency else []
    t.vm.put_file("".join(f"{line}\n" for line in lines).encode(), "/var/lib/race-ga", 0o400)
    token = "HOTP/T30" if kind == "totp" else "HOTP"
    t.vm.put_file(f"{token} taro - {SECRET.hex()}\n".encode(), "/var/lib/race-oath", 0o600)
    # what a crash of it leaves behind would keep everybody out
    t.check("rm -f /var/lib/race-oath.lock")
