#!/usr/bin/env python3
"""The real rootspan-forwarder on Unix sockets: what it promises to those who send, and to those who
read its file."""

import gzip
import json
import math
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "lib"))
import otlp
import spans

FORWARDER = os.environ["ROOTSPAN_FORWARDER"]
PATIENCE = 30  # seconds until a wait counts as hanging
OK = b"\x0a\x00"


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, body, *fields, length=None, path="/v1/traces"):
        head = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/x-protobuf",
                f"Content-Length: {len(body) if length is None else length}", *fields, "", ""]
        self.socket.sendall("\r\n".join(head).encode() + body)

    def answer(self):
        """(status, fields, body), or None at the end of the stream."""
        line = self.file.readline()
        if not line:
            return None
        fields = {}
        while (field := self.file.readline().decode().rstrip("\r\n")):
            name, value = field.split(": ", 1)
            fields[name] = value
        return (int(line.split()[1]), fields, self.file.read(int(fields["Content-Length"])))

    def post(self, body, *fields, path="/v1/traces"):
        self.send(body, *fields, path=path)
        return self.answer()

    def open(self, span):
        """Tells of an open root span, which is held from here on."""
        return self.post(otlp.request(span), path="/rootspan/v1/open")[0]


def small(number, name="x"):
    return otlp.request(otlp.span(number, name, 0, 1, parent=1))


class ForwarderTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)
        self.file = self.path / "traces.jsonl"
        self.socket = self.path / "v.sock_10240"

    def start(self, *options, **kwargs):
        """Starts the forwarder and returns it when it listens."""
        process = subprocess.Popen(
            [FORWARDER, "--socket-path", self.path / "v.sock", *options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        self.addCleanup(self.reap, process)
        line = process.stderr.readline()
        while line and "listening on" not in line:
            line = process.stderr.readline()
        self.assertEqual(line, f"rootspan-forwarder: listening on unix:{self.socket}\n")
        return process

    @staticmethod
    def reap(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def stop(self, process):
        """Stops it in order; returns its output and its log."""
        process.send_signal(signal.SIGTERM)
        output, log = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, log)
        return output, log

    def fails(self, *options):
        """Runs it in vain; returns exit status and log."""
        result = subprocess.run([FORWARDER, *options], text=True, capture_output=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(result.stdout, "")
        return result.returncode, result.stderr

    def lines(self):
        text = self.file.read_text()
        self.assertTrue(not text or text.endswith("\n"))
        return [json.loads(line) for line in text.splitlines()]

    def ids(self):
        return [int(span["spanId"], 16) for span in spans.read_file(self.file)]


class TestFile(ForwarderTest):
    def test_mapping(self):
        """Every kind of value, against the JSON that OTLP's mapping asks for."""
        values = {"string": "grün\0"[:4], "int": -2**63, "double": 0.5, "nan": math.nan,
                  "bool": False, "bytes": b"\0\xff", "none": None,
                  "array": [1, "a", []], "map": {"k": {"l": True}}}
        event = otlp.field_fixed64(1, 5) + otlp.field_text(2, "event")
        link = otlp.field_bytes(1, otlp.TRACE) + otlp.field_bytes(2, otlp.span_id(9))
        span = otlp.span(2, "name", 0, 1, parent=1, error="bad", values=values,
                         rest=otlp.field_bytes(11, event) + otlp.field_bytes(13, link) +
                         otlp.field_fixed32(16, 0x101))
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            self.assertEqual(client.post(otlp.request(span))[::2], (200, OK))
        self.stop(process)
        self.assertEqual(self.lines(), [{"resourceSpans": [{
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": "rootspan"}},
                {"key": "host.name", "value": {"stringValue": "vm-1"}}]},
            "scopeSpans": [{"scope": {"name": "test"}, "spans": [{
                "traceId": "0af7651916cd43dd8448eb211c80319c",
                "spanId": "0000000000000002",
                "parentSpanId": "0000000000000001",
                "name": "name",
                "kind": 1,
                "startTimeUnixNano": "1700000000000000000",
                "endTimeUnixNano": "1700000000001000000",
                "attributes": [
                    {"key": "string", "value": {"stringValue": "grün"}},
                    {"key": "int", "value": {"intValue": "-9223372036854775808"}},
                    {"key": "double", "value": {"doubleValue": 0.5}},
                    {"key": "nan", "value": {"doubleValue": "NaN"}},
                    {"key": "bool", "value": {"boolValue": False}},
                    {"key": "bytes", "value": {"bytesValue": "AP8="}},
                    {"key": "none", "value": {}},
                    {"key": "array", "value": {"arrayValue": {"values": [
                        {"intValue": "1"}, {"stringValue": "a"}, {"arrayValue": {}}]}}},
                    {"key": "map", "value": {"kvlistValue": {"values": [
                        {"key": "k", "value": {"kvlistValue": {"values": [
                            {"key": "l", "value": {"boolValue": True}}]}}}]}}}],
                "events": [{"timeUnixNano": "5", "name": "event"}],
                "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c",
                           "spanId": "0000000000000009"}],
                "status": {"message": "bad", "code": 2},
                "flags": 257}]}]}]}])

    def test_acknowledged_is_written(self):
        """With the answer, the line is in the file; without --tree nothing is printed."""
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            for number in range(1, 6):
                self.assertEqual(client.post(small(number))[0], 200)
                self.assertEqual(self.ids(), list(range(1, number + 1)))
            self.assertEqual(client.post(gzip.compress(small(6)), "Content-Encoding: gzip")[0], 200)
            self.assertEqual(client.post(b"")[0], 200)
        self.assertEqual(self.ids(), list(range(1, 7)))
        self.assertEqual(self.stop(process)[0], "")
        self.assertFalse(self.socket.exists())

    def test_refused_is_not_written(self):
        deep = b""
        for _ in range(5000):
            deep = otlp.field_bytes(5, otlp.field_bytes(1, deep))
        attribute = otlp.field_text(1, "k") + otlp.field_bytes(2, deep)
        bodies = [
            b"\x0a\x05", b"\xff" * 100,
            otlp.request(otlp.span(1, "deep", 0, 1, rest=otlp.field_bytes(9, attribute))),
            otlp.request(otlp.span(1, "x", 0, 1, trace=b"short")),
            otlp.request(otlp.span(0, "no id", 0, 1)),
            otlp.request(otlp.span(1, "x", 0, 1, rest=otlp.field_bytes(3, b"\xff"))),
        ]
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            for body in bodies:
                status, fields, answer = client.post(body)
                self.assertEqual(status, 400)
                self.assertEqual(fields["Content-Type"], "application/x-protobuf")
                self.assertEqual(answer[:3], b"\x08\x03\x12")  # google.rpc INVALID_ARGUMENT
            self.assertEqual(client.post(small(7))[0], 200)
        self.stop(process)
        self.assertEqual(self.ids(), [7])

    def test_killed(self):
        """kill -9 in the middle of it all: every acknowledged line is there, every line is whole,
        and the next one goes on."""
        acknowledged = []

        def send(first):
            try:
                with Client(self.socket) as client:
                    for number in range(first, first + 100000):
                        if not client.post(small(number, "x" * 3000)):
                            return
                        acknowledged.append(number)
            except OSError:
                pass

        process = self.start("--file", self.file)
        threads = [threading.Thread(target=send, args=(1 + k * 100000,)) for k in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        while len(acknowledged) < 50 and time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        process.wait(PATIENCE)
        for thread in threads:
            thread.join(PATIENCE)
        self.assertGreaterEqual(len(acknowledged), 50)
        with self.file.open("a") as file:
            file.write('{"resourceSpans":[{"resource":')

        self.assertTrue(self.socket.exists())
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            self.assertEqual(client.post(small(999999))[0], 200)
        self.stop(process)
        ids = self.ids()
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(set(acknowledged), set(ids))
        self.assertEqual(ids[-1], 999999)

    def test_torn_line_is_reported(self):
        self.file.write_text('{"resourceSpans":[]}\n{"resou')
        process = subprocess.Popen([FORWARDER, "--socket-path", self.path / "v.sock", "--file",
                                    self.file], text=True, stderr=subprocess.PIPE)
        self.addCleanup(self.reap, process)
        self.assertIn("removed an incomplete last line of 7 bytes", process.stderr.readline())
        self.assertEqual(self.file.read_text(), '{"resourceSpans":[]}\n')

    def test_no_room(self):
        """503 while the file may not grow, told once; then it goes on."""
        process = self.start("--file", self.file)
        size = len(small(1, "x" * 2000))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2 * size, resource.RLIM_INFINITY))
        with Client(self.socket) as client:
            self.assertEqual(client.post(small(1, "x" * 2000))[0], 200)
            for number in range(2, 5):
                status, fields, _ = client.post(small(number, "x" * 2000))
                self.assertEqual((status, fields["Retry-After"]), (503, "5"))
            self.assertEqual(self.ids(), [1])
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self.assertEqual(client.post(small(4, "x" * 2000))[0], 200)
        _, log = self.stop(process)
        self.assertEqual(self.ids(), [1, 4])
        self.assertEqual(log.count("cannot write to"), 1)
        self.assertEqual(log.count("works again"), 1)

    def test_many_clients(self):
        """50 clients at once, 20 requests each; a span is there once for each answer."""
        failures = []

        def send(first):
            try:
                with Client(self.socket) as client:
                    for number in range(first, first + 20):
                        if client.post(small(number))[0] != 200:
                            failures.append(number)
            except (OSError, TypeError) as error:
                failures.append(error)

        process = self.start("--file", self.file)
        threads = [threading.Thread(target=send, args=(1 + k * 20,)) for k in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.stop(process)
        self.assertEqual(failures, [])
        self.assertEqual(sorted(self.ids()), list(range(1, 1001)))

    def test_large_request(self):
        """20 MB, with others served before it is complete."""
        body = otlp.request(*(otlp.span(number, "x" * 1000, 0, 1) for number in range(1, 20001)))
        process = self.start("--file", self.file)
        with Client(self.socket) as large, Client(self.socket) as other:
            large.send(body[:-1], length=len(body))
            self.assertEqual(other.post(small(5))[0], 200)
            large.socket.sendall(body[-1:])
            self.assertEqual(large.answer()[0], 200)
        self.stop(process)
        self.assertEqual(len(self.ids()), 20001)


class TestTree(ForwarderTest):
    def trace(self):
        return [
            otlp.span(2, "boot", 0, 20, parent=1),
            otlp.span(3, "agent", 20, 90, parent=1, error="exit code 3",
                      values={"process.exit.code": 3}),
            otlp.span(1, "guest", 0, 100),
        ]

    def test_printed_with_root(self):
        """As soon as its root span has come, and only then."""
        process = self.start("--tree")
        boot, agent, guest = self.trace()
        with Client(self.socket) as client:
            client.post(otlp.request(agent))
            client.post(otlp.request(guest, boot))
            tree = "".join(process.stdout.readline() for _ in range(8))
        self.assertEqual(tree, """\
Trace 0af7651916cd43dd8448eb211c80319c: 3 spans, 1 error, 100ms
service.name=rootspan host.name=vm-1
                               START   DURATION
guest                              0      100ms  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
├─ boot                            0     20.0ms  ━━━━━━━━━━
└─ ✗ agent                    20.0ms     70.0ms            ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
      exit code 3

""")
        self.assertEqual(self.stop(process)[0], "")

    def test_without_root(self):
        """At the end, what has no root span is shown all the same; the tree is the default."""
        process = self.start()
        with Client(self.socket) as client:
            client.post(otlp.request(self.trace()[0]))
        output, _ = self.stop(process)
        self.assertIn("<trace-without-root-span>\n└─ boot (parent not seen)", output)

    def test_color(self):
        process = self.start("--color=always")
        with Client(self.socket) as client:
            client.post(otlp.request(*self.trace()))
        self.assertIn("\033[31m✗ agent\033[0m", self.stop(process)[0])

    def test_untrusted_text(self):
        process = self.start()
        with Client(self.socket) as client:
            client.post(otlp.request(otlp.span(1, "a\033]0;x\a\u202eb\u009bc\nd", 0, 1),
                                     resource={"service.name": "\033[2J", "host.name": "\r\033c"}))
        output, _ = self.stop(process)
        self.assertIn("a\ufffd]0;x\ufffd\ufffdb\ufffdc d", output)
        self.assertEqual([c for c in output if ord(c) < 32 and c != "\n"], [])

    def test_only_stored_is_shown(self):
        """A request that is refused is not shown, and once when it comes again."""
        process = self.start("--tree", "--file", self.file)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        with Client(self.socket) as client:
            self.assertEqual(client.post(otlp.request(*self.trace()))[0], 503)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self.assertEqual(client.post(otlp.request(*self.trace()))[0], 200)
        output, _ = self.stop(process)
        self.assertEqual(output.count("Trace "), 1)

    def test_nobody_reads(self):
        """A closed standard output costs nobody a span."""
        process = self.start("--tree", "--file", self.file)
        process.stdout.close()
        process.stdout = None
        with Client(self.socket) as client:
            for _ in range(3):
                self.assertEqual(client.post(otlp.request(*self.trace()))[0], 200)
        _, log = self.stop(process)
        self.assertEqual(len(self.lines()), 3)
        self.assertEqual(log.count("cannot print traces"), 1)


class TestOpenRoot(ForwarderTest):
    """A root span that has begun and whose VM is lost, or is not."""
    GUEST = otlp.span(1, "guest", 0, 50, values={"known": "yes"})
    BOOT = otlp.request(otlp.span(2, "boot", 0, 20, parent=1))

    def wait_for(self, number):
        """The span with this id, once it is in the file."""
        deadline = time.monotonic() + PATIENCE
        while number not in self.ids():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        return [span for span in spans.read_file(self.file) if int(span["spanId"], 16) == number]

    def test_lost(self):
        process = self.start("--file", self.file, "--tree")
        with Client(self.socket) as client:
            self.assertEqual(client.open(self.GUEST), 200)
            self.assertEqual(client.post(self.BOOT)[0], 200)
            self.assertEqual(self.ids(), [2])
        [guest] = self.wait_for(1)
        self.assertEqual((guest["name"], guest["status"]), (
            "guest", {"code": 2, "message": "the VM was lost before its root span came"}))
        self.assertEqual(spans.attributes(guest), {
            "known": "yes", "rootspan.reason": "vm-lost", "error.type": "vm-lost"})
        self.assertGreaterEqual(spans.times(guest)[1], 1_700_000_000_050_000_000)
        output, _ = self.stop(process)
        self.assertEqual(self.ids(), [2, 1])
        self.assertNotIn("<trace-without-root-span>", output)
        self.assertRegex(output, r"\n✗ guest .*\n(?s:.*)the VM was lost before its root span came")

    def test_collated(self):
        """With a parent on the host it is the root span of the guest all the same."""
        process = self.start()
        with Client(self.socket) as client:
            client.open(otlp.span(1, "guest", 0, 50, parent=99))
            client.post(self.BOOT)
        output, _ = self.stop_when_lost(process)
        self.assertNotIn("<trace-without-root-span>", output)

    def stop_when_lost(self, process):
        """Stops it when it has seen that its clients are gone."""
        with Client(self.socket) as client:
            client.post(b"")  # what came before has been seen with the answer
        return self.stop(process)

    def test_lost_before_the_stop(self):
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            client.open(self.GUEST)
        self.stop_when_lost(process)
        self.assertEqual(self.ids(), [1])

    def test_alive_at_the_stop(self):
        """It lives on, and tells the next forwarder."""
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            client.open(self.GUEST)
            self.stop(process)
            self.assertIsNone(client.answer())
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            client.open(self.GUEST)
            client.post(otlp.request(self.GUEST))
        self.stop_when_lost(process)
        self.assertEqual(self.ids(), [1])

    def test_true_root_span_comes_late(self):
        """A VM that was not lost after all: its own root span is stored behind ours."""
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            client.open(self.GUEST)
        self.wait_for(1)
        with Client(self.socket) as client:
            self.assertEqual(client.post(otlp.request(self.GUEST))[0], 200)
        ours, theirs = self.wait_for(1)
        self.assertEqual((ours["status"]["code"], theirs.get("status")), (2, None))
        self.stop(process)

    def test_refused(self):
        process = self.start("--file", self.file)
        with Client(self.socket) as client:
            for body in (b"", b"x", self.BOOT + self.BOOT,
                         otlp.request(otlp.span(1, "inside out", 50, 0))):
                self.assertEqual(client.post(body, path="/rootspan/v1/open")[0], 400)
            large = otlp.request(otlp.span(1, "x" * 16384, 0, 50))
            self.assertEqual(client.post(large, path="/rootspan/v1/open")[0], 413)
        self.stop_when_lost(process)
        self.assertEqual(self.ids(), [])


class TestProgram(ForwarderTest):
    def test_address_in_use(self):
        process = self.start("--file", self.file)
        status, log = self.fails("--socket-path", str(self.path / "v.sock"))
        self.assertEqual(status, 1)
        self.assertIn(f"cannot listen on unix:{self.socket}: Address already in use", log)
        status, log = self.fails("--socket-path", str(self.path / "w"), "--file", str(self.file))
        self.assertEqual(status, 1)
        self.assertIn("another rootspan-forwarder writes to it", log)
        with Client(self.socket) as client:
            self.assertEqual(client.post(small(1))[0], 200)
        self.stop(process)

    def test_path_of_something_else(self):
        self.socket.write_text("mine")
        status, log = self.fails("--socket-path", str(self.path / "v.sock"))
        self.assertEqual(status, 1)
        self.assertIn("File exists", log)
        self.assertEqual(self.socket.read_text(), "mine")

    def test_foreign_file(self):
        self.file.write_text("not ours")
        status, log = self.fails("--socket-path", str(self.path / "v"), "--file", str(self.file))
        self.assertEqual(status, 1)
        self.assertIn("not our file", log)
        self.assertEqual(self.file.read_text(), "not ours")

    def test_usage(self):
        status, log = self.fails("--vsock-port=x")
        self.assertEqual(status, 2)
        self.assertIn("--vsock-port=x: a number from 0 to 4294967294 is accepted", log)

    def test_help_and_man_page(self):
        """The man page knows the options of --help, and no others."""
        text = subprocess.run([FORWARDER, "--help"], text=True, capture_output=True, check=True,
                              timeout=PATIENCE).stdout
        shown = {line.split()[0].split("=")[0] for line in text.splitlines() if " --" in line}
        page = (pathlib.Path(__file__).parents[3] / "docs/man/rootspan-forwarder.8").read_text()
        described = {"-" + line.split()[2] for line in page.splitlines()
                     if line.startswith(".It Fl -")}
        self.assertEqual(shown, described)
        self.assertIn("--socket-path", shown)

    def test_stop_finishes_requests(self):
        """What has begun when SIGTERM comes is answered; then it ends."""
        body = small(1)
        process = self.start("--file", self.file)
        with Client(self.socket) as client, Client(self.socket) as idle:
            client.send(b"", "Expect: 100-continue", length=len(body))
            self.assertEqual(client.file.readline(), b"HTTP/1.1 100 Continue\r\n")
            client.file.readline()
            process.send_signal(signal.SIGTERM)
            self.assertIsNone(idle.answer())
            self.assertFalse(self.socket.exists())
            client.socket.sendall(body)
            status, fields, _ = client.answer()
            self.assertEqual((status, fields["Connection"]), (200, "close"))
        self.stop(process)
        self.assertEqual(self.ids(), [1])

    @unittest.skipIf(os.environ.get("ROOTSPAN_SANITIZED"), "sanitizers need more than the sandbox")
    def test_sandbox(self):
        """It is closed before the first request is taken."""
        process = self.start()
        with Client(self.socket) as client:
            client.post(b"")
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        self.assertIn("\nSeccomp:\t2\n", status)
        self.assertIn("\nNoNewPrivs:\t1\n", status)

    def test_notify(self):
        path = self.path / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            notify.settimeout(PATIENCE)
            process = self.start(env={**os.environ, "NOTIFY_SOCKET": str(path)})
            self.assertEqual(notify.recv(100), b"READY=1")
            self.stop(process)
            self.assertEqual(notify.recv(100), b"STOPPING=1")

    def test_socket_from_systemd(self):
        """It serves what it is given, also what came before it, and does not remove it."""
        script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 0</dev/null'
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket))
            listener.listen()
            with Client(self.socket) as client:
                client.send(small(1))
                process = subprocess.Popen(["/bin/sh", "-c", script, "sh", FORWARDER, "--file",
                                            self.file], stdin=listener, text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.addCleanup(self.reap, process)
                self.assertEqual(client.answer()[0], 200)
        self.stop(process)
        self.assertEqual(self.ids(), [1])
        self.assertTrue(self.socket.exists())

    def test_no_listening_socket_from_systemd(self):
        with open(os.devnull, "rb") as file:
            script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" 3<&0'
            result = subprocess.run(["/bin/sh", "-c", script, FORWARDER], stdin=file,
                                    capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot listen on a socket from systemd", result.stderr)


if __name__ == "__main__":
    unittest.main()
