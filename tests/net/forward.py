#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The built sekimori-forward against a real rsyslogd: imrelp, TLS with a certificate on each side, Direct queues, and
a program behind omprog that confirms what it has synced. Terminal and collector are killed, certificates end, the
network is a black hole, strangers stand in for both sides; nothing may be lost, reordered or changed.

usage: forward.py SOURCE_DIR BUILD_DIR"""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

DEADLINE = 60
RECORDS = 30000  # of the stream "agent", beside a tenth of it of "auth"
SEGMENT = 1 << 20

STORE = """#!/usr/bin/env python3
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
end = os.fstat(fd).st_size
sys.stdout.write("OK\\n")
sys.stdout.flush()
for line in sys.stdin.buffer:
    os.write(fd, line)
    os.fdatasync(fd)
    sys.stdout.write("OK\\n")
    sys.stdout.flush()
"""

COLLECTOR = """
global(workDirectory="{folder}" maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off")
module(load="imrelp" tls.tlslib="openssl")
module(load="omprog")
template(name="raw" type="string" string="%app-name% %hostname% %msg%\\n")
ruleset(name="store" queue.type="Direct") {{
  action(type="omprog" binary="{folder}/store.py {folder}/stored" template="raw" queue.type="Direct"
         confirmMessages="on" confirmTimeout="10000" action.resumeRetryCount="-1" action.resumeInterval="1")
}}
input(type="imrelp" port="{port}" ruleset="store" maxDataSize="128k" tls="on" tls.caCert="{folder}/ca.pem"
      tls.myCert="{folder}/{cert}.pem" tls.myPrivKey="{folder}/{cert}.key" tls.authMode="name"
      tls.permittedPeer=["*.term.lab"])
action(type="omfile" file="{folder}/rsyslogd.log")
"""

CONFIG = """
terminal: {{ number = "PC 042"; }};
forward: {{
  host = "{host}"; port = "{port}"; name = "collector.lab"; start_jitter = "0s"; retry_first = "100ms";
  retry_max = "1s"; ca = "{folder}/trusted.pem"; cert = "{folder}/terminal.pem"; key = "{folder}/terminal.key";
}};
"""

CA = """
[ca]
default_ca = it
[it]
database = {folder}/{ca}.index
serial = {folder}/{ca}.serial
new_certs_dir = {folder}
certificate = {folder}/{ca}.pem
private_key = {folder}/{ca}.key
default_md = sha256
policy = any
x509_extensions = end
[any]
commonName = supplied
[end]
subjectAltName = DNS:{name}
extendedKeyUsage = {usage}
basicConstraints = CA:FALSE
"""


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def until(what, condition, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        # The other side is another program, and has no way to call us.
        time.sleep(0.02)


class Pki:
    def __init__(self, folder):
        self.folder = folder
        for ca in ("ca", "strangers"):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "3650", "-subj", "/CN=" + ca, "-keyout", f"{folder}/{ca}.key", "-out", f"{folder}/{ca}.pem")
            (folder / f"{ca}.index").write_text("")
            (folder / f"{ca}.serial").write_text("01\n")
            (folder / f"{ca}.index.attr").write_text("unique_subject = no\n")

    def issue(self, file, name, usage, ca="ca", start="20200101000000Z", end="20400101000000Z"):
        folder = self.folder
        config = folder / f"{file}.cnf"
        config.write_text(CA.format(folder=folder, ca=ca, name=name, usage=usage))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
            "-keyout", f"{folder}/{file}.key", "-out", f"{folder}/{file}.csr")
        run("openssl", "ca", "-batch", "-notext", "-config", str(config), "-startdate", start, "-enddate", end, "-in",
            f"{folder}/{file}.csr", "-out", f"{folder}/{file}.pem")


    def revoke(self, file):
        """A list of what is revoked, behind the authority's certificate, in the file that the forwarder trusts. Its next
        update is long over: nobody brings a new one to two thousand terminals each month, so it must count for good."""
        config, crl = str(self.folder / f"{file}.cnf"), self.folder / "crl.pem"
        run("openssl", "ca", "-config", config, "-revoke", f"{self.folder}/{file}.pem")
        run("openssl", "ca", "-config", config, "-gencrl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate",
            "20210101000000Z", "-out", str(crl))
        self.trust_bytes((self.folder / "ca.pem").read_bytes() + crl.read_bytes())

    def trust_bytes(self, text):
        (self.folder / "new.pem").write_bytes(text)
        os.replace(self.folder / "new.pem", self.folder / "trusted.pem")


class Collector:
    def __init__(self, folder):
        self.folder, self.process = folder, None
        store = folder / "store.py"
        store.write_text(STORE)
        store.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self, cert="collector"):
        (self.folder / "collector.conf").write_text(
            COLLECTOR.format(folder=self.folder, port=self.port, cert=cert))
        self.process = subprocess.Popen(
            ["/usr/sbin/rsyslogd", "-n", "-f", f"{self.folder}/collector.conf", "-i", f"{self.folder}/rsyslogd.pid"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        until("the collector listens", self.listens)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        """With all that it has started; nobody gets a word out."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stored(self):
        """The records of each stream as they were stored, in that order, and how many messages carried them."""
        streams, messages = {b"agent": [], b"auth": []}, 0
        file = self.folder / "stored"
        data = file.read_bytes() if file.exists() else b""
        for line in data[:data.rfind(b"\n") + 1].splitlines():
            app, terminal, records = line.split(b" ", 2)
            # A kill may tear a line in two; the next one is then joined to it, and both come again.
            if not app.startswith(b"sekimori-") or terminal != b"PC_042":
                continue
            if records == b"on":  # a sign of life carries no record
                continue
            messages += 1
            streams[app[len(b"sekimori-"):]] += records.split(b"\x1e")
        return streams, messages


class Terminal:
    def __init__(self, folder, program, port):
        self.folder, self.program, self.process = folder, program, None
        self.journal = folder / "journal"
        self.lines = {"agent": [], "auth": []}
        self.segment = {"agent": 1, "auth": 1}
        for name in ("log/agent", "log/auth", "state"):
            (folder / name).mkdir(parents=True)
        self.port = port
        self.configure("127.0.0.1")

    def configure(self, host):
        (self.folder / "new.conf").write_text(CONFIG.format(folder=self.folder, port=self.port, host=host))
        (self.folder / "new.conf").chmod(0o600)
        os.replace(self.folder / "new.conf", self.folder / "sekimori.conf")

    def write(self, stream, count):
        """As the daemons do: whole lines, one write, segments that are never touched again."""
        for _ in range(count):
            n = len(self.lines[stream]) + 1
            text = "𠮷㈱\u2028 DEL\x7f C1\x85 #%d " % n + "x" * (n % 300)
            line = b'{"time":1,"x":"%s \xff\xfe","skm":{"stream":"%s","n":%d,"b":"x"},"m":"%032x"}' % (
                text.encode(), stream.encode(), n, n * 0x9E3779B97F4A7C15)
            path = self.folder / "log" / stream / ("%08d.jsonl" % self.segment[stream])
            if path.exists() and path.stat().st_size > SEGMENT:
                self.segment[stream] += 1
                path = self.folder / "log" / stream / ("%08d.jsonl" % self.segment[stream])
            with open(path, "ab", buffering=0) as file:
                file.write(line + b"\n")
            self.lines[stream].append(line)

    def start(self):
        with open(self.journal, "ab") as journal:
            self.process = subprocess.Popen(
                [self.program, "--config", "sekimori.conf", "--log", "log", "--state", "state", "--control", "control"],
                cwd=self.folder, stderr=journal)

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def use(self, cert):
        for end in ("key", "pem"):
            shutil.copy(self.folder / f"{cert}.{end}", self.folder / f"new.{end}")
            os.replace(self.folder / f"new.{end}", self.folder / f"terminal.{end}")

    def says(self, text):
        """Since it was asked last."""
        return text in self.journal.read_text()

    def forget(self):
        self.journal.write_text("")


class Agent:
    """The agent's control socket: takes every notice and says that it is on record."""

    def __init__(self, folder):
        self.notices = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(folder / "control"))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            caller, _ = self.socket.accept()
            with caller:
                version, code, length = struct.unpack_from("<BBxxI", packet := caller.recv(4096))
                assert (version, code, length) == (1, 3, len(packet) - 8)
                self.notices.append(struct.unpack("<BBIQq", packet[8:]))
                caller.send(struct.pack("<BBxxI", 1, 0, 0))


