package propose

import (
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/trail"
	"github.com/holdfast-io/holdfast/traces/tracestest"
)

func TestTheTraceOfARemediationBeginsWithItsFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		spans := tracestest.New()
		s.opts.Tracer = spans.Tracer()
		defer s.run(t)()
		found := time.Now()
		a := s.drift(t, "a")
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "what is proposed", s.proposed(t), "a: Proposed (propose)")
		expect(t, "its trace", spans.Tree(), " > remediation\nremediation > propose\nremediation > finding\nremediation > plan")
		first, about := spans.Named("remediation")
		if at := first[0].StartTime(); !at.Equal(found) {
			t.Errorf("it begins at %s, and the finding was at %s", at, found)
		}
		expect(t, "what it is about", about[0]["holdfast.policy"]+"/"+about[0]["holdfast.rule"], "team/label")
		findings, _ := spans.Named("finding")
		if events := findings[0].Events(); len(events) != 1 || !events[0].Time.Equal(found) {
			t.Errorf("the objects that were found: %v", events)
		}

		list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "what is noted in the Remediation", trail.ID(list.Items[0].GetAnnotations()), first[0].SpanContext().TraceID().String())

		s.find(a, engine.Pass)
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "when nothing is left to be done", s.proposed(t), "a: Superseded (propose)")
		outcome, about := spans.Named("outcome")
		if len(outcome) != 1 || outcome[0].Parent().SpanID() != first[0].SpanContext().SpanID() {
			t.Fatalf("the outcome is not below: %s", spans.Tree())
		}
		expect(t, "the outcome", about[0]["holdfast.outcome"], "Superseded")
		if all := spans.Traces(); len(all) != 1 {
			t.Errorf("there are %d traces: %v", len(all), all)
		}
	})
}

func TestWithoutTracesNothingIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		s.drift(t, "a")
		time.Sleep(2 * s.opts.Quiet)
		synctest.Wait()
		list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			t.Fatal(len(list.Items), err)
		}
		if a := list.Items[0].GetAnnotations(); len(a) > 0 {
			t.Errorf("it has the annotations %v", a)
		}
	})
}
