#!/usr/bin/env python3
"""rootspan-tracer as the programs of the guest see it: an OTLP/HTTP receiver."""

import gzip
import http.client
import json
import pathlib
import signal
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "lib"))
import link
import otlp
import otlp_decode
from tracer import OK, PATIENCE, ROOT_ID, TRACE_ID, Case, span_id, status

TOKEN = "00112233445566778899aabbccddeeff"
AUTHORIZATION = f"Bearer {TOKEN}"
AGENT_ID = b"theagent"
OTHER_TRACE = bytes(range(0x51, 0x61))
PROTOBUF = "application/x-protobuf"
BODY_MAX = 4 * 1024 * 1024
SUCCESS = b"\x0a\x00"


def some_span(number, **options):
    return otlp.span(number, f"work {number}", 0, 1, **{"trace": TRACE_ID, "parent": 9} | options)


def chunked(body, size=7):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def head(*fields, authorization=AUTHORIZATION, content_type=PROTOBUF, path="/v1/traces"):
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {content_type}", *fields]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode()


def request(body, *fields, **options):
    return head(f"Content-Length: {len(body)}", *fields, **options) + body


class Answer:
    """A response, read off a stream."""

    def __init__(self, stream):
        first = stream.readline()
        self.status = int(first.split()[1]) if first else None
        self.fields = {}
        while (line := stream.readline()) not in (b"\r\n", b""):
            name, value = line.decode().split(":", 1)
            self.fields[name.lower()] = value.strip()
        self.body = stream.read(int(self.fields.get("content-length", 0)))

    def message(self):
        return otlp_decode.one(self.body, 2, b"").decode()