class Scene:
    def __init__(self, folder, program):
        self.pki = Pki(folder)
        self.pki.issue("collector", "collector.lab", "serverAuth")
        self.pki.issue("good", "pc042.term.lab", "clientAuth")
        self.pki.trust_bytes((folder / "ca.pem").read_bytes())
        self.agent = Agent(folder)
        self.collector = Collector(folder)
        self.terminal = Terminal(folder, program, self.collector.port)
        self.terminal.use("good")

    def arrived(self):
        streams, _ = self.collector.stored()
        return all(len(set(streams[s.encode()])) >= len(lines) for s, lines in self.terminal.lines.items())

    def check(self, what):
        """Everything, byte for byte, and in order: a record may come again, but none before the one before it."""
        until(what + ": everything arrives", self.arrived)
        streams, messages = self.collector.stored()
        for stream, lines in self.terminal.lines.items():
            found = streams[stream.encode()]
            first = list(dict.fromkeys(found))
            assert first == lines, "%s: %s: %d of %d records, in this order, are not what was written" % (
                what, stream, sum(a != b for a, b in zip(first, lines)) + abs(len(first) - len(lines)), len(lines))
        total = sum(map(len, self.terminal.lines.values()))
        came = sum(map(len, streams.values()))
        print("%s: %d records, 0 lost, 0 reordered, %d came twice, %d messages" % (what, total, came - total, messages))

    def expect_nothing_new(self, what, said):
        """The forwarder has tried, says why it does not work, and nothing came."""
        before = (self.collector.folder / "stored").stat().st_size
        until(what + ": the journal says " + said, lambda: self.terminal.says(said))
        assert (self.collector.folder / "stored").stat().st_size == before, what + ": something was stored"
        print("%s: refused: %s" % (what, said))


