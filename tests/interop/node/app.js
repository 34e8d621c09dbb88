// The trace that test_sdks.py expects, as Node's SDK makes it. Nothing here names an endpoint, a
// protocol or a token, and TRACEPARENT means nothing to this SDK.

"use strict";

const { SpanKind, SpanStatusCode, context, trace } = require("@opentelemetry/api");
const { NodeSDK } = require("@opentelemetry/sdk-node");

const sdk = new NodeSDK();
sdk.start();

const tracer = trace.getTracer("app", "1.0");

tracer.startActiveSpan("app", { kind: SpanKind.SERVER }, (app) => {
  const typed = tracer.startSpan("typed", {
    attributes: {
      text: "grüße \u{1f5a7}", flag: true, whole: 42, real: 1.5,
      texts: ["a", "b"], flags: [true, false], wholes: [1, 2], reals: [0.5, 1.5],
    },
  });
  typed.addEvent("happened", { count: 1 });
  typed.end();

  tracer.startActiveSpan("linked", { links: [{ context: typed.spanContext() }] }, (linked) => {
    tracer.startSpan("inner").end();
    linked.end();
  });

  const failing = tracer.startSpan("failing");
  failing.recordException(new RangeError("out of range"));
  failing.setStatus({ code: SpanStatusCode.ERROR, message: "it failed" });
  failing.end();

  for (let i = 0; i < Number(process.argv[2]); i++)
    tracer.startSpan("item", {}, context.active()).end();
  app.end();
});

sdk.shutdown().then(() => process.exit(3));
