"""What a guest sends and the forwarder writes, read by OpenTelemetry's own protobuf classes.

Where they are missing and cannot be fetched, the test is skipped.
"""

import base64
import http.client
import json
import os
import pathlib
import socket
import sys
import tempfile
import unittest

import toolchains
from collector import Collector
from qemu import Service
from vmguest import TRACE_PORT, Host, find_kernel

SKIPPED = 77  # to Meson
BOOT_SECONDS = 90


def capture(out):
    """The bodies of all requests of a guest whose agent fails."""
    programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                for name in ("init", "tracer", "vsockd")}
    out.mkdir(parents=True, exist_ok=True)
    with Host(out, programs, *find_kernel()) as host, \
            Collector(f"{host.uds}_{TRACE_PORT}") as collector:
        host.make_initrd(["/bin/sh", "-c", "exit 7"], ["trace=static", "trace_connect_timeout=60s"],
                         ["--hostname", "guest-1"])
        with host.boot() as machine:
            machine.wait(BOOT_SECONDS)
    return [body for _, body in collector.requests]


def forward(bodies, out):
    """What rootspan-forwarder makes of the bodies: the lines of its file."""
    with tempfile.TemporaryDirectory(prefix="rootspan-") as sockets:
        path = f"{sockets}/v.sock"
        file = out / "forwarded.jsonl"
        file.unlink(missing_ok=True)
        service = Service([os.environ["ROOTSPAN_FORWARDER"], "--socket-path", path,
                           "--file", file], out / "forwarder.log")
        try:
            service.wait_ready()
            connection = http.client.HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(20)
            connection.sock.connect(f"{path}_{TRACE_PORT}")
            for body in bodies:
                connection.request("POST", "/v1/traces", body,
                                   {"Content-Type": "application/x-protobuf"})
                response = connection.getresponse()
                response.read()
                assert response.status == 200, response.status
            connection.close()
            service.stop()
        finally:
            service.close()
    return file.read_text().splitlines()


def with_base64_ids(value):
    """OTLP's JSON has ids in hexadecimal, where protobuf's own JSON mapping has base64."""
    if isinstance(value, list):
        return [with_base64_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64encode(bytes.fromhex(item)).decode()
            if key in ("traceId", "spanId", "parentSpanId") else with_base64_ids(item)
            for key, item in value.items()}


def unknown_fields(message):
    """All fields, at any depth, that the official schema does not have."""
    from google.protobuf.unknown_fields import UnknownFieldSet
    found = [(message.DESCRIPTOR.name, field.field_number) for field in UnknownFieldSet(message)]
    for descriptor, value in message.ListFields():
        if descriptor.message_type:
            for item in value if descriptor.is_repeated else [value]:
                found += unknown_fields(item)
    return found


class OfficialDecoder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
        cls.out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / "OfficialDecoder"
        cls.request_type = trace_service_pb2.ExportTraceServiceRequest
        cls.bodies = capture(cls.out)
        cls.requests = [cls.request_type.FromString(body) for body in cls.bodies]
        cls.spans = [span for request in cls.requests for resource in request.resource_spans
                     for scope in resource.scope_spans for span in scope.spans]
        cls.by_name = {span.name: span for span in cls.spans}

    def attributes(self, attributes):
        return {item.key: getattr(item.value, item.value.WhichOneof("value"))
                for item in attributes}

    def test_every_field_is_in_the_official_schema(self):
        self.assertGreater(len(self.requests), 1)
        for request in self.requests:
            self.assertEqual(unknown_fields(request), [])

    def test_resource_and_scope(self):
        for request in self.requests:
            for resource in request.resource_spans:
                values = self.attributes(resource.resource.attributes)
                self.assertEqual(values["service.name"], "rootspan")
                self.assertEqual(values["host.name"], "guest-1")
                for scope in resource.scope_spans:
                    self.assertEqual(scope.scope.name, "rootspan")

    def test_spans(self):
        root = self.by_name["guest"]
        ids = {span.span_id for span in self.spans}
        self.assertEqual(len(ids), len(self.spans))
        for span in self.spans:
            self.assertEqual((len(span.trace_id), len(span.span_id)), (16, 8))
            self.assertEqual(span.trace_id, root.trace_id)
            self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
            self.assertEqual(span.kind, span.SPAN_KIND_INTERNAL)
            self.assertTrue(span is root or span.parent_span_id in ids, span.name)
        self.assertEqual(root.parent_span_id, b"")
        for name in "kernel", "boot", "agent":
            self.assertEqual(self.by_name[name].parent_span_id, root.span_id)

    def test_failed_agent(self):
        agent = self.by_name["agent"]
        self.assertEqual(agent.status.code, agent.status.STATUS_CODE_ERROR)
        self.assertEqual(agent.status.message, "exit code 7")
        self.assertEqual(self.attributes(agent.attributes)["process.exit.code"], 7)

    def test_file_of_the_forwarder_says_the_same(self):
        from google.protobuf import json_format
        lines = forward(self.bodies, self.out)
        found = [json_format.ParseDict(with_base64_ids(json.loads(line)), self.request_type())
                 for line in lines]
        self.assertEqual(found, self.requests)


def main():
    try:
        sys.path.insert(0, str(toolchains.python_packages()))
    except toolchains.Missing as problem:
        print(f"SKIPPED: no decoder to compare with: {problem}", file=sys.stderr)
        return SKIPPED
    return unittest.main()


if __name__ == "__main__":
    sys.exit(main())
