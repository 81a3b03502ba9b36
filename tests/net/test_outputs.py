#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The outputs' promises: to librdkafka's mock cluster, and to a recorder that holds them to OpenSearch's bulk protocol.
Usage: test_outputs.py BINARY_DIR [unittest's arguments]"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from far_sides import Authority, Kafka, Recorder, TlsFront  # noqa: E402
from harness import Collector, Sender, free_port, remove, wait_for  # noqa: E402
from records import Terminal, json_string  # noqa: E402

BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
PASSWORD = "p@ss: 字\"'$(x)"


class Store:
    """sekimori-store at the other end of omprog's protocol."""

    def __init__(self, collector):
        os.makedirs(collector.log, exist_ok=True)
        self.process = subprocess.Popen(
            [collector.store, "--folder", collector.state, "--log", collector.log + "/store.log"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"OK\n"

    def take(self, *terminals, size=20, **slices):
        """The records of `terminals`, stored and answered."""
        for terminal in terminals:
            lines = terminal.lines[slices.get("start", 0):slices.get("stop")]
            for i in range(0, len(lines), size):
                message = terminal.message(*lines[i:i + size])
                self.process.stdin.write(b"127.0.0.1 " + json_string(message) + b"\n")
                self.process.stdin.flush()
                answer = self.process.stdout.readline()
                assert answer == b"OK\n", answer
        return self

    def stop(self):
        """Orderly: it saves its state, so everything is stored for good."""
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sekimori-out-")
        self.addCleanup(remove, self.folder)
        self.collector = Collector(self.folder + "/collector", BINARY)
        os.mkdir(self.collector.folder + "/output")
        self.authority = Authority(self.folder, "ours")
        self.certificate = self.authority.issue("far", "IP:127.0.0.1")
        self.running = None

    def store(self, *terminals):
        Store(self.collector).take(*terminals).stop()

    def output(self, *words, expect=0, **more):
        return self.collector.command("output", *words, expect=expect, **more)

    def password_file(self):
        path = self.folder + "/password"
        with open(path, "w") as file:
            file.write(PASSWORD + "\n")
        return path

    def start(self, kind):
        """As systemd would: the credentials in a folder."""
        etc, credentials = self.collector.etc, self.folder + "/credentials"
        os.makedirs(credentials, exist_ok=True)
        for name, file in (("password", "password"), ("certificate", "pem")):
            shutil.copy("%s/output-%s.%s" % (etc, kind, file), credentials + "/" + name)
        with open(self.folder + "/journal", "ab") as journal:
            self.running = subprocess.Popen(
                [self.collector.environment["SEKIMORI_COLLECTOR_OUTPUT"], "--config", "%s/output-%s.conf" % (etc, kind),
                 "--store", self.collector.state, "--state", self.collector.folder + "/output", "--credentials", credentials],
                stderr=journal)
        process = self.running
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))

    def stop(self):
        self.running.terminate()
        self.assertEqual(self.running.wait(20), 0, Collector.read(self.folder + "/journal"))

    def kill(self):
        self.running.kill()
        self.running.wait()

    def status(self, expect=None):
        rows = json.loads(self.output("status", "--json", expect=expect).stdout)
        return rows[0]

    def wait_until_sent(self):
        def is_sent():
            self.assertIsNone(self.running.poll(), "it ended: " + Collector.read(self.folder + "/journal"))
            row = self.status()
            return row["behind_bytes"] == 0 and row["sent_file"] and not row["trouble"]
        try:
            wait_for("all records to be sent", is_sent)
        except AssertionError as error:
            raise AssertionError("%s: %r; %s" % (error, self.status(), Collector.read(self.folder + "/journal")[-2000:])) from error

    def expected(self, *terminals):
        return {"%s-%d" % (terminal.chain_id.hex(), number): line
                for terminal in terminals for number, line in enumerate(terminal.lines, 1)}


class OpenSearch(Case):
    def record(self, **options):
        recorder = Recorder(self.certificate, **options)
        self.addCleanup(recorder.close)
        return recorder

    def configure(self, recorder, *words):
        return self.output("opensearch", "--url", "https://127.0.0.1:%d" % recorder.port, "--index", "audit",
                           "--ca", self.authority.ca, *words)

    def check(self, recorder, *terminals):
        self.assertEqual(recorder.faults, [])
        expected = self.expected(*terminals)
        self.assertEqual(set(recorder.documents), set(expected))
        for identity, line in expected.items():
            document = recorder.documents[identity]
            if document != line:
                wrapped = json.loads(document)
                self.assertEqual("%s-%d" % (wrapped["skm"]["c"], wrapped["skm"]["n"]), identity)
                self.assertEqual(base64.b64decode(wrapped["skm_base64"], validate=True), line)

    def test_every_record_arrives_byte_for_byte(self):
        recorder = self.record(user="sender", password=PASSWORD)
        terminal, other = Terminal("T-1"), Terminal("T-2", "auth").fill(30)
        for text in ("𠮷野家 ㈱ 髙﨑", "a\nb\r\x1b[31m\t", "\\\"/ %s %n", "終" * 2000, "\u2028\u202e", '{"index":{}}'):
            terminal.add(text=text)
        terminal.add_with(b"RAW", b"\xff\xfe\xc0\x80 \xed\xa0\x80")
        terminal.add_with(b"RAW", b'", "no": json')
        terminal.fill(2500)
        self.store(terminal, other)
        self.configure(recorder, "--user", "sender", "--password-file", self.password_file())
        self.start("opensearch")
        self.wait_until_sent()
        with open("/proc/%d/cmdline" % self.running.pid, "rb") as words, open("/proc/%d/environ" % self.running.pid, "rb") as environment:
            self.assertNotIn(PASSWORD.encode(), words.read() + environment.read())
        self.stop()
        self.check(recorder, terminal, other)
        as_they_are = [document for document in recorder.documents.values() if b'"skm_base64":' not in document]
        self.assertEqual(len(as_they_are), len(terminal.lines) + len(other.lines) - 2)
        row = self.status(expect=0)
        self.assertEqual((row["records"], row["not_records"], row["trouble"]), (2538, 0, None))
        self.assertEqual(row["target"], "https://127.0.0.1:%d/audit" % recorder.port)

    def test_whatever_the_server_does(self):
        recorder = self.record(limit=900)
        terminal = Terminal("T-1").fill(2300)

        def some(number, _):
            return (201, 429, 400, 503)[number % 4]

        def stubborn(number, _):
            return 400 if number == 7 else 201
        recorder.plan = [503, "cut", some, 429, "hang_up", "nonsense", stubborn, "cut", some, 500, stubborn, 302]
        self.store(terminal)
        self.configure(recorder)
        self.start("opensearch")
        recorder.wait("the plan's end", lambda r: not r.plan)
        self.wait_until_sent()
        self.stop()
        self.check(recorder, terminal)
        self.assertGreater(recorder.sizes[0], 900)
        journal = Collector.read(self.folder + "/journal")
        for word in ("the server answers 503", "429: it is overloaded", "413: the request is too large", "records go out again",
                     "not that of a bulk request", "records refused: 429"):
            self.assertIn(word, journal)

    def mapped(self, recorder):
        """As OpenSearch's dynamic mapping: the first kind of a field is its kind."""
        kinds = {}

        def decide(number, document):
            if Recorder.usual(number, document) == 400:
                return 400
            found = {name: type(value) for name, value in json.loads(document).items() if value is not None}
            if any(kinds.setdefault(name, kind) is not kind for name, kind in found.items()):
                return 400
            return 201
        recorder.usual = decide

    def test_a_member_named_base64_is_in_nobody_s_way(self):
        recorder = self.record()
        self.mapped(recorder)
        hostile, terminal = Terminal("T-9"), Terminal("T-1").fill(5)
        hostile.add(base64={"a": 1})
        hostile.add_with(b"RAW", b"\xff")
        self.store(hostile, terminal)
        self.configure(recorder)
        self.start("opensearch")
        self.wait_until_sent()
        self.check(recorder, hostile, terminal)
        self.assertEqual(self.status(expect=0)["not_records"], 0)

    def test_a_record_refused_in_every_form_holds_up_nobody(self):
        recorder = self.record()
        self.mapped(recorder)
        hostile, terminal, later = Terminal("T-9"), Terminal("T-1").fill(2500), Terminal("T-2").fill(3)
        hostile.add(skm_base64={"a": 1})
        hostile.add_with(b"RAW", b"\xff")
        hostile.add(detail={"a": 1})
        hostile.add(detail=7, skm_base64={"a": 1})
        self.store(terminal, hostile, later)
        self.configure(recorder)
        self.start("opensearch")
        self.wait_until_sent()
        self.store(Terminal("T-3").fill(1))
        wait_for("one more", lambda: self.status()["records"] == 2505)
        self.stop()
        row = self.status(expect=0)
        self.assertEqual((row["not_records"], row["trouble"]), (3, None))
        self.assertIn("3 lines were left out", self.output("status").stdout)
        self.assertEqual(set(self.expected(terminal, hostile, later)) - set(recorder.documents), set())
        for number in (2, 3, 4):
            # What stands there says at least which record it is.
            identity = "%s-%d" % (hostile.chain_id.hex(), number)
            self.assertEqual(json.loads(recorder.documents.pop(identity)), {"skm": {"c": hostile.chain_id.hex(), "n": number}})
        journal = Collector.read(self.folder + "/journal")
        self.assertEqual(journal.count("refused in every form"), 1)
        self.assertIn("the first is %s-2" % hostile.chain_id.hex(), journal)

    def test_refused_for_the_server_s_sake_everything_is_sent_again(self):
        """An index that is closed, or may have no more shards, refuses whatever comes, with 400 as well."""
        recorder = self.record()
        terminal = Terminal("T-1").fill(30)
        terminal.add_with(b"RAW", b"\xff")
        self.store(terminal)
        self.configure(recorder)
        # Five: where it takes documents again, it is the turn of the names.
        for status, refusals in ((400, 5), (429, 2), (403, 2), (503, 2)):
            recorder.plan = [lambda _, __, status=status: status] * refusals
            self.start("opensearch")
            wait_for("the trouble", lambda: self.status()["trouble"])
            self.assertIn("refused: %d" % status, self.status(expect=1)["trouble"])
            recorder.wait("all refusals", lambda r: not r.plan)
            self.assertEqual(self.status()["records"], 0)
            self.wait_until_sent()
            self.stop()
            self.check(recorder, terminal)
            self.assertEqual(sum(b"skm_base64" in document for document in recorder.documents.values()), 1)
            self.assertEqual((self.status()["records"], self.status()["not_records"]), (31, 0))
            recorder.documents = {}
            self.output("opensearch", "--rebuild")

    def test_refusal_is_told_and_nothing_is_skipped(self):
        recorder = self.record(user="sender", password="another")
        terminal = Terminal("T-1").fill(3)
        self.store(terminal)
        self.configure(recorder, "--user", "sender", "--password-file", self.password_file())
        self.start("opensearch")
        row = wait_for("the trouble", lambda: self.status()["trouble"] and self.status(expect=1))
        self.assertIn("401", row["trouble"])
        self.assertEqual((row["records"], row["sent_file"]), (0, None))
        self.assertIn("nothing goes since", self.output("status", expect=1).stdout)
        self.assertIn("障害", self.output("status", expect=1, SEKIMORI_LANG="ja").stdout)
        recorder.expected = None
        self.wait_until_sent()
        self.check(recorder, terminal)

    def test_killed_at_any_point(self):
        recorder = self.record(limit=900)
        terminal = Terminal("T-1").fill(18300)
        self.store(terminal)
        self.configure(recorder)
        kills = 0
        while self.status()["behind_bytes"] or not self.status()["sent_file"]:
            # A batch is six requests here, two of them too large: killed in the next one.
            recorder.plan = [("hang_up", "cut")[kills % 2]]
            aim = recorder.requests + 9
            self.start("opensearch")
            wait_for("some requests", lambda aim=aim: recorder.requests >= aim or self.status()["behind_bytes"] == 0)
            self.kill()
            kills += 1
        self.assertGreater(kills, 2)
        self.check(recorder, terminal)

    def test_only_what_is_stored_for_good(self):
        recorder = self.record()
        terminal = Terminal("T-1").fill(100)
        Store(self.collector).take(terminal, stop=60).stop()
        # Answered and on disk, but behind the saved state; and a line that a power cut tore.
        Store(self.collector).take(terminal, start=60, stop=90).kill()
        with open(self.collector.files()[-1], "ab") as file:
            file.write(terminal.lines[90][:100])
        self.configure(recorder)
        self.start("opensearch")
        self.wait_until_sent()
        self.assertEqual(set(recorder.documents), {"%s-%d" % (terminal.chain_id.hex(), n) for n in range(1, 61)})
        # It goes on by itself when the store has saved more.
        Store(self.collector).take(terminal, start=80).stop()
        recorder.wait("the rest", lambda r: len(r.documents) == 100)
        self.wait_until_sent()
        self.check(recorder, terminal)

    def test_an_unknown_server_gets_nothing(self):
        stranger = Authority(self.folder, "stranger")
        terminal = Terminal("T-1").fill(3)
        self.store(terminal)
        for certificate, ca in ((self.certificate, stranger.ca), (self.authority.issue("other", "DNS:other.test"), self.authority.ca)):
            recorder = Recorder(certificate)
            self.addCleanup(recorder.close)
            self.output("opensearch", "--url", "https://127.0.0.1:%d/" % recorder.port, "--index", "audit", "--ca", ca)
            self.start("opensearch")
            wait_for("the trouble", lambda: self.status()["trouble"])
            self.kill()
            self.assertGreater(recorder.connections, 0)
            self.assertEqual(recorder.requests, 0)

    def test_rebuilt_from_the_files(self):
        recorder = self.record()
        terminal = Terminal("T-1").fill(700)
        self.store(terminal)
        self.configure(recorder)
        self.start("opensearch")
        self.wait_until_sent()
        self.stop()
        recorder.documents[next(iter(recorder.documents))] = b'{"tampered":"with"}'
        del recorder.documents["%s-300" % terminal.chain_id.hex()]
        self.output("opensearch", "--rebuild")
        self.start("opensearch")
        self.wait_until_sent()
        self.stop()
        self.check(recorder, terminal)
        # Another index begins at the first record by itself.
        recorder.documents = {}
        self.output("opensearch", "--url", "https://127.0.0.1:%d" % recorder.port, "--index", "audit-2", "--ca", self.authority.ca)
        self.start("opensearch")
        self.wait_until_sent()
        self.check(recorder, terminal)

    def test_other_files_than_those_sent_are_told(self):
        recorder = self.record()
        self.store(Terminal("T-1").fill(50))
        self.configure(recorder)
        self.start("opensearch")
        self.wait_until_sent()
        self.stop()
        day = self.collector.files()[0]
        os.rename(day, self.folder + "/before")
        self.collector_state_again()
        terminal = Terminal("T-2").fill(300)
        # The same name, and its lines end at the same places: only what they say is different.
        self.store(terminal)
        self.assertEqual(self.collector.files(), [day])
        self.start("opensearch")
        wait_for("the trouble", lambda: "--rebuild" in (self.status()["trouble"] or ""))
        self.kill()
        self.output("opensearch", "--rebuild")
        self.start("opensearch")
        self.wait_until_sent()
        self.assertLessEqual(set(self.expected(terminal)), set(recorder.documents))

    def collector_state_again(self):
        for name in ("state", "index"):
            path = self.collector.state + "/" + name
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def test_a_dead_server_does_not_hold_the_store_back(self):
        terminal = Terminal("T-1").fill(400)
        bundle = self.collector.add_terminal("T-1")
        self.store(Terminal("T-1", "auth").fill(10))
        self.output("opensearch", "--url", "https://127.0.0.1:%d" % free_port(), "--index", "audit", "--ca", self.authority.ca)
        self.start("opensearch")
        wait_for("the trouble", lambda: self.status()["trouble"])
        # The real path, from a terminal through rsyslogd: every record is answered.
        self.collector.start()
        self.addCleanup(self.collector.stop)
        messages = [terminal.message(*terminal.lines[i:i + 20]) for i in range(0, 400, 20)]
        sender = Sender(self.collector.port, bundle, messages).send()
        self.assertEqual(sender.done, len(messages))
        self.assertIsNone(self.running.poll())
        self.assertEqual(len(self.collector.stored()), 410)


class KafkaCase(Case):
    def cluster(self, **options):
        kafka = Kafka(BINARY, **options)
        self.addCleanup(kafka.close)
        return kafka

    def configure(self, kafka, *words):
        return self.output("kafka", "--brokers", kafka.brokers, "--topic", "sekimori", "--plaintext", *words)

    def check(self, kafka, *terminals, twice=False):
        """Every record, byte for byte, under its identity; each chain in one partition and in its order."""
        expected, seen, places, order = self.expected(*terminals), {}, {}, {}
        for partition, key, value in kafka.messages():
            self.assertIn(key, expected)
            self.assertEqual(value, expected[key])
            self.assertTrue(twice or key not in seen, key + " came twice")
            chain, number = key.split("-")
            self.assertEqual(places.setdefault(chain, partition), partition, "a chain in two partitions")
            if key not in seen:
                self.assertEqual(int(number), order.get(chain, 0) + 1, "reordered")
                order[chain] = int(number)
            seen[key] = value
        self.assertEqual(set(seen), set(expected))
        return set(places.values())

    def test_every_record_once_and_in_order(self):
        kafka = self.cluster()
        terminals = [Terminal("T-%d" % i).fill(250) for i in range(8)]
        for text in ("𠮷野家 ㈱ 髙﨑", "a\nb\r\x1b[31m\t", "終" * 2000):
            terminals[0].add(text=text)
        terminals[0].add_with(b"RAW", b"\xff\xfe\xc0\x80 \xed\xa0\x80")
        self.store(*terminals)
        self.configure(kafka)
        self.start("kafka")
        self.wait_until_sent()
        self.stop()
        self.assertGreater(len(self.check(kafka, *terminals)), 1, "one partition has all")
        self.assertEqual(self.status(expect=0)["records"], 2004)

    def test_cluster_down_refusing_and_breaking_off(self):
        kafka = self.cluster()
        terminal = Terminal("T-1").fill(3000)
        self.store(terminal)
        self.configure(kafka)
        kafka.say("down")
        self.start("kafka")
        wait_for("the trouble", lambda: self.status()["trouble"])
        kafka.say("fail 3")
        kafka.say("up")
        self.wait_until_sent()
        more = Terminal("T-2").fill(1500)
        kafka.say("drop 2")
        self.store(more)
        wait_for("more", lambda: self.status()["records"] == 4500)
        self.stop()
        self.check(kafka, terminal, more)

    def test_killed_at_any_point(self):
        kafka = self.cluster()
        terminals = [Terminal("T-%d" % i).fill(900) for i in range(3)]
        self.store(*terminals)
        self.configure(kafka)
        state = self.collector.folder + "/output/kafka.state"
        before = ""
        # Killed with nothing confirmed, and right after each step of its position.
        kafka.say("down")
        self.start("kafka")
        wait_for("the trouble", lambda: self.status()["trouble"])
        self.kill()
        kafka.say("up")
        while self.status()["behind_bytes"]:
            self.start("kafka")
            wait_for("a step", lambda: "file=2" in Collector.read(state) and Collector.read(state) != before)
            self.kill()
            before = Collector.read(state)
        self.check(kafka, *terminals, twice=True)

    def test_tls_with_both_certificates(self):
        kafka = self.cluster(brokers=1)
        terminal = Terminal("T-1").fill(500)
        self.store(terminal)
        front = TlsFront(kafka.brokers, self.certificate, client_ca=self.authority.ca)
        self.addCleanup(front.close)
        self.output("kafka", "--brokers", "127.0.0.1:%d" % front.port, "--topic", "sekimori", "--ca", self.authority.ca,
                    "--certificate", self.authority.issue("client", "DNS:collector.test"))
        self.start("kafka")
        self.wait_until_sent()
        self.stop()
        self.check(kafka, terminal)
        self.assertGreater(front.requests, 0)

    def test_an_unknown_cluster_gets_nothing(self):
        kafka = self.cluster(brokers=1)
        self.store(Terminal("T-1").fill(3))
        stranger = Authority(self.folder, "stranger")
        for certificate, ca in ((self.certificate, stranger.ca), (self.authority.issue("other", "DNS:other.test"), self.authority.ca)):
            front = TlsFront(kafka.brokers, certificate)
            self.addCleanup(front.close)
            self.output("kafka", "--brokers", "127.0.0.1:%d" % front.port, "--topic", "sekimori", "--ca", ca)
            self.start("kafka")
            wait_for("a refused handshake", lambda front=front: front.refused)
            wait_for("the trouble", lambda: self.status()["trouble"])
            self.kill()
            self.assertEqual(front.requests, 0)
        self.assertEqual(kafka.messages(), [])

    def test_rebuilt_in_a_new_cluster(self):
        terminal = Terminal("T-1").fill(400)
        self.store(terminal)
        for words in ((), ("--rebuild",)):
            kafka = self.cluster()
            self.configure(kafka, *words)
            self.start("kafka")
            self.wait_until_sent()
            self.stop()
            self.check(kafka, terminal)


class Configuration(Case):
    def test_words_that_are_wrong_change_nothing(self):
        password = self.password_file()
        kafka = ["kafka", "--brokers", "k1.example.jp:9093,[fd00::1]:9093", "--topic", "sekimori"]
        search = ["opensearch", "--url", "https://os.example.jp:9200/x", "--index", "audit"]
        self.output(*kafka, "--ca", self.authority.ca, "--user", "sekimori", "--password-file", password)
        self.output(*search)
        etc = self.collector.etc

        def everything():
            return {name: (os.stat(etc + "/" + name).st_mtime_ns, Collector.read(etc + "/" + name))
                    for name in os.listdir(etc) if name.startswith("output")}
        before = everything()
        for words in ([], ["frob"], ["kafka"], ["kafka", "--topic", "x"], ["kafka", "--brokers", "k1", "--topic", "x"],
                      ["kafka", "--brokers", "k1:0", "--topic", "x"], ["kafka", "--brokers", "k1:9093,", "--topic", "x"],
                      ["kafka", "--brokers", "k1:9093", "--topic", "a b"], ["kafka", "--brokers", "k1:9093", "--topic", ".."],
                      ["kafka", "--brokers", "k1:9093\nplaintext=yes", "--topic", "x"], [*kafka, "--topic", "twice"],
                      [*kafka, "--url", "https://x"], [*kafka, "--frob"], [*kafka, "more"], [*kafka, "--ca"], [*kafka, "--ca", password],
                      [*kafka, "--user", "u", "--password-file", "/nonexistent"], [*kafka, "--user", "u"],
                      [*kafka, "--password-file", password], [*kafka, "--user", "a:b", "--password-file", password],
                      [*kafka, "--user", "u", "--password-file", password, "--plaintext"], [*kafka, "--certificate", self.authority.ca],
                      [*search[:1], "--url", "http://x:9200", "--index", "a"], [*search[:1], "--url", "https://u:p@x", "--index", "a"],
                      [*search[:1], "--url", "https://x/?q=1", "--index", "a"], [*search[:1], "--url", "https://x:70000", "--index", "a"],
                      [*search[:1], "--url", "https://x", "--index", "Audit"], [*search[:1], "--url", "https://x", "--index", "_a"],
                      [*search[:1], "--url", "https://x", "--index", "a/b"], [*search, "--plaintext"], ["off", "frob"], ["status", "--frob"]):
            done = self.output(*words, expect=2)
            self.assertTrue(done.stderr, words)
        self.assertEqual(everything(), before)
        self.assertIn("使えるもの: https://", self.output(*search[:1], "--url", "http://x", "--index", "a", expect=2, SEKIMORI_LANG="ja").stderr)
        self.assertIn("url: found: http://x; allowed: https://", self.output(*search[:1], "--url", "http://x", "--index", "a", expect=2).stderr)

    def test_secrets_are_root_s_and_go_when_it_is_off(self):
        etc = self.collector.etc
        with open(self.password_file()) as file:
            subprocess.run([os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + "/collector/sekimori-collector",
                            "output", "kafka", "--brokers", "k:1", "--topic", "t", "--user", "u", "--password-file", "-"],
                           env=self.collector.environment, stdin=file, check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(Collector.read(etc + "/output-kafka.password"), PASSWORD + "\n")
        for name, mode in (("password", 0o600), ("pem", 0o600), ("conf", 0o640)):
            self.assertEqual(os.stat("%s/output-kafka.%s" % (etc, name)).st_mode & 0o777, mode, name)
        self.assertNotIn(PASSWORD, Collector.read(etc + "/output-kafka.conf"))
        self.assertEqual([row["output"] for row in json.loads(self.output("status", "--json").stdout)], ["kafka"])
        self.output("off", "kafka")
        self.assertEqual([name for name in os.listdir(etc) if name.startswith("output")], [])
        self.assertEqual(self.output("status", "--json").stdout, "[]\n")
        self.assertIn("no output", self.output("status").stdout)
        self.output("kafka", "--rebuild", expect=1)

    def test_a_password_that_is_missing_is_said_once(self):
        self.output("opensearch", "--url", "https://127.0.0.1:1", "--index", "a", "--user", "u", "--password-file", self.password_file())
        os.truncate(self.collector.etc + "/output-opensearch.password", 0)
        self.store(Terminal("T-1").fill(1))
        self.start("opensearch")
        self.assertEqual(self.running.wait(20), 2)
        self.assertIn("no password for u", Collector.read(self.folder + "/journal"))


if __name__ == "__main__":
    if not BINARY:
        sys.exit(__doc__)
    unittest.main(verbosity=2)
