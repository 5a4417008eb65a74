package traces

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sampler says what is traced. Whoever asks us something, which is the API server, has said it of a request that he traces
// himself; of the others there is a share. What we do by ourselves is traced always.
type sampler struct {
	asked, own sdktrace.Sampler
	ratio      float64
}

func newSampler(ratio float64) sampler {
	return sampler{
		asked: sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)),
		own:   sdktrace.ParentBased(sdktrace.AlwaysSample()),
		ratio: ratio,
	}
}

// ShouldSample implements sdktrace.Sampler.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Kind == trace.SpanKindServer {
		return s.asked.ShouldSample(p)
	}
	return s.own.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s sampler) Description() string { return fmt.Sprintf("holdfast{%g}", s.ratio) }
