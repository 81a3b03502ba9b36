#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The second factor in a PAM stack that authselect keeps, with a stand-in for authselect and the project's own judge of PAM
stacks. Usage: test_authselect.py BINARY_DIR [unittest's arguments]"""
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from rendering import features_of, render

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
SWITCH = SOURCE + "/conf/authselect/pam-switch"
FILES = ("system-auth", "password-auth", "fingerprint-auth", "smartcard-auth", "postlogin")
SERVICES = {
    "login": "auth substack system-auth\nauth include postlogin\n",
    "sudo": "auth include system-auth\n",
    "su": "auth sufficient pam_rootok.so\nauth substack system-auth\nauth include postlogin\n",
    "sshd": "auth substack password-auth\nauth include postlogin\n",
    "gdm-password": "auth substack password-auth\nauth optional pam_gnome_keyring.so\nauth include postlogin\n",
    "gdm-fingerprint": "auth substack fingerprint-auth\n",
    "gdm-smartcard": "auth substack smartcard-auth\n",
    "other": "auth required pam_deny.so\n",
}
MODULES = ("env", "faildelay", "faillock", "u2f", "fprintd", "unix", "sss", "usertype", "localuser", "deny", "permit", "debug",
           "gnome_keyring", "sekimori", "rootok", "lastlog")
STAND_IN = """#!/bin/sh
exec python3 "{here}/test_authselect.py" --stand-in "{root}" "$@"
"""
BINARIES = []


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)


def resolve(root, path):
    """A file below root, as it would be found if root were /."""
    while os.path.islink(path):
        path = root + os.readlink(path)
    return path


def stand_in(root, *words):
    """authselect: current --raw, select PROFILE FEATURE..., apply-changes."""
    state = root + "/etc/authselect/authselect.conf"
    with open(root + "/calls", "a", encoding="utf-8") as log:
        log.write(" ".join(words) + "\n")
    if words[0] == "current":
        if not os.path.exists(state):
            return 2
        print(read(state).strip())
        return 0
    if words[0] == "apply-changes":
        words = ("select", *read(state).split())
    profile, *features = words[1:]
    folder = root + ("/etc/authselect/" + profile if "/" in profile else "/usr/share/authselect/default/" + profile)
    if not os.path.exists(folder + "/README"):
        print(f"Unable to find profile [{profile}]", file=sys.stderr)
        return 1
    texts = {name: read(resolve(root, f"{folder}/{name}")) for name in (*FILES, "nsswitch.conf")}
    unknown = set(features) - set().union(*map(features_of, texts.values()))
    if unknown:
        print(f"Unknown profile feature [{unknown.pop()}]", file=sys.stderr)
        return 1
    for name, text in texts.items():
        write(f"{root}/etc/authselect/{name}", render(text, features))
    write(state, " ".join([profile, *features]) + "\n")
    return 0


