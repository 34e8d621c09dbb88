"""What must hold of every trace, over spans as OTLP JSON objects."""

import json
import pathlib
import re


def read_file(path):
    """All spans in a file of rootspan-forwarder, in their order."""
    return [span
            for line in pathlib.Path(path).read_text().splitlines()
            for resource_spans in json.loads(line)["resourceSpans"]
            for scope_spans in resource_spans["scopeSpans"]
            for span in scope_spans["spans"]]


def attributes(span):
    """Attributes as a dict of plain values."""
    values = {}
    for attribute in span.get("attributes", []):
        (kind, value), = attribute["value"].items()
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values


def by_name(spans, name):
    found = [span for span in spans if span["name"] == name]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} spans named {name}, not 1")
    return found[0]


def times(span):
    return int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])


def check_trace(spans, slack=0):
    """Raises AssertionError if @spans are not one whole trace of a guest. Clocks of theirs may be
    wrong by @slack ns."""

    def check(condition, text):
        if not condition:
            raise AssertionError(text)

    ids = {}
    for span in spans:
        name = span["name"]
        check(re.fullmatch("[0-9a-f]{32}", span["traceId"]), f"{name}: bad trace id")
        check(re.fullmatch("[0-9a-f]{16}", span["spanId"]), f"{name}: bad span id")
        check(int(span["traceId"], 16) != 0 and int(span["spanId"], 16) != 0, f"{name}: zero id")
        check(span["spanId"] not in ids, f"{name}: span id is not unique")
        ids[span["spanId"]] = span
    check(len({span["traceId"] for span in spans}) == 1, "more than one trace")

    roots = [span for span in spans if not span.get("parentSpanId")]
    check([root["name"] for root in roots] == ["guest"], f"roots: {roots}")
    check(spans[-1] is roots[0], "the root span is not the last")
    for span in spans:
        start, end = times(span)
        check(start <= end, f"{span['name']} ends before it starts")
        if span is roots[0]:
            continue
        check(span["parentSpanId"] in ids, f"{span['name']}: its parent is missing")
        parent = ids[span["parentSpanId"]]
        parent_start, parent_end = times(parent)
        check(parent_start <= start + slack and end <= parent_end + slack,
              f"{span['name']} does not lie within {parent['name']}")
    for name in "kernel", "boot":
        check(by_name(spans, name)["parentSpanId"] == roots[0]["spanId"], f"{name}: not below guest")
    return roots[0]
