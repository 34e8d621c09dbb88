"""Reads OTLP protobuf requests: written from the field tables of opentelemetry-proto, sharing
nothing with the programs under test."""

import struct


def fields(data):
    """Yields (field number, value) of a message: int for numbers, bytes for everything else."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            value = varint()
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif kind == 2:
            length = varint()
            if length > len(data) - at:
                raise ValueError("a field goes beyond its message")
            value, at = data[at:at + length], at + length
        else:
            raise ValueError(f"wire type {kind}")
        yield number, value


def every(data, number):
    return [value for found, value in fields(data) if found == number]


def one(data, number, default):
    return (every(data, number) or [default])[-1]


def any_value(data):
    for number, value in fields(data):
        if number == 1:
            return value.decode()
        if number == 2:
            return bool(value)
        if number == 3:
            return value - (1 << 64) if value >> 63 else value
    return None


def attributes(data, number):
    return {one(pair, 1, b"").decode(): any_value(one(pair, 2, b""))
            for pair in every(data, number)}


def span(data):
    status = one(data, 15, b"")
    return {
        "trace_id": one(data, 1, b"").hex(),
        "span_id": one(data, 2, b"").hex(),
        "parent_span_id": one(data, 4, b"").hex(),
        "name": one(data, 5, b"").decode(),
        "kind": one(data, 6, 0),
        "start": one(data, 7, 0),
        "end": one(data, 8, 0),
        "attributes": attributes(data, 9),
        "dropped_attributes": one(data, 10, 0),
        "status": one(status, 3, 0),
        "status_message": one(status, 2, b"").decode(),
        "flags": one(data, 16, 0),
        "events": [(one(event, 2, b"").decode(), one(event, 1, 0), attributes(event, 3))
                   for event in every(data, 11)],
        "links": [(one(link, 1, b"").hex(), one(link, 2, b"").hex()) for link in every(data, 13)],
    }


def spans(request):
    """The spans of an ExportTraceServiceRequest, each with its resource and scope."""
    found = []
    for resource_spans in every(request, 1):
        resource = attributes(one(resource_spans, 1, b""), 1)
        for scope_spans in every(resource_spans, 2):
            scope = one(scope_spans, 1, b"")
            for data in every(scope_spans, 2):
                found.append(span(data) | {
                    "resource": resource,
                    "scope": (one(scope, 1, b"").decode(), one(scope, 2, b"").decode())})
    return found
