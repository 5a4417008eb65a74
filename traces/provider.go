package traces

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// batchEvery is how long a span waits for others at most, and maxBatch how many are sent together: about 100 KiB
	// before they are compressed.
	batchEvery = 2 * time.Second
	maxBatch   = 512
	// sendTimeout is for one batch with all its attempts. A collector that restarts comes back within it.
	sendTimeout = 30 * time.Second
	// lastTimeout is for what still waits when the program ends.
	lastTimeout = 5 * time.Second
	// The bounds of one span. A review has some ten attributes, and names are 253 long at the most.
	maxAttributes, maxValue, maxEvents, maxLinks = 32, 256, 64, 8
)

// Provider makes tracers whose spans go to the collector. The nil Provider has none.
type Provider struct {
	sdk    *sdktrace.TracerProvider
	client *client
}

// New checks the options. Spans are sent from now on, also before Run.
func New(o Options) (*Provider, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c, err := newClient(&o)
	if err != nil {
		return nil, err
	}
	q, err := newQueue(&o)
	if err != nil {
		return nil, err
	}
	batches := sdktrace.NewBatchSpanProcessor(exit{otlptrace.NewUnstarted(c), q},
		sdktrace.WithMaxQueueSize(maxWaiting), sdktrace.WithMaxExportBatchSize(maxBatch),
		sdktrace.WithBatchTimeout(batchEvery), sdktrace.WithExportTimeout(sendTimeout))
	limits := sdktrace.SpanLimits{
		AttributeValueLengthLimit: maxValue, AttributeCountLimit: maxAttributes, EventCountLimit: maxEvents, LinkCountLimit: maxLinks,
		AttributePerEventCountLimit: maxAttributes, AttributePerLinkCountLimit: maxAttributes,
	}
	return &Provider{client: c, sdk: sdktrace.NewTracerProvider(
		sdktrace.WithSampler(newSampler(o.Ratio)), sdktrace.WithSpanProcessor(entrance{batches, q}),
		sdktrace.WithRawSpanLimits(limits), sdktrace.WithResource(o.resource()),
	)}, nil
}

// resource says whose the spans are.
func (o *Options) resource() *resource.Resource {
	all := []attribute.KeyValue{
		attribute.String("service.name", "holdfast"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance),
	}
	for _, key := range slices.Sorted(maps.Keys(o.Attributes)) {
		all = append(all, attribute.String(key, o.Attributes[key]))
	}
	return resource.NewSchemaless(all...)
}

// Tracer makes spans; nil without a Provider.
func (p *Provider) Tracer() trace.Tracer {
	if p == nil {
		return nil
	}
	return p.sdk.Tracer("github.com/holdfast-io/holdfast")
}

// Run waits for the end, and then sends what waits, as far as there is time.
func (p *Provider) Run(ctx context.Context) error {
	<-ctx.Done()
	if p == nil {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTimeout)
	defer cancel()
	defer p.client.end()
	if err := p.sdk.Shutdown(last); err != nil && last.Err() == nil {
		return fmt.Errorf("sending the last spans: %w", err)
	}
	return nil // a collector that is away is no failure of ours
}
