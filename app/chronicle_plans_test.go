package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// What a Remediation says is recorded once, whoever leads; a decision that is not proved is none.
func TestPlansAndDecisionsAreRecordedOnce(t *testing.T) {
	r := newRecorded(t)
	one := plannedFor(twoRules(t), "r")
	var missing error
	replica := func() *planRecord {
		return &planRecord{
			ledger: r.Recorder, keys: stampKeys{}, log: slog.New(slog.DiscardHandler), waiting: map[string]bool{}, told: map[string]map[string]bool{},
			read: func(context.Context, string) (*v1alpha1.Remediation, error) { return one.DeepCopy(), missing },
		}
	}
	first := replica()
	look := func(by *planRecord) {
		t.Helper()
		for range 2 {
			if err := by.record(t.Context(), "r"); err != nil {
				t.Fatal(err)
			}
		}
	}
	phase := one.Status.Phase
	one.Status.Phase = ""
	look(first) // it is being written
	one.Status.Phase = phase
	look(first)
	look(replica())
	now := metav1.Now()
	one.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove, Approver: "mallory", Time: &now, Stamp: "forged"}
	look(first)
	stamped(t, one, v1alpha1.DecisionApprove, "looks right")
	look(first)
	look(replica())
	later := metav1.NewTime(now.Add(-1e9 * 60)) // another decision, at another time
	approved := one.Spec.Approval
	stamped(t, one, v1alpha1.DecisionReject, "on second thoughts")
	look(first)
	one.Spec.Approval = approved
	one.Spec.Approval.Time = &later // which the stamp does not prove
	look(replica())
	missing = engine.ErrNotFound
	look(replica())
	missing = errors.New("away")
	if err := replica().record(t.Context(), "r"); err == nil || err.Error() != "reading it: away" {
		t.Errorf("got %v", err)
	}
	var got []string
	entries := r.entries(t)
	for i := range entries {
		got = append(got, fmt.Sprintf("%s by %s: %s", entries[i].Kind, entries[i].Actor.User, entries[i].Message))
	}
	const want = "planned by : Maps have an a.\napproved by jane: looks right\nrejected by jane: on second thoughts"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

func TestOnlyNewsOfOurPartIsLookedAt(t *testing.T) {
	r := &planRecord{part: "1", wake: make(chan struct{}, 1), waiting: map[string]bool{}, told: map[string]map[string]bool{"u": {}}}
	state := func(part, group, phase string, generation int64) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"phase": phase}}}
		u.SetName("r")
		u.SetUID("u")
		u.SetGeneration(generation)
		u.SetLabels(map[string]string{propose.LabelPart: part, v1alpha1.LabelGroup: group})
		return u
	}
	for name, test := range map[string]struct {
		before, after *unstructured.Unstructured
		want          string
	}{
		"a new one":               {nil, state("1", "g", "Proposed", 1), "r"},
		"one of another part":     {nil, state("2", "g", "Proposed", 1), ""},
		"one that somebody wrote": {nil, state("1", "", "Proposed", 1), ""},
		"another phase":           {state("1", "g", "Proposed", 1), state("1", "g", "Superseded", 1), "r"},
		"a decision":              {state("1", "g", "Proposed", 1), state("1", "g", "Proposed", 2), "r"},
		"a target has moved on":   {state("1", "g", "Running", 2), state("1", "g", "Running", 2), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r.heard(test.before, test.after)
			if got := r.next(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	r.heard(state("1", "g", "Running", 2), nil)
	if len(r.told) != 0 {
		t.Error("one that is gone is remembered")
	}
}

func TestTheDiffOfAPlanHasABound(t *testing.T) {
	p := &v1alpha1.Plan{}
	for i := range 200 {
		p.Targets = append(p.Targets, v1alpha1.Target{Kind: "ConfigMap", Namespace: "web", Name: fmt.Sprint(i), Diff: strings.Repeat("x", 1000)})
	}
	got := planDiff(p)
	if len(got) > maxPlanDiff || !strings.HasPrefix(got, "ConfigMap web/0\nxxx") || !strings.HasSuffix(got, "x\n(and more, of 200 objects in all)") {
		t.Errorf("%d bytes: %.40s ... %s", len(got), got, got[len(got)-40:])
	}
	if got := planDiff(&v1alpha1.Plan{Targets: p.Targets[:1]}); got != strings.Repeat("x", 1000) {
		t.Errorf("of one object: %.40s", got)
	}
}
