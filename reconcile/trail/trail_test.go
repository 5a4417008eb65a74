package trail

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/traces/tracestest"
)

func TestWhatIsNotedIsFoundAgain(t *testing.T) {
	spans := tracestest.New()
	r := &v1alpha1.Remediation{}
	Note(context.Background(), r)
	if r.Annotations != nil {
		t.Errorf("without a span, %v is noted", r.Annotations)
	}
	ctx, span := spans.Tracer().Start(context.Background(), "first")
	Note(ctx, r)
	if got, want := ID(r.Annotations), span.SpanContext().TraceID().String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// Whatever else is going on where the Remediation is worked on.
	elsewhere, _ := spans.Tracer().Start(context.Background(), "elsewhere")
	sc := trace.SpanContextFromContext(Below(elsewhere, r.Annotations))
	if sc.SpanID() != span.SpanContext().SpanID() || !sc.IsSampled() {
		t.Errorf("spans are below %s of %s", sc.SpanID(), sc.TraceID())
	}
}

func TestWhatIsNoTraceIsNone(t *testing.T) {
	elsewhere, _ := tracestest.New().Tracer().Start(context.Background(), "elsewhere")
	for _, text := range []string{"", "nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		a := map[string]string{v1alpha1.AnnotationTraceparent: text}
		if id := ID(a); id != "" {
			t.Errorf("%q is the trace %s", text, id)
		}
		if sc := trace.SpanContextFromContext(Below(elsewhere, a)); sc.IsValid() {
			t.Errorf("%q leads to %s", text, sc.TraceID())
		}
	}
}