class Machine(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="sekimori-authselect-")
        self.addCleanup(shutil.rmtree, self.root)
        defaults = self.root + "/usr/share/authselect/default"
        shutil.copytree(SOURCE + "/tests/data/authselect", defaults)
        shutil.copytree(defaults + "/local", defaults + "/minimal")
        for kind in ("sssd", "local"):
            shutil.copytree(f"{SOURCE}/conf/authselect/{kind}", f"{self.root}/usr/share/sekimori/authselect/{kind}")
        write(self.root + "/bin/authselect", STAND_IN.format(here=HERE, root=self.root), 0o755)
        for name, text in SERVICES.items():
            write(f"{self.root}/etc/pam.d/{name}", text)
        for module in MODULES:
            write(f"{self.root}/usr/lib64/security/pam_{module}.so", "")
        os.makedirs(self.root + "/etc/authselect/custom")
        for name in FILES:
            os.symlink(f"{self.root}/etc/authselect/{name}", f"{self.root}/etc/pam.d/{name}")
        os.makedirs(self.root + "/var/lib/sekimori")

    def switch(self, *words):
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin", "SEKIMORI_ROOT": self.root, "LC_ALL": "C.UTF-8"}
        return subprocess.run([SWITCH, *words], capture_output=True, text=True, env=environment, check=False)

    def enable(self):
        result = self.switch("--package", "--enable", "sekimori", "sekimori-split")
        self.assertEqual(result.returncode, 0, result.stderr)

    def disable(self):
        result = self.switch("--package", "--remove", "sekimori", "sekimori-split")
        self.assertEqual(result.returncode, 0, result.stderr)

    def select(self, *words):
        self.assertEqual(stand_in(self.root, "select", *words), 0)

    def current(self):
        return read(self.root + "/etc/authselect/authselect.conf").strip()

    def files(self):
        return {name: read(f"{self.root}/etc/authselect/{name}") for name in (*FILES, "nsswitch.conf")}

    def ways(self, *words):
        """The ways without a code, {service: [[module, ...], ...]}, as "mfa status" tells them."""
        result = subprocess.run([BINARIES[0] + "/tests/pam_judge", self.root, *words], capture_output=True, text=True, check=True)
        found = {}
        told = json.loads(result.stdout)["login"]
        self.assertEqual(told["not_judged"], [])
        for way in told["ways_around"]:
            found.setdefault(way["service"], []).append(way["modules"])
        return told["asks_for_code"], found

    def test_there_and_back(self):
        for profile, *features in (("sssd", "with-mkhomedir", "with-fingerprint", "without-nullok"), ("minimal",), ("local",)):
            with self.subTest(profile):
                self.select(profile, *features)
                before = self.files()
                self.enable()
                self.assertEqual(self.current(), " ".join([f"custom/sekimori-{profile}", *features]))
                now = self.files()
                for name in ("system-auth", "password-auth"):
                    self.assertEqual(len(re.findall(r"^auth\s+requisite\s+pam_sekimori\.so$", now[name], re.M)), 1)
                    rest = [[line for line in text.splitlines() if line and not re.match(r"-?auth|#", line)]
                            for text in (before[name], now[name])]
                    self.assertEqual(*rest, "what is not auth is the profile's own")
                self.assertEqual(before["nsswitch.conf"], now["nsswitch.conf"])
                self.assertEqual(before["postlogin"], now["postlogin"])
                self.enable()  # once more
                self.assertEqual(self.files(), now)
                self.disable()
                self.assertEqual(self.files(), before)
                self.assertEqual(os.listdir(self.root + "/etc/authselect/custom"), [])
                self.disable()  # nothing is on

    def test_no_login_goes_round_the_code_whatever_is_selected(self):
        optional = ("with-fingerprint", "with-pam-u2f", "with-pam-u2f-2fa", "with-faillock", "with-pam-gnome-keyring",
                    "without-nullok")
        for kind in ("sssd", "local"):
            for name in ("system-auth", "password-auth"):
                lines = f"{SOURCE}/conf/authselect/{kind}/{name}"
                known = features_of(read(lines))
                self.assertLessEqual(known - {"without-pam-u2f-nouserok"}, set(optional))
                for count in range(len(optional) + 1):
                    for features in itertools.combinations(optional, count):
                        if set(features) <= known:
                            self.judge_lines(name, kind, read(lines), features)

    def judge_lines(self, name, kind, template, features):
        text = render(template, features)
        lines = [line.split(None, 1) for line in text.splitlines() if line.startswith("auth")]
        for succeeding, opens in (({"unix"}, True), ({"sss"}, kind == "sssd"), ({"fprintd"}, "with-fingerprint" in features
                                  and name == "system-auth"), ({"u2f"}, "with-pam-u2f" in features), (set(), False)):
            for is_regular, is_local in ((True, True), (True, False), (False, True)):
                given = succeeding | ({"usertype"} if is_regular else set()) | ({"localuser"} if is_local else set())
                if "with-pam-u2f-2fa" in features:
                    given = given | {"u2f-2fa"}
                asked, passed = walk(lines, given | {"sekimori"})
                # Ours answers PAM_IGNORE to whom no code is asked of: that must be neither a way nor a lock-out.
                self.assertEqual(walk(lines, given), (asked, passed), (name, kind, features, succeeding, text))
                can = opens
                if kind == "sssd":  # who is local is asked of pam_unix, who is not of sssd, system users of pam_unix alone
                    can = opens and not ("unix" in succeeding and is_regular and not is_local) and not (
                        "sss" in succeeding and not is_regular)
                self.assertEqual((asked, passed), (can, can), (name, kind, features, succeeding, is_regular, is_local, text))

    def test_the_projects_judge_finds_no_way(self):
        for profile, *features in (("sssd", "with-fingerprint"), ("local",)):
            self.select(profile, *features)
            asks, before = self.ways()
            self.assertFalse(asks)
            self.enable()
            asks, now = self.ways()
            self.assertTrue(asks)
            self.assertEqual(now, {}, "nobody gets in without a code")
            self.assertEqual(before, {}, "and it says so before: a profile guards all of these")
            # The judge does see a way when there is one.
            text = read(self.root + "/etc/authselect/password-auth")
            write(self.root + "/etc/authselect/password-auth", re.sub(r"(?m)^auth\s+requisite\s+pam_sekimori.so\n", "", text))
            self.assertIn("sshd", self.ways()[1])
            self.disable()

    def test_what_cannot_be_combined_is_refused_and_nothing_changes(self):
        for text, hint in (("custom/office", "none that this command can extend"), ("winbind", "winbind"),
                           ("sssd with-smartcard-required", "disable-feature with-smartcard-required"),
                           ("sssd with-systemd-homed", "with-systemd-homed"), (None, "authselect does not manage")):
            if text:
                write(self.root + "/etc/authselect/authselect.conf", text + "\n")
            else:
                os.unlink(self.root + "/etc/authselect/authselect.conf")
            result = self.switch("--package", "--enable", "sekimori", "sekimori-split")
            self.assertEqual(result.returncode, 1, text)
            self.assertIn(hint, result.stderr)
            self.assertEqual(os.listdir(self.root + "/etc/authselect/custom"), [])
            self.assertNotIn("select", [line.split()[0] for line in read(self.root + "/calls").splitlines()])

    def test_an_update_of_authselect_reaches_the_profile(self):
        self.select("sssd")
        self.assertEqual(self.switch("--refresh").returncode, 0)
        self.enable()
        base = self.root + "/usr/share/authselect/default/sssd/system-auth"
        write(base, read(base).replace("sha512", "yescrypt"))
        self.assertNotIn("yescrypt", self.files()["system-auth"])
        self.assertEqual(self.switch("--refresh").returncode, 0)
        self.assertIn("yescrypt", self.files()["system-auth"])
        self.assertIn("pam_sekimori.so", self.files()["system-auth"])

    def test_a_wrong_command_line(self):
        for words in ((), ("--enable",), ("--package",), ("--help",)):
            self.assertEqual(self.switch(*words).returncode, 2)


