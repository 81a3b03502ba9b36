#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""100,000 records in every way in which collections lose some, each way a run of its own: lib/stream writes,
sekimori-forward sends out of a network of its own through a cable that can be pulled, rsyslogd and sekimori-store take
in, PostgreSQL is loaded, disks fill up, certificates end by the clock. After each: what the collector keeps is, byte for
byte, in order and once, what the terminal wrote, and sekimori-verify proves it. Beside it the usual rsyslog with omrelp
and the same lines, where it can take part; what became of them is shown in the table, not judged.

Apart from end_to_end.py, which shows the administrator's way from the bundle to the named edit, this one asks the same
question over and over. Moments are chosen by how much has arrived, never by a pause.

usage: trail.py SOURCE_DIR BUILD_DIR [MODE...]      (root: mounts and networks are its own and end with it)"""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from end_to_end import NAME, Scene  # noqa: E402
from harness import DEADLINE_SEC, SOURCE, Collector, Postgres, wait_for  # noqa: E402
from rival import Rival  # noqa: E402

RECORDS = int(os.environ.get("SEKIMORI_NET_RECORDS", "100000"))
STREAMS = {"agent": RECORDS * 9 // 10, "auth": RECORDS // 10}
RECORD_BYTES = 1500         # about
GROUP = "32"                # records between two syncs of the terminal
LONG_SEC = 180              # for what takes a quiet machine seconds
HERE, THERE = "10.233.0.2", "10.233.0.1"
SHORT_LIFE_SEC = 4
COLLECTOR_COMMAND = SOURCE + "/collector/sekimori-collector"


class Cable:
    """The terminal's network, and the cable to the collector's, which is this process's."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        here = os.readlink("/proc/self/ns/net")
        wait_for("the terminal's network", lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid) != here)
        self.inside = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]
        for words in ("ip link set lo up", "ip link add cable type veth peer name plug netns %d" % self.holder.pid,
                      "ip address add %s/30 dev cable" % THERE, "ip link set cable up"):
            subprocess.run(words.split(), check=True)
        for words in ("ip link set lo up", "ip address add %s/30 dev plug" % HERE, "ip link set plug up"):
            subprocess.run([*self.inside, *words.split()], check=True)

    @staticmethod
    def pull():
        subprocess.run(["ip", "link", "set", "cable", "down"], check=True)

    @staticmethod
    def plug():
        subprocess.run(["ip", "link", "set", "cable", "up"], check=True)

    def end(self):
        self.holder.stdin.close()
        self.holder.wait()


def mount(stack, place, *words):
    """Until the end of the run."""
    subprocess.run(["mount", *words, place], check=True)
    stack.callback(subprocess.run, ["umount", "-l", place], check=True)


class Disk:
    """A small one under a folder, until it is made bigger."""

    def __init__(self, folder, part, stack):
        self.folder = folder
        size = int(RECORDS * RECORD_BYTES * part) + (1 << 20)
        mount(stack, folder, "-t", "tmpfs", "-o", "size=%d" % size, "none")

    def free(self):
        subprocess.run(["mount", "-o", "remount,size=%d" % (RECORDS * RECORD_BYTES * 4 + (8 << 20)), self.folder], check=True)


