"""OpenTelemetry's SDKs as the guest's agent, unmodified and with nothing set but what the agent's
environment says. Their spans are to be where they belong in the trace that the host gets.

usage: test_sdks.py node|python|go
"""

import json
import os
import pathlib
import shutil
import sys
import unittest

import toolchains
from nsguest import Guest, machine
from spans import attributes, by_name, check_trace
from toolchains import HERE

SKIPPED = 77  # to Meson
STATUS_ERROR = 2
KIND_SERVER = 2
ITEMS = 5000
EXIT_CODE = 3
TYPED = {"text": "grüße \U0001f5a7", "flag": True, "whole": 42, "real": 1.5,
         "texts": ["a", "b"], "flags": [True, False], "wholes": [1, 2], "reals": [0.5, 1.5]}
GZIP = {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
JSON = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
# ns. It reads one clock and then another, and may wait for the processor in between.
NODE_SLACK = 1_000_000_000
# Nothing is due when the agent ends, and more waits than the SDKs would keep.
UNSENT = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_BSP_MAX_QUEUE_SIZE": str(2 * ITEMS)}


class Sdk:
    """How to run an agent that uses one. @seen is what of this machine it needs."""

    def __init__(self, command, seen, environment, variants, heeds_traceparent, clock_slack=0):
        self.command = [str(word) for word in command]
        self.seen = machine(*seen)
        self.environment = environment
        self.variants = variants
        self.heeds_traceparent = heeds_traceparent
        self.clock_slack = clock_slack


def node():
    modules = toolchains.node_packages() / "node_modules"
    program = pathlib.Path(shutil.which("node")).resolve()
    return Sdk([program, HERE / "node/app.js"], [modules, HERE / "node", program.parent],
               {"NODE_PATH": str(modules)}, ({}, JSON, GZIP), False, NODE_SLACK)


def python():
    packages = toolchains.python_packages()
    return Sdk([pathlib.Path(sys.executable).resolve(), HERE / "python/app.py"],
               [packages, HERE / "python", sys.base_prefix],
               {"PYTHONPATH": str(packages)}, ({}, GZIP), True)


def go():
    directory = toolchains.go_program(HERE / "go")
    return Sdk([directory / "app"], [directory], {}, ({}, GZIP), True)


def plain(value):
    """An AnyValue as the value it stands for."""
    (kind, content), = value.items()
    if kind == "arrayValue":
        return [plain(item) for item in content["values"]]
    return int(content) if kind == "intValue" else content


def plain_attributes(span):
    return {item["key"]: plain(item["value"]) for item in span["attributes"]}


class Agent(unittest.TestCase):
    sdk = None

    def run_agent(self, items, **environment):
        """A guest whose agent makes the trace with so many items, to its end."""
        guest = Guest(self.sdk.seen)
        self.addCleanup(guest.directory.cleanup)
        result = guest.run([*self.sdk.command, str(items)], guest.start_forwarder(),
                           environment=self.sdk.environment | environment)
        guest.stop_forwarder()
        self.assertEqual(result.end.get("code"), str(EXIT_CODE), result.console)
        self.assertEqual(result.end["flush"], "delivered", result.console)
        self.assertEqual(result.end["dropped"], "0", result.console)
        spans = guest.spans()
        self.assertEqual(result.end["sent"], str(len(spans)), result.console)
        self.root = check_trace(spans, self.sdk.clock_slack)
        self.agent = by_name(spans, "agent")
        self.items = [span for span in spans if span["name"] == "item"]
        self.assertEqual(len(self.items), items)
        return guest

    def check_parents(self, spans):
        app = by_name(spans, "app")
        self.assertEqual(app["parentSpanId"], self.agent["spanId"])
        for child, parent in (("typed", "app"), ("linked", "app"), ("failing", "app"),
                              ("inner", "linked")):
            self.assertEqual(by_name(spans, child)["parentSpanId"],
                             by_name(spans, parent)["spanId"], child)
        self.assertEqual({item["parentSpanId"] for item in self.items}, {app["spanId"]})

    def check_original_trace(self, spans):
        """Whoever was adopted says of which trace, and all of it was."""
        names = {"app", "typed", "linked", "inner", "failing", "item"}
        found = {plain_attributes(span).pop("rootspan.original_trace_id", None)
                 if "attributes" in span else None for span in spans if span["name"] in names}
        self.assertEqual(len(found), 1)
        original, = found
        if self.sdk.heeds_traceparent:
            self.assertIsNone(original)
        else:
            self.assertRegex(original, "^[0-9a-f]{32}$")
            self.assertNotEqual(original, self.root["traceId"])

    def check_contents(self, spans):
        typed, failing = by_name(spans, "typed"), by_name(spans, "failing")
        values = plain_attributes(typed)
        self.assertEqual({key: values[key] for key in TYPED}, TYPED)
        event, = typed["events"]
        self.assertEqual((event["name"], plain_attributes(event)), ("happened", {"count": 1}))
        link, = by_name(spans, "linked")["links"]
        self.assertEqual((link["traceId"], link["spanId"]),
                         (self.root["traceId"], typed["spanId"]))
        self.assertEqual(failing["status"], {"code": STATUS_ERROR, "message": "it failed"})
        event, = failing["events"]
        self.assertEqual(event["name"], "exception")
        self.assertEqual(plain_attributes(event)["exception.message"], "out of range")
        self.assertEqual(by_name(spans, "app")["kind"], KIND_SERVER)

    def check_resource(self, guest):
        """The agent's is its own, and tells of the same host."""
        resources = {attributes(one["resource"])["service.name"]: attributes(one["resource"])
                     for line in guest.trace_file.read_text().splitlines()
                     for one in json.loads(line)["resourceSpans"]}
        name = os.path.basename(self.sdk.command[0])
        self.assertEqual(set(resources), {"rootspan", name})
        for key in "host.id", "host.name":
            self.assertEqual(resources[name][key], resources["rootspan"][key])

    def test_trace(self):
        for environment in self.sdk.variants:
            with self.subTest(environment):
                guest = self.run_agent(10, **environment)
                self.check_parents(guest.spans())
                self.check_original_trace(guest.spans())
                self.check_contents(guest.spans())
                self.check_resource(guest)
                self.assertEqual(attributes(self.agent)["process.exit.code"], EXIT_CODE)
                self.assertEqual(self.root["status"]["code"], STATUS_ERROR)

    def test_spans_unsent_when_the_agent_ends(self):
        for environment in self.sdk.variants:
            with self.subTest(environment):
                guest = self.run_agent(ITEMS, **environment, **UNSENT)
                self.check_parents(guest.spans())


def main():
    name = sys.argv.pop(1)
    try:
        Agent.sdk = {"node": node, "python": python, "go": go}[name]()
    except toolchains.Missing as problem:
        print(f"SKIPPED: no SDK for {name}: {problem}", file=sys.stderr)
        return SKIPPED
    return unittest.main(verbosity=2)


if __name__ == "__main__":
    sys.exit(main())
