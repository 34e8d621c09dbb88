"""A host that behaves badly at the other end of the exporter, and spans that the agent was told are
taken. Whatever the host does, each of them is acknowledged by it or counted as lost, the last line
says which, and the guest ends in time."""

import os
import pathlib
import re
import socket
import struct
import sys
import threading
import time
import unittest

import otlp_decode
from nsguest import Guest, machine
from poster import read_answers

PATIENCE = 20  # seconds until a wait counts as hanging
LIB = str(pathlib.Path(__file__).resolve().parents[1] / "lib")
PYTHON = [sys.executable, f"{LIB}/poster.py"]
SEEN = machine(LIB, sys.base_prefix)
TRACER_MAX_KB = 32 * 1024
LONG = "rootspan.flush_timeout=20s rootspan.end_timeout=20s"
FOREVER_BYTES = 1 << 20  # much more than the tracer reads


def success(body):
    """200 with an ExportTraceServiceResponse."""
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


OK = success(b"\x0a\x00")
ONE_REJECTED = success(b"\x0a\x02\x08\x01")


class Host:
    """Acknowledges the first request, without which the agent is not started, and leaves what
    follows to @behave, until it recovers."""

    def __init__(self, path, behave):
        self.path = path
        self.behave = behave
        self.stored = {}  # what was acknowledged: spans by their ids
        self.recovered = threading.Event()
        self.misbehaved = 0
        self.listener = None
        self.listen()

    def listen(self):
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.path.chmod(0o777)
        self.listener.listen()
        threading.Thread(target=self.serve, args=[self.listener], daemon=True).start()

    def stop_listening(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def recover(self):
        self.recovered.set()
        if self.listener.fileno() < 0:
            self.listen()

    def close(self):
        self.recovered.set()
        if self.listener.fileno() >= 0:
            self.stop_listening()

    def hold(self):
        self.recovered.wait(PATIENCE)

    def serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_connection, args=[connection], daemon=True).start()

    def serve_connection(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                more = True
                while more and connection.recv(1, socket.MSG_PEEK):
                    good = not self.stored or self.recovered.is_set()
                    self.misbehaved += not good
                    more = (acknowledge if good else self.behave)(self, connection, stream)
            except OSError:
                pass  # the guest is gone

    def read(self, stream):
        """The spans of a request."""
        length = 0
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return otlp_decode.spans(stream.read(length))

    def store(self, spans):
        self.stored.update((span["span_id"], span) for span in spans)


# One exchange each. They return whether the connection goes on.

def acknowledge(host, connection, stream):
    host.store(host.read(stream))
    connection.sendall(OK)
    return True


def vanish(host, connection, stream):
    host.stop_listening()
    host.path.unlink()
    return False


def refuse(host, connection, stream):
    host.stop_listening()
    return False


def never_read(host, connection, stream):
    host.hold()
    return False


def never_answer(host, connection, stream):
    host.read(stream)
    host.hold()
    return False


def reset_in_the_request(host, connection, stream):
    connection.recv(20)
    return False


def answer_late(host, connection, stream):
    spans = host.read(stream)
    host.hold()
    host.store(spans)
    connection.sendall(OK)
    return True


def half_an_answer(host, connection, stream):
    host.read(stream)
    connection.sendall(OK[:20])
    return False


def half_an_answer_and_silence(host, connection, stream):
    host.read(stream)
    connection.sendall(OK[:20])
    host.hold()
    return False


def garbage(host, connection, stream):
    host.read(stream)
    connection.sendall(bytes(range(256)) + b"\r\n\r\n")
    return True


def endless_head(host, connection, stream):
    host.read(stream)
    connection.sendall(OK[:OK.index(b"\r\n")] + b"\r\nX-More: and more" * (FOREVER_BYTES // 18))
    return True


def endless_body(host, connection, stream):
    host.store(host.read(stream))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n\r\n")
    connection.sendall(bytes(FOREVER_BYTES))
    return True


def close_after_each_answer(host, connection, stream):
    acknowledge(host, connection, stream)
    return False


def reject_one(host, connection, stream):
    host.store(host.read(stream)[1:])
    connection.sendall(ONE_REJECTED)
    return True


def answer(code, *fields):
    text = "\r\n".join([f"HTTP/1.1 {code} Whatever", "Content-Length: 0", *fields, "", ""]).encode()

    def behave(host, connection, stream):
        host.read(stream)
        connection.sendall(text)
        return True

    return behave


def only_the_root(behave):
    """A host that takes the root span and nothing else."""

    def behave_to_others(host, connection, stream):
        spans = host.read(stream)
        if [span["name"] for span in spans] != ["guest"]:
            return behave(host, connection)
        host.store(spans)
        connection.sendall(OK)
        return True

    return behave_to_others


# What is said of the flush while it lasts.
MATRIX = {
    "absent": (vanish, "unreachable"),
    "refuses": (refuse, "unreachable"),
    "never reads": (never_read, "unacked"),
    "never answers": (never_answer, "unacked"),
    "resets in the request": (reset_in_the_request, "unacked"),
    "answers late": (answer_late, "unacked"),
    "400": (answer(400), "unacked"),
    "429, soon": (answer(429, "Retry-After: 1"), "unacked"),
    "503, in an hour": (answer(503, "Retry-After: 3600"), "unacked"),
    "503": (answer(503), "unacked"),
    "half an answer": (half_an_answer, "unacked"),
    "half an answer and silence": (half_an_answer_and_silence, "unacked"),
    "garbage": (garbage, "unacked"),
    "endless head": (endless_head, "unacked"),
    "endless body": (endless_body, "delivered"),
    "rejects a span of each request": (reject_one, "unacked"),
    "closes after each answer": (close_after_each_answer, "delivered"),
}
FINAL = ("400", "rejects a span of each request")  # never sent again


def posted_ids(guest):
    """Those that the agent was told are taken."""
    numbers = read_answers(guest.root / "host").get(200, set())
    return {struct.pack(">Q", number).hex() for number in numbers}


def check_memory(test, console):
    """The store and the requests that are on their way into it have a cap each."""
    if not os.environ["ROOTSPAN_SANITIZE"]:
        kilobytes, = re.findall(r"^tracer's memory: (\d+) kB$", console, re.MULTILINE)
        test.assertIn(int(kilobytes), range(1, TRACER_MAX_KB))


class Wedge(unittest.TestCase):
    REQUESTS, SPANS = 10, 5
    own = None  # how many spans the guest has without any of the agent's

    def start(self, behave, cmdline, agent=(1, REQUESTS, SPANS, 0, 1)):
        self.guest = Guest(SEEN)
        self.addCleanup(self.guest.directory.cleanup)
        self.host = Host(self.guest.root / "host/v.sock_10240", behave)
        self.addCleanup(self.host.close)
        self.guest.start([*PYTHON, *map(str, agent)],
                         "rootspan.trace=static rootspan.trace_endpoint=unix:/host/v.sock_10240 "
                         f"rootspan.log_level=debug {cmdline}", {"PYTHONPATH": LIB})

    def wait(self, outcome):
        """Waits for the end. Returns the ids that the agent was told are taken."""
        self.result = self.guest.wait()
        self.assertEqual(self.result.end.get("code"), "0", self.result.console)
        self.assertEqual(self.result.end["flush"], outcome, self.result.console)
        return posted_ids(self.guest)

    def check_ledger(self, taken):
        """Each span is sent or dropped, and sent is what the host has acknowledged."""
        sent, dropped = int(self.result.end["sent"]), int(self.result.end["dropped"])
        self.assertEqual(sent + dropped, self.count_own() + len(taken), self.result.console)
        self.assertEqual(sent, len(self.host.stored), self.result.console)
        return dropped

    def check_root(self, dropped):
        root, = (span for span in self.host.stored.values() if span["name"] == "guest")
        self.assertEqual(root["attributes"]["rootspan.spans.dropped"], dropped)
        return root["attributes"]

    def count_own(self):
        if Wedge.own is None:
            guest = Guest()
            self.addCleanup(guest.directory.cleanup)
            result = guest.run(["/bin/true"], guest.start_forwarder())
            guest.stop_forwarder()
            Wedge.own = int(result.end["sent"])
        return Wedge.own

    def test_while_it_lasts(self):
        flush, end, grace = 400, 1000, 1500
        for name, (behave, outcome) in MATRIX.items():
            with self.subTest(name):
                self.start(behave, f"rootspan.flush_timeout={flush}ms rootspan.end_timeout={end}ms")
                taken = self.wait(outcome)
                self.assertEqual(len(taken), self.REQUESTS * self.SPANS)
                self.assertEqual(self.check_ledger(taken) > 0, outcome != "delivered")
                self.assertLess(int(self.result.end["flush_ms"]), flush + grace)
                self.assertLess(int(self.result.end["total_ms"]), end + grace)

    def test_when_it_passes(self):
        """As soon as the agent has ended."""
        for name, (behave, _) in MATRIX.items():
            if name in FINAL:
                continue
            with self.subTest(name):
                self.start(behave, LONG)
                self.guest.wait_for_console("run -> flush")
                self.host.recover()
                taken = self.wait("delivered")
                self.assertGreater(self.host.misbehaved, 0)
                self.assertEqual(len(taken), self.REQUESTS * self.SPANS)
                self.assertLessEqual(taken, set(self.host.stored))
                self.assertEqual(self.check_ledger(taken), 0)
                self.check_root(0)

    def test_more_than_the_store_holds(self):
        """What does not fit is the agent's to keep, and it is told so."""
        self.start(answer_late, LONG, agent=(1, 40, 10, 60_000, 1))
        self.guest.wait_for_console("run -> flush")
        self.host.recover()
        taken = self.wait("delivered")
        answers = read_answers(self.guest.root / "host")
        self.assertEqual(set(answers), {200, 429})
        self.assertGreater(len(taken), 200)
        self.assertLessEqual(taken, set(self.host.stored))
        self.assertEqual(self.check_ledger(taken), 0)
        check_memory(self, self.result.console)

    def test_only_the_root_span_arrives(self):
        """It tells of the others."""
        cases = {
            "refused": only_the_root(lambda _, connection: connection.sendall(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") is None),
            "late": only_the_root(lambda host, _: host.hold()),
        }
        for cause, behave in cases.items():
            with self.subTest(cause):
                self.start(behave, "rootspan.flush_timeout=1s rootspan.end_timeout=3s")
                taken = self.wait("delivered")
                dropped = self.check_ledger(taken)
                self.assertGreaterEqual(dropped, len(taken))
                values = self.check_root(dropped)
                self.assertEqual(values[f"rootspan.spans.dropped.{cause}"], dropped)


class Load(unittest.TestCase):
    def check_all_arrived(self, guest, result, count):
        self.assertEqual(result.end.get("code"), "0", result.console)
        self.assertEqual(result.end["flush"], "delivered", result.console)
        self.assertEqual(result.end["dropped"], "0", result.console)
        taken = posted_ids(guest)
        self.assertEqual(len(taken), count)
        arrived = {span["spanId"] for span in guest.spans() if span["name"] == "posted"}
        self.assertEqual(arrived, taken)

    def start(self, *agent):
        guest = Guest(SEEN)
        self.addCleanup(guest.directory.cleanup)
        self.addCleanup(guest.stop_forwarder)
        guest.start([*PYTHON, *map(str, agent)], f"{guest.start_forwarder()} {LONG}",
                    {"PYTHONPATH": LIB})
        return guest

    def test_eight_clients(self):
        guest = self.start(8, 25, 500, 0, 100)
        result = guest.wait(timeout=120)
        guest.stop_forwarder()
        self.check_all_arrived(guest, result, 100_000)
        self.assertEqual(len(guest.spans()), int(result.end["sent"]))
        check_memory(self, result.console)

    def test_forwarder_that_is_killed_and_comes_again(self):
        guest = self.start(4, 100, 20, 0, 100)
        deadline = time.monotonic() + PATIENCE
        while guest.trace_file.stat().st_size < 100_000:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        guest.forwarder.kill()
        guest.forwarder.communicate()
        guest.start_forwarder()
        result = guest.wait(timeout=60)
        guest.stop_forwarder()
        self.check_all_arrived(guest, result, 8000)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