class Trail(Scene):
    def __init__(self, folder, build, cable):
        super().__init__(folder, build, address=THERE, streams=STREAMS, network=cable.inside)
        self.cable = cable
        self.terminal.more = [GROUP]
        self.stack, self.after = None, None  # what ends with the run; what else is to be judged

    # ---- what arrives

    def reset(self):
        self.after = lambda: None
        for name in ("log/agent", "log/auth", "chain/agent", "chain/auth", "state"):
            shutil.rmtree("%s/%s" % (self.terminal.folder, name), ignore_errors=True)
            os.makedirs("%s/%s" % (self.terminal.folder, name))
        for path in glob.glob(self.collector.state + "/*"):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for path in (self.terminal.folder + "/journal", *glob.glob(self.collector.log + "/*")):
            open(path, "w").close()

    def count(self):
        """About: by the bytes."""
        return self.bytes_stored() // RECORD_BYTES

    def wait_part(self, part):
        wait_for("%d %% of the records" % (part * 100), lambda: self.count() >= RECORDS * part, LONG_SEC)

    def write_all(self):
        """What is still to be written, and the orderly stop of who writes."""
        self.terminal.finish(*self.terminal.writers)

    def shut_down(self):
        assert self.terminal.forwarder.poll() is None, "the forwarder ended by itself"
        self.terminal.forwarder.terminate()
        assert self.terminal.forwarder.wait(DEADLINE_SEC) == 0, "the forwarder's end"

    def forget(self):
        open(self.terminal.folder + "/journal", "w").close()

    def says(self, word):
        return word in Collector.read(self.terminal.folder + "/journal")

    def expect_refusal(self, what, word, journal=None):
        """Of a collector that begins now: the forwarder has tried, its journal or the collector's says why not, and
        nothing came."""
        journal = journal or self.terminal.folder + "/journal"
        open(journal, "w").close()
        before = self.bytes_stored()
        self.collector.start()
        wait_for("%s: the journal to say: %s" % (what, word), lambda: word in Collector.read(journal))
        assert self.bytes_stored() == before, what + ": something was stored"

    # ---- the verdict

    def wanted(self, stream):
        for path in self.terminal.segments(stream):
            with open(path, "rb") as file:
                yield from file

    def found(self, stream):
        mark = b'"skm":{"stream":"%s",' % stream.encode()
        for path in self.collector.files():
            with open(path, "rb") as file:
                yield from (line for line in file if mark in line)

    def judge(self):
        """Nothing is lost, double, changed or out of order; the number of those that came twice and were dropped."""
        lengths = {stream: sum(1 for _ in self.wanted(stream)) for stream in STREAMS}
        bytes_written = sum(os.path.getsize(path) for stream in STREAMS for path in self.terminal.segments(stream))
        try:
            wait_for("all records", lambda: self.bytes_stored() >= bytes_written, LONG_SEC)
        except AssertionError as error:
            raise AssertionError("%s: %d bytes stored, %d written" % (error, self.bytes_stored(), bytes_written)) from error
        self.shut_down()
        self.collector.stop()
        for stream, length in lengths.items():
            assert length >= STREAMS[stream], "%s: only %d written" % (stream, length)
            found = self.found(stream)
            for number, line in enumerate(self.wanted(stream), 1):
                assert next(found, b"") == line, "%s: what stands at the place of record %d is not it" % (stream, number)
            assert next(found, None) is None, "%s: more than was written" % stream
        assert self.bytes_stored() == bytes_written, "something else is among the records"
        assert self.collector.stored("aside") == []
        # The store's words, which rsyslogd would not hand on.
        assert not glob.glob(self.folder + "/sanitizer.*"), Collector.read(glob.glob(self.folder + "/sanitizer.*")[0])[:3000]
        rows = {row["stream"]: row for row in json.loads(self.collector.command("status", "--json", expect=1).stdout)}
        for stream, length in lengths.items():
            row = rows[stream]
            assert (row["terminal"], row["complete_to"], row["last"]) == (NAME, length, length), row
            assert (row["missing"], row["forks"], row["edits"], row["lost_at_terminal"]) == (0, 0, 0, 0), row
        result = self.verify_collected(0, *self.keys())
        assert result["complete"] is True, result
        chains = [chain for stream in result["streams"] for chain in stream["chains"]]
        proved = {chain["stream"]: (chain["first"], chain["last"], chain["complete"], chain["macs_checked"], chain["unwitnessed"])
                  for chain in chains}
        assert len(chains) == len(lengths) and proved == {
            stream: (1, length, True, True, 0) for stream, length in lengths.items()}, result
        self.after()
        return sum(lengths.values()), sum(row["duplicates"] for row in rows.values())

    def seen(self, pattern):
        """What of it stands in the records, each once, in their order."""
        return list(dict.fromkeys(re.findall(pattern, b"".join(self.wanted("agent")))))


# ---- the ways: ours, and the rival's

