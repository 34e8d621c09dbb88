#!/usr/bin/env python3
"""rootspan-tracer as init and the host see it."""

import errno
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "lib"))
import link
from tracer import OK, PATIENCE, ROOT_ID, TRACE_ID, TRACER, Case, span_id, status


class Delivery(Case):
    def test_every_span_once_root_last_and_alone(self):
        host = self.start_host()
        self.start_tracer()
        self.send_spans(range(1, 1001))
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.ACKED,), (link.FLUSHED, "delivered", 1001, 0)])
        self.assertEqual(self.finish(), (0, ""))
        requests = self.requests(host)
        self.assertEqual([span["span_id"] for request in requests for span in request],
                         [span_id(n).hex() for n in range(1, 1001)] + [ROOT_ID.hex()])
        self.assertEqual(len(requests[-1]), 1)
        self.assertLessEqual(max(len(request) for request in requests), 512)
        self.assertEqual(host.connections, 1)

    def test_what_a_span_says(self):
        host = self.start_host()
        self.start_tracer()
        self.link.send(link.span_record(span_id(5), "boot", parent=ROOT_ID, start=10, end=20,
                                        attrs={"s": "täxt", "i": -3, "b": True}))
        self.assertEqual(self.receive(), (link.ACKED,))
        self.flush(PATIENCE)
        self.receive_until(link.FLUSHED)
        (first, head, [boot]), (_, _, [root]) = host.requests.get(), host.requests.get()
        self.assertEqual(first, "POST /v1/traces HTTP/1.1")
        self.assertEqual(head["content-type"], "application/x-protobuf")
        self.assertEqual(head["host"], "localhost")
        self.assertEqual(boot["trace_id"], TRACE_ID.hex())
        self.assertEqual(boot["parent_span_id"], ROOT_ID.hex())
        self.assertEqual((boot["name"], boot["kind"], boot["start"], boot["end"], boot["flags"]),
                         ("boot", 1, 10, 20, 1))
        self.assertEqual(boot["attributes"], {"s": "täxt", "i": -3, "b": True})
        self.assertEqual((boot["status"], boot["status_message"]), (0, ""))
        self.assertEqual(boot["resource"], self.resource)
        self.assertEqual(boot["scope"][0], "rootspan")
        self.assertEqual(root["parent_span_id"], "")
        self.assertEqual((root["status"], root["status_message"]), (2, "exit code 7"))
        self.assertEqual(root["attributes"], {"process.exit.code": 7, "rootspan.spans.sent": 1,
                                              "rootspan.spans.dropped": 0})

    def test_tcp(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        self.start_tracer(f"http://127.0.0.1:{port}")
        self.send_spans([1])
        connection, _ = listener.accept()
        with connection:
            self.assertIn(b"\r\nHost: 127.0.0.1:%d\r\n" % port, connection.recv(65536))
            connection.sendall(OK)
            self.assertEqual(self.receive(), (link.ACKED,))

    def test_connection_closed_between_requests(self):
        host = self.start_host(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.start_tracer()
        for number in range(1, 4):
            self.send_spans([number])
            host.requests.get(timeout=PATIENCE)
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.ACKED,), (link.FLUSHED, "delivered", 4, 0)])
        self.assertEqual(host.connections, 4)


class Lifeline(Case):
    def tell(self):
        self.link.send(link.open_record(ROOT_ID, "guest", start=1000, end=1000))
        self.send_spans([1])

    def next_open(self, host):
        first, _, spans = host.requests.get(timeout=PATIENCE)
        self.assertEqual(first, "POST /rootspan/v1/open HTTP/1.1")
        return spans

    def test_told_once_the_host_acknowledges(self):
        host = self.start_host()
        self.start_tracer()
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.tell()
        self.assertEqual(host.requests.get(timeout=PATIENCE)[2][0]["name"], "span 1")
        [root] = self.next_open(host)
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.assertEqual((root["trace_id"], root["span_id"], root["parent_span_id"], root["name"]),
                         (TRACE_ID.hex(), ROOT_ID.hex(), "", "guest"))
        self.assertEqual(root["resource"], self.resource)
        self.assertEqual((root["start"], root["status"], root["attributes"]), (1000, 0, {}))
        self.assertTrue(before < root["end"] - 1000 < after)  # the guest's time now
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED)[-1],
                         (link.FLUSHED, "delivered", 2, 0))
        self.assertEqual(self.finish(), (0, ""))

    def test_told_again_when_the_connection_is_lost(self):
        host = self.start_host()
        self.start_tracer()
        self.tell()
        host.requests.get(timeout=PATIENCE)
        self.next_open(host)
        host.open[1].shutdown(socket.SHUT_RDWR)
        self.next_open(host)

    def test_plain_collector(self):
        """It says 404, once; no span is the worse for it."""
        host = self.start_host(OK, status(404), OK)
        self.start_tracer()
        self.tell()
        host.requests.get(timeout=PATIENCE)
        self.next_open(host)
        self.assertEqual(host.open[1].recv(1), b"")  # so there is nothing more to come
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.ACKED,), (link.FLUSHED, "delivered", 2, 0)])
        self.assertEqual(host.connections, 2)


