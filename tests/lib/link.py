"""The records between rootspan-init and rootspan-tracer (src/link/record.h), for tests that are
one of the two."""

import struct
import time

TRACE, SPAN, FLUSH, ACKED, FAILED, FLUSHED, OPEN, RESUMED = range(1, 9)
OUTCOMES = ("delivered", "unacked", "unreachable")


def string(text):
    if text is None:
        return b"\xff\xff"
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<H", len(data)) + data + b"\0"


def attributes(pairs):
    data = struct.pack("<IB", 0, len(pairs))
    for key, value in pairs.items():
        if isinstance(value, bool):
            data += b"\2" + string(key) + struct.pack("<B", value)
        elif isinstance(value, int):
            data += b"\1" + string(key) + struct.pack("<q", value)
        else:
            data += b"\0" + string(key) + string(value)
    return data


def span(span_id, name, parent=bytes(8), kind=1, start=1, end=2, status=0, message=None, attrs={}):
    return (span_id + parent + string(name) + struct.pack("<BQQB", kind, start, end, status) +
            string(message) + attributes(attrs))


def trace_record(trace_id, resource, agent=b"theagent", adopt=True, token=None, resumed=False,
                 clock_ahead=0):
    """@clock_ahead: by how many ns the clock was stepped since init looked at it."""
    boottime = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    realtime = time.clock_gettime_ns(time.CLOCK_REALTIME) - clock_ahead
    return (bytes([TRACE]) + trace_id + agent +
            struct.pack("<BBQQ", adopt, resumed, boottime, realtime) + string(token) +
            attributes(resource))


def span_record(*args, **kwargs):
    return bytes([SPAN]) + span(*args, **kwargs)


def open_record(*args, **kwargs):
    return bytes([OPEN]) + span(*args, **kwargs)


def flush_record(deadline, *args, **kwargs):
    return bytes([FLUSH]) + struct.pack("<Q", deadline) + span(*args, **kwargs)


def decode(data):
    """What the tracer says, as (type, values...)."""
    if data[0] == ACKED:
        return (ACKED,)
    if data[0] == RESUMED:
        return (RESUMED,)
    if data[0] == FAILED:
        return (FAILED, *struct.unpack("<II", data[1:]))
    if data[0] == FLUSHED:
        outcome, sent, dropped = struct.unpack("<BQQ", data[1:])
        return FLUSHED, OUTCOMES[outcome], sent, dropped
    raise ValueError(f"record type {data[0]}")
