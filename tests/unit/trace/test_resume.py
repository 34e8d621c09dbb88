#!/usr/bin/env python3
"""rootspan-tracer in a VM that is resumed from a snapshot, or whose clock is set.

The tracer is in a network namespace of its own, where the kernel can be made to say that the VM has
a new generation id: what it is sent there, it broadcasts as a message of its own."""

import ctypes
import pathlib
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "lib"))
import link
import otlp
from tracer import OK, PATIENCE, ROOT_ID, TRACE_ID, Case, span_id

TOKEN = "secret"
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
NETLINK_KOBJECT_UEVENT = 15
SECOND = 10**9
HOUR = 3600 * SECOND
NEW_VMGENID = b"change@/devices/x\0ACTION=change\0DEVPATH=/devices/x\0NEW_VMGENID=1\0"


class Resumed(Case):
    def start(self, **trace):
        ours, theirs = socket.socketpair()
        libc = ctypes.CDLL(None, use_errno=True)

        def enter():
            if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
            socket.send_fds(theirs, [b"x"], [kernel.fileno()])

        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        self.programs = self.path + f".programs{time.monotonic_ns()}"
        listener.bind(self.programs)
        listener.listen()
        with ours, theirs:
            self.start_tracer(listeners=[listener], preexec=enter, token=TOKEN, **trace)
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        self.kernel = socket.socket(fileno=fds[0])
        self.addCleanup(self.kernel.close)

    def resume(self):
        self.kernel.send(struct.pack("<IHHII", 16 + len(NEW_VMGENID), 16, 1, 0, 0) + NEW_VMGENID)
        self.receive_until(link.RESUMED)

    def post(self, span):
        """As a program of the guest does."""
        body = otlp.request(span)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self.programs)
            connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Type: application/x-protobuf\r\n"
                               b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
                               % (TOKEN.encode(), len(body)) + body)
            self.assertIn(b" 200 ", connection.recv(65536))

    def flushed(self, host):
        """All spans since the last look, the root span last."""
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED)[-1][1], "delivered")
        spans = [span for request in self.requests(host) for span in request]
        self.assertEqual(spans[-1]["span_id"], ROOT_ID.hex())
        return spans

    @staticmethod
    def ids(spans):
        return [(span["trace_id"], span["span_id"]) for span in spans]

    def live(self, **trace):
        """A guest that is resumed from a snapshot, or one of its clones: up to then the same each
        time, in every byte. Returns the spans sent before and after."""
        host = self.start_host(OK, None, OK)
        self.start(**trace)
        self.send_spans([1])
        before = host.requests.get(timeout=PATIENCE)[2]
        self.receive_until(link.ACKED)
        self.send_spans([2])  # which is never answered
        before += host.requests.get(timeout=PATIENCE)[2]
        self.send_spans([3])
        self.post(otlp.span(4, "before", 0, 1, trace=TRACE_ID, parent=9))
        self.resume()
        self.post(otlp.span(5, "after", 0, 1, trace=TRACE_ID, parent=9))
        after = self.flushed(host)
        self.assertEqual(self.finish()[0], 0)
        return before, after

    def test_clones_share_no_ids(self):
        before, one = self.live()
        again, other = self.live()
        self.assertEqual(self.ids(before), self.ids(again))
        self.assertEqual({trace for trace, _ in self.ids(before)}, {TRACE_ID.hex()})
        for spans in one, other:
            self.assertEqual(sorted(span for _, span in self.ids(spans)), sorted(
                [*(span_id(number).hex() for number in (2, 3, 4, 5)), ROOT_ID.hex()]))
            self.assertEqual(len({trace for trace, _ in self.ids(spans)}), 1)
        everything = self.ids(before) + self.ids(one) + self.ids(other)
        self.assertEqual(len(set(everything)), len(everything))
        by_name = {span["name"]: span for span in one}
        # What was native before has its parent; it says where it comes from if it came later.
        self.assertEqual(by_name["before"]["attributes"], {})
        self.assertEqual(by_name["after"]["attributes"],
                         {"rootspan.original_trace_id": TRACE_ID.hex()})
        self.assertEqual(by_name["after"]["parent_span_id"], span_id(9).hex())

    def test_what_the_root_span_tells(self):
        earliest = time.time_ns()
        _, spans = self.live()
        root = spans[-1]
        self.assertEqual(root["links"], [(TRACE_ID.hex(), ROOT_ID.hex())])
        [(name, when, attributes)] = root["events"]
        self.assertEqual(name, "rootspan.resumed")
        self.assertTrue(earliest <= when <= time.time_ns())
        self.assertEqual(attributes, {"rootspan.resume.sign": "vmgenid",
                                      "rootspan.former_trace_id": TRACE_ID.hex()})

    def test_without_adoption(self):
        before, after = self.live(adopt=False)
        self.assertEqual(set(self.ids(before)) & set(self.ids(after)), set())
        self.assertEqual(len({trace for trace, _ in self.ids(after)}), 1)

    def test_again_and_again(self):
        host = self.start_host()
        self.start()
        traces = []
        for number in range(1, 4):
            self.send_spans([number])
            # Spans whose answer the resume took away come again, in requests of their own perhaps.
            while (trace := host.requests.get(timeout=PATIENCE)[2][0]["trace_id"]) in traces:
                pass
            traces.append(trace)
            self.resume()
        root = self.flushed(host)[-1]
        self.assertEqual(len({*traces, root["trace_id"]}), 4)
        self.assertEqual(traces[0], TRACE_ID.hex())
        self.assertEqual(root["links"], [(trace, ROOT_ID.hex()) for trace in traces])
        self.assertEqual([name for name, _, _ in root["events"]], ["rootspan.resumed"] * 3)

    def test_nothing_was_sent(self):
        """Nobody knows the first trace: nothing leads to it."""
        self.start()
        self.send_spans([1])
        self.receive_until(link.FAILED)
        self.resume()
        spans = self.flushed(self.start_host())
        self.assertEqual(len({trace for trace, _ in self.ids(spans)} - {TRACE_ID.hex()}), 1)
        self.assertEqual(spans[-1]["links"], [])
        self.assertEqual(len(spans[-1]["events"]), 1)

    def test_open_root_span(self):
        host = self.start_host()
        self.start()
        self.link.send(link.open_record(ROOT_ID, "guest", parent=b"hostspan"))
        self.send_spans([1])
        self.wait_open(host, TRACE_ID.hex(), b"hostspan".hex())
        self.resume()
        trace = self.wait_open(host, None, "")
        deadline = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + PATIENCE * SECOND
        self.link.send(link.flush_record(deadline, ROOT_ID, "guest", parent=b"hostspan"))
        self.receive_until(link.FLUSHED)
        root = self.requests(host)[-1][0]
        self.assertEqual((root["trace_id"], root["parent_span_id"]), (trace, ""))
        self.assertEqual(root["links"], [(TRACE_ID.hex(), ROOT_ID.hex()),
                                         (TRACE_ID.hex(), b"hostspan".hex())])

    def wait_open(self, host, trace, parent):
        """Until the host is told of the open root span of @trace, any other than the first if None.
        Returns its id."""
        while True:
            first, _, spans = host.requests.get(timeout=PATIENCE)
            if first.startswith("POST /rootspan/v1/open "):
                self.assertEqual(spans[0]["parent_span_id"], parent)
                if trace:
                    self.assertEqual(spans[0]["trace_id"], trace)
                else:
                    self.assertNotEqual(spans[0]["trace_id"], TRACE_ID.hex())
                return spans[0]["trace_id"]

    def test_tracer_that_follows(self):
        """One that died knew of a resume; init knows only the first trace id."""
        host = self.start_host()
        self.start(resumed=True)
        self.send_spans([1])
        span, root = self.flushed(host)
        self.assertEqual(span["trace_id"], root["trace_id"])
        self.assertNotEqual(root["trace_id"], TRACE_ID.hex())
        self.assertEqual(root["links"], [(TRACE_ID.hex(), ROOT_ID.hex())])
        self.assertEqual(root["events"][0][2]["rootspan.resume.sign"], "before-restart")


