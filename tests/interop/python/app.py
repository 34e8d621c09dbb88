"""The trace that test_sdks.py expects, as Python's SDK makes it. Nothing here names an endpoint or a
token. TRACEPARENT is read by hand, because this SDK does not do so itself."""

import os
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app", "1.0")
parent = TraceContextTextMapPropagator().extract({"traceparent": os.environ["TRACEPARENT"]})

with tracer.start_as_current_span("app", parent, trace.SpanKind.SERVER):
    with tracer.start_as_current_span("typed") as typed:
        typed.set_attributes({
            "text": "grüße \U0001f5a7", "flag": True, "whole": 42, "real": 1.5,
            "texts": ["a", "b"], "flags": [True, False], "wholes": [1, 2], "reals": [0.5, 1.5]})
        typed.add_event("happened", {"count": 1})
    with tracer.start_as_current_span("linked", links=[trace.Link(typed.get_span_context())]):
        tracer.start_span("inner").end()
    with tracer.start_as_current_span("failing") as failing:
        failing.record_exception(IndexError("out of range"))
        failing.set_status(trace.StatusCode.ERROR, "it failed")
    for _ in range(int(sys.argv[1])):
        tracer.start_span("item").end()

sys.exit(3)  # the provider shuts itself down
