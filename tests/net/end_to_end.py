#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything together, with nothing imitated between the record and the verdict: lib/stream writes, sekimori-forward
sends with the bundle that "sekimori-collector add-terminal" made, a real rsyslogd and sekimori-store take it in,
sekimori-verify judges what arrived. The terminal and the collector are killed three times each; then somebody changes
a byte.

usage: end_to_end.py SOURCE_DIR BUILD_DIR"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DEADLINE_SEC, SOURCE, Collector, free_port, wait_for  # noqa: E402

STREAMS = {"agent": int(os.environ.get("SEKIMORI_NET_RECORDS", "20000")) * 9 // 10,
           "auth": int(os.environ.get("SEKIMORI_NET_RECORDS", "20000")) // 10}
MAC = re.compile('"m":"([0-9a-f]{32})"')
NAME = "住民課_042"
TRUNCATED, EDIT = 15, 19  # sekimori-verify(1)


class Terminal:
    """The writers of both streams and the forwarder, which starts behind the command `network`."""

    def __init__(self, folder, build, number, verifier_key, streams=None, network=()):
        self.folder, self.build, self.number, self.verifier_key = folder, build, number, verifier_key
        self.streams, self.network, self.more = streams or STREAMS, network, []
        self.processes = []
        for name in ("log/agent", "log/auth", "chain/agent", "chain/auth", "state", "forward", "bin"):
            os.makedirs(folder + "/" + name)
        # The file that is shipped, with the one thing in it that an administrator writes.
        shutil.copy(SOURCE + "/conf/sekimori.conf", folder + "/sekimori.conf")
        with open(folder + "/sekimori.conf", "a") as file:
            file.write('terminal: { number = "%s"; };\n' % number)
        for name, line in (("sekimori", 'exec "%s/agent/sekimori" "$@" --daemon "%s/agent/sekimorid" "%s/sekimori.conf"' % (build, build, folder)),
                           ("systemctl", 'echo "$*" >>"%s/systemctl"' % folder)):
            with open(folder + "/bin/" + name, "w") as file:
                file.write("#!/bin/sh\n%s\n" % line)
            os.chmod(folder + "/bin/" + name, 0o755)

    def configure(self, told, bundle):
        """What add-terminal has told to do, to the letter, but in this folder instead of /etc/sekimori."""
        commands = [line.strip() for line in told.splitlines() if line.startswith("  ")]
        assert len(commands) == 4, told
        shutil.copy(bundle, self.folder)
        subprocess.run(["sh", "-ec", "\n".join(commands).replace("/etc/sekimori", self.folder)], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, env=dict(os.environ, PATH=self.folder + "/bin:" + os.environ["PATH"]))
        assert Collector.read(self.folder + "/systemctl") == "reload sekimorid sekimori-forward\n"
        assert not os.path.exists(self.folder + "/" + os.path.basename(bundle)), "the bundle is still there"
        modes = {name: os.stat(self.folder + "/forward/" + name).st_mode & 0o777 for name in os.listdir(self.folder + "/forward")}
        assert modes == {"ca.pem": 0o644, "terminal.pem": 0o644, "terminal.key": 0o640}, modes
        listed = subprocess.run(["tar", "-tvf", bundle], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert listed.count("root/sekimori-forward") == 4, listed
        # Where the package would have found them, and without its patience.
        text = Collector.read(self.folder + "/sekimori.conf")
        more = "".join('  %s = "%s/forward/%s";\n' % (key, self.folder, file) for key, file in
                       (("ca", "ca.pem"), ("cert", "terminal.pem"), ("key", "terminal.key")))
        for key, file in (("ca", "ca.pem"), ("cert", "terminal.pem"), ("key", "terminal.key")):
            assert '#  %s = "/etc/sekimori/forward/%s";' % (key, file) in text, "the default is another place"
        more += '  start_jitter = "0s"; retry_first = "100ms"; retry_max = "1s";\n'
        with open(self.folder + "/sekimori.conf", "w") as file:
            file.write(text.replace("\nforward: {\n", "\nforward: {\n" + more))

    def start(self, part):
        """Goes on until `part` (0..1) of the records is written."""
        self.writers = [self.start_writer(stream, int(count * part)) for stream, count in self.streams.items()]
        self.start_forwarder()

    def start_writer(self, stream, count):
        writer = subprocess.Popen(
            [self.build + "/tests/chain_writer", "%s/log/%s" % (self.folder, stream), "%s/chain/%s/chain" % (self.folder, stream),
             stream, self.number, self.verifier_key, str(count), *self.more], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(writer)
        return writer

    def start_forwarder(self):
        with open(self.folder + "/journal", "ab") as journal:
            self.forwarder = subprocess.Popen(
                [*self.network, self.build + "/agent/sekimori-forward", "--config", "sekimori.conf", "--log", "log", "--state", "state",
                 "--control", "control"], cwd=self.folder, stderr=journal)
        self.processes.append(self.forwarder)

    def kill(self):
        """Whatever each of them is doing."""
        for process in (*self.writers, self.forwarder):
            process.kill()
            assert process.wait() == -signal.SIGKILL, "it ended by itself: %d" % process.returncode

    @staticmethod
    def finish(*writers):
        """All is written, then an orderly stop of the writers."""
        for writer in writers:
            assert writer.stdout.readline(), "a writer ended early"
            writer.stdin.close()
            assert writer.wait(DEADLINE_SEC) == 0

    def segments(self, stream):
        return sorted(glob.glob("%s/log/%s/*.jsonl" % (self.folder, stream)))

    def lines(self, stream):
        found = []
        for path in self.segments(stream):
            with open(path, "rb") as file:
                found += file.read().split(b"\n")[:-1]
        return found

    def sealed(self):
        """Both streams' keys in one file, as sekimori-verify(1) says."""
        with open(self.folder + "/pc-042.sealed", "w") as file:
            file.write("".join(map(Collector.read, glob.glob(self.folder + "/chain/*/chain.sealed"))))
        return ["--sealed", self.folder + "/pc-042.sealed"]


class Scene:
    def __init__(self, folder, build, address="127.0.0.1", **terminal):
        self.folder, self.build = folder, build
        self.verify_program = build + "/collector/verify/sekimori-verify"
        self.collector = Collector(folder + "/collector", build, address=address)
        self.collector.environment["SEKIMORI_VERIFY"] = self.verify_program
        self.key = folder + "/verifier.key"
        public = json.loads(self.run(0, self.verify_program, "--json", "--new-key", self.key).stdout)["public_key"]
        # A blank is no part of a name: the terminal sends it as "_", and so it is in the collector's list.
        self.terminal = Terminal(folder + "/terminal", build, "住民課 042", public, **terminal)
        bundle = folder + "/bundle.tar"
        told = self.collector.command("add-terminal", NAME, "--out", bundle).stdout
        self.terminal.configure(told, bundle)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Whatever happened, no process outlives it; a failure shows what each of them said."""
        if kind:
            for path in (self.terminal.folder + "/journal", self.collector.log + "/rsyslogd.log", self.collector.log + "/store.log"):
                sys.stderr.write("--- %s\n%s" % (os.path.basename(path), Collector.read(path)[-3000:]))
        for process in self.terminal.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        if self.collector.process and self.collector.process.poll() is None:
            self.collector.kill()

    @staticmethod
    def run(expect, *words):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="C"))
        assert done.returncode == expect, "%s: exit %d, not %d\n%s%s" % (words, done.returncode, expect, done.stdout[-2000:], done.stderr)
        return done

    def keys(self):
        return ["--key", self.key, *self.terminal.sealed()]

    def verify_collected(self, expect, *words):
        """As the administrator of the collector asks."""
        return json.loads(self.collector.command("verify", "--json", *words, expect=expect).stdout)

    def bytes_stored(self):
        return sum(os.path.getsize(path) for path in glob.glob(self.collector.state + "/records/*"))

    def by_chain(self):
        """The stream of each line is its own word, at its end."""
        streams = {stream: [] for stream in STREAMS}
        for line in self.collector.stored():
            streams[json.loads(line)["skm"]["stream"]].append(line)
        return streams


class Stock:
    """What is usually done instead: imfile and omrelp at the terminal, imrelp and omfile at the collector."""

    def __init__(self, folder, log_folder):
        self.folder, self.log_folder, self.port = folder, log_folder, free_port()
        self.processes = []
        for name in ("here", "there"):
            os.makedirs(folder + "/" + name)
        with open(folder + "/here.conf", "w") as file:
            file.write("""global(workDirectory="%s/here")
module(load="imfile")
module(load="omrelp")
input(type="imfile" file="%s/agent/*.jsonl" tag="sekimori" ruleset="forward")
ruleset(name="forward") {
    action(type="omrelp" target="127.0.0.1" port="%d" queue.type="LinkedList" action.resumeRetryCount="-1" action.resumeInterval="1")
}
""" % (folder, log_folder, self.port))
        with open(folder + "/there.conf", "w") as file:
            file.write("""global(workDirectory="%s/there")
module(load="imrelp")
template(name="line" type="string" string="%%msg%%\\n")
input(type="imrelp" port="%d" ruleset="store")
ruleset(name="store") { action(type="omfile" file="%s/stored" template="line") }
""" % (folder, self.port, folder))

    def start(self, name):
        process = subprocess.Popen(["rsyslogd", "-n", "-f", "%s/%s.conf" % (self.folder, name), "-i", "%s/%s.pid" % (self.folder, name)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def stored(self):
        return set(MAC.findall(Collector.read(self.folder + "/stored")))

    def is_drained(self):
        """Nothing of a connection that was left is still to be read."""
        local = ":%04X " % self.port
        return not any(local in line[:line.index(" ", 8) + 1] and line.split()[3] == "08"
                       for line in Collector.read("/proc/net/tcp").splitlines()[1:])

    @staticmethod
    def has_read(process, path):
        """imfile stands at the end of the file; it has it open twice."""
        end = "pos:\t%d\n" % os.path.getsize(path)
        for link in glob.glob("/proc/%d/fd/*" % process.pid):
            try:
                if os.readlink(link) == path and end in Collector.read(link.replace("/fd/", "/fdinfo/")):
                    return True
            except FileNotFoundError:
                continue
        return False


def black_hole(scene):
    """The cable is out, records are written, the terminal is shut down, started again, and the cable is back. Beside it,
    fed by the same segments, the stock way."""
    terminal, collector = scene.terminal, scene.collector
    stock = Stock(scene.folder + "/stock", terminal.folder + "/log")
    macs = lambda: MAC.findall("".join(line.decode(errors="replace") for line in terminal.lines("agent")))
    ours = lambda: set(MAC.findall("".join(map(Collector.read, glob.glob(collector.state + "/records/*")))))
    collector.start()
    there = stock.start("there")
    try:
        terminal.finish(terminal.start_writer("agent", 100))
        terminal.start_forwarder()
        here = stock.start("here")
        for name, stored in (("ours", ours), ("stock", stock.stored)):
            wait_for("what was there before, " + name, lambda: stored() >= set(macs()))
        hole = [there.pid, collector.process.pid, *collector.store_pids()]
        for pid in hole:
            os.kill(pid, signal.SIGSTOP)
        before = len(macs())
        terminal.finish(terminal.start_writer("agent", 600))
        wait_for("imfile's reading", lambda: stock.has_read(here, terminal.segments("agent")[-1]))
        here.terminate()
        terminal.forwarder.terminate()
        assert terminal.forwarder.wait(DEADLINE_SEC) == 0
        try:
            here.wait(20)
        except subprocess.TimeoutExpired:
            here.kill()  # as the end of a shutdown does
            here.wait()
        written = macs()
        for pid in hole:
            os.kill(pid, signal.SIGCONT)
        terminal.start_forwarder()
        here = stock.start("here")
        terminal.finish(terminal.start_writer("agent", 700))
        wait_for("the last record, ours", lambda: ours() >= set(macs()))
        wait_for("the last record, stock", lambda: macs()[-1] in stock.stored())
        wait_for("what stock still has in hand", stock.is_drained)
        lost = len(set(written) - stock.stored())
        terminal.forwarder.terminate()
        assert terminal.forwarder.wait(DEADLINE_SEC) == 0
        here.terminate()
        print("cable out, %d records, shutdown, start, cable in: 0 lost; imfile and omrelp beside it: %d lost" % (len(written) - before, lost))
    finally:
        for process in stock.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def kills(scene):
    """Terminal and collector by turns, three times each, while records are written and sent."""
    terminal, collector = scene.terminal, scene.collector
    for part in (1, 2, 3):
        terminal.start(part / 3)
        for victim in (terminal, collector):
            before = scene.bytes_stored()
            wait_for("something more to arrive", lambda: scene.bytes_stored() > before)
            victim.kill()
            if victim is collector:
                collector.start()
            else:
                terminal.start(part / 3)
        if part < 3:
            terminal.kill()
    terminal.finish(*terminal.writers)


def arrived(scene):
    terminal = scene.terminal
    wanted = {stream: terminal.lines(stream) for stream in STREAMS}
    total = sum(map(len, wanted.values()))
    wait_for("all records", lambda: len(scene.collector.stored()) >= total, 120)
    terminal.forwarder.terminate()
    assert terminal.forwarder.wait(DEADLINE_SEC) == 0, "the forwarder's end"
    scene.collector.stop()
    found = scene.by_chain()
    for stream, lines in wanted.items():
        assert len(lines) >= STREAMS[stream]
        assert len(set(lines)) == len(lines)
        assert found[stream] == lines, "%s: %d stored, %d written; lost, twice, changed or out of order" % (
            stream, len(found[stream]), len(lines))
    aside = scene.collector.stored("aside")
    assert aside == [], aside[:3]
    rows = {row["stream"]: row for row in json.loads(scene.collector.command("status", "--json", expect=1).stdout)}
    assert sorted(rows) == sorted(wanted), rows
    for stream, lines in wanted.items():
        row = rows[stream]
        assert (row["terminal"], row["complete_to"], row["last"]) == (NAME, len(lines), len(lines)), row
        assert (row["missing"], row["forks"], row["edits"], row["lost_at_terminal"]) == (0, 0, 0, 0), row
        assert row["state"] == "unwatched" and row["certificate_days"] > 800, row    # the collector has been stopped
    print("terminal and collector killed three times each: %d records in %d segments, 0 lost, 0 twice, 0 reordered; %d came twice"
          " and were dropped" % (total, sum(len(terminal.segments(stream)) for stream in STREAMS),
                                 sum(row["duplicates"] for row in rows.values())))
    return wanted


def proved(scene, wanted):
    """At the terminal and at the collector, by the same program."""
    day_files = scene.collector.files()
    for words in (["--mixed", *scene.keys(), *day_files], [*scene.keys(), scene.terminal.folder + "/log"]):
        done = scene.run(0, scene.verify_program, *words)
        for lines in wanted.values():
            assert "records 1..%s complete and verified" % format(len(lines), ",") in done.stdout, done.stdout
    result = scene.verify_collected(0, *scene.keys())
    assert result["complete"] is True and result["exit"] == 0, result
    chains = [chain for stream in result["streams"] for chain in stream["chains"]]
    assert [chain["unwitnessed"] for chain in chains] == [0, 0], chains  # the store's watermarks were given
    # Without the key it is not proven, and said so by the exit status.
    assert scene.verify_collected(3)["complete"] is False
    assert scene.verify_collected(0, "--chain-only")["exit"] == 0
    scene.collector.command("verify", "--frob", expect=2)
    # Without the state it is said what cannot be seen, and the rest is verified.
    os.rename(scene.collector.state + "/state", scene.collector.state + "/elsewhere")
    assert "cannot read the watermarks" in scene.collector.command("verify", *scene.keys(), expect=0).stderr
    os.rename(scene.collector.state + "/elsewhere", scene.collector.state + "/state")
    print("proved at both ends: complete and verified, up to the store's watermarks")


def change_byte(path, line_number):
    """One letter of one record's class; returns what puts it right again."""
    with open(path, "rb") as file:
        data = file.read()
    lines = data.split(b"\n")
    at = sum(len(line) + 1 for line in lines[:line_number - 1]) + lines[line_number - 1].index(b'"class_name":"') + 15
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ 1]))
    return data