class ClockSet(Case):
    def test_forward(self):
        self.check(HOUR)

    def test_back(self):
        self.check(-HOUR)

    def check(self, step):
        """The clock is set between init's first look at it and the tracer's."""
        host = self.start_host()
        now = time.time_ns() - step  # as init says it, who knows of no step
        self.start_tracer(clock_ahead=step)
        self.link.send(link.span_record(span_id(1), "before", parent=ROOT_ID,
                                        start=now - 20 * SECOND, end=now - 10 * SECOND))
        self.link.send(link.span_record(span_id(2), "after", parent=ROOT_ID,
                                        start=now + 100 * SECOND, end=now + 110 * SECOND))
        deadline = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + PATIENCE * SECOND
        self.link.send(link.flush_record(deadline, ROOT_ID, "guest", start=now - 30 * SECOND,
                                         end=now + 120 * SECOND))
        self.assertEqual(self.receive_until(link.FLUSHED)[-1][1], "delivered")
        before, after, root = (span for request in self.requests(host) for span in request)
        self.assertEqual({span["trace_id"] for span in (before, after, root)}, {TRACE_ID.hex()})
        self.assertEqual((before["start"], before["end"]), (now - 20 * SECOND, now - 10 * SECOND))
        self.assertAlmostEqual(after["start"], now + step + 100 * SECOND, delta=SECOND)
        self.assertAlmostEqual(after["end"], now + step + 110 * SECOND, delta=SECOND)
        for child in before, after:
            self.assertTrue(root["start"] <= child["start"] and child["end"] <= root["end"])
        self.assertAlmostEqual(root["end"] - root["start"], 150 * SECOND + HOUR, delta=SECOND)
        [(name, when, attributes)] = root["events"]
        self.assertEqual(name, "rootspan.clock_step")
        self.assertTrue(root["start"] <= when <= root["end"])
        self.assertAlmostEqual(attributes["rootspan.clock_step_ns"], step, delta=SECOND)
        self.assertEqual(root["links"], [])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