class Trouble(Case):
    def test_host_comes_late(self):
        self.start_tracer()
        self.send_spans([1, 2])
        self.assertEqual(self.receive(), (link.FAILED, errno.ENOENT, 0))
        host = self.start_host()
        self.assertEqual(self.receive(), (link.ACKED,))
        self.flush(PATIENCE)
        self.assertEqual(self.receive(), (link.FLUSHED, "delivered", 3, 0))
        self.assertEqual([len(request) for request in self.requests(host)], [2, 1])

    def test_host_comes_during_the_flush(self):
        self.start_tracer()
        self.send_spans([1])
        self.receive_until(link.FAILED)
        self.flush(PATIENCE)
        self.start_host()
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.ACKED,), (link.FLUSHED, "delivered", 2, 0)])

    def test_absent(self):
        self.start_tracer()
        self.send_spans([1, 2, 3])
        self.flush(0.4)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.FAILED, errno.ENOENT, 0), (link.FLUSHED, "unreachable", 0, 4)])
        code, log = self.finish()
        self.assertEqual(code, 0)
        self.assertEqual(log.count("\n"), 1, log)
        self.assertIn("Cannot export to unix:" + self.path, log)

    def test_never_answers(self):
        host = self.start_host(None)
        self.start_tracer()
        self.send_spans([1])
        self.flush(0.4)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.FAILED, errno.ETIMEDOUT, 0), (link.FLUSHED, "unacked", 0, 2)])
        self.assertEqual(self.requests(host)[0][0]["name"], "span 1")

    def test_root_is_sent_though_the_rest_hangs(self):
        host = self.start_host(None, OK)
        self.start_tracer()
        self.send_spans([1])
        host.requests.get(timeout=PATIENCE)
        self.flush(2)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.FAILED, errno.ETIMEDOUT, 0), (link.ACKED,),
                          (link.FLUSHED, "delivered", 1, 1)])
        _, _, [root] = host.requests.get()
        self.assertEqual(root["span_id"], ROOT_ID.hex())
        self.assertEqual(root["attributes"]["rootspan.spans.dropped"], 1)

    def test_refused_for_good(self):
        host = self.start_host(status(400), OK)
        self.start_tracer()
        self.send_spans([1])
        self.assertEqual(self.receive(), (link.FAILED, 0, 400))
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED),
                         [(link.ACKED,), (link.FLUSHED, "delivered", 1, 1)])
        self.assertEqual(len(self.requests(host)), 2)

    def test_overloaded(self):
        host = self.start_host(status(503), status(503), status(429, "Retry-After: 0"), OK)
        self.start_tracer()
        self.send_spans([1])
        self.assertEqual(self.receive_until(link.ACKED),
                         [(link.FAILED, 0, 503), (link.FAILED, 0, 429), (link.ACKED,)])
        self.assertEqual([len(request) for request in self.requests(host)], [1, 1, 1, 1])

    def test_partial_success(self):
        self.start_host(OK[:-2].replace(b": 2", b": 4") + b"\x0a\x02\x08\x01", OK)
        self.start_tracer()
        self.send_spans([1])
        self.assertEqual(self.receive(), (link.ACKED,))
        self.flush(PATIENCE)
        self.assertEqual(self.receive(), (link.FLUSHED, "delivered", 1, 1))


class Link(Case):
    def test_nonsense_is_ignored(self):
        self.start_host()
        self.start_tracer()
        for nonsense in (b"\0", b"\xff" * 100, b"\2", bytes([link.ACKED]), b"\1" * 20000,
                         link.trace_record(TRACE_ID, {}), link.span_record(bytes(8), "no id")):
            self.link.send(nonsense)
        self.send_spans([1])
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED)[-1],
                         (link.FLUSHED, "delivered", 2, 0))
        code, log = self.finish()
        self.assertEqual(code, 0)
        self.assertEqual(log.count("Ignoring a record"), 7, log)

    def test_ends_with_init(self):
        self.start_tracer()
        self.send_spans([1])
        self.receive()
        code, _ = self.finish()
        self.assertEqual(code, 1)

    def test_outlives_signals_to_the_group(self):
        self.start_host()
        self.start_tracer()
        self.send_spans([1])
        self.receive()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.tracer.send_signal(number)
        self.flush(PATIENCE)
        self.assertEqual(self.receive(), (link.FLUSHED, "delivered", 2, 0))


class Options(unittest.TestCase):
    def run_tracer(self, *arguments):
        return subprocess.run([TRACER, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)

    def test_by_hand(self):
        result = self.run_tracer()
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("Usage: rootspan-tracer", result.stderr)

    def test_help_and_version(self):
        result = self.run_tracer("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("--link-fd=N", result.stdout)
        result = self.run_tracer("--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"^rootspan-tracer \d")

    def test_wrong(self):
        for arguments in (["--link-fd=0"], ["--link-fd=77"], ["--link-fd=-1"], ["--link-fd=x"],
                          ["--listen-fd=0"], ["--listen-fd=x"], ["--endpoint=host:1"],
                          ["--nonsense"], ["word"]):
            result = self.run_tracer(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertNotEqual(result.stderr, "", arguments)


if __name__ == "__main__":
    unittest.main()