def named(result, path, line_number, record):
    """What, in which file and line, which record; and nothing else."""
    findings = [finding for stream in result["streams"] for finding in stream["findings"]]
    assert [(finding["kind"], finding["file"], finding["line"], finding["first"], finding["last"]) for finding in findings] == [
        ("EDIT", path, line_number, record, record)], findings


def tampered(scene, wanted):
    day_file = scene.collector.files()[0]
    stored = scene.collector.stored()
    line_number = len(stored) // 2
    record = json.loads(stored[line_number - 1])["skm"]
    untouched = change_byte(day_file, line_number)
    named(scene.verify_collected(EDIT, *scene.keys()), day_file, line_number, record["n"])
    # The newest records cut off: genuine and unbroken, but the state has seen more.
    with open(day_file, "wb") as file:
        file.write(b"\n".join(untouched.split(b"\n")[:-30]) + b"\n")
    scene.verify_collected(TRUNCATED, *scene.keys())
    with open(day_file, "wb") as file:
        file.write(untouched)
    assert scene.verify_collected(0, *scene.keys())["complete"] is True

    segment = scene.terminal.segments("agent")[1]
    untouched = change_byte(segment, 5)
    with open(segment, "rb") as file:
        record = json.loads(file.read().split(b"\n")[4])["skm"]
    done = scene.run(EDIT, scene.verify_program, "--json", *scene.keys(), scene.terminal.folder + "/log")
    named(json.loads(done.stdout), segment, 5, record["n"])
    print("a changed byte in a day file, a cut day file, a changed record in a segment: each named")


def main():
    build = os.path.realpath(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="sekimori-net-") as folder:
        os.umask(0o022)
        with Scene(folder, build) as scene:
            black_hole(scene)
            kills(scene)
            wanted = arrived(scene)
            proved(scene, wanted)
            tampered(scene, wanted)


if __name__ == "__main__":
    main()
