# SPDX-License-Identifier: Apache-2.0
"""A real collector in a temporary folder: certificates by sekimori-collector, rsyslogd, sekimori-store; and a RELP/TLS
client that behaves as a forwarder must: in order, a window, the place moves only on contiguous answers."""
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE_SEC = 60


def wait_for(what, check, seconds=DEADLINE_SEC):
    """Until `check` is true: asks again and again, and gives up by a deadline, never by a fixed pause."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Collector:
    def __init__(self, folder, binary, mail=None, state=None, address="127.0.0.1"):
        self.folder = folder
        self.binary = binary
        self.port = free_port()
        self.etc, self.log = folder + "/etc", folder + "/log"
        self.state = state or folder + "/state"
        self.process = None
        share = folder + "/share"
        os.makedirs(share)
        os.symlink(SOURCE + "/conf/collector/rsyslog.conf.in", share + "/rsyslog.conf.in")
        os.symlink(SOURCE + "/collector/load.sh", share + "/load.sh")
        os.symlink(SOURCE + "/collector/output.sh", share + "/output.sh")
        os.symlink(SOURCE + "/collector/sql", share + "/sql")
        # The store looks for sendmail where it is told; the configuration has no word for another place.
        self.store = folder + "/sekimori-store"
        with open(self.store, "w") as file:
            file.write('#!/bin/sh\nexec "%s" "$@" --sendmail "%s"\n' % (binary + "/collector/store/sekimori-store", folder + "/sendmail"))
        os.chmod(self.store, 0o755)
        self.environment = dict(
            os.environ,
            SEKIMORI_COLLECTOR_ETC=self.etc,
            SEKIMORI_COLLECTOR_STATE=self.state,
            SEKIMORI_COLLECTOR_LOG=self.log,
            SEKIMORI_COLLECTOR_SHARE=share,
            SEKIMORI_STORE=self.store,
            SEKIMORI_COLLECTOR_USER="",
            SEKIMORI_COLLECTOR_OUTPUT=binary + "/collector/output/sekimori-collector-output",
            SEKIMORI_COLLECTOR_OUTPUT_STATE=folder + "/output",
            LC_ALL="C",
        )
        arguments = ["init", "--name", "collector.test", "--address", address, "--port", str(self.port)]
        self.command(*arguments, *(["--mail", mail] if mail else []))

    def command(self, *arguments, expect=0, **environment):
        done = subprocess.run(
            [SOURCE + "/collector/sekimori-collector", *arguments],
            env=dict(self.environment, **environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if expect is not None and done.returncode != expect:
            raise AssertionError("%s: exit %d, not %s: %s%s" % (arguments, done.returncode, expect, done.stdout[-2000:], done.stderr))
        return done

    def add_terminal(self, number, *arguments):
        """The folder with its bundle."""
        archive = "%s/%s-%d.tar" % (self.folder, number, time.monotonic_ns())
        self.command("add-terminal", number, "--out", archive, *arguments)
        bundle = archive[:-4]
        os.mkdir(bundle)
        subprocess.run(["tar", "-xf", archive, "-C", bundle, "--no-same-owner"], check=True)
        return bundle

    def start(self):
        self.process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", self.etc + "/rsyslog.conf", "-i", self.folder + "/rsyslogd.pid"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("rsyslogd's port", self.is_listening)
        return self

    def is_listening(self):
        if self.process.poll() is not None:
            raise AssertionError("rsyslogd ended: " + self.read(self.log + "/rsyslogd.log"))
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    @staticmethod
    def read(path):
        try:
            with open(path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def store_pids(self):
        """The sekimori-store processes of this rsyslogd."""
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        found = []
        for task in os.listdir("/proc/%d/task" % self.process.pid):
            with open("/proc/%d/task/%s/children" % (self.process.pid, task)) as file:
                found += [int(pid) for pid in file.read().split()]
        return found

    def kill(self):
        """rsyslogd and the store at once, as a power cut would."""
        pids = [self.process.pid] + self.store_pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        # Orphans are somebody else's children: gone when they hold nothing any more.
        wait_for("the store's end", lambda: not any(is_alive(pid) for pid in pids))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE_SEC)
            wait_for("the store's end", self.is_unlocked)

    def is_unlocked(self):
        return subprocess.run(["flock", "-n", self.state + "/lock", "true"], check=False).returncode == 0

    def files(self, kind="records"):
        folder = self.state + "/" + kind
        return [folder + "/" + name for name in sorted(os.listdir(folder))]

    def stored(self, kind="records"):
        """Whole lines of all day files."""
        data = b""
        for path in self.files(kind):
            with open(path, "rb") as file:
                data += file.read()
        assert data == b"" or data.endswith(b"\n"), "a torn line"
        return data.split(b"\n")[:-1]


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Sender:
    """Sends messages in order, again from the last contiguous answer after every failure."""

    def __init__(self, port, bundle, messages, window=256, name="collector.test", minimum=ssl.TLSVersion.TLSv1_3,
                 address="127.0.0.1"):
        self.address = address
        self.port, self.name, self.window, self.messages = port, name, window, messages
        self.done = 0  # answered
        self.connections = 0
        self.context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=bundle + "/ca.pem")
        self.context.minimum_version = minimum
        self.context.load_cert_chain(bundle + "/terminal.pem", bundle + "/terminal.key")

    def connect(self):
        raw = socket.create_connection((self.address, self.port), 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self.context.wrap_socket(raw, server_hostname=self.name)
        self.socket.settimeout(20)
        self.buffer = b""
        offers = b"relp_version=0\nrelp_software=test\ncommands=syslog"
        self.socket.sendall(b"1 open %d %s\n" % (len(offers), offers))
        self.answer()
        self.number = 1
        self.connections += 1

    def fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise OSError("closed")
        self.buffer += data

    def answer(self):
        """The number and text of the next frame: TXNR SP COMMAND SP DATALEN [SP DATA] LF"""
        while True:
            words = self.buffer.split(b" ", 3)
            if len(words) == 4 and words[2].isdigit() and len(words[3]) > int(words[2]):
                length = int(words[2])
                self.buffer = words[3][length + 1:]
                if words[1] != b"rsp" or not words[3].startswith(b"200"):
                    raise OSError("refused: %r" % words[3][:80])
                return int(words[0]), words[3][:length]
            if self.buffer.startswith(b"0 serverclose"):
                raise OSError("serverclose")
            self.fill()

    def session(self, until):
        sent = self.done
        base = self.done
        while self.done < until:
            out = []
            while sent < until and sent - self.done < self.window:
                message = self.messages[sent]
                out.append(b"%d syslog %d %s\n" % (sent - base + 2, len(message), message))
                sent += 1
            if out:
                self.socket.sendall(b"".join(out))
            number, _ = self.answer()
            assert number == self.done - base + 2, "answers out of order"
            self.done += 1

    def send(self, until=None, seconds=DEADLINE_SEC):
        """All (or the first `until`) messages are answered afterwards, whatever happens in between."""
        until = len(self.messages) if until is None else until
        end = time.monotonic() + seconds
        while self.done < until:
            try:
                self.connect()
                self.session(until)
            except (OSError, ssl.SSLError) as error:
                if time.monotonic() > end:
                    raise AssertionError("not sent: %s" % error) from error
                time.sleep(0.02)
            finally:
                if getattr(self, "socket", None):
                    self.socket.close()
        return self

    def once(self):
        """One attempt; raises."""
        self.connect()
        self.session(len(self.messages))


class Postgres:
    """A server of its own, run by somebody without rights."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.port = free_port()
        versions = sorted(os.listdir("/usr/lib/postgresql"), key=int)
        self.programs = "/usr/lib/postgresql/%s/bin/" % versions[-1]
        self.user = None
        if os.geteuid() == 0:
            self.user = "postgres"
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)
        self.environment = dict(os.environ, PGHOST=folder, PGPORT=str(self.port), PGUSER="postgres", PGDATABASE="postgres")
        self.run("initdb", "-D", folder + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def run(self, program, *arguments):
        command = [self.programs + program, *arguments]
        if self.user:
            command = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def start(self):
        options = "-c listen_addresses= -c port=%d -c unix_socket_directories=%s -c fsync=off" % (self.port, self.folder)
        self.run("pg_ctl", "-D", self.folder + "/data", "-l", self.folder + "/log", "-o", options, "-w", "start")

    def stop(self):
        self.run("pg_ctl", "-D", self.folder + "/data", "-m", "immediate", "-w", "stop")

    def ask(self, question):
        done = subprocess.run(
            ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", question], env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
