#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The policy module against a whole policy (Debian's, which is refpolicy): it links, breaks no rule of the policy
(neverallow), and every path that the package makes has a type. Usage: test_selinux.py --deb FOLDER --rpm FOLDER"""
import argparse
import bz2
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TO_CIL = "/usr/libexec/selinux/hll/pp"
POLICY = "/usr/share/selinux/default"
# Types of the core system are in the first; the second makes it the policy of an ordinary machine.
NEEDED = ("base", "unconfined")
FOLDERS = {}


class Policy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.mkdtemp(prefix="sekimori-selinux-")
        archive = subprocess.run(["rpm2cpio", *glob.glob(FOLDERS["rpm"] + "/sekimori-selinux-*.noarch.rpm")], check=True,
                                 capture_output=True).stdout
        subprocess.run(["cpio", "-idm", "--quiet", "--no-absolute-filenames"], input=archive, cwd=cls.work, check=True)
        cls.packages = cls.work + "/usr/share/selinux/packages/targeted"
        cls.ours = cls.to_cil(cls.packages + "/sekimori.pp.bz2")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    @classmethod
    def to_cil(cls, path):
        with open(path, "rb") as packed:
            text = bz2.decompress(packed.read())
        out = f"{cls.work}/{os.path.basename(path)}.cil"
        text = subprocess.run([TO_CIL], input=text, capture_output=True, check=True).stdout
        with open(out, "wb") as cil:
            # Which login is which user of the policy is a matter of all modules, and of no rule.
            cil.write(re.sub(rb"(?m)^\(selinuxuser.*\n", b"", text))
        return out

    def compile(self, *modules):
        files = [self.to_cil(f"{POLICY}/{name}.pp.bz2") for name in NEEDED if os.path.exists(f"{POLICY}/{name}.pp.bz2")]
        result = subprocess.run(["secilc", "-o", self.work + "/policy", "-f", self.work + "/contexts", *files, *modules],
                                capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_it_links_and_breaks_no_rule(self):
        code, said = self.compile(self.ours, self.packages + "/sekimori_permissive.cil")
        self.assertEqual(code, 0, said[-3000:])
        with open(self.work + "/forbidden.cil", "w", encoding="utf-8") as cil:
            # The test does see a broken rule, and these are ours: no device, no network, no one else's secrets.
            cil.write("(neverallow sekimorid_t self (tcp_socket (create connect)))\n"
                      "(neverallow sekimori_authd_t self (tcp_socket (create connect)))\n"
                      "(neverallow sekimori_authd_t sysfs_t (file (write)))\n"
                      "(neverallow sekimorid_t sekimori_key_t (file (read open)))\n"
                      "(neverallow sekimorid_t var_auth_t (file (read open write)))\n"
                      "(neverallow sekimori_authd_t sekimorid_var_lib_t (file (read open write)))\n"
                      "(neverallow sekimori_forward_t sekimori_key_t (file (read open)))\n"
                      "(neverallow sekimori_forward_t sekimorid_log_t (file (write append unlink)))\n")
        code, said = self.compile(self.ours, self.work + "/forbidden.cil")
        self.assertEqual(code, 0, said[-3000:])
        with open(self.work + "/forbidden.cil", "a", encoding="utf-8") as cil:
            cil.write("(neverallow sekimorid_t sysfs_t (file (write)))\n")
        code, said = self.compile(self.ours, self.work + "/forbidden.cil")
        self.assertNotEqual(code, 0, "the agent writes to sysfs")
        self.assertIn("neverallow", said)

    def test_callers_may_ask_and_domains_are_permissive(self):
        with open(self.ours, encoding="utf-8") as text:
            cil = text.read()
        self.assertRegex(cil, r"\(allow nsswitch_domain sekimori_authd_t \(unix_stream_socket \(connectto\)\)\)")
        for domain in ("sekimorid_t", "sekimori_authd_t", "sekimori_forward_t"):
            self.assertRegex(cil, rf"\(allow init_t {domain} \(process2 \([^)]*nnp_transition")
            with open(self.packages + "/sekimori_permissive.cil", encoding="utf-8") as text:
                self.assertIn(f"(typepermissive {domain})", text.read())

    def test_every_path_has_its_type(self):
        self.compile(self.ours)
        with open(self.work + "/contexts", encoding="utf-8") as text:
            rules = [line.split("\t") if "\t" in line else line.split() for line in text.read().splitlines() if "sekimori" in line]
        rules = [(words[0], words[-1].split(":")[2]) for words in (" ".join(rule).split() for rule in rules)]
        with open(SOURCE + "/conf/tmpfiles.d/sekimori.conf", encoding="utf-8") as text:
            paths = {line.split()[1].replace("*", "x") for line in text if re.match(r"[dz] ", line)}
        paths |= {"/usr/sbin/sekimorid", "/usr/bin/sekimorid", "/usr/sbin/sekimori-authd", "/usr/sbin/sekimori-forward",
                  "/run/sekimori/control", "/run/sekimori/auth", "/run/sekimori-authd/x", "/var/lib/sekimori-forward/x"}
        for path in paths:
            self.assertTrue([rule for rule, _ in rules if re.fullmatch(rule, path)], f"{path} has no type in\n{rules}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--deb")
    parser.add_argument("--rpm", required=True)
    given, rest = parser.parse_known_args()
    FOLDERS.update(rpm=os.path.abspath(given.rpm))
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
