#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The module for dracut with stand-ins for dracut's functions and for the agent. Usage: test_dracut.py BINARY_DIR"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODULE = SOURCE + "/conf/dracut"
DEADLINE_S = 60
# Whether it hears SIGTERM is the test's to say.
AGENT = """#!/bin/sh
case "$1" in
--system-devices) cat "{folder}/devices" ;;
--initramfs)
	echo "$$" >>"{folder}/started"
	{trap}
	while :; do sleep 600 & wait "$!"; done
	;;
esac
"""
DRACUT = """
set -u
initdir={folder}/image moddir={module} hostonly=yes dracutsysrootdir={folder}/host
dfatal() {{ echo "fatal: $*"; }}
dwarn() {{ echo "warning: $*"; }}
put() {{ mkdir -p "$initdir${{2%/*}}" && cp "$1" "$initdir$2"; }}
inst() {{ put "$dracutsysrootdir$1" "$1"; }}
inst_simple() {{ if [ -e "$1" ]; then put "$1" "${{2:-$1}}"; else put "$dracutsysrootdir$1" "${{2:-$1}}"; fi; }}
inst_hook() {{ put "$3" "/hooks/$1/$2-${{3##*/}}"; }}
inst_multiple() {{ for word; do command -v "$word" >/dev/null || return 1; done; }}
instmods() {{ echo "modules: $* (hostonly '$hostonly')"; }}
. {module}/module-setup.sh
check && depends && installkernel && install && echo installed
"""


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
            return text.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Dracut(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sekimori-dracut-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.end_agents)
        self.write("devices", "1-2 hash 1-2 serial\n")
        self.write("agent", AGENT.format(folder=self.folder, trap=""), 0o755)

    def write(self, name, text, mode=0o644):
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)

    def read(self, name):
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    # ---- the early form ----

    def early(self, word):
        return subprocess.run([MODULE + "/sekimori-early.sh", word], check=False, env={
            "PATH": os.environ["PATH"], "SEKIMORI_AGENT": self.folder + "/agent",
            "SEKIMORI_PIDFILE": self.folder + "/pid", "SEKIMORI_LOG": self.folder + "/log"}).returncode

    def started(self):
        return [int(pid) for pid in self.read("started").split()]

    def end_agents(self):
        if os.path.exists(self.folder + "/pid"):
            os.unlink(self.folder + "/pid")
        for pid in self.started():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def test_started_once_and_again_after_a_crash_and_ended(self):
        self.assertEqual(self.early("start"), 0)
        wait_for("the agent", lambda: len(self.started()) == 1)
        self.assertEqual(self.early("start"), 0)
        os.kill(self.started()[0], signal.SIGSEGV)
        wait_for("another agent", lambda: len(self.started()) == 2)
        wait_for("its file", lambda: self.read("pid").strip() == str(self.started()[-1]))
        self.assertEqual(self.early("stop"), 0)
        wait_for("its end", lambda: not is_alive(self.started()[-1]))
        self.assertEqual(len(self.started()), 2, "the second start found the first")
        self.assertFalse(os.path.exists(self.folder + "/pid"))
        self.assertEqual(self.early("stop"), 0, "nothing runs")

    def test_an_agent_that_does_not_end_holds_up_nothing(self):
        self.write("agent", AGENT.format(folder=self.folder, trap="trap '' TERM"), 0o755)
        self.early("start")
        wait_for("the agent", lambda: self.read("pid").strip() and len(self.started()) == 1)
        self.assertEqual(self.early("stop"), 0)
        wait_for("its end", lambda: not is_alive(self.started()[0]))

    def test_a_wrong_word(self):
        self.assertEqual(self.early("open"), 2)
        self.assertEqual(self.read("started"), "")

    # ---- the image ----

    def install(self, **missing):
        if "agent" not in missing:
            self.write("host/usr/sbin/sekimorid", AGENT.format(folder=self.folder, trap=""), 0o755)
        if "option" not in missing:
            self.write("host/usr/lib/modprobe.d/sekimori.conf", "options usbcore authorized_default=0\n")
        script = DRACUT.format(folder=self.folder, module=MODULE)
        if "ldd" in missing:
            script = "ldd() { echo 'libsodium.so.23 => not found'; }\n" + script
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_the_image_holds_agent_hooks_and_the_disks_of_this_system(self):
        code, said = self.install()
        self.assertEqual(code, 0, said)
        self.assertIn("installed", said)
        self.assertIn("modules: usbhid hid_generic (hostonly '')", said)
        for name in ("usr/sbin/sekimorid", "sbin/sekimori-early", "hooks/pre-udev/00-sekimori-start.sh",
                     "hooks/cleanup/99-sekimori-stop.sh", "usr/lib/modprobe.d/sekimori.conf"):
            self.assertTrue(self.read("image/" + name), name)
        self.assertEqual(self.read("image/etc/sekimori/system-devices"), "1-2 hash 1-2 serial\n")

    def test_an_image_that_would_kill_the_keyboard_is_not_made(self):
        for missing, words in (("agent", "cannot find /usr/sbin/sekimorid"), ("option", "cannot find modprobe.d"),
                               ("ldd", "cannot find a library")):
            with self.subTest(missing):
                shutil.rmtree(self.folder + "/host", ignore_errors=True)
                code, said = self.install(**{missing: True})
                self.assertNotEqual(code, 0, said)
                self.assertIn(words, said)
                self.assertNotIn("installed", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