def walk(lines, succeeding):
    """libpam's way through auth lines when these modules succeed: (was ours asked, does somebody get in). Ours ignores or
    succeeds."""
    asked, failed, passed, at = False, False, False, 0
    while at < len(lines):
        control, module = re.match(r"(\[[^]]*\]|\S+)\s+(\S+)", lines[at][1]).groups()
        name = module.removeprefix("pam_").removesuffix(".so")
        text = lines[at][1]
        at += 1
        ignores = name in ("env", "faildelay") or "preauth" in text or (name == "sekimori" and "split" in text)
        succeeds = name == "permit" or ("u2f-2fa" if name == "u2f" and control == "required" else name) in succeeding
        if name == "sekimori" and not ignores:
            asked = True
            ignores = name not in succeeding
        if ignores:
            continue
        if control.startswith("["):
            words = dict(word.split("=") for word in control[1:-1].split())
            action = words["success"] if succeeds else words["default"]
            at += int(action) if action.isdigit() else 0
        elif succeeds:
            passed = True
        elif control in ("required", "requisite"):
            failed = True
            if control == "requisite":
                break
    return asked, passed and not failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stand-in"]:
        sys.exit(stand_in(*sys.argv[2:]))
    BINARIES.append(os.path.abspath(sys.argv.pop(1)))
    unittest.main(verbosity=2)