def kills(scene):
    """Terminal and collector by turns, three times each, while records are written."""
    collector, terminal = scene.collector, scene.terminal

    def write():
        for _ in range(RECORDS // 100):
            terminal.write("agent", 100)
            terminal.write("auth", 10)

    collector.start()
    terminal.start()
    writer = threading.Thread(target=write)
    writer.start()
    size = lambda: (collector.folder / "stored").stat().st_size if (collector.folder / "stored").exists() else 0
    for round_number in range(3):
        for victim in (terminal, collector):
            before = size()
            until("something more arrives", lambda: size() > before)
            victim.kill()
            victim.start()
    writer.join()
    scene.check("terminal and collector killed three times each")


def outage(scene):
    """Written while the collector is away, then a clean end of the terminal, then everything is there again."""
    scene.collector.kill()
    scene.terminal.write("agent", 5000)
    assert scene.terminal.kill(signal.SIGTERM) == 0
    scene.terminal.start()
    scene.collector.start()
    scene.check("collector away, terminal ended and started")


def black_hole(scene):
    """The connection stands, but nobody answers: the cable is out. Then the terminal is shut down."""
    os.killpg(scene.collector.process.pid, signal.SIGSTOP)
    scene.terminal.write("agent", 200)
    assert scene.terminal.kill(signal.SIGTERM) == 0
    os.killpg(scene.collector.process.pid, signal.SIGCONT)
    scene.terminal.start()
    scene.check("black hole, then shutdown")


def ipv6(scene):
    """The collector has an address of IPv6; taken over by a reload, without a restart."""
    terminal = scene.terminal
    terminal.forget()
    terminal.configure("::1")
    terminal.process.send_signal(signal.SIGHUP)
    terminal.write("agent", 100)
    scene.check("a collector with an address of IPv6")
    assert terminal.says("connected to the collector ::1 port %d" % terminal.port), terminal.journal.read_text()
    terminal.configure("127.0.0.1")
    terminal.process.send_signal(signal.SIGHUP)
    terminal.write("auth", 10)
    scene.check("and back")


def stranger_collectors(scene):
    """Who shows no valid certificate of the collector gets nothing."""
    scene.pki.issue("expired", "collector.lab", "serverAuth", end="20210101000000Z")
    scene.pki.issue("future", "collector.lab", "serverAuth", start="20390101000000Z")
    scene.pki.issue("strange", "collector.lab", "serverAuth", ca="strangers")
    scene.pki.issue("misnamed", "other.lab", "serverAuth")
    scene.pki.issue("wildcard", "*.lab", "serverAuth")
    scene.pki.issue("client", "collector.lab", "clientAuth")
    scene.pki.issue("stolen", "collector.lab", "serverAuth")
    scene.pki.revoke("stolen")
    for cert, said in (("stolen", "revoked"), ("expired", "expired"), ("future", "not yet"), ("strange", "issuer"),
                       ("misnamed", "name"), ("wildcard", "name"), ("client", "purpose")):
        scene.collector.kill()
        scene.terminal.forget()
        scene.terminal.write("agent", 10)
        scene.collector.start(cert)
        scene.expect_nothing_new("collector's certificate " + cert, said)
        scene.collector.kill()
        scene.collector.start()
        scene.check("the collector's certificate renewed")


def terminal_certificates(scene):
    """A certificate of the terminal that the collector refuses, then a renewed one, without a restart."""
    scene.pki.issue("ended", "pc042.term.lab", "clientAuth", end="20210101000000Z")
    scene.pki.issue("rogue", "pc042.term.lab", "clientAuth", ca="strangers")
    scene.pki.issue("outsider", "pc042.elsewhere.lab", "clientAuth")
    pid = scene.terminal.process.pid
    for cert in ("ended", "rogue", "outsider"):
        scene.collector.kill()
        scene.terminal.use(cert)
        scene.terminal.forget()
        scene.terminal.write("auth", 10)
        scene.collector.start()
        scene.expect_nothing_new("terminal's certificate " + cert, "cannot receive")
        scene.terminal.use("good")
        scene.check("the terminal's certificate renewed")
    (scene.terminal.folder / "terminal.key").chmod(0o666)
    scene.collector.kill()
    scene.terminal.forget()
    scene.terminal.write("auth", 10)
    scene.collector.start()
    scene.expect_nothing_new("a key that everybody may write", "may write it")
    (scene.terminal.folder / "terminal.key").chmod(0o600)
    scene.check("the key mended")
    damaged_list(scene)
    assert scene.terminal.process.poll() is None and scene.terminal.process.pid == pid, "it was never restarted"


def damaged_list(scene):
    """A list of revoked certificates that cannot be read is not passed over."""
    whole = (scene.pki.folder / "trusted.pem").read_bytes()
    scene.collector.kill()
    scene.terminal.forget()
    scene.terminal.write("auth", 10)
    scene.pki.trust_bytes(whole[:whole.index(b"-----BEGIN X509 CRL-----") + 200])
    scene.collector.start()
    scene.expect_nothing_new("half a list of revoked certificates", "revoked certificates is damaged")
    scene.pki.trust_bytes(whole)
    scene.check("the list mended")


def warning(scene):
    """A certificate that ends in 20 days and an hour: said once, with its end, whatever is restarted."""
    end = int(time.time()) + 20 * 86400 + 3600
    scene.pki.issue("short", "pc042.term.lab", "clientAuth", end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)))
    assert scene.agent.notices == [(0, 0, 0, 0, 1609459200)], "the ended one alone: %s" % scene.agent.notices
    scene.agent.notices.clear()
    scene.terminal.use("short")
    for _ in range(2):
        scene.terminal.kill(signal.SIGTERM)
        scene.terminal.start()
        scene.terminal.write("agent", 1)
        scene.check("a certificate that ends soon")
    assert scene.agent.notices == [(0, 0, 30, 0, end)], scene.agent.notices
    (scene.terminal.folder / "log/agent" / ("%08d.jsonl" % scene.terminal.segment["agent"])).unlink()
    lost = 5
    scene.terminal.segment["agent"] += 1
    kept = scene.terminal.lines["agent"]
    scene.terminal.kill(signal.SIGTERM)
    scene.terminal.write("agent", lost)  # and removed before anybody read it
    (scene.terminal.folder / "log/agent" / ("%08d.jsonl" % scene.terminal.segment["agent"])).unlink()
    scene.terminal.segment["agent"] += 1
    scene.terminal.write("agent", 1)
    del kept[-lost - 1:-1]
    scene.terminal.start()
    scene.check("a file removed before it was sent")
    until("the loss is told", lambda: len(scene.agent.notices) == 2, 10)
    assert scene.agent.notices[1] == (1, 0, 0, lost, 0), scene.agent.notices


def main():
    program = pathlib.Path(sys.argv[2]).resolve() / "agent" / "sekimori-forward"
    with tempfile.TemporaryDirectory(prefix="sekimori-net-") as name:
        folder = pathlib.Path(name)
        os.umask(0o077)
        scene = Scene(folder, program)
        try:
            for act in (kills, outage, black_hole, ipv6, stranger_collectors, terminal_certificates, warning):
                act(scene)
            assert scene.terminal.kill(signal.SIGTERM) == 0
        except BaseException:
            sys.stderr.write(scene.terminal.journal.read_text()[-3000:])
            raise
        finally:
            for process in (scene.terminal.process, scene.collector.process):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()


if __name__ == "__main__":
    main()
