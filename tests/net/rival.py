# SPDX-License-Identifier: Apache-2.0
"""What is usually done instead of Sekimori's two ends: imfile, omrelp and a disk-assisted queue at the terminal, imrelp
and omfile at the collector, with the same certificates. Both queues are saved on shutdown, or what waits in the
main one would be lost too. It is shown what became of the same lines, not judged."""
import glob
import os
import subprocess
import time

from end_to_end import MAC, Stock
from harness import Collector, wait_for

HERE = """global(workDirectory="{folder}/here" maxMessageSize="64k" processInternalMessages="on")
main_queue(queue.type="LinkedList" queue.filename="main" queue.maxDiskSpace="1g" queue.saveOnShutdown="on")
module(load="imfile")
module(load="omrelp" tls.tlslib="openssl")
input(type="imfile" file="{folder}/lines" tag="sekimori" ruleset="forward")
ruleset(name="forward") {{
    action(type="omrelp" target="{address}" port="{port}" tls="on" tls.caCert="{certificates}/ca.pem"
        tls.myCert="{certificates}/terminal.pem" tls.myPrivKey="{certificates}/terminal.key" tls.authMode="name"
        tls.permittedPeer=["collector.test"] timeout="5" conn.timeout="5" queue.type="LinkedList" queue.filename="forward" queue.maxDiskSpace="1g"
        queue.saveOnShutdown="on" action.resumeRetryCount="-1" action.resumeInterval="1")
}}
action(type="omfile" file="{folder}/here.log")
"""
THERE = """global(workDirectory="{folder}/there" maxMessageSize="64k" processInternalMessages="on")
module(load="imrelp" tls.tlslib="openssl")
template(name="line" type="string" string="%msg%\\n")
input(type="imrelp" port="{port}" ruleset="store" tls="on" tls.caCert="{etc}/ca.crt" tls.myCert="{etc}/server.crt"
    tls.myPrivKey="{etc}/server.key" tls.authMode="name" tls.permittedPeer=[{peers}])
ruleset(name="store") {{ action(type="omfile" file="{folder}/disk/stored" template="line") }}
action(type="omfile" file="{folder}/there.log")
"""
QUIET_SEC = 4  # nothing more comes: four times its interval of trying again
SHUTDOWN_SEC = 60
LONG_SEC = 60


class Rival(Stock):
    def __init__(self, folder, terminal, collector, address, network):
        self.folder, self.network, self.terminal, self.port = folder, network, terminal, collector.port
        self.processes, self.running, self.began = [], {}, time.monotonic()
        for name in ("here", "there", "disk"):
            os.makedirs(folder + "/" + name)
        peers = ", ".join('"%s"' % line.split("\t")[1] for line in Collector.read(collector.etc + "/terminals").splitlines())
        for name, text in (("here", HERE), ("there", THERE)):
            with open("%s/%s.conf" % (folder, name), "w") as file:
                file.write(text.format(folder=folder, address=address, port=self.port, etc=collector.etc, peers=peers,
                                       certificates=terminal.folder + "/forward"))
        self.lines = [line + b"\n" for stream in terminal.streams for line in terminal.lines(stream)]
        self.bytes, self.fed = sum(map(len, self.lines)), 0

    def feed(self, part):
        """The terminal writes, until there is `part` (0..1) of what ours wrote."""
        until = int(len(self.lines) * part)
        with open(self.folder + "/lines", "ab") as file:
            file.writelines(self.lines[self.fed:until])
        self.fed = until

    def start(self, name):
        words = ["rsyslogd", "-n", "-f", "%s/%s.conf" % (self.folder, name), "-i", "%s/%s.pid" % (self.folder, name)]
        process = subprocess.Popen([*(self.network if name == "here" else ()), *words], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.processes.append(process)
        self.running[name] = process
        if name == "there":
            wait_for("the rival's port", lambda: any(":%04X 00000000:0000 0A" % self.port in line
                                                     for line in Collector.read("/proc/net/tcp").splitlines()))

    def kill(self, name):
        self.running[name].kill()
        self.running[name].wait()
        for pid_file in glob.glob("%s/%s.pid" % (self.folder, name)):
            os.unlink(pid_file)

    def stop(self, name):
        self.running[name].terminate()
        try:
            self.running[name].wait(SHUTDOWN_SEC)
        except subprocess.TimeoutExpired:
            self.kill(name)  # as the end of a shutdown does

    def wait_part(self, part):
        stored = self.folder + "/disk/stored"
        self.wait("a part of the rival's records", lambda: os.path.exists(stored) and os.path.getsize(stored) >= self.bytes * part)

    def wait(self, what, check):
        try:
            wait_for(what, check, LONG_SEC)
        except AssertionError as error:
            raise AssertionError("%s; the rival's journals: %s" % (error, "".join(
                Collector.read("%s/%s.log" % (self.folder, name))[-1500:] for name in ("here", "there")))) from error

    def wait_read(self):
        self.wait("imfile's reading", lambda: self.has_read(self.running["here"], self.folder + "/lines"))

    def wait_quiet(self, name="disk", seconds=QUIET_SEC):
        """Until the files of a folder have not grown for a while: there is nobody who could say that it is all."""
        size, since = -1, time.monotonic()

        def is_quiet():
            nonlocal size, since
            now = sum(entry.stat().st_size for entry in os.scandir("%s/%s" % (self.folder, name)))
            if now != size:
                size, since = now, time.monotonic()
            return time.monotonic() - since > seconds
        self.wait("the rival's silence", is_quiet)

    def end(self):
        """(lost, doubled, reordered, seconds)"""
        self.wait_quiet()
        seconds = time.monotonic() - self.began
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        number = {MAC.search(line.decode()).group(1): n for n, line in enumerate(self.lines)}
        came, newest, reordered, seen = 0, -1, 0, set()
        for mac in MAC.findall(Collector.read(self.folder + "/disk/stored")):
            came += 1
            n = number[mac]
            if n not in seen:
                seen.add(n)
                reordered += n < newest
                newest = max(newest, n)
        return len(number) - len(seen), came - len(seen), reordered, seconds
