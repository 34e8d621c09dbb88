// The trace that test_sdks.py expects, as Go's SDK makes it. Nothing here names an endpoint, a
// compression or a token.
package main

import (
	"context"
	"errors"
	"os"
	"strconv"

	"go.opentelemetry.io/contrib/propagators/envcar"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func makeTrace(ctx context.Context, tracer trace.Tracer, items int) {
	ctx, app := tracer.Start(ctx, "app", trace.WithSpanKind(trace.SpanKindServer))
	defer app.End()

	_, typed := tracer.Start(ctx, "typed", trace.WithAttributes(
		attribute.String("text", "grüße \U0001f5a7"), attribute.Bool("flag", true),
		attribute.Int("whole", 42), attribute.Float64("real", 1.5),
		attribute.StringSlice("texts", []string{"a", "b"}),
		attribute.BoolSlice("flags", []bool{true, false}),
		attribute.IntSlice("wholes", []int{1, 2}),
		attribute.Float64Slice("reals", []float64{0.5, 1.5})))
	typed.AddEvent("happened", trace.WithAttributes(attribute.Int("count", 1)))
	typed.End()

	inside, linked := tracer.Start(ctx, "linked",
		trace.WithLinks(trace.Link{SpanContext: typed.SpanContext()}))
	_, inner := tracer.Start(inside, "inner")
	inner.End()
	linked.End()

	_, failing := tracer.Start(ctx, "failing")
	failing.RecordError(errors.New("out of range"))
	failing.SetStatus(codes.Error, "it failed")
	failing.End()

	for i := 0; i < items; i++ {
		_, item := tracer.Start(ctx, "item")
		item.End()
	}
}

func main() {
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		panic(err)
	}
	items, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter))
	parent := propagation.TraceContext{}.Extract(ctx, &envcar.Carrier{})
	makeTrace(parent, provider.Tracer("app"), items)
	if err := provider.Shutdown(ctx); err != nil {
		panic(err)
	}
	os.Exit(3)
}