class Receiver(Case):
    def start(self, *answers, **trace):
        self.listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        self.listeners[1].bind(self.path + ".otlp")
        self.listeners[1].listen()
        for listener in self.listeners:
            self.addCleanup(listener.close)
        host = self.start_host(*answers)
        self.start_tracer(listeners=self.listeners, **{"token": TOKEN, "agent": AGENT_ID} | trace)
        return host

    def connect(self, unix=False):
        if unix:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.path + ".otlp")
        else:
            connection = socket.create_connection(self.listeners[0].getsockname())
        connection.settimeout(PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def ask(self, data, unix=False):
        """Sends @data on a connection of its own and returns the answer."""
        connection = self.connect(unix)
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer may have come before the end of the request
        return Answer(connection.makefile("rb"))

    def post(self, *spans, **options):
        return self.ask(request(otlp.request(*spans)), **options)

    def flushed(self, host, seconds=PATIENCE):
        """Flushes; returns the record that tells of it and all spans but the root span."""
        self.flush(seconds)
        record = self.receive_until(link.FLUSHED)[-1]
        spans = [span for one in self.requests(host) for span in one]
        self.root = spans.pop()
        self.assertEqual(self.root["span_id"], ROOT_ID.hex())
        return record, spans


class Answers(Receiver):
    def check(self, answer, status, **fields):
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.fields["content-type"], PROTOBUF)
        for name, value in fields.items():
            self.assertEqual(answer.fields[name.replace("_", "-")], value)
        if status != 200:
            self.assertNotEqual(answer.message(), "")

    def test_success(self):
        host = self.start()
        for unix in (False, True):
            answer = self.post(some_span(1), unix=unix)
            self.check(answer, 200)
            self.assertEqual(answer.body, SUCCESS)
        self.check(self.ask(request(b"")), 200)
        record, spans = self.flushed(host)
        self.assertEqual(record, (link.FLUSHED, "delivered", 3, 0))
        self.assertEqual([span["name"] for span in spans], ["work 1", "work 1"])
        self.assertEqual(spans[0]["trace_id"], TRACE_ID.hex())
        self.assertEqual(spans[0]["resource"], {"service.name": "rootspan", "host.name": "vm-1"})
        self.assertEqual(spans[0]["attributes"], {})

    def test_strangers(self):
        host = self.start()
        for authorization in (None, "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0",
                              f"Bearer {TOKEN[:-1]}0", TOKEN, f"Basic {TOKEN}"):
            for path in ("/v1/traces", "/v1/logs", "/"):
                answer = self.ask(request(otlp.request(some_span(1)), authorization=authorization,
                                          path=path))
                self.check(answer, 401, www_authenticate="Bearer")
        record, spans = self.flushed(host)
        self.assertEqual((record, spans), ((link.FLUSHED, "delivered", 1, 0), []))

    def test_nobody_without_a_token(self):
        self.start(token=None)
        connection = self.connect()
        connection.sendall(request(b"", authorization="Bearer "))
        self.flush(PATIENCE)
        self.receive_until(link.FLUSHED)
        connection.settimeout(0)
        self.assertRaises(BlockingIOError, connection.recv, 1)

    def test_what_is_not_taken(self):
        self.start()
        body = otlp.request(some_span(1))
        for data, status in (
                (request(body, path="/v1/logs"), 404),
                (request(body, path="/v1/metrics"), 404),
                (request(body).replace(b"POST", b"GET"), 405),
                (head(), 411),
                (request(body, content_type="text/plain"), 415),
                (request(body, "Content-Encoding: br"), 415),
                (request(body[:-1]), 400),
                (request(gzip.compress(body)[:-1], "Content-Encoding: gzip"), 400),
                (request(body, "Content-Encoding: gzip"), 400),
                (head("Transfer-Encoding: chunked") + b"x\r\n", 400),
                (head(f"Content-Length: {BODY_MAX + 1}"), 413),
                (head("Transfer-Encoding: chunked") + chunked(bytes(BODY_MAX + 1), 1 << 20), 413),
                (request(gzip.compress(bytes(BODY_MAX + 1)), "Content-Encoding: gzip"), 413),
                (request(gzip.compress(gzip.compress(bytes(1 << 30))), "Content-Encoding: gzip"),
                 400),
                (head("Transfer-Encoding: gzip"), 501),
                (b"POST /v1/traces HTTP/2.0\r\n\r\n", 505),
                (b"\x16\x03\x01", 400),
                (b"A" * 20000, 431)):
            with self.subTest(data=data[:300], status=status):
                self.check(self.ask(data), status)
        self.assertEqual(self.ask(request(body).replace(b"POST", b"PUT")).fields["allow"], "POST")

    def test_one_connection_for_all(self):
        host = self.start()
        connection = self.connect()
        stream = connection.makefile("rb")
        body = otlp.request(some_span(1))
        for data, status in (
                (request(body), 200),
                (request(body, path="/v1/logs"), 404),
                (head("Transfer-Encoding: chunked") + chunked(body), 200),
                (request(gzip.compress(body), "Content-Encoding: gzip"), 200),
                (head("Transfer-Encoding: chunked", "Content-Encoding: gzip") +
                 chunked(gzip.compress(body)), 200),
                (request(body, authorization=None), 401),
                (request(b"nonsense"), 400),
                (request(body) * 50, 200)):
            connection.sendall(data)
            self.assertEqual(Answer(stream).status, status)
        for _ in range(49):
            self.assertEqual(Answer(stream).body, SUCCESS)
        connection.sendall(head(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        self.assertEqual(Answer(stream).status, 100)
        connection.sendall(body)
        self.assertEqual(Answer(stream).status, 200)
        connection.sendall(request(body, "Connection: close"))
        self.assertEqual(Answer(stream).fields["connection"], "close")
        self.assertEqual(stream.read(), b"")
        record, _ = self.flushed(host)
        self.assertEqual(record, (link.FLUSHED, "delivered", 57, 0))

    def test_byte_by_byte(self):
        host = self.start()
        connection = self.connect()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head("Transfer-Encoding: chunked") + chunked(otlp.request(some_span(1)), 3):
            connection.sendall(bytes([byte]))
        self.assertEqual(Answer(connection.makefile("rb")).status, 200)
        self.assertEqual(self.flushed(host)[0], (link.FLUSHED, "delivered", 2, 0))

    def test_json(self):
        host = self.start()
        spans = [{"traceId": OTHER_TRACE.hex(), "spanId": span_id(1).hex(), "name": "täxt",
                  "startTimeUnixNano": "10", "endTimeUnixNano": 20, "kind": 2,
                  "attributes": [{"key": "i", "value": {"intValue": "-3"}}]},
                 {"traceId": "0", "spanId": span_id(2).hex()}]
        good, bad = (json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": some}]}]}).encode()
                     for some in (spans[:1], spans))

        def ask(body, *fields):
            answer = self.ask(request(body, *fields, content_type="application/json"))
            self.assertEqual(answer.fields["content-type"], "application/json")
            return answer.status, json.loads(answer.body)

        self.assertEqual(ask(good), (200, {"partialSuccess": {}}))
        self.assertEqual(ask(gzip.compress(good), "Content-Encoding: gzip"),
                         (200, {"partialSuccess": {}}))
        status, body = ask(bad)
        self.assertEqual((status, body["partialSuccess"]["rejectedSpans"]), (200, "1"))
        self.assertIn("Span.trace_id", body["partialSuccess"]["errorMessage"])
        status, body = ask(good[:-1])
        self.assertEqual((status, body["code"]), (400, 3))
        self.assertIn("JSON", body["message"])
        _, spans = self.flushed(host)
        self.assertEqual(len(spans), 3)
        self.assertEqual((spans[0]["name"], spans[0]["start"], spans[0]["end"], spans[0]["kind"]),
                         ("täxt", 10, 20, 2))
        self.assertEqual((spans[0]["trace_id"], spans[0]["parent_span_id"]),
                         (TRACE_ID.hex(), AGENT_ID.hex()))
        self.assertEqual(spans[0]["attributes"]["i"], -3)

    def test_bad_spans_are_refused_alone(self):
        host = self.start()
        bad = [some_span(2, trace=bytes(16)), some_span(3, trace=b"short"),
               some_span(4, rest=otlp.field_bytes(3, b"\xff"))]
        answer = self.post(some_span(1), *bad, some_span(5))
        self.assertEqual(answer.status, 200)
        partial = otlp_decode.one(answer.body, 1, b"")
        self.assertEqual(otlp_decode.one(partial, 1, 0), 3)
        self.assertIn(b"Span.trace_id", otlp_decode.one(partial, 2, b""))
        record, spans = self.flushed(host)
        self.assertEqual(record, (link.FLUSHED, "delivered", 3, 0))
        self.assertEqual([span["name"] for span in spans], ["work 1", "work 5"])
        self.assertEqual(self.root["attributes"]["rootspan.spans.rejected"], 3)

    def test_deep_nesting_is_refused_alone(self):
        host = self.start()
        deep = b""
        for _ in range(5000):
            deep = otlp.field_bytes(5, otlp.field_bytes(1, deep))
        deep = otlp.field_bytes(9, otlp.field_text(1, "k") + otlp.field_bytes(2, deep))
        self.assertEqual(otlp_decode.one(otlp_decode.one(
            self.post(some_span(1, rest=deep), some_span(2)).body, 1, b""), 1, 0), 1)
        self.assertEqual(len(self.flushed(host)[1]), 1)

    def test_the_token_shows_nowhere(self):
        self.start()
        self.ask(request(b"", authorization=None))
        process = pathlib.Path(f"/proc/{self.tracer.pid}")
        self.assertNotIn(TOKEN.encode(), (process / "cmdline").read_bytes())
        self.assertNotIn(TOKEN.encode(), (process / "environ").read_bytes())
        _, log = self.finish()
        self.assertIn("401", log)
        self.assertNotIn(TOKEN, log)


class Adoption(Receiver):
    def other(self, number, **options):
        return some_span(number, **{"trace": OTHER_TRACE} | options)

    def test_other_trace_becomes_part_of_ours(self):
        host = self.start()
        self.post(self.other(2, parent=1))
        self.post(self.other(1, parent=0))
        self.post(self.other(3, parent=0, rest=otlp.field_bytes(4, b"")), some_span(4))
        _, spans = self.flushed(host)
        self.assertEqual({span["trace_id"] for span in spans}, {TRACE_ID.hex()})
        self.assertEqual([(span["span_id"], span["parent_span_id"]) for span in spans],
                         [(span_id(2).hex(), span_id(1).hex()), (span_id(1).hex(), AGENT_ID.hex()),
                          (span_id(3).hex(), AGENT_ID.hex()), (span_id(4).hex(), span_id(9).hex())])
        original = {"rootspan.original_trace_id": OTHER_TRACE.hex()}
        self.assertEqual([span["attributes"] for span in spans], [original] * 3 + [{}])

    def test_off(self):
        host = self.start(adopt=False)
        self.post(self.other(1, parent=0))
        _, [span] = self.flushed(host)
        self.assertEqual(span["trace_id"], OTHER_TRACE.hex())
        self.assertEqual((span["parent_span_id"], span["attributes"]), ("", {}))


class Load(Receiver):
    def test_parallel_clients_are_complete(self):
        host = self.start()
        host.decode = bytes  # later: here it would be what takes the time
        clients, batches, size = 8, 25, 500

        def run(client):
            connection = http.client.HTTPConnection(*self.listeners[0].getsockname())
            for batch in range(batches):
                first = (client * batches + batch) * size
                body = otlp.request(*(some_span(1 + first + i) for i in range(size)))
                connection.request("POST", "/v1/traces", body,
                                   {"Content-Type": PROTOBUF, "Authorization": AUTHORIZATION})
                response = connection.getresponse()
                failed.append(response.status) if response.status != 200 else None
                response.read()
            connection.close()

        failed = []
        threads = [threading.Thread(target=run, args=[client]) for client in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.flush(PATIENCE)
        self.assertEqual(self.receive_until(link.FLUSHED)[-1],
                         (link.FLUSHED, "delivered", clients * batches * size + 1, 0))
        ids = [int(span["span_id"], 16) for body in self.requests(host)
               for span in otlp_decode.spans(body)]
        self.assertEqual(ids.pop(), int.from_bytes(ROOT_ID, "big"))
        self.assertEqual(len(ids), clients * batches * size)
        self.assertEqual(set(ids), set(range(1, clients * batches * size + 1)))

    def test_full_store_asks_to_come_again(self):
        host = self.start(None)
        body = otlp.request(some_span(1, rest=otlp.field_bytes(99, bytes(1 << 20))))
        answers = [self.ask(request(body)) for _ in range(17)]
        self.assertEqual([answer.status for answer in answers], [200] * 15 + [429] * 2)
        self.assertEqual(answers[-1].fields["retry-after"], "1")
        self.send_spans([7])  # the guest's own spans have room left
        self.flush(1)
        self.assertEqual(self.receive_until(link.FLUSHED)[-1],
                         (link.FLUSHED, "unacked", 0, 17))
        self.assertEqual(len(self.requests(host)[-1]), 1)

    def test_slow_clients_hold_up_nobody(self):
        host = self.start()
        body = otlp.request(some_span(1))
        slow = [self.connect() for _ in range(20)]
        for connection in slow:
            connection.sendall(request(body)[:-1])
        large = [self.connect() for _ in range(4)]  # as much as all large bodies may take, twice
        for connection in large:
            connection.sendall(head(f"Content-Length: {BODY_MAX}") + bytes(100))
        for _ in range(50):
            self.assertEqual(self.post(some_span(2)).status, 200)
        for connection in slow:
            connection.sendall(request(body)[-1:])
            self.assertEqual(Answer(connection.makefile("rb")).status, 200)
        self.assertEqual(self.flushed(host, 2)[0], (link.FLUSHED, "delivered", 71, 0))

    def test_idle_clients_give_way(self):
        host = self.start()
        idle = [self.connect() for _ in range(100)]
        self.assertEqual(self.post(some_span(1)).status, 200)
        for connection in idle[:60]:
            self.assertEqual(connection.recv(1), b"")
        self.assertEqual(self.flushed(host)[0], (link.FLUSHED, "delivered", 2, 0))

    def test_slow_request_is_given_up(self):
        self.start()
        answer = self.ask(request(otlp.request(some_span(1)))[:-1])
        self.assertEqual((answer.status, answer.fields["retry-after"]), (503, "1"))


class Flush(Receiver):
    def test_what_is_under_way_comes_along(self):
        host = self.start()
        body = otlp.request(some_span(1))
        half = self.connect()
        half.sendall(request(body)[:100])
        self.assertEqual(self.post(some_span(2)).status, 200)
        idle = self.connect()
        # Posted by somebody who is gone before it is even accepted.
        self.tracer.send_signal(signal.SIGSTOP)
        for _ in range(40):
            gone = self.connect()
            gone.sendall(request(body))
            gone.shutdown(socket.SHUT_WR)
            gone.close()
        self.flush(PATIENCE)
        self.tracer.send_signal(signal.SIGCONT)
        half.sendall(request(body)[100:])
        self.assertEqual(Answer(half.makefile("rb")).status, 200)
        self.assertEqual(self.receive_until(link.FLUSHED)[-1],
                         (link.FLUSHED, "delivered", 43, 0))
        self.assertEqual(idle.recv(1), b"")
        self.assertEqual(self.requests(host)[-1][0]["span_id"], ROOT_ID.hex())

    def test_the_guests_own_spans_go_first(self):
        host = self.start(status(503, "Retry-After: 1"), OK)
        self.assertEqual(self.post(some_span(1)).status, 200)
        self.receive_until(link.FAILED)
        self.send_spans([7])
        self.assertEqual(self.post(some_span(2)).status, 200)
        self.flush(PATIENCE)
        self.receive_until(link.FLUSHED)
        names = [[span["name"] for span in spans] for spans in self.requests(host)]
        self.assertEqual(names, [["work 1"], ["span 7"], ["work 1", "work 2"], ["guest"]])

    def test_a_client_that_stalls_does_not_cost_the_root_span(self):
        host = self.start()
        stalled = self.connect()
        stalled.sendall(request(otlp.request(some_span(1)))[:-1])
        self.assertEqual(self.post(some_span(2)).status, 200)
        record, spans = self.flushed(host, 1)
        self.assertEqual(record, (link.FLUSHED, "delivered", 2, 0))
        self.assertEqual([span["name"] for span in spans], ["work 2"])


if __name__ == "__main__":
    unittest.main()
