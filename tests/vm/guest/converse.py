#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds a conversation with a program on a terminal of its own, as a person would who reads before typing.

stdin: {"argv": [...], "user": "taro" or null, "steps": [[pattern, answer], ...], "seconds": 120, "env": {...}}
stdout: {"code": exit code or null, "answered": how many steps, "text": all that was on the screen, "stuck": why or ""}
A step waits until what is new on the screen matches its pattern, then types the answer and Enter.
"""
import fcntl
import json
import os
import pwd
import re
import select
import signal
import sys
import termios
import time


def become(name):
    entry = pwd.getpwnam(name)
    os.initgroups(name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.chdir(entry.pw_dir)
    os.environ.update(HOME=entry.pw_dir, USER=name, LOGNAME=name)


def start(job):
    """The program in a new session whose terminal is the new one; returns its number and our end."""
    # Not pty.fork(): the slave must belong to the user, or programs that open /dev/tty's name are refused.
    master, slave = os.openpty()
    if job.get("user"):
        os.fchown(slave, pwd.getpwnam(job["user"]).pw_uid, -1)
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            os.closerange(3, 64)
            os.environ.update({"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm"})
            if job.get("user"):
                become(job["user"])
            os.environ.update(job.get("env", {}))
            os.execvp(job["argv"][0], job["argv"])
        finally:
            os._exit(126)
    os.close(slave)
    return pid, master


def read_some(master, until):
    """What comes next, b"" when the program has closed its terminal, None when time is over."""
    ready, _, _ = select.select([master], [], [], max(0.0, until - time.monotonic()))
    if not ready:
        return None
    try:
        return os.read(master, 65536)
    except OSError:                 # EIO: nobody has the other end open any more
        return b""


def wait_hidden(master):
    """Programs switch the echo off after they have printed the question, and throw away what was typed before. A question
    whose answer may be seen never does: then two seconds are long enough."""
    until = time.monotonic() + 2
    while termios.tcgetattr(master)[3] & termios.ECHO and time.monotonic() < until:
        time.sleep(0.02)


def converse(job, master):
    until = time.monotonic() + job.get("seconds", 120)
    seen, start_at, steps = b"", 0, list(job["steps"])
    while True:
        if steps and re.search(steps[0][0], seen[start_at:].decode(errors="replace")):
            start_at = len(seen)
            wait_hidden(master)
            os.write(master, steps.pop(0)[1].encode() + b"\n")
        data = read_some(master, until)
        if data is None:
            return seen, steps, f"time is over, waiting for {steps[0][0] if steps else 'the end'!r}"
        if data == b"":
            return seen, steps, f"it ended before {steps[0][0]!r}" if steps else ""
        seen += data


def main():
    job = json.load(sys.stdin)
    pid, master = start(job)
    seen, steps, stuck = converse(job, master)
    if stuck.startswith("time"):
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "answered": len(job["steps"]) - len(steps),
                      "text": seen.decode(errors="replace").replace("\r", ""), "stuck": stuck}))


main()
