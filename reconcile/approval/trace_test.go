package approval

import (
	"log/slog"
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/traces/tracestest"
)

func TestADecisionIsInTheTraceOfItsRemediation(t *testing.T) {
	for user, outcome := range map[string]string{"jane": "stamped", "tom": "refused", "broken": "failed"} {
		t.Run(outcome, func(t *testing.T) {
			spans := tracestest.New()
			h, err := NewHandler(Options{Access: office{}, Keys: office{}, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler), Tracer: spans.Tracer()})
			if err != nil {
				t.Fatal(err)
			}
			old := proposed(t, "r")
			old.Annotations = map[string]string{v1alpha1.AnnotationTraceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
			object := old.DeepCopy()
			write(t, h, user, old, object)
			if got := spans.Tree(); got != "" {
				t.Errorf("a write that decides nothing: %s", got)
			}
			object.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove}
			write(t, h, user, old, object)
			if got, want := spans.Tree(), "b7ad6b7169203331 > approval"; got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
			if _, about := spans.Named("approval"); about[0]["holdfast.outcome"] != outcome || about[0]["holdfast.review.uid"] != "u" {
				t.Errorf("it is about %v", about[0])
			}
		})
	}
}