def kill_by_turns(scene, *names):
    """Whatever they are doing; the writers go on writing all the time."""
    scene.collector.start()
    scene.terminal.start(1)
    for part, name in enumerate(names, 1):
        scene.wait_part(part / (len(names) + 1))
        if name == "collector":
            scene.collector.kill()
            scene.collector.start()
        else:
            scene.terminal.kill()
            scene.terminal.start(1)
    scene.write_all()


def rival_killed_by_turns(rival, *names):
    rival.feed(1)
    rival.start("there")
    rival.start("here")
    for part, name in enumerate(names, 1):
        rival.wait_part(part / (len(names) + 1))
        name = "there" if name == "collector" else "here"
        rival.kill(name)
        rival.start(name)


def cable_out(scene):
    """Half has been sent; the cable is out, the other half is written, the terminal is shut down; then all is well again."""
    scene.collector.start()
    scene.terminal.start(1 / 2)
    scene.wait_part(1 / 4)
    scene.cable.pull()
    scene.write_all()
    scene.terminal.finish(*[scene.terminal.start_writer(stream, count) for stream, count in STREAMS.items()])
    scene.shut_down()
    assert scene.count() < RECORDS * 3 / 5, "they came without a cable"
    scene.cable.plug()
    scene.terminal.start_forwarder()


def rival_cable_out(rival, scene):
    rival.feed(1 / 2)
    rival.start("there")
    rival.start("here")
    rival.wait_part(1 / 4)
    scene.cable.pull()
    rival.feed(1)
    rival.wait_quiet("here")  # all is in the queues on its disk that will ever get there
    rival.stop("here")
    scene.cable.plug()
    rival.start("here")


def two_weeks(scene):
    """Nobody takes anything until all is written; the terminal is shut down each evening and started each morning."""
    days = 10
    for day in range(1, days + 1):
        scene.forget()
        scene.terminal.start(day / days)
        scene.write_all()
        wait_for("an attempt", lambda: scene.says("cannot send records"))
        scene.shut_down()
    scene.collector.start()
    scene.terminal.start_forwarder()


def boot(scene):
    """The kernel's word that it is another one."""
    path = "%s/boot_id.%s" % (scene.folder, uuid.uuid4())
    with open(path, "w") as file:
        file.write(str(uuid.uuid4()) + "\n")
    mount(scene.stack, "/proc/sys/kernel/random/boot_id", "--bind", path)


def reboots(scene):
    """Of both sides: an orderly one in the evening, then one by the reset button."""
    scene.collector.start()
    scene.terminal.start(1 / 3)
    scene.write_all()
    scene.shut_down()
    scene.collector.stop()
    boot(scene)
    scene.collector.start()
    scene.terminal.start(1)
    scene.wait_part(1 / 2)
    scene.terminal.kill()
    scene.collector.kill()
    boot(scene)
    scene.collector.start()
    scene.terminal.start(1)
    scene.write_all()
    boots = scene.seen(rb'"b":"([0-9a-f]{32})","bn":([0-9]+)')
    assert [number for _, number in boots] == [b"1", b"2", b"3"] and len({boot_id for boot_id, _ in boots}) == 3, boots


def terminal_disk_full(scene):
    """The records, the chain's state and the forwarder's place share the disk. While it is full more happens, and the
    forwarder dies; what happened waits in memory and is on record when there is room."""
    terminal = scene.terminal
    places = [terminal.folder + "/" + name for name in ("log", "chain", "state")]
    small = terminal.folder + "/small"
    os.makedirs(small, exist_ok=True)
    disk = Disk(small, 1 / 2, scene.stack)
    for place in places:
        shutil.copytree(place, small + "/" + os.path.basename(place))
        mount(scene.stack, place, "--bind", small + "/" + os.path.basename(place))
    scene.collector.start()
    terminal.start(1)
    said = terminal.writers[0].stdout.readline()
    assert said == b"full\n", "the disk was never full: %r" % said
    terminal.forwarder.kill()
    terminal.forwarder.wait()
    terminal.start_forwarder()
    scene.wait_part(1 / 4)
    disk.free()
    scene.write_all()
    counts = [int(number) for number in scene.seen(rb'"detail":"([0-9]+) [^a-z]')]
    missing = [number for number, count in enumerate(counts) if number != count]
    assert not missing and len(counts) > STREAMS["agent"] * 9 // 10, (len(counts), missing[:1], counts[-1])
    events = scene.seen(rb'"event":"(LOG_[A-Z]+)"')
    assert events == [b"LOG_FULL", b"LOG_RESUMED"], events


