# SPDX-License-Identifier: Apache-2.0
"""Terminals that exist only as their records: genuine SKM-CHAIN-1 lines, made without any of the code under test."""
import hashlib
import json
import os
import time


def hash_first(chain_id):
    return hashlib.blake2b(chain_id, digest_size=32, person=b"skm-rec0").digest()


def hash_next(before, body):
    return hashlib.blake2b(before + body, digest_size=32, person=b"skm-rec1").digest()


class Terminal:
    """One stream of one terminal. `lines` are what its segments hold, without newlines."""

    def __init__(self, number, stream="agent", chain_id=None):
        self.number = number
        self.stream = stream
        self.chain_id = chain_id or os.urandom(16)
        self.head = hash_first(self.chain_id)
        self.sequence = 0
        self.lines = []

    def make(self, event="EXPORT_DENIED", outcome="blocked", text="", at=None, **members):
        """The next record; not yet in `lines`."""
        at = time.time() if at is None else at
        record = {
            "time": int(at * 1000),
            "time_dt": time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime(at)),
            "class_uid": 1010,
            "class_name": "Peripheral Activity",
            "category_uid": 1,
            "activity_id": 1,
            "type_uid": 101001,
            "severity_id": 3,
            "severity": "warning",
            "event": event,
            "message": "storage refused",
            "action_id": 2,
            "disposition_id": 2,
            "outcome": outcome,
            "metadata": {"version": "1.7.0", "sequence": self.sequence + 1},
            "terminal": {"number": self.number, "section": "住民課"},
            "clock": {"synchronised": True, "offset_usec": -1500, "boottime_usec": self.sequence * 1000},
            "actor": {"user": "yamada"},
            "policy": {"rule": "builtin:storage"},
            "object": None,
            "detail": text or None,
        }
        record.update(members)
        chain = {
            "stream": self.stream,
            "c": self.chain_id.hex(),
            "n": self.sequence + 1,
            "b": "ab" * 16,
            "bn": 1,
            "mt": 1000,
            "p": self.head.hex(),
        }
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":"))[:-1]
        body += ',"skm":' + json.dumps(chain, separators=(",", ":"))
        return body.encode()

    def add(self, *arguments, **members):
        body = self.make(*arguments, **members)
        self.sequence += 1
        self.head = hash_next(self.head, body)
        mac = hashlib.blake2b(self.head, digest_size=16, key=b"k" * 32).hexdigest().encode()
        line = body + b',"m":"' + mac + b'"}'
        self.lines.append(line)
        return line

    def add_with(self, old, new):
        """A record with these bytes in the place of others, whatever they are: its hash is right."""
        body = self.make(text="RAW").replace(old, new, 1)
        self.sequence += 1
        self.head = hash_next(self.head, body)
        self.lines.append(body + b',"m":"' + b"1" * 32 + b'"}')

    def head_after(self, sequence):
        """h_n of one of its own records."""
        head = hash_first(self.chain_id)
        for line in self.lines[:sequence]:
            head = hash_next(head, line[:line.rindex(b',"m":"')])
        return head

    def checkpoint(self, reason="time", lost=0, at=None):
        zeros = "00" * 32
        return self.add(
            "CHECKPOINT",
            "logged",
            at=at,
            checkpoint={"h": self.head.hex(), "key": zeros, "next": zeros, "sig": zeros * 2, "lost": lost, "reason": reason},
        )

    def fill(self, count):
        for number in range(count):
            self.add(text="record %d of %s" % (number, self.number))
        return self

    def message(self, *lines):
        return b"<109>1 - %s sekimori-%s - - - %s" % (self.number.encode(), self.stream.encode(), b"\x1e".join(lines))


def json_string(raw):
    """As rsyslog's property option "json" writes it."""
    out = bytearray()
    for byte in raw:
        if byte in b'"\\/':
            out += b"\\" + bytes([byte])
        elif byte == 10:
            out += b"\\n"
        elif byte < 0x20:
            out += b"\\u%04X" % byte
        else:
            out.append(byte)
    return bytes(out)
