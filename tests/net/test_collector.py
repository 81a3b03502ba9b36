#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The collector's promises with a real rsyslogd, real TLS and a real PostgreSQL.
Usage: test_collector.py BINARY_DIR [unittest's arguments]"""
import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Collector, Postgres, Sender, is_alive, remove, wait_for  # noqa: E402
from records import Terminal  # noqa: E402

BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
RECORDS = int(os.environ.get("SEKIMORI_NET_RECORDS", "100000"))


def batches(terminal, size):
    lines = terminal.lines
    return [terminal.message(*lines[i:i + size]) for i in range(0, len(lines), size)]


class Case(unittest.TestCase):
    mail = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sekimori-net-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(remove, self.folder)
        self.collector = self.make()
        self.addCleanup(self.collector.stop)

    def make(self):
        return Collector(self.folder + "/collector", BINARY, mail=self.mail)

    def send(self, bundle, *messages):
        return Sender(self.collector.port, bundle, list(messages)).send()

    def status(self):
        """From the saved state: the store is stopped for it, so that nothing is missing in it (and nobody watches)."""
        self.collector.stop()
        done = self.collector.command("status", "--json", expect=None)
        return {(row["terminal"], row["stream"]): row for row in json.loads(done.stdout)}

    def assert_exact(self, *terminals):
        """Every record once, byte for byte, each chain in its order; and nothing else."""
        stored = self.collector.stored()
        for terminal in terminals:
            mark = b'"c":"%s"' % terminal.chain_id.hex().encode()
            mine = [line for line in stored if mark in line]
            self.assertEqual(len(mine), len(terminal.lines), "records of %s" % terminal.number)
            self.assertTrue(mine == terminal.lines, "%s: changed or reordered" % terminal.number)
        self.assertEqual(len(stored), sum(len(terminal.lines) for terminal in terminals))


class Content(Case):
    def test_bytes_arrive_as_they_were(self):
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        terminal = Terminal("T-1")
        for text in ("𠮷野家 ㈱ 髙﨑", "a\nb\r\x1b[31m\t\x01\x1e", "\\\"/ %s %n #012", "終" * 2000, "\u2028\u202e\u009b", " ", "&<>'`$(x)"):
            terminal.add(text=text)
        # What a hostile terminal may put into its own record, as long as the line is one.
        terminal.add_with(b"RAW", b"\xff\xfe\xc0\x80 \x7f \xed\xa0\x80")
        terminal.add(text="after")
        self.send(bundle, terminal.message(*terminal.lines[:3]), *[terminal.message(line) for line in terminal.lines[3:]])
        self.assert_exact(terminal)

    def test_a_message_of_64_kilobytes(self):
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        terminal = Terminal("T-1")
        while sum(map(len, terminal.lines)) < 54000:
            terminal.add(text="\\\"" * 1500)
        self.assertLess(len(terminal.message(*terminal.lines)), 64000)
        self.send(bundle, terminal.message(*terminal.lines))
        self.assert_exact(terminal)

    def test_rubbish_is_kept_aside_and_stops_nobody(self):
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        terminal = Terminal("T-1").fill(3)
        rubbish = [b"x", b"<109>1 - T-1 sekimori-agent - - - ", b"<109>1 - T-1 sekimori-agent - - - {}",
                   b"line\nfeed\nOK\nCOMMIT TRANSACTION\n", b"\xff\xfe" * 100, b"BEGIN TRANSACTION",
                   b"<109>1 - T-1 sekimori-auth - - - " + terminal.lines[0], b"{" * 60000]
        messages = []
        for index, line in enumerate(terminal.lines):
            messages += rubbish[index::3] + [terminal.message(line)]
        self.send(bundle, *messages)
        self.assert_exact(terminal)
        aside = [json.loads(line) for line in self.collector.stored("aside")]
        self.assertEqual(len(aside), len(rubbish))
        kept = {base64.b64decode(entry["base64"]) for entry in aside}
        self.assertIn(b"line\nfeed\nOK\nCOMMIT TRANSACTION\n", kept)
        self.assertIn(b"\xff\xfe" * 100, kept)
        self.assertIn(b"{" * 60000, kept)
        self.assertEqual({entry["why"] for entry in aside}, {"FOREIGN"})
        self.assertEqual({entry["address"] for entry in aside}, {"127.0.0.1"})

    def test_a_sign_of_life_is_no_record(self):
        """Through rsyslogd and its template, between records, by IPv6 as well."""
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        terminal = Terminal("T-1").fill(3)
        alive = b"<109>1 - T-1 sekimori-agent - alive - on"
        messages = [alive, *[terminal.message(line) for line in terminal.lines], alive, alive]
        Sender(self.collector.port, bundle, messages, address="::1").send()
        self.assert_exact(terminal)
        self.assertEqual(self.collector.stored("aside"), [])
        row = self.status()["T-1", "agent"]
        self.assertEqual((row["state"], row["last"], row["address"]), ("unwatched", 3, "::1"))
        self.assertIsNotNone(row["on_without_records"])

    def test_what_is_wrong_with_a_chain_is_named(self):
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        terminal = Terminal("T-1").fill(10)
        rolled_back = Terminal("T-1", chain_id=terminal.chain_id).fill(4)
        rolled_back.lines[:] = terminal.lines[:4]
        rolled_back.head, rolled_back.sequence = Terminal.head_after(terminal, 4), 4
        rolled_back.add(text="another fifth")
        self.send(bundle, terminal.message(*terminal.lines[:6]), terminal.message(*terminal.lines[8:]), rolled_back.message(rolled_back.lines[4]))
        row = self.status()["T-1", "agent"]
        self.assertEqual((row["state"], row["complete_to"], row["last"], row["missing"], row["forks"]), ("fork", 6, 10, 2, 1))
        self.assertEqual(row["gaps"], [{"first": 7, "last": 8}])
        self.assertEqual(row["head"], terminal.head.hex())
        said = self.collector.read(self.collector.state + "/log/00000001.jsonl")
        for word in ("GAP 7..8", "FORK 5"):
            self.assertIn(word, said)
        self.assertEqual(self.collector.command("status", expect=1).stderr, "")


class Loss(Case):
    def run_fleet(self, disturb, terminals=4):
        fleet = [Terminal("T-%d" % number).fill(RECORDS // terminals) for number in range(terminals)]
        senders = [Sender(self.collector.port, self.collector.add_terminal(terminal.number), batches(terminal, 20)) for terminal in fleet]
        self.collector.start()
        threads = [threading.Thread(target=sender.send, kwargs={"seconds": 300}) for sender in senders]
        for thread in threads:
            thread.start()
        total = sum(len(sender.messages) for sender in senders)
        for part in (1, 2, 3):
            wait_for("a part of the messages", lambda: sum(sender.done for sender in senders) >= total * part // 4, 300)
            disturb()
        for thread in threads:
            thread.join()
        self.assert_exact(*fleet)
        self.assertEqual([sender.done for sender in senders], [len(sender.messages) for sender in senders])
        return senders

    def test_collector_killed_three_times(self):
        def disturb():
            self.collector.kill()
            self.collector.start()
        senders = self.run_fleet(disturb)
        self.assertGreater(sum(sender.connections for sender in senders), len(senders))
        for row in self.status().values():
            self.assertEqual((row["state"], row["missing"], row["forks"], row["edits"]), ("unwatched", 0, 0, 0))

    def test_store_alone_killed_three_times(self):
        def disturb():
            victims = wait_for("a store", self.collector.store_pids)
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            wait_for("its end", lambda: not any(is_alive(pid) for pid in victims))
        self.run_fleet(disturb)

    def test_sender_cut_off_in_the_middle(self):
        terminal = Terminal("T-1").fill(200)
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        for until in (7, 61, 200):
            # Each begins again at the beginning, as after a lost place.
            Sender(self.collector.port, bundle, batches(terminal, 1)).send(until)
        self.assert_exact(terminal)


class FullDisk(Case):
    def make(self):
        self.disk = self.folder + "/disk"
        os.makedirs(self.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        return Collector(self.folder + "/collector", BINARY, mail="audit@example.jp", state=self.disk + "/state")

    def test_nothing_is_acknowledged_and_nothing_lost(self):
        sendmail = self.collector.folder + "/sendmail"
        with open(sendmail, "w") as file:
            file.write('#!/bin/sh\ncat >>"%s/mails"\n' % self.folder)
        os.chmod(sendmail, 0o755)
        terminal = Terminal("T-1").fill(8000)
        sender = Sender(self.collector.port, self.collector.add_terminal("T-1"), batches(terminal, 10))
        ballast = self.disk + "/ballast"
        with open(ballast, "wb") as file:
            file.truncate()
            os.posix_fallocate(file.fileno(), 0, 6 << 20)
        self.collector.start()
        thread = threading.Thread(target=sender.send, kwargs={"seconds": 300})
        thread.start()
        wait_for("the full disk", lambda: "cannot store" in self.collector.read(self.collector.log + "/store.log"))
        before = sender.done
        stored = self.collector.stored()
        self.assertEqual(stored, terminal.lines[:len(stored)])
        self.assertGreaterEqual(len(stored), before * 10)
        self.assertLess(before, len(sender.messages))
        os.unlink(ballast)
        thread.join()
        self.assert_exact(terminal)
        wait_for("the mail", lambda: "DISK" in self.collector.read(self.folder + "/mails"))


class Certificates(Case):
    def refused(self, *arguments, **options):
        sender = Sender(self.collector.port, *arguments, [Terminal("T-1").fill(1).message(b"{}")], **options)
        with self.assertRaises((OSError, ssl.SSLError)):
            sender.once()
        sender.socket.close()
        self.assertEqual(sender.done, 0)

    def test_only_known_certificates_get_in(self):
        good = self.collector.add_terminal("T-1")
        revoked = self.collector.add_terminal("T-2")
        other = Collector(self.folder + "/other", BINARY)
        stranger = other.add_terminal("T-1")
        # The stranger believes in our CA, and shows a certificate of his own.
        os.replace(good + "/ca.pem", self.folder + "/ca.pem")
        for bundle in (good, stranger):
            with open(self.folder + "/ca.pem") as ca, open(bundle + "/ca.pem", "w") as copy:
                copy.write(ca.read())
        self.collector.command("revoke-terminal", "T-2")
        again = self.collector.add_terminal("T-2")
        self.collector.start()
        self.refused(stranger)
        self.refused(revoked)
        # The server shows its own certificate where a terminal's is due, and nobody's name but a terminal's is let in.
        with open(self.collector.etc + "/server.crt") as certificate, open(self.collector.etc + "/server.key") as key:
            os.makedirs(self.folder + "/server")
            for name, text in (("terminal.pem", certificate.read()), ("terminal.key", key.read())):
                with open(self.folder + "/server/" + name, "w") as file:
                    file.write(text)
        os.symlink(self.folder + "/ca.pem", self.folder + "/server/ca.pem")
        self.refused(self.folder + "/server")
        old = Sender(self.collector.port, good, [], minimum=ssl.TLSVersion.TLSv1_2)
        old.context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises((OSError, ssl.SSLError)):
            old.once()
        with self.assertRaises(ssl.SSLCertVerificationError):
            Sender(self.collector.port, good, [b"x"], name="other.test").once()
        terminal = Terminal("T-2").fill(2)
        self.send(again, terminal.message(*terminal.lines))
        self.assert_exact(terminal)

    def expired(self, bundle):
        """The same name and the right CA, but a time that has gone by."""
        template = self.folder + "/template"
        peer = self.collector.read(self.collector.etc + "/terminals").split("\t")[1]
        with open(template, "w") as file:
            file.write('cn = "%s"\ndns_name = "%s"\nsigning_key\ntls_www_client\nserial = 7\n'
                       'activation_date = "2020-01-01 00:00:00 UTC"\nexpiration_date = "2021-01-01 00:00:00 UTC"\n' % (peer, peer))
        etc = self.collector.etc
        subprocess.run(["certtool", "--generate-certificate", "--load-privkey", bundle + "/terminal.key", "--template", template,
                        "--load-ca-certificate", etc + "/ca.crt", "--load-ca-privkey", etc + "/ca.key",
                        "--outfile", bundle + "/terminal.pem"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_expired_then_renewed(self):
        bundle = self.collector.add_terminal("T-1")
        self.expired(bundle)
        self.collector.start()
        self.refused(bundle)
        renewed = self.collector.add_terminal("T-1")
        self.collector.stop()
        self.collector.start()
        self.refused(bundle)
        terminal = Terminal("T-1").fill(1)
        self.send(renewed, terminal.message(*terminal.lines))
        self.assert_exact(terminal)
        days = self.status()["T-1", "agent"]["certificate_days"]
        self.assertIn(days, (823, 824, 825))

    def test_a_name_past_its_end_is_not_permitted(self):
        self.collector.add_terminal("T-1")
        line = self.collector.read(self.collector.etc + "/terminals").split("\t")
        with open(self.collector.etc + "/terminals", "w") as file:
            file.write("\t".join(line[:2] + ["1700000000\n"]))
        self.collector.add_terminal("T-2")
        self.assertNotIn(line[1], self.collector.read(self.collector.etc + "/rsyslog.conf"))

    def test_the_key_of_the_ca_lies_in_a_safe(self):
        self.collector.add_terminal("T-1")
        etc = self.collector.etc
        os.rename(etc + "/ca.key", self.folder + "/ca.key")
        ca = self.collector.read(etc + "/ca.crt")
        for words in (["add-terminal", "T-2"], ["renew-server"]):
            self.assertIn("bring %s/ca.key back" % etc, self.collector.command(*words, expect=3).stderr)
        self.collector.command("output", "off")
        self.collector.command("revoke-terminal", "T-1")
        self.assertEqual(self.collector.read(etc + "/terminals"), "")
        # The list is empty, and still no other CA takes the place of the one that terminals know.
        self.collector.command("init", "--name", "x", "--address", "::1", expect=1)
        self.assertEqual(self.collector.read(etc + "/ca.crt"), ca)
        self.assertFalse(os.path.exists(etc + "/ca.key"))
        os.rename(self.folder + "/ca.key", etc + "/ca.key")
        self.collector.command("renew-server")
        self.collector.add_terminal("T-2")

    def test_init_that_was_interrupted_is_repeated(self):
        etc = self.folder + "/again"
        words = ["init", "--name", "x", "--address", "::1"]
        share = self.folder + "/half"
        os.mkdir(share)
        # No template: it ends before the configuration is written.
        self.collector.command(*words, expect=1, SEKIMORI_COLLECTOR_ETC=etc, SEKIMORI_COLLECTOR_SHARE=share)
        self.collector.command("revoke-terminal", "T-1", expect=3, SEKIMORI_COLLECTOR_ETC=etc)
        self.collector.command(*words, SEKIMORI_COLLECTOR_ETC=etc)
        subprocess.run(["openssl", "verify", "-CAfile", etc + "/ca.crt", etc + "/server.crt"], check=True, stdout=subprocess.DEVNULL)
        self.assertIn("server.crt", self.collector.read(etc + "/rsyslog.conf"))
        self.collector.command(*words, expect=1, SEKIMORI_COLLECTOR_ETC=etc)

    def test_the_collector_s_own_certificate_is_watched(self):
        for days, status in ((40, 0), (20, 1)):
            self.collector.command("renew-server", "--days", str(days))
            # A store that finds every terminal well.
            done = self.collector.command("status", expect=status, SEKIMORI_STORE="/bin/true")
            self.assertRegex(done.stdout, "server certificate: (%d|%d) days left" % (days - 1, days))
            for form in ("--json", "--csv"):
                done = self.collector.command("status", form, expect=status, SEKIMORI_STORE="/bin/true")
                self.assertEqual(done.stdout, "")
                self.assertEqual("days left" in done.stderr, status == 1, form)
            self.collector.command("status", expect=127, SEKIMORI_STORE=self.folder + "/none")

    def test_words_that_are_wrong_change_nothing(self):
        before = self.collector.read(self.collector.etc + "/rsyslog.conf")
        for words in (["add-terminal"], ["add-terminal", "a b"], ["add-terminal", "../x"], ["add-terminal", "-x"],
                      ["add-terminal", "T-1", "--days", "0"], ["add-terminal", "T-1", "--frob", "1"], ["frobnicate"], [],
                      ["init", "--name", "x"], ["init", "--name", "x", "--address", "host"], ["revoke-terminal", "x", "y"],
                      ["init", "--name", "x", "--address", "::1", "--port", "0"], ["init", "--name", "x-", "--address", "::1"],
                      ["init", "--name", "x..y", "--address", "::1"], ["init", "--name", "x", "--address", "10.0.0.256"],
                      ["init", "--name", "x", "--address", "10.0.0.01"], ["init", "--name", "10.0.0.1", "--address", "10.0.0.1"], ["add-terminal", "PC\u2010042"], ["add-terminal", "x" * 65],
                      ["load", "--database"]):
            self.collector.command(*words, expect=2)
        self.collector.command("init", "--name", "x", "--address", "::1", expect=1)
        self.collector.command("revoke-terminal", "T-9", expect=1)
        self.collector.command("status", expect=1)
        self.assertEqual(self.collector.read(self.collector.etc + "/rsyslog.conf"), before)
        for name, mode in (("ca.key", 0o600), ("server.key", 0o640), ("terminals", 0o640)):
            self.assertEqual(os.stat(self.collector.etc + "/" + name).st_mode & 0o777, mode, name)


class Telling(Case):
    mail = "audit@example.jp"

    def test_mail_is_sent_and_kept_until_it_is(self):
        sendmail = self.collector.folder + "/sendmail"
        with open(sendmail, "w") as file:
            file.write('#!/bin/sh\nexit 75\n')
        os.chmod(sendmail, 0o755)
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        terminal = Terminal("T-1").fill(5)
        self.send(bundle, terminal.message(terminal.lines[0]), terminal.message(terminal.lines[4]))
        wait_for("sendmail's refusal", lambda: "did not take" in self.collector.read(self.collector.log + "/store.log"))
        self.collector.kill()
        with open(sendmail, "w") as file:
            file.write('#!/bin/sh\necho "$@" >>"%s/words"\ncat >>"%s/mails"\n' % (self.folder, self.folder))
        self.collector.start()
        self.send(bundle, terminal.message(terminal.lines[4]))
        mail = wait_for("the mail", lambda: self.collector.read(self.folder + "/mails"))
        self.assertIn("To: audit@example.jp\n", mail)
        self.assertIn("GAP", mail)
        self.assertIn("T-1 (agent) 2..4: 3 records are missing\n", mail)
        self.assertEqual(self.collector.read(self.folder + "/words"), "-t -i\n")
        self.assertEqual(mail.split("\n\n", 1)[0].count("\n"), 5, "the head has lines of a stranger")


class Database(Case):
    def setUp(self):
        super().setUp()
        self.postgres = Postgres(self.folder + "/postgres")

    def load(self, *arguments, expect=0, **environment):
        return self.collector.command("load", *arguments, expect=expect, SEKIMORI_LOAD_CHUNK="20000", **environment, **{
            name: self.postgres.environment[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE")})

    def test_loaded_once_whatever_happens(self):
        bundle = self.collector.add_terminal("T-1")
        terminal = Terminal("T-1").fill(300)
        terminal.add(text="\\u0000 in a text")
        terminal.add_with(b"RAW", b"a\\u0000b \xff \\\\.")
        self.collector.start()
        self.send(bundle, *batches(terminal, 10))
        self.collector.stop()
        # The database is down: nothing stops, nothing is lost.
        self.load(expect=3)
        self.postgres.start()
        self.addCleanup(self.postgres.stop)
        self.assertIn("loaded: 302 records", self.load().stdout)
        self.assertIn("loaded: 0 records", self.load().stdout)
        more = Terminal("T-1", "auth").fill(50)
        self.collector.start()
        self.send(bundle, *batches(terminal, 20), *batches(more, 5))
        self.collector.stop()
        # It dies in the middle: what was committed is there once, the rest comes with the next load.
        self.postgres.ask("create function sekimori.bang() returns trigger language plpgsql as $$ begin if new.n = 40 and new.stream = 'auth' then raise 'bang'; end if; return new; end $$;"
                          "create trigger bang before insert on sekimori.record for each row execute function sekimori.bang()")
        self.load(expect=3)
        self.postgres.ask("drop trigger bang on sekimori.record")
        self.load()
        self.check(terminal, more)
        self.load("--rebuild")
        self.check(terminal, more)

    def test_no_record_stops_the_others(self):
        self.postgres.start()
        self.addCleanup(self.postgres.stop)
        odd, honest = Terminal("T-9"), Terminal("T-1")
        long = b'"%s"' % os.urandom(3000).hex().encode()
        changes = [(b"RAW", text) for text in (
            b"\xf7\xbf\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xed\xa0\x80", b"\xe3\x81", b"\xf0\x9f", b"\xef\xbb\xbf",
            b"\xef\xbf\xbf", b"\\u0000", b"\\ud800", b"\\x", b'","no": json')]
        changes += [(b'"RAW"', value) for value in (
            b"1e999999", b"-1e131071", b"[" * 3500 + b"]" * 3500, b'{"":' * 1400 + b"0" + b"}" * 1400, b"9" * 7000)]
        changes += [(b'{"time":', b'{"time":%s,"was":' % value) for value in (
            b"-999999999999999", b"999999999999999", b"9" * 400, b"1e400", b"0", b"null", b'"now"')]
        for member in (b'"T-9"', '"住民課"'.encode(), b'"EXPORT_DENIED"', b'"blocked"', b'"warning"', b'"yamada"'):
            changes += [(member, long), (member, b"[%s]" % long), (member, b"1e100000"), (member, b'"\\ud83d\\ude00"')]
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        for old, new in changes:
            self.assertIn(old, odd.make(text="RAW"))
            odd.add_with(old, new)
            honest.fill(1)
        self.send(bundle, *batches(odd, 1), *batches(honest, 1))
        self.collector.stop()
        self.assert_exact(odd, honest)
        for words in ((), ("--rebuild",)):
            self.assertIn("loaded: %d records" % (2 * len(changes)), self.load(*words).stdout)
        # Whatever is indexed one day.
        for column in ("section", "outcome", "severity", "person"):
            self.postgres.ask("create index on sekimori.record (%s)" % column)
        for view in ("completeness", "device", "authentication", "by_day"):
            self.postgres.ask("select * from sekimori." + view)

    def test_no_record_takes_the_place_of_another(self):
        self.postgres.start()
        self.addCleanup(self.postgres.stop)
        hostile, honest = Terminal("T-9"), Terminal("T-1").fill(1)
        # Near enough in letters, too far in bytes to be looked at by the store.
        fake = '{"a":1,"skm":{"stream":"agent","c":"%s","n":1,"b":null}},"x":"%s"' % (honest.chain_id.hex(), "終" * 80)
        hostile.add_with(b'"RAW"', fake.encode())
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        self.send(bundle, hostile.message(*hostile.lines), honest.message(*honest.lines))
        self.collector.stop()
        self.assertEqual(self.collector.stored(), hostile.lines + honest.lines)
        self.assertIn("loaded: 2 records", self.load().stdout)
        self.assertEqual(self.postgres.ask("select terminal from sekimori.record where chain = '%s'" % honest.chain_id.hex()), "T-1")

    def test_a_full_temporary_folder_leaves_nothing_out(self):
        self.postgres.start()
        self.addCleanup(self.postgres.stop)
        terminal = Terminal("T-1").fill(100)
        bundle = self.collector.add_terminal("T-1")
        self.collector.start()
        self.send(bundle, *batches(terminal, 10))
        self.collector.stop()
        small = self.folder + "/small"
        os.mkdir(small)
        refused = 0
        for pages in (4, 7, 9, 10, 12, 14):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % (4 * pages), "none", small], check=True)
            refused += self.load("--rebuild", expect=None, TMPDIR=small).returncode == 3
            subprocess.run(["umount", "-l", small], check=True)
            self.load()
            self.assertEqual(self.postgres.ask("select count(*) from sekimori.record"), "100", "%d pages" % pages)
        self.assertGreater(refused, 0)

    def check(self, *terminals):
        ask = self.postgres.ask
        for terminal in terminals:
            found = ask("select records, first, last, missing from sekimori.completeness where chain = '%s'" % terminal.chain_id.hex())
            count = len(terminal.lines)
            self.assertEqual(found, "%d|1|%d|0" % (count, count))
        self.assertEqual(ask("select count(*) from sekimori.record"), str(sum(len(terminal.lines) for terminal in terminals)))
        raw = ask("select raw from sekimori.record where n = 7 and stream = 'agent'")
        self.assertEqual(raw.encode(), terminals[0].lines[6])
        self.assertEqual(ask("select terminal, section, event, outcome, doc is null from sekimori.record where n = 7 and stream = 'agent'"),
                         "T-1|住民課|EXPORT_DENIED|blocked|f")
        self.assertEqual(ask("select count(*) from sekimori.record where doc is null"), "1")
        self.assertEqual(ask("select count(*) from pg_inherits where inhparent = 'sekimori.record'::regclass"), "1")


if __name__ == "__main__":
    if not BINARY:
        sys.exit(__doc__)
    unittest.main(verbosity=2)
