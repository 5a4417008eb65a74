package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// recorded is a chronicle on a ledger of its own.
type recorded struct {
	*chronicle
	file string
	stop func()
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	return recordIn(t, filepath.Join(t.TempDir(), "ledger.db"))
}

func recordIn(t *testing.T, file string) *recorded {
	t.Helper()
	out := &recorded{file: file}
	r, err := ledger.NewRecorder(ledger.Options{Source: ledger.Source{File: out.file}, Replica: "pod-1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	out.chronicle = &chronicle{r}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	out.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(out.stop)
	// It is open once something is on disk; what asks it before is told that it is not.
	if _, err := r.Append(t.Context(), ledger.Entry{Kind: "test"}); err != nil {
		t.Fatal(err)
	}
	return out
}

// entries ends the record and gives what it holds of some kinds, or of all, the oldest first; but for what the ledger writes of
// itself.
func (r *recorded) entries(t *testing.T, kinds ...ledger.Kind) []ledger.Entry {
	t.Helper()
	r.stop()
	store, err := ledger.OpenForReading(t.Context(), ledger.Source{File: r.file})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }() // it was only read
	var out []ledger.Entry
	err = store.Walk(t.Context(), ledger.Query{Kinds: kinds}, func(e *ledger.Entry, _ []byte) error {
		if e.Kind != ledger.Begun && e.Kind != "test" {
			out = append(out, *e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// plannedFor is a Remediation for one ConfigMap, as it stands when it was proposed.
func plannedFor(s *engine.Snapshot, name string) *v1alpha1.Remediation {
	p := s.Policies()[0]
	r := &v1alpha1.Remediation{}
	r.Name, r.UID, r.Labels = name, "uid-of-r", map[string]string{v1alpha1.LabelGroup: "g"}
	r.CreationTimestamp = metav1.NewTime(time.Now())
	r.Spec.Plan = v1alpha1.Plan{
		Policy: v1alpha1.PolicyReference{Kind: p.Kind, Name: p.Name, Rule: "a", Digest: p.Digest}, BundleDigest: s.Digest(),
		Rationale: "Maps have an a.", Risk: v1alpha1.Risk{Level: v1alpha1.RiskLow},
		Targets: []v1alpha1.Target{{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "x", UID: "x", Action: v1alpha1.ActionPatch, Diff: "+ data.a: b",
			Patch: `[{"op":"add","path":"/data/a","value":"b"}]`, Inverse: `[{"op":"remove","path":"/data/a"}]`, DriftedBy: &v1alpha1.Origin{User: "ana", Manager: "kubectl"},
		}},
	}
	r.Spec.PlanDigest, _ = plan.Digest(&r.Spec.Plan) // of what JSON can write
	r.Status.Phase, r.Status.Mode = v1alpha1.PhaseAwaitingApproval, v1alpha1.Approve
	return r
}

// Every kind of entry is written by what it is about, with what there is to know: which policy, on what object, who, why, how it
// went and what changes.
func TestEachKindOfEntryIsWritten(t *testing.T) {
	r, s := newRecorded(t), twoRules(t)
	p := s.Policies()[0]
	snapshots := bundle.NewStore(s)
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	user := &authenticationv1.UserInfo{Username: "ana", Groups: []string{"dev"}}

	must(r.bundles(snapshots, log).record(ctx, nil, s))
	mapKind := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	r.refused(&webhook.Refusal{
		Object: webhook.ObjectName{Kind: mapKind, Namespace: "shop", Name: "y"}, Operation: engine.Create, Bundle: s.Digest(),
		Decisions: []*engine.Decision{{Policy: p, Rule: p.Rules[0], Status: engine.Fail, Message: "no a"}},
		Request:   &engine.Request{UID: "request", User: user, Options: map[string]any{"fieldManager": "kubectl"}},
	})
	r.policyWritten(&engine.Request{
		UID: "request", Operation: engine.Update, Kind: schema.GroupVersionKind{Group: "kyverno.io", Version: "v1", Kind: "ClusterPolicy"}, User: user,
		Object: map[string]any{"metadata": map[string]any{"name": "p", "uid": "u", "generation": 2.0}},
	})
	r.policyRefused(&engine.Request{
		UID: "request", Operation: engine.Create, Kind: schema.GroupVersionKind{Group: "kyverno.io", Version: "v1", Kind: "Policy"}, User: user,
		Object: map[string]any{"metadata": map[string]any{"name": "q", "namespace": "shop"}},
	}, []engine.Problem{{Path: []any{"spec"}, Message: "is empty"}})
	asked, err := json.Marshal(plannedFor(s, "r"))
	must(err)
	r.decisionRefused(&admissionv1.AdmissionRequest{UID: "request", Name: "r", Operation: admissionv1.Update, UserInfo: *user, OldObject: runtime.RawExtension{Raw: asked}}, "ana may not decide")
	findings := newFindingRecord(r.Recorder, snapshots, nil, log)
	found := audit.Finding{Object: configMap("x"), Digest: s.Digest(), Seen: time.Now(), Origins: make([]audit.Origin, 1)}
	found.Origins[0].Write = audit.Write{User: "ana", Manager: "kubectl"}
	found.Result.Decisions = []engine.Decision{{Policy: p, Rule: p.Rules[0], Status: engine.Fail, Message: "no a"}}
	findings.Found(&found, resultsOf(&found, func(report.Status) bool { return true }))
	_, err = findings.step(ctx)
	must(err)

	one := plannedFor(s, "r")
	plans := &planRecord{ledger: r.Recorder, keys: stampKeys{}, told: map[string]map[string]bool{}, waiting: map[string]bool{}, read: func(context.Context, string) (*v1alpha1.Remediation, error) { return one, nil }}
	must(plans.record(ctx, "r"))
	stamped(t, one, v1alpha1.DecisionApprove, "looks right")
	must(plans.record(ctx, "r"))
	deed := act.Deed{Remediation: one, Target: &one.Spec.Plan.Targets[0], Number: 1}
	must(r.deeds().Intend(ctx, []act.Deed{deed}))
	must(r.deeds().Settle(ctx, []act.Outcome{{Deed: deed}}))
	back := deed
	back.Number, back.Back = 2, true
	must(r.deeds().Intend(ctx, []act.Deed{back}))
	must(r.deeds().Settle(ctx, []act.Outcome{{Deed: back, Err: errors.New("the object has changed")}}))
	one.Status.Phase, one.Status.Message = v1alpha1.PhaseSucceeded, "1 of 1 targets"
	must(r.deeds().Conclude(ctx, one))
	other := plannedFor(s, "other")
	other.UID = "another"
	stamped(t, other, v1alpha1.DecisionReject, "not now")
	other.Status.Phase, other.Status.Message, other.Status.SupersededBy = v1alpha1.PhaseSuperseded, "the world has changed", []string{"r"}
	other.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPlanned, Status: metav1.ConditionFalse, LastTransitionTime: metav1.NewTime(time.Now())}}
	plans.read = func(context.Context, string) (*v1alpha1.Remediation, error) { return other, nil }
	must(plans.record(ctx, "other"))

	ended, err := r.journal().Begin(ctx, reconcile.Act{
		Change: &engine.Change{Action: engine.CreateObject, Kind: mapKind, Namespace: "shop", Name: "twin", Object: map[string]any{"data": map[string]any{"a": "b"}}},
		Rule:   p.Rules[1], Trigger: reconcile.Trigger{Kind: mapKind, Namespace: "shop", Name: "x", UID: "x"}, Bundle: s.Digest(),
	})
	must(err)
	ended(nil)

	stops := stopRecord{
		ledger: r.Recorder, stopped: func() *gate.Switch {
			return &gate.Switch{Stopped: true, By: "jane", Reason: "an outage", Since: time.Now()}
		},
		breakers: func() ([]breaker, bool) {
			return []breaker{{
				policy: v1alpha1.PolicyReference{Kind: p.Kind, Name: p.Name, Digest: p.Digest}, bundle: s.Digest(), limits: gate.DefaultSettings().Breaker,
				Standing: gate.Standing{State: gate.Open, Until: time.Date(2026, 5, 4, 12, 15, 0, 0, time.UTC), Changes: 4, Failed: 3, Remediation: "r", Target: deed.Target},
			}}, true
		},
	}
	must(stops.record(ctx))
	findings.Gone(configMap("x"))
	_, err = findings.step(ctx)
	must(err)

	all := r.entries(t)
	var got bytes.Buffer
	for _, k := range ledger.Kinds() {
		for i := range all {
			e := &all[i]
			if e.Kind != k {
				continue
			}
			digest, diff := "", ""
			if e.Policy.Digest != "" {
				digest = " (digest)"
			}
			if e.Diff != "" {
				diff = " | " + strings.ReplaceAll(e.Diff, "\n", "; ")
			}
			fmt.Fprintf(&got, "%s | %s | %s/%s%s | %s %s | %s | %s%s\n", e.Kind, e.Object, e.Policy.Name, e.Policy.Rule, digest, e.Actor.User, e.Actor.Manager, e.Outcome, e.Message, diff)
			if e.Time.IsZero() || time.Since(e.Time) > time.Hour || e.Replica != "pod-1" {
				t.Errorf("%s: at %s by %s", e.Kind, e.Time, e.Replica)
			}
		}
	}
	const want = `denied | ConfigMap shop/y | p/a (digest) | ana kubectl | fail | no a
denied | Policy shop/q | shop/q/ | ana  | fail | spec: is empty
denied | Remediation r | p/a (digest) | ana  | fail | ana may not decide
policy-written | ClusterPolicy p | p/ | ana  | admitted | 
finding-opened | ConfigMap shop/x | p/a (digest) | ana kubectl | fail | no a
finding-closed | ConfigMap shop/x | p/a (digest) |   |  | the object is gone, or no rule matches it any more
planned | ConfigMap shop/x | p/a (digest) |  holdfast | Proposed | Maps have an a. | + data.a: b
planned | ConfigMap shop/x | p/a (digest) |  holdfast | Proposed | Maps have an a. | + data.a: b
superseded | ConfigMap shop/x | p/a (digest) |  holdfast |  | the world has changed
approved | ConfigMap shop/x | p/a (digest) | jane  |  | looks right
rejected | ConfigMap shop/x | p/a (digest) | jane  |  | not now
intended | ConfigMap shop/x | p/a (digest) |  holdfast-reconcile |  | Maps have an a. | + data.a: b
intended | ConfigMap shop/x | p/a (digest) |  holdfast-rollback |  | what was changed is changed back
intended | ConfigMap shop/twin | p/b (digest) |  holdfast |  | a rule wants it for ConfigMap/shop/x | {"action":"create","apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"twin","object":{"data":{"a":"b"}}}
applied | ConfigMap shop/x | p/a (digest) |  holdfast-reconcile | done | 
applied | ConfigMap shop/twin | p/b (digest) |  holdfast | done | 
concluded | ConfigMap shop/x | p/a (digest) |  holdfast-reconcile | Succeeded | 1 of 1 targets
rolled-back | ConfigMap shop/x | p/a (digest) |  holdfast-rollback | failed | the object has changed
breaker-changed | ConfigMap shop/x | p/ (digest) |  holdfast-reconcile | opened | 3 of 4 changes failed in the last 60m, and no more than 50% may: none is made until 2026-05-04 12:15 UTC
switch-changed |  | / | jane  | stopped | an outage
bundle-changed |  | / |   |  | 1 policy is in force
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	// These the ledger writes of itself.
	its := []ledger.Kind{ledger.FindingStanding, ledger.Begun, ledger.Dropped, ledger.Pruned}
	for _, k := range ledger.Kinds() {
		if !slices.Contains(its, k) && !slices.ContainsFunc(all, func(e ledger.Entry) bool { return e.Kind == k }) {
			t.Errorf("nothing writes %s", k)
		}
	}
}
