"""A small encoder of OTLP requests, written from the field tables of opentelemetry-proto and
sharing nothing with the code under test."""

import struct

TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field_varint(number, value):
    return varint(number << 3) + varint(value)


def field_bytes(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def field_text(number, value):
    return field_bytes(number, value.encode())


def field_fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def field_fixed32(number, value):
    return varint(number << 3 | 5) + struct.pack("<I", value)


def any_value(value):
    """bool, int, float, str, bytes, list and dict to an AnyValue; None to one without a value."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return field_varint(2, value)
    if isinstance(value, int):
        return field_varint(3, value)
    if isinstance(value, float):
        return varint(4 << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, str):
        return field_text(1, value)
    if isinstance(value, bytes):
        return field_bytes(7, value)
    if isinstance(value, list):
        return field_bytes(5, b"".join(field_bytes(1, any_value(v)) for v in value))
    return field_bytes(6, attributes(1, value))


def attributes(number, values):
    return b"".join(
        field_bytes(number, field_text(1, key) + field_bytes(2, any_value(value)))
        for key, value in values.items())


def span_id(number):
    return struct.pack(">Q", number)


def span(number, name, start, end, *, parent=0, trace=TRACE, error=None, values=None, rest=b""):
    """A Span; times in milliseconds since a fixed moment."""
    epoch = 1_700_000_000_000_000_000
    out = field_bytes(1, trace) + field_bytes(2, span_id(number))
    if parent:
        out += field_bytes(4, span_id(parent))
    out += field_text(5, name) + field_varint(6, 1)
    out += field_fixed64(7, epoch + start * 1_000_000)
    out += field_fixed64(8, epoch + end * 1_000_000)
    out += attributes(9, values or {})
    if error is not None:
        out += field_bytes(15, (field_text(2, error) if error else b"") + field_varint(3, 2))
    return out + rest


def request(*spans, resource=None):
    scope_spans = field_bytes(1, field_text(1, "test"))
    scope_spans += b"".join(field_bytes(2, s) for s in spans)
    resource = {"service.name": "rootspan", "host.name": "vm-1"} if resource is None else resource
    resource_spans = field_bytes(1, attributes(1, resource)) + field_bytes(2, scope_spans)
    return field_bytes(1, resource_spans)
