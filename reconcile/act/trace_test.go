package act

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/traces/tracestest"
)

const proposedBy = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestWhatIsDoneIsInTheTraceOfItsRemediation(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world)
		want   []string
	}{
		"it goes well":     {func(*world) {}, []string{"apply a done", "verify a Succeeded", "apply b done", "verify b Succeeded", "outcome  Succeeded"}},
		"it is taken back": {func(w *world) { w.status = unhealthy }, []string{"apply a done", "verify a Failed", "roll back a done", "outcome  RolledBack"}},
		"the API server refuses it": {func(w *world) {
			w.onWrite = func(string) error { return fmt.Errorf("%w: no", ErrRefused) }
		}, []string{"apply a refused", "outcome  Failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			spans := tracestest.New()
			w.tracer = spans.Tracer()
			w.rems["r"].Annotations = map[string]string{v1alpha1.AnnotationTraceparent: proposedBy}
			test.change(w)
			w.run(t, "r", long)
			var got []string
			for _, s := range spans.Ended() {
				of := map[string]string{}
				for _, a := range s.Attributes() {
					of[string(a.Key)] = a.Value.String()
				}
				if of["holdfast.remediation"] != "r" || of["holdfast.policy"] != "tier" || of["holdfast.rule"] != "gold" {
					t.Errorf("%s is about %v", s.Name(), of)
				}
				got = append(got, s.Name()+" "+of["k8s.object.name"]+" "+of["holdfast.outcome"])
				if parent := s.Parent(); parent.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || parent.SpanID().String() != "b7ad6b7169203331" {
					t.Errorf("%s is in the trace %s, below %s", s.Name(), parent.TraceID(), parent.SpanID())
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
