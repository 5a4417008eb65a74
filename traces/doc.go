// Package traces sends spans to a collector. Spans that other packages make by OpenTelemetry's API flow in; batches of them go
// out by OTLP over HTTP, the traces' own protocol.
//
// It never makes anybody wait: a span that there is no room for is dropped and counted, and a collector that is away costs
// spans and nothing else. It is no part of what decides, and who makes spans knows nothing of it: they take a trace.Tracer,
// or none.
//
// Source of the protocol: https://opentelemetry.io/docs/specs/otlp/#otlphttp
package traces
