# SPDX-License-Identifier: Apache-2.0
"""What outputs send to: a recorder that holds a client to OpenSearch's bulk protocol, librdkafka's mock cluster, and a TLS
front for the latter, which has none of its own."""
import base64
import http.server
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import threading


class Authority:
    """A CA and certificates for 127.0.0.1."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.ca = "%s/%s-ca.pem" % (folder, name)
        self.run("req", "-new", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2",
                 "-subj", "/CN=" + name, "-keyout", self.ca + ".key", "-out", self.ca)

    @staticmethod
    def run(*words):
        subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, label, names):
        """A file with a certificate for `names` and its key."""
        path = "%s/%s-%s.pem" % (self.folder, self.name, label)
        self.run("req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=" + label,
                 "-addext", "subjectAltName=" + names, "-keyout", path + ".key", "-out", path + ".csr")
        self.run("x509", "-req", "-in", path + ".csr", "-CA", self.ca, "-CAkey", self.ca + ".key", "-CAcreateserial", "-days", "2",
                 "-copy_extensions", "copy", "-out", path)
        with open(path, "a") as file, open(path + ".key") as key:
            file.write(key.read())
        return path


def server_context(certificate, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class Recorder:
    """OpenSearch as far as _bulk goes. Refuses, and remembers in `faults`, whatever the protocol does not allow. `plan` is
    what the next requests meet, one entry each; an empty one is the usual answer:
      a number           that HTTP status, nothing stored
      "hang_up"          stored, but the connection breaks in the middle of the answer
      "cut"              the connection breaks before anything is stored
      "nonsense"         status 200 and an answer that is none
      a function         of an item's (number in the request, document) -> its status; 201 stores it
    """

    def __init__(self, certificate, user=None, password=None, limit=None):
        self.documents, self.faults, self.plan, self.requests, self.limit = {}, [], [], 0, limit
        self.connections = 0
        self.sizes = []
        self.expected = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode() if user else None
        self.changed = threading.Condition()
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_POST(self):
                recorder.post(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, address = super().get_request()
                recorder.connections += 1
                connection.settimeout(20)
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request, address):
                pass  # a client that breaks off

        context = server_context(certificate)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, what, check, seconds=60):
        with self.changed:
            if not self.changed.wait_for(lambda: check(self), seconds):
                raise AssertionError("waited in vain for %s: %d documents, %d requests, plan %r, faults %r"
                                     % (what, len(self.documents), self.requests, self.plan, self.faults[:3]))

    def post(self, handler):
        expected = int(handler.headers["Content-Length"])
        body = handler.rfile.read(expected)
        if len(body) < expected:
            handler.close_connection = True  # the client was killed in the middle of its request
            return
        with self.changed:
            self.requests += 1
            step = self.plan.pop(0) if self.plan else None
            try:
                self.answer(handler, body, step)
            finally:
                self.changed.notify_all()

    def answer(self, handler, body, step):
        if self.expected and handler.headers["Authorization"] != self.expected:
            self.reply(handler, 401, b"{}")
            return
        try:
            items = self.parse(handler, body)
        except ValueError as fault:
            self.faults.append(str(fault))
            self.reply(handler, 400, b"{}")
            return
        self.sizes.append(len(items))
        if step == "cut":
            self.hang_up(handler)
        elif isinstance(step, int):
            self.reply(handler, step, b'{"error":"planned"}')
        elif step == "nonsense":
            self.reply(handler, 200, b'{"errors":false,"items":[]}')
        elif self.limit and len(items) > self.limit:
            self.reply(handler, 413, b"{}")
        else:
            answer = json.dumps({"items": [self.take(i, *item, step if callable(step) else self.usual) for i, item in enumerate(items)]}).encode()
            if step == "hang_up":
                self.reply(handler, 200, answer, cut=True)
                self.hang_up(handler)
            else:
                self.reply(handler, 200, answer)

    @staticmethod
    def parse(handler, body):
        """[(id, document)], or ValueError: the grammar of _bulk, line by line."""
        if not re.fullmatch(r"/[a-z0-9._/-]+/_bulk(\?.*)?", handler.path):
            raise ValueError("path " + handler.path)
        if handler.headers["Content-Type"] != "application/x-ndjson":
            raise ValueError("content type %s" % handler.headers["Content-Type"])
        if not body.endswith(b"\n"):
            raise ValueError("no newline at the end")
        lines = body[:-1].split(b"\n")
        if len(lines) % 2:
            raise ValueError("an action without its document")
        items = []
        for action, document in zip(lines[::2], lines[1::2]):
            parsed = json.loads(action)
            if list(parsed) != ["index"] or list(parsed["index"]) != ["_id"]:
                raise ValueError("action %r" % action)
            items.append((parsed["index"]["_id"], document))
        if not items:
            raise ValueError("nothing in it")
        return items

    @staticmethod
    def usual(_, document):
        """As OpenSearch: what is no JSON in UTF-8 is refused by itself."""
        try:
            json.loads(document.decode("utf-8"))
            return 201
        except ValueError:
            return 400

    def take(self, number, identity, document, decide):
        status = decide(number, document)
        item = {"_id": identity, "status": status}
        if status == 201:
            if identity in self.documents:
                item["status"] = 200
            self.documents[identity] = document
        else:
            item["error"] = {"type": "mapper_parsing_exception" if status == 400 else "rejected_execution_exception"}
        return {"index": item}

    @staticmethod
    def reply(handler, status, body, cut=False):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:len(body) // 2] if cut else body)
        handler.wfile.flush()

    @staticmethod
    def hang_up(handler):
        handler.close_connection = True
        try:
            handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Kafka:
    """librdkafka's mock cluster, in a process of its own."""

    def __init__(self, binary, topic="sekimori", partitions=4, brokers=3):
        self.process = subprocess.Popen(
            [binary + "/tests/kafka_broker", str(brokers), topic, str(partitions)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))
        self.brokers = self.process.stdout.readline().decode().strip()
        assert self.brokers, "the mock cluster did not start"

    def say(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            assert line, "the mock cluster ended: " + command
            if line == b".\n":
                return lines
            lines.append(line[:-1])

    def messages(self):
        """[(partition, key, value)]"""
        found = []
        for line in self.say("dump"):
            partition, key, value = line.split(b" ", 2)
            found.append((int(partition), key.decode(), value))
        return found

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


class TlsFront:
    """A TLS port for one plain broker. What the broker says of its own address becomes the front's."""

    def __init__(self, broker, certificate, client_ca=None):
        self.target = int(broker.rsplit(":", 1)[1])
        self.context = server_context(certificate, client_ca)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.refused = []  # why handshakes failed
        self.requests = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        raw.settimeout(60)
        try:
            client = self.context.wrap_socket(raw, server_side=True)
            # A client that does not like the certificate says so only now.
            first = self.frame(client)
        except OSError as error:
            self.refused.append(str(error))
            raw.close()
            return
        if not first:
            self.refused.append("closed without a request")
            return
        server = socket.create_connection(("127.0.0.1", self.target))
        self.requests += 1
        server.sendall(first)
        threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
        self.pump(server, client, True)

    @staticmethod
    def read(source, count):
        data = b""
        while len(data) < count:
            more = source.recv(count - len(data))
            if not more:
                return b""
            data += more
        return data

    def frame(self, source):
        head = self.read(source, 4)
        return head + self.read(source, struct.unpack(">i", head)[0]) if head else b""

    def pump(self, source, sink, from_broker):
        host = b"127.0.0.1"
        old, new = host + struct.pack(">i", self.target), host + struct.pack(">i", self.port)
        try:
            while True:
                frame = self.frame(source)
                if not frame:
                    break
                sink.sendall(frame.replace(old, new) if from_broker else frame)
        except (OSError, ValueError):
            pass  # one of them is closed
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if from_broker:
                end.close()
