#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a service could do if it were taken over: goes under an AppArmor profile, tries, and prints JSON.

    confined.py PROFILE TRY...      each TRY -> "done", or the name of the error

    read:PATH write:PATH create:PATH    opens the file; nothing is read or written
    run:PATH                            starts the program
    inet inet6 unix packet              makes a socket (stream)
    datagram                            makes an inet socket for datagrams
"""
from __future__ import annotations

import errno
import json
import os
import socket
import sys

FAMILIES = {"inet": (socket.AF_INET, socket.SOCK_STREAM), "inet6": (socket.AF_INET6, socket.SOCK_STREAM),
            "datagram": (socket.AF_INET, socket.SOCK_DGRAM), "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
            "packet": (socket.AF_PACKET, socket.SOCK_RAW)}


def run(path: str) -> None:
    """The child says by its end whether the program could be started: exec comes back only if not."""
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(path, [path])
        except OSError as error:
            os._exit(error.errno)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise OSError(os.WEXITSTATUS(status), path)
    # A program that was started, but killed since not even its own file may be mapped, was still started.


def attempt(what: str) -> None:
    kind, _, path = what.partition(":")
    if kind in FAMILIES:
        socket.socket(*FAMILIES[kind]).close()
    elif kind == "run":
        run(path)
    else:
        flags = {"read": os.O_RDONLY, "write": os.O_WRONLY, "create": os.O_WRONLY | os.O_CREAT}[kind]
        os.close(os.open(path, flags))


def main() -> None:
    profile, tries = sys.argv[1], sys.argv[2:]
    # One write, as the kernel wants it.
    with open("/proc/self/attr/apparmor/current", "wb", buffering=0) as current:
        current.write(f"changeprofile {profile}".encode())
    told = {}
    for what in tries:
        try:
            attempt(what)
            told[what] = "done"
        except OSError as error:
            told[what] = errno.errorcode[error.errno or 0]
    print(json.dumps(told))


main()
