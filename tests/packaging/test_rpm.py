#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packages for RHEL and Fedora: beside Debian's, and installed, upgraded and removed in a tree that holds a shell and
stand-ins for the system's tools, which write down how they are called.
Usage: test_rpm.py --deb FOLDER --rpm FOLDER [unittest's arguments]; root, for the chroot of rpm --root."""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = ("sekimori", "sekimori-collector", "sekimori-collector-output", "sekimori-notify", "sekimori-verify")
FOLDERS = {}

# In the one only, and why.
DEB_ONLY = (
    "/usr/share/doc/",  # change log, copyright: rpm has its own places
    "/usr/share/lintian/",
    "/usr/share/initramfs-tools/",  # dracut's module
    "/usr/share/pam-configs/",  # authselect's lines
    "/etc/apparmor.d/", "/usr/lib/systemd/system/sekimori-apparmor.service",  # SELinux
    "/usr/lib/systemd/system/sysinit.target.wants/",  # modprobe.d closes nothing where usbcore is built in
)
RPM_ONLY = (
    "/usr/share/doc/", "/usr/share/licenses/", "/usr/lib/.build-id",
    "/usr/lib/dracut/modules.d/90sekimori", "/usr/libexec/sekimori/", "/usr/share/sekimori/authselect",
)


def run(*command, **options):
    options.setdefault("check", True)
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", **{**options, "check": False})
    if options["check"] and result.returncode:
        raise AssertionError(f"{' '.join(command)}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def rpm_of(package):
    found = [path for path in glob.glob(f"{FOLDERS['rpm']}/{package}-[0-9]*.rpm") if not path.endswith(".src.rpm")]
    assert len(found) == 1, f"{package}: {found}"
    return found[0]


def deb_of(package):
    found = glob.glob(f"{FOLDERS['deb']}/{package}_*.deb")
    assert len(found) == 1, f"{package}: {found}"
    return found[0]


def mapped(path):
    """A path of Debian's package as it is on an RPM system."""
    path = re.sub(r"^/lib/", "/usr/lib/", path)
    path = path.replace("/usr/share/zsh/vendor-completions/", "/usr/share/zsh/site-functions/")
    return re.sub(r"^/usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*/", "/usr/lib64/", path)


def deb_files(package):
    """path: (kind, mode, owner, link) of the files, not of the folders, which rpm lists only where they are owned."""
    work = tempfile.mkdtemp()
    try:
        with open(work + "/data.tar", "wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", deb_of(package)], check=True, stdout=out)
        with tarfile.open(work + "/data.tar") as tar:
            return {mapped(member.name[1:]): (member.issym(), member.mode & 0o7777 if not member.issym() else None,
                                              f"{member.uname}:{member.gname}", member.linkname)
                    for member in tar if not member.isdir()}
    finally:
        shutil.rmtree(work)


def rpm_files(package):
    query = run("rpm", "-qp", "--qf", "[%{FILENAMES}\t%{FILEMODES}\t%{FILEUSERNAME}:%{FILEGROUPNAME}\t%{FILELINKTOS}\n]",
                rpm_of(package)).stdout
    files = {}
    for line in query.splitlines():
        path, mode, owner, link = line.split("\t")
        mode = int(mode) & 0xFFFF
        if mode & 0o170000 != 0o040000:
            is_link = mode & 0o170000 == 0o120000
            files[path] = (is_link, None if is_link else mode & 0o7777, owner, link)
    return files


class Contents(unittest.TestCase):
    maxDiff = None

    def test_rpmlint_has_nothing_to_say(self):
        result = run("rpmlint", "-c", SOURCE + "/packaging/rpm/rpmlint.toml",
                     *glob.glob(FOLDERS["rpm"] + "/*.rpm"), SOURCE + "/packaging/rpm/sekimori.spec", check=False)
        self.assertRegex(result.stdout, r"\b0 errors, 0 warnings\b", result.stdout + result.stderr)

    def test_the_same_files_with_the_same_rights(self):
        for package in PACKAGES:
            with self.subTest(package):
                deb = {path: facts for path, facts in deb_files(package).items() if not path.startswith(DEB_ONLY)}
                rpm = {path: facts for path, facts in rpm_files(package).items() if not path.startswith(RPM_ONLY)}
                self.assertGreater(len(deb), 1)
                self.assertEqual(deb, rpm)

    def test_the_texts_are_the_same(self):
        with tempfile.TemporaryDirectory() as work:
            for package in PACKAGES:
                os.makedirs(f"{work}/rpm")
                run("dpkg-deb", "-x", deb_of(package), f"{work}/deb")
                unpack(rpm_of(package), f"{work}/rpm")
                compared = 0
                for path in deb_files(package):
                    if path.startswith(DEB_ONLY) or re.search(r"/(s?bin|security|libexec)/(?!sekimori-collector$)|\.gz$", path):
                        continue
                    place = f"{work}/deb{path.replace('/zsh/site-functions/', '/zsh/vendor-completions/')}"
                    if not os.path.exists(place):
                        place = f"{work}/deb{path.replace('/usr/lib/', '/lib/', 1)}"
                    with open(place, "rb") as one, open(f"{work}/rpm{path}", "rb") as other:
                        self.assertEqual(one.read(), other.read(), path)
                    compared += 1
                shutil.rmtree(f"{work}/rpm")
                shutil.rmtree(f"{work}/deb")
                self.assertTrue(compared or package == "sekimori-verify", package)

    def test_configuration_is_never_replaced(self):
        flags = run("rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", rpm_of("sekimori")).stdout
        marked = dict(line.rsplit(" ", 1) for line in flags.splitlines())
        conffiles = run("dpkg-deb", "--info", deb_of("sekimori"), "conffiles").stdout.split()
        self.assertTrue(conffiles)
        for path in conffiles:
            if path.startswith(DEB_ONLY):
                continue
            self.assertIn("c", marked[path], path)
            self.assertIn("n", marked[path], f"{path}: noreplace")

    def test_every_unit_is_cared_for(self):
        scripts = run("rpm", "-qp", "--scripts", rpm_of("sekimori")).stdout
        post, preun = scripts.split("postinstall")[1], scripts.split("preuninstall")[1].split("postuninstall")[0]
        units = [os.path.basename(path) for path in rpm_files("sekimori") if "/systemd/system/" in path]
        self.assertGreater(len(units), 3)
        for unit in units:
            self.assertIn(unit, preun)
            with open(f"{SOURCE}/conf/systemd/{unit}", encoding="utf-8") as text:
                if "[Install]" in text.read():
                    self.assertIn(unit, post)

    def test_the_scripts_say_what_debians_say(self):
        """Each sentence that Debian's scripts have for people at installation and removal is in the spec, in both languages."""
        with open(SOURCE + "/packaging/rpm/sekimori.spec", encoding="utf-8") as text:
            spec = text.read()
        count = 0
        for script in ("preinst", "postinst", "prerm", "postrm"):
            with open(f"{SOURCE}/packaging/deb/sekimori.{script}", encoding="utf-8") as text:
                # rpm has no purge: state and records stay where they are
                said = re.sub(r"(?ms)^(remove_acknowledged|purge_records)\(\)$.*?^}$", "", text.read()).split("\npurge)")[0]
            for sentence in re.findall(r'(?:say|echo) "([^"]{12,})"', said) + re.findall(r'\\\n\s+"([^"]{8,})"', said):
                count += 1
                self.assertIn(sentence, spec)
        self.assertGreater(count, 10)


def unpack(rpm, into):
    archive = subprocess.run(["rpm2cpio", rpm], check=True, capture_output=True).stdout
    subprocess.run(["cpio", "-idm", "--quiet", "--no-absolute-filenames"], input=archive, cwd=into, check=True)


# In a mount namespace of its own, where the files of the package lie in their places.
REAL_DRACUT = """
set -eu
cd "$1"
for folder in usr/sbin usr/lib/dracut/modules.d usr/lib/modprobe.d; do
    mkdir -p "seen/$folder"
    cp -a "/$folder/." "seen/$folder/"
    cp -a "unpacked/$folder/." "seen/$folder/"
    mount --bind "seen/$folder" "/$folder"
done
[ "$2" = whole ] || rm "seen/usr/sbin/sekimorid"
dracut --no-kernel --no-hostonly --modules 'base sekimori' --force "$1/image"
lsinitrd "$1/image"
"""


class Image(unittest.TestCase):
    """An initramfs made by the real dracut, with the module of the package."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sekimori-image-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.makedirs(self.folder + "/unpacked")
        unpack(rpm_of("sekimori"), self.folder + "/unpacked")

    def make(self, what):
        result = run("unshare", "--mount", "sh", "-c", REAL_DRACUT, "sh", self.folder, what, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_it_holds_the_agent_with_its_libraries(self):
        code, said = self.make("whole")
        self.assertEqual(code, 0, said)
        for name in ("usr/sbin/sekimorid", "usr/sbin/sekimori-early", "hooks/pre-udev/00-sekimori-start.sh",
                     "hooks/cleanup/99-sekimori-stop.sh", "modprobe.d/sekimori.conf", "etc/sekimori/system-devices", "libsodium.so.23",
                     "libconfig.so", "libudev.so"):
            self.assertRegex(said, rf"(?m)^[-l].*{re.escape(name)}", name)

    def test_without_the_agent_none_is_written(self):
        code, said = self.make("broken")
        self.assertNotEqual(code, 0, said)
        self.assertIn("sekimori: cannot find /usr/sbin/sekimorid", said)
        self.assertFalse(os.path.exists(self.folder + "/image"))


# ---- in a tree ----

# Each writes down its name and arguments; what it answers is in a file of the test.
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >>/calls
[ ! -e "/answers/${0##*/}" ] || . "/answers/${0##*/}"
exit 0
"""
STAND_INS = ("systemctl", "systemd-sysusers", "systemd-tmpfiles", "systemd-detect-virt", "dracut", "authselect")


class Tree:
    """A root folder with a shell, grep and what scripts need."""

    def __init__(self, root):
        self.root = root
        for folder in ("bin", "usr/bin", "usr/sbin", "etc/pam.d", "answers", "sys/bus/usb/devices/usb1", "proc", "run",
                       "sys/module/usbcore/parameters", "boot", "dev", "tmp", "var/tmp", "etc/authselect"):
            os.makedirs(f"{root}/{folder}", exist_ok=True)
        for name in ("sh", "bash", "grep", "rm", "mkdir", "mv", "ln", "cat", "env"):
            self.copy_program(name)
        for name in STAND_INS:
            self.write("usr/bin/" + name, STAND_IN, 0o755)
        self.answer("systemd-detect-virt", "exit 1")  # no container
        self.answer("authselect", "[ \"$1\" != current ] || exit 2")  # does not manage this machine
        self.write("boot/initramfs-1.img", "")
        for name in ("sys/bus/usb/devices/usb1/authorized_default", "sys/bus/usb/devices/usb1/interface_authorized_default",
                     "sys/module/usbcore/parameters/authorized_default"):
            self.write(name, "0\n")

    def copy_program(self, name):
        path = shutil.which(name)
        shutil.copy(path, f"{self.root}/usr/bin/{name}")
        os.makedirs(f"{self.root}/bin", exist_ok=True)
        if not os.path.exists(f"{self.root}/bin/{name}"):
            os.symlink(f"/usr/bin/{name}", f"{self.root}/bin/{name}")
        for library in re.findall(r"(/\S+) \(0x", run("ldd", path).stdout):
            os.makedirs(self.root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, self.root + library)

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
        with open(f"{self.root}/{path}", "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(f"{self.root}/{path}", mode)

    def read(self, path):
        with open(f"{self.root}/{path}", encoding="utf-8") as text:
            return text.read()

    def answer(self, program, text):
        self.write("answers/" + program, text)

    def has(self, path):
        return os.path.lexists(f"{self.root}/{path}")

    def calls(self):
        found = self.read("calls").splitlines() if self.has("calls") else []
        self.write("calls", "")
        return found

    def boot(self):
        os.makedirs(f"{self.root}/run/systemd/system", exist_ok=True)

    def rpm(self, *arguments, check=True):
        # Its own database; what it asks for are names of Fedora's packages.
        return run("rpm", "--root", self.root, "--nodeps", *arguments, check=check,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"})


class Life(unittest.TestCase):
    """Our own programs need a machine around them: stand-ins lie before them in the PATH of rpm's scripts."""
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sekimori-rpm-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.tree = Tree(self.folder)
        # rpm's scripts have the PATH /sbin:/bin:/usr/sbin:/usr/bin.
        os.makedirs(self.folder + "/sbin", exist_ok=True)
        for name in ("sekimori", "sekimorid", "sekimori-authd"):
            self.tree.write("sbin/" + name, STAND_IN, 0o755)

    def install(self, *options):
        return self.tree.rpm("-U", *options, rpm_of("sekimori"))

    def upgrade(self):
        return self.tree.rpm("-U", "--replacepkgs", rpm_of("sekimori"))

    def erase(self, check=True):
        return self.tree.rpm("-e", "sekimori", check=check)

    def gate(self):
        return self.tree.read("sys/module/usbcore/parameters/authorized_default").strip() + \
            self.tree.read("sys/bus/usb/devices/usb1/authorized_default").strip() + \
            self.tree.read("sys/bus/usb/devices/usb1/interface_authorized_default").strip()

    def assert_order(self, calls, *wanted):
        at = 0
        for text in wanted:
            found = next((i for i in range(at, len(calls)) if calls[i].startswith(text)), None)
            self.assertIsNotNone(found, f"{text!r} not in its place:\n" + "\n".join(calls))
            at = found + 1

    def test_closed_at_once_where_systemd_runs(self):
        self.tree.boot()
        result = self.install()
        # Debian's rpm warns of itself.
        self.assertEqual([line for line in (result.stdout + result.stderr).splitlines() if not line.startswith("rpm: ")], [])
        self.assert_order(
            self.tree.calls(), "systemd-sysusers sekimori.conf", "systemd-tmpfiles --create sekimori.conf",
            "sekimori-authd --create-key", "sekimorid --system-devices", "systemd-detect-virt", "sekimorid --close-gate",
            "systemctl --no-reload preset sekimori-gate.service sekimorid.service sekimori-authd.socket",
            "systemctl daemon-reload", "systemctl start sekimori-gate.service sekimorid.service", "dracut --force")
        self.assertEqual(self.tree.rpm("-V", "sekimori").stdout, "")

    def test_a_gate_that_does_not_close_is_told_and_the_rest_goes_on(self):
        self.tree.boot()
        self.tree.answer("sekimorid", "[ \"$1\" != --close-gate ] || exit 1")
        result = self.install()
        self.assertIn("the USB gate could not be closed completely", result.stdout + result.stderr)
        self.assert_order(self.tree.calls(), "systemctl start sekimori-gate.service")

    def test_nothing_is_started_in_an_image_or_a_container(self):
        result = self.install()
        self.assertIn("systemd does not run here", result.stdout + result.stderr)
        calls = self.tree.calls()
        self.assertFalse([call for call in calls if "close-gate" in call or "systemctl start" in call], calls)
        self.erase()
        self.assertEqual(self.gate(), "000", "in a chroot /sys is the host's")
        self.tree.boot()
        self.tree.answer("systemd-detect-virt", "exit 0")
        self.install()
        self.assertFalse([call for call in self.tree.calls() if "close-gate" in call])
        self.erase()
        self.assertEqual(self.gate(), "000")

    def test_an_upgrade_keeps_gate_login_and_configuration(self):
        self.tree.boot()
        self.install()
        self.tree.calls()
        self.tree.write("etc/sekimori/sekimori.conf", "# the office's own\n")
        self.tree.write("etc/sekimori/machine.key", "secret\n", 0o600)
        self.tree.write("usr/share/sekimori/here", "")
        self.upgrade()
        calls = self.tree.calls()
        self.assertEqual(self.gate(), "000")
        self.assertEqual(self.tree.read("etc/sekimori/sekimori.conf"), "# the office's own\n")
        for never in ("mfa disable", "disable --now", "sekimori-authd --create-key", "authselect select"):
            self.assertFalse([call for call in calls if never in call], calls)
        self.assert_order(calls, "sekimorid --close-gate")
        self.assertTrue([call for call in calls if call.startswith("systemctl try-restart sekimori-gate.service sekimorid")])
        self.assertIn("systemctl stop sekimori-authd.service", calls)

    def test_removal_takes_the_login_first_and_then_the_gate(self):
        self.tree.boot()
        self.install()
        self.tree.calls()
        self.tree.write("var/lib/sekimori/mfa/one", "")
        self.tree.write("var/log/sekimori/agent/00000001.jsonl", "{}\n")
        self.tree.write("etc/sekimori/machine.key", "secret\n", 0o600)
        self.tree.write("answers/dracut", "echo \"gate $(cat /sys/bus/usb/devices/usb1/authorized_default)\" >>/calls\n"
                        "[ ! -e /usr/lib/dracut/modules.d/90sekimori/module-setup.sh ] || echo still there >>/calls\n")
        result = self.erase()
        self.assertIn("USB devices are no longer checked", result.stdout + result.stderr)
        calls = self.tree.calls()
        self.assert_order(calls, "sekimori mfa disable --yes --unrecorded", "authselect current",
                          "systemctl --no-reload disable --now sekimorid.service", "dracut --force", "gate 1")
        self.assertNotIn("still there", calls, "the initramfs is made without the module")
        self.assertEqual(self.gate(), "111")
        for kept in ("var/lib/sekimori/mfa/one", "var/log/sekimori/agent/00000001.jsonl", "etc/sekimori/machine.key"):
            self.assertTrue(self.tree.has(kept), kept)
        for gone in ("usr/sbin/sekimorid", "usr/lib64/security/pam_sekimori.so", "usr/lib/udev/rules.d/72-sekimori.rules"):
            self.assertFalse(self.tree.has(gone), gone)

    def test_a_line_by_hand_stops_the_removal(self):
        self.tree.boot()
        self.install()
        for path, text, stops in (("etc/pam.d/x.rpmsave", "auth required pam_sekimori.so\n", False),
                                  ("etc/pam.d/y", "# auth required pam_sekimori.so\n", False),
                                  ("etc/pam.d/xrdp", "auth requisite pam_sekimori.so\n", True)):
            self.tree.write(path, text)
            if stops:
                result = self.erase(check=False)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("/etc/pam.d/xrdp", result.stdout + result.stderr)
                self.assertTrue(self.tree.has("usr/lib64/security/pam_sekimori.so"), "the module stays")
                self.assertEqual(self.gate(), "000")
        os.unlink(self.folder + "/etc/pam.d/xrdp")
        self.erase()
        self.assertFalse(self.tree.has("usr/lib64/security/pam_sekimori.so"))

    def test_the_other_packages_come_and_go(self):
        self.tree.boot()
        self.tree.rpm("-U", rpm_of("sekimori-collector"), rpm_of("sekimori-verify"), rpm_of("sekimori-selinux"))
        self.assertTrue(self.tree.has("usr/sbin/sekimori-store"))
        self.assertFalse([call for call in self.tree.calls() if "start" in call])
        self.tree.rpm("-e", "sekimori-collector", "sekimori-verify", "sekimori-selinux")
        self.assertFalse(self.tree.has("usr/sbin/sekimori-store"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--deb", required=True)
    parser.add_argument("--rpm", required=True)
    given, rest = parser.parse_known_args()
    FOLDERS.update(deb=os.path.abspath(given.deb), rpm=os.path.abspath(given.rpm))
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