def collector_disk_full(scene):
    """It is freed when the terminal has written its last record."""
    disk = Disk(scene.collector.state, 1 / 2, scene.stack)
    scene.collector.start()
    scene.terminal.start(1)
    scene.write_all()
    wait_for("the full disk", lambda: "cannot store" in Collector.read(scene.collector.log + "/store.log"), LONG_SEC)
    assert scene.count() < RECORDS * 3 / 4
    disk.free()


def rival_disk_full(rival, scene):
    disk = Disk(rival.folder + "/disk", 1 / 2, scene.stack)
    rival.feed(1)
    rival.start("there")
    rival.start("here")
    rival.wait_read()
    rival.wait_quiet()
    disk.free()


# ---- certificates

def end_soon(scene, key, certificate):
    """The same name and authority, but it ends in some seconds; returns when."""
    folder, etc = scene.folder, scene.collector.etc
    end = int(time.time()) + SHORT_LIFE_SEC
    name = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-subject", "-nameopt", "multiline"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split("= ")[1].strip()
    with open(folder + "/template", "w") as file:
        file.write('cn = "%s"\ndns_name = "%s"\nsigning_key\ntls_www_client\ntls_www_server\nexpiration_date = "%s"\n' % (
            name, name, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(end))))
    subprocess.run(["certtool", "--generate-certificate", "--load-privkey", key, "--template", folder + "/template",
                    "--load-ca-certificate", etc + "/ca.crt", "--load-ca-privkey", etc + "/ca.key", "--outfile", certificate],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return end


def new_bundle(scene):
    """The administrator brings a new certificate; the forwarder is not touched, the collector is restarted by the tool."""
    bundle = "%s/bundle-%s.tar" % (scene.folder, uuid.uuid4())
    scene.collector.command("add-terminal", NAME, "--out", bundle)
    subprocess.run(["tar", "-C", scene.terminal.folder + "/forward", "-xf", bundle, "ca.pem", "terminal.pem", "terminal.key"],
                   check=True)
    scene.collector.stop()
    scene.collector.start()


def terminal_certificate_ends(scene):
    scene.collector.start()
    scene.terminal.start(1 / 2)
    scene.wait_part(1 / 4)
    scene.collector.kill()
    forward = scene.terminal.folder + "/forward"
    end = end_soon(scene, forward + "/terminal.key", forward + "/terminal.pem")
    scene.collector.start()
    scene.write_all()
    wait_for("the certificate's end", lambda: time.time() > end + 1)
    scene.collector.kill()
    scene.terminal.finish(*[scene.terminal.start_writer(stream, count) for stream, count in STREAMS.items()])
    scene.expect_refusal("the terminal's certificate has ended", "certificate validation failed", scene.collector.log + "/rsyslogd.log")
    new_bundle(scene)


def collector_certificate_ends(scene):
    scene.collector.start()
    scene.terminal.start(1 / 2)
    scene.wait_part(1 / 4)
    scene.collector.kill()
    end = end_soon(scene, scene.collector.etc + "/server.key", scene.collector.etc + "/server.crt")
    scene.collector.start()
    scene.write_all()
    wait_for("the certificate's end", lambda: time.time() > end + 1)
    scene.collector.kill()
    scene.terminal.finish(*[scene.terminal.start_writer(stream, count) for stream, count in STREAMS.items()])
    scene.expect_refusal("the collector's certificate has ended", "expired")
    scene.collector.stop()
    scene.collector.command("renew-server")
    scene.collector.start()


def rival_certificate_ends(rival, scene):
    rival.feed(1 / 2)
    rival.start("there")
    rival.start("here")
    rival.wait_part(1 / 4)
    rival.kill("there")
    end = end_soon(scene, scene.collector.etc + "/server.key", scene.collector.etc + "/server.crt")
    wait_for("the certificate's end", lambda: time.time() > end + 1)
    rival.start("there")
    rival.feed(1)
    rival.wait("the rival's word", lambda: "certificate" in Collector.read(rival.folder + "/here.log"))
    rival.stop("there")
    scene.collector.command("renew-server")
    rival.start("there")


def strangers(scene):
    """Of both sides: with a certificate of another authority, and with one of ours that was revoked."""
    terminal, collector, forward = scene.terminal, scene.collector, scene.terminal.folder + "/forward"
    other = Collector(scene.folder + "/other", scene.build, address=THERE)
    stranger = other.add_terminal("stranger")
    good = scene.folder + "/good"
    shutil.copytree(forward, good)

    def show(folder, *files):
        for file in files:
            shutil.copy(folder + "/" + file, forward + "/new")
            os.replace(forward + "/new", forward + "/" + file)

    def interrupt(until):
        scene.write_all()
        collector.kill()
        terminal.writers = [terminal.start_writer(stream, int(count * until)) for stream, count in STREAMS.items()]

    collector.start()
    terminal.start(1 / 5)
    scene.wait_part(1 / 10)
    interrupt(2 / 5)
    show(stranger, "terminal.pem", "terminal.key")
    scene.expect_refusal("a terminal of another authority", "certificate validation failed", scene.collector.log + "/rsyslogd.log")
    show(good, "terminal.pem", "terminal.key")
    scene.wait_part(3 / 10)
    interrupt(3 / 5)
    for name in ("server.crt", "server.key"):
        shutil.copy(collector.etc + "/" + name, good)
        shutil.copy(other.etc + "/" + name, collector.etc)
    scene.expect_refusal("a collector of another authority", "issuer")
    collector.kill()
    for name in ("server.crt", "server.key"):
        shutil.copy(good + "/" + name, collector.etc)
    collector.start()
    scene.wait_part(1 / 2)
    interrupt(4 / 5)
    collector.command("revoke-terminal", NAME)
    scene.expect_refusal("a revoked terminal", "no permited name found", scene.collector.log + "/rsyslogd.log")
    new_bundle(scene)
    scene.wait_part(7 / 10)
    interrupt(1)
    with open(good + "/template", "w") as file:
        file.write("crl_next_update = 30\ncrl_number = 1\n")
    subprocess.run(["certtool", "--generate-crl", "--load-ca-certificate", collector.etc + "/ca.crt", "--load-ca-privkey",
                    collector.etc + "/ca.key", "--load-certificate", collector.etc + "/server.crt", "--template", good + "/template",
                    "--outfile", good + "/crl"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(good + "/ca.pem", "a") as file:
        file.write(Collector.read(good + "/crl"))
    show(good, "ca.pem")
    scene.expect_refusal("a revoked collector", "revoked")
    collector.kill()
    collector.command("renew-server")
    collector.start()
    scene.write_all()


# ---- the database

def database_down(scene):
    """It goes while it is loaded; the collection does not notice. What it has in the end is what the terminal wrote."""
    postgres = Postgres(scene.folder + "/postgres-" + str(uuid.uuid4()))
    environment = {name: postgres.environment[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE")}
    environment["SEKIMORI_LOAD_CHUNK"] = "16000000"
    postgres.start()
    scene.collector.start()
    scene.terminal.start(1 / 2)
    scene.write_all()
    scene.wait_part(2 / 5)
    scene.collector.stop()
    scene.collector.start()
    loading = subprocess.Popen([COLLECTOR_COMMAND, "load"], env=dict(scene.collector.environment, **environment),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("a part in the database", lambda: postgres.ask(
        "select coalesce((select sum(bytes) from sekimori.loaded), 0)" if postgres.ask(
            "select to_regclass('sekimori.loaded')") else "select 0") != "0")
    postgres.stop()
    assert loading.wait(DEADLINE_SEC) == 3
    scene.terminal.finish(*[scene.terminal.start_writer(stream, count) for stream, count in STREAMS.items()])
    scene.collector.command("load", expect=3, **environment)
    scene.after = lambda: database_compared(scene, postgres, environment)


def database_compared(scene, postgres, environment):
    postgres.start()
    scene.stack.callback(postgres.stop)
    scene.collector.command("load", **environment)
    for stream in STREAMS:
        rows = subprocess.Popen(["psql", "-X", "-A", "-t", "-c", "select raw from sekimori.record where stream = '%s' order by n" % stream],
                                env=postgres.environment, stdout=subprocess.PIPE)
        wanted = list(scene.wanted(stream))
        assert rows.stdout.readlines() == wanted, stream + ": the database has something else"
        assert rows.wait() == 0


T, C = "terminal", "collector"
# Name, ours, the rival's where it can take part.
WAYS = {
    "terminal killed x3": (lambda scene: kill_by_turns(scene, T, T, T), lambda rival, _: rival_killed_by_turns(rival, T, T, T)),
    "collector killed x3": (lambda scene: kill_by_turns(scene, C, C, C), lambda rival, _: rival_killed_by_turns(rival, C, C, C)),
    "both killed by turns, x3 each": (lambda scene: kill_by_turns(scene, T, C, T, C, T, C),
                                      lambda rival, _: rival_killed_by_turns(rival, T, C, T, C, T, C)),
    "cable out, then shutdown": (cable_out, rival_cable_out),
    "collector down for two weeks": (two_weeks, None),
    "database down": (database_down, None),
    "disk full at the terminal": (terminal_disk_full, None),
    "disk full at the collector, freed": (collector_disk_full, rival_disk_full),
    "terminal's certificate ended, renewed": (terminal_certificate_ends, None),
    "collector's certificate ended, renewed": (collector_certificate_ends, rival_certificate_ends),
    "rogue and revoked certificates": (strangers, None),
    "reboots, orderly and not": (reboots, None),
}


def run(scene, name, way, rival_way):
    """A line of the table."""
    began = time.monotonic()
    scene.reset()
    with contextlib.ExitStack() as scene.stack:
        way(scene)
        records, dropped = scene.judge()
        seconds = time.monotonic() - began
        # judge() has found nothing lost, double or reordered, or we were not here.
        words = [name, str(records), "0", "0", "0", str(dropped), "%.0f" % seconds, "-", "-", "-", "-"]
        if rival_way:
            folder = tempfile.mkdtemp(dir=scene.folder)
            rival = Rival(folder, scene.terminal, scene.collector, THERE, scene.cable.inside)
            try:
                rival_way(rival, scene)
            finally:
                words[7:] = ["%d" % number for number in rival.end()]
            shutil.rmtree(folder, ignore_errors=True)
    print(*words, sep="\t", flush=True)
    return words


def table(rows):
    head = ["", "records", "lost", "double", "reordered", "twice, dropped", "s", "omrelp: lost", "double", "reordered", "s"]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in (head, *rows):
        print("  ".join(word.ljust(width) if column == 0 else word.rjust(width)
                        for column, (word, width) in enumerate(zip(row, widths))).rstrip())


def main():
    # Its own mounts and networks, whatever happens: they end with it.
    if os.environ.get("SEKIMORI_TRAIL_INSIDE") != str(os.getpid()):
        os.environ["SEKIMORI_TRAIL_INSIDE"] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--mount", "--net", sys.executable, *sys.argv])
    build, names = os.path.realpath(sys.argv[2]), sys.argv[3:] or list(WAYS)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="sekimori-net-") as folder:
        os.umask(0o022)
        os.chmod(folder, 0o755)  # PostgreSQL runs as somebody else
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            os.environ[name] = "%s:log_path=%s/sanitizer" % (os.environ.get(name, ""), folder)
        cable = Cable()
        try:
            with Trail(folder, build, cable) as scene:
                table([run(scene, name, *WAYS[name]) for name in names])
        finally:
            cable.end()


if __name__ == "__main__":
    main()
