package propose

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

var (
	maps       = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	mapsKind   = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// site is a proposer over a server of ConfigMaps, which are to have a label.
type site struct {
	*Proposer
	client  *fake.FakeDynamicClient
	swept   bool
	allowed bool
	rule    *engine.Rule
}

type fixed struct{ snapshot *engine.Snapshot }

func (f fixed) Current() *engine.Snapshot { return f.snapshot }

func (s *site) Allowed(context.Context, string, schema.GroupResource) (bool, error) {
	return s.allowed, nil
}

func newSite(t *testing.T) *site {
	t.Helper()
	snapshot := enginetest.Snapshot(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: team}
spec:
  rules:
  - name: label
    match: {any: [{resources: {kinds: [ConfigMap]}}]}
    mutate: {patchStrategicMerge: {metadata: {labels: {team: a}}}}
`)
	s := &site{swept: true, allowed: true, rule: snapshot.Policies()[0].Rules[0]}
	s.client = fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		maps: "ConfigMapList", namespaces: "NamespaceList", v1alpha1.Remediations(): "RemediationList",
	})
	// The fake writes what it is only to try.
	s.client.PrependReactor("patch", "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
		patch := a.(clienttesting.PatchAction)
		if !slices.Equal(a.(clienttesting.PatchActionImpl).PatchOptions.DryRun, []string{metav1.DryRunAll}) {
			t.Errorf("%s is changed", patch.GetName())
		}
		object, err := s.client.Tracker().Get(maps, patch.GetNamespace(), patch.GetName())
		if err != nil {
			return true, nil, err
		}
		u := object.(*unstructured.Unstructured).DeepCopy()
		u.SetLabels(map[string]string{"team": "a"})
		return true, u, nil
	})
	var err error
	s.Proposer, err = New(Options{
		Server: ServerOptions{
			Client: s.client, Access: s, Namespaced: func(schema.GroupVersionKind) bool { return true },
			Resource: func(k schema.GroupVersionKind) (schema.GroupVersionResource, bool) { return maps, k == mapsKind },
		},
		Remediations: NewRemediations(s.client, slog.New(slog.DiscardHandler)),
		Snapshots:    fixed{snapshot}, Swept: func() bool { return s.swept }, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewPedanticRegistry(),
		Inputs: func() *engine.Inputs { return &engine.Inputs{Lookups: engine.NoLookups{}, Now: time.Now} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	for _, run := range []func(context.Context) error{s.opts.Remediations.Run, s.Run} {
		go func() { done <- run(ctx) }()
	}
	synctest.Wait()
	return func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}

// drift puts a ConfigMap without the label into the cluster and finds it.
func (s *site) drift(t *testing.T, name string) Object {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "web", "uid": "u-" + name}}}
	if err := s.client.Tracker().Create(maps, u, "web"); err != nil {
		t.Fatal(err)
	}
	o := Object{Kind: mapsKind, Resource: maps, Namespace: "web", Name: name, UID: "u-" + name}
	s.find(o, engine.Fail)
	return o
}

func (s *site) find(o Object, status engine.Status) {
	s.Found(Finding{
		Object: o, Decisions: []engine.Decision{{Rule: s.rule, Policy: s.rule.Policy, Status: status}},
		Origins: map[string]v1alpha1.Origin{plan.RuleKey(s.rule): {User: "jane"}},
	})
}

// proposed writes the Remediations as "NAMES: PHASE (MODE)", in the order of their names; the names of targets stand for them.
func (s *site) proposed(t *testing.T) string {
	t.Helper()
	synctest.Wait()
	list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		u := &list.Items[i]
		targets, _, _ := unstructured.NestedSlice(u.Object, "spec", "plan", "targets")
		var names []string
		for _, target := range targets {
			names = append(names, target.(map[string]any)["name"].(string))
		}
		phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
		mode, _, _ := unstructured.NestedString(u.Object, "status", "mode")
		suffix := ""
		if strings.HasSuffix(u.GetName(), "-2") {
			suffix = " again"
		}
		out = append(out, fmt.Sprintf("%s%s: %s (%s)", strings.Join(names, " "), suffix, phase, mode))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func (s *site) setPhase(t *testing.T, phase v1alpha1.Phase) {
	t.Helper()
	list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(len(list.Items), err)
	}
	u := &list.Items[0]
	if err := unstructured.SetNestedField(u.Object, string(phase), "status", "phase"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Resource(v1alpha1.Remediations()).Update(t.Context(), u, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

func TestDriftIsProposedAndWhatNoLongerFitsIsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		a := s.drift(t, "a")
		expect(t, "at once", s.proposed(t), "")
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "after a while", s.proposed(t), "a: Proposed (propose)")
		b := s.drift(t, "b")
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "with a second object", s.proposed(t), "a b: Proposed (propose)\na: Superseded (propose)")
		s.find(a, engine.Pass)
		s.Gone(b)
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "when nothing is left to be done", s.proposed(t), "a b: Superseded (propose)\na: Superseded (propose)")
		s.find(a, engine.Fail)
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "when the same comes back", s.proposed(t), "a again: Proposed (propose)\na b: Superseded (propose)\na: Superseded (propose)")
		if got := testutil.ToFloat64(s.metrics.plans.WithLabelValues("proposed")); got != 3 {
			t.Errorf("%v plans are counted, want 3", got)
		}
	})
}

func TestTheSameIsProposedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		stop := s.run(t)
		s.drift(t, "a")
		time.Sleep(2 * s.opts.Quiet)
		writes := func() int {
			n := 0
			for _, a := range s.client.Actions() {
				if a.GetResource() == v1alpha1.Remediations() && slices.Contains([]string{"create", "patch", "delete"}, a.GetVerb()) {
					n++
				}
			}
			return n
		}
		before := writes()
		s.find(Object{Kind: mapsKind, Resource: maps, Namespace: "web", Name: "a", UID: "u-a"}, engine.Fail)
		time.Sleep(3 * s.opts.Replan)
		expect(t, "much later", s.proposed(t), "a: Proposed (propose)")
		stop()
		s.find(Object{Kind: mapsKind, Resource: maps, Namespace: "web", Name: "a", UID: "u-a"}, engine.Fail)
		defer s.run(t)()
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "after a restart", s.proposed(t), "a: Proposed (propose)")
		if now := writes(); now != before {
			t.Errorf("%d further writes", now-before)
		}
	})
}

func TestWhatIsBeingCarriedOutIsLetBe(t *testing.T) {
	for phase, want := range map[v1alpha1.Phase]string{
		v1alpha1.PhaseRunning: "a: Running (propose)", v1alpha1.PhasePaused: "a: Paused (propose)", v1alpha1.PhaseSucceeded: "a: Succeeded (propose)",
		v1alpha1.PhaseApproved: "a: Superseded (propose)", v1alpha1.PhaseAwaitingApproval: "a: Superseded (propose)",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			defer s.run(t)()
			o := s.drift(t, "a")
			time.Sleep(2 * s.opts.Quiet)
			s.setPhase(t, phase)
			s.Gone(o)
			time.Sleep(2 * s.opts.Quiet)
			expect(t, string(phase), s.proposed(t), want)
		})
	}
}

// While one is being carried out, some of its targets are mended already, and some are not: nothing else is proposed for them.
func TestNothingElseIsProposedForWhatIsBeingChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		a := s.drift(t, "a")
		s.drift(t, "b")
		time.Sleep(2 * s.opts.Quiet)
		s.setPhase(t, v1alpha1.PhaseRunning)
		s.find(a, engine.Pass)
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "in the middle", s.proposed(t), "a b: Running (propose)")
		s.drift(t, "c")
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "with another object", s.proposed(t), "a b: Running (propose)\nc: Proposed (propose)")
		list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase != string(v1alpha1.PhaseRunning) {
				continue
			}
			if err := unstructured.SetNestedField(u.Object, string(v1alpha1.PhaseFailed), "status", "phase"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.client.Resource(v1alpha1.Remediations()).Update(t.Context(), u, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "at its end", s.proposed(t), "a b: Failed (propose)\nb c: Proposed (propose)\nc: Superseded (propose)")
	})
}

// A rejection stands until the world changes, or somebody takes it away.
func TestWhatWasRejectedIsNotProposedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		stop := s.run(t)
		a := s.drift(t, "a")
		time.Sleep(2 * s.opts.Quiet)
		s.setPhase(t, v1alpha1.PhaseRejected)
		s.find(a, engine.Fail)
		time.Sleep(3 * s.opts.Replan)
		expect(t, "much later", s.proposed(t), "a: Rejected (propose)")
		if got := testutil.ToFloat64(s.metrics.pending.WithLabelValues("propose")); got != 0 {
			t.Errorf("%v plans are pending", got)
		}
		stop()
		s.find(a, engine.Fail)
		stop = s.run(t)
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "after a restart", s.proposed(t), "a: Rejected (propose)")
		b := s.drift(t, "b")
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "with another object", s.proposed(t), "a b: Proposed (propose)\na: Rejected (propose)")
		s.Gone(b)
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "without it again", s.proposed(t), "a b: Superseded (propose)\na: Rejected (propose)")
		for i := range kept + 1 { // others of the rule that have ended since
			u := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": v1alpha1.GroupVersion().String(), "kind": v1alpha1.KindRemediation,
				"metadata": map[string]any{"name": fmt.Sprintf("later-%d", i), "labels": map[string]any{v1alpha1.LabelGroup: s.group(t)}, "creationTimestamp": time.Now().UTC().Format(time.RFC3339)},
				"spec":     map[string]any{"planDigest": fmt.Sprintf("later-%d", i)},
				"status":   map[string]any{"phase": "Succeeded"},
			}}
			if _, err := s.client.Resource(v1alpha1.Remediations()).Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * s.opts.Replan)
		if got := s.proposed(t); !strings.Contains(got, "a: Rejected (propose)") || strings.Contains(got, "a: Proposed") {
			t.Errorf("among many others: got\n%s", got)
		}
		s.remove(t, v1alpha1.PhaseRejected)
		time.Sleep(2 * s.opts.Quiet)
		if got := s.proposed(t); !strings.Contains(got, "a: Proposed (propose)") {
			t.Errorf("when the rejection is deleted: got\n%s", got)
		}
		stop()
	})
}

// group is the label of the Remediations of the rule.
func (s *site) group(t *testing.T) string {
	t.Helper()
	list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		t.Fatal(len(list.Items), err)
	}
	return list.Items[0].GetLabels()[v1alpha1.LabelGroup]
}

// remove deletes those of a phase.
func (s *site) remove(t *testing.T, phase v1alpha1.Phase) {
	t.Helper()
	list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if got, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "phase"); got == string(phase) {
			if err := s.client.Resource(v1alpha1.Remediations()).Delete(t.Context(), list.Items[i].GetName(), metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNothingIsProposedBeforeAllHasBeenLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.swept = false
		defer s.run(t)()
		s.drift(t, "a")
		time.Sleep(10 * s.opts.Longest)
		expect(t, "before", s.proposed(t), "")
		s.swept = true
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "after", s.proposed(t), "a: Proposed (propose)")
	})
}

func TestARemediationThatSomebodyDeletedComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		s.drift(t, "a")
		time.Sleep(2 * s.opts.Quiet)
		list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			t.Fatal(len(list.Items), err)
		}
		if err := s.client.Resource(v1alpha1.Remediations()).Delete(t.Context(), list.Items[0].GetName(), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "afterwards", s.proposed(t), "a: Proposed (propose)")
	})
}

func TestWithoutTheRightToTryNobodyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.allowed = false
		defer s.run(t)()
		s.drift(t, "a")
		time.Sleep(2 * s.opts.Quiet)
		expect(t, "proposed", s.proposed(t), "a: Blocked (propose)")
		for _, a := range s.client.Actions() {
			if a.GetResource() == maps && a.GetVerb() == "patch" {
				t.Error("the API server was asked to try it all the same")
			}
		}
		s.allowed = true
		time.Sleep(s.opts.Replan + 2*s.opts.Quiet)
		expect(t, "when it is granted", s.proposed(t), "a: Proposed (propose)\na: Superseded (propose)")
	})
}

func TestAFindingIsPlannedForWhenItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		o := s.drift(t, "a")
		s.Gone(o)
		s.Found(Finding{Object: o, Decisions: []engine.Decision{{Rule: s.rule, Policy: s.rule.Policy, Status: engine.Fail}}, Settles: time.Now().Add(time.Hour)})
		time.Sleep(30 * time.Minute)
		expect(t, "before", s.proposed(t), "")
		time.Sleep(40 * time.Minute)
		expect(t, "after", s.proposed(t), "a: Proposed (propose)")
	})
}

func TestManyFindingsAtOnceAreFewRemediations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		const n = 1000
		for i := range n {
			s.drift(t, fmt.Sprintf("m-%d", i))
		}
		time.Sleep(2 * s.opts.Longest)
		synctest.Wait()
		list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		targets := 0
		for i := range list.Items {
			of, _, _ := unstructured.NestedSlice(list.Items[i].Object, "spec", "plan", "targets")
			targets += len(of)
			if phase, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "phase"); phase != "Proposed" {
				t.Errorf("one is %s", phase)
			}
		}
		if targets != n || len(list.Items) > 2*n/v1alpha1.MaxTargets {
			t.Errorf("%d targets in %d remediations", targets, len(list.Items))
		}
	})
}

func TestOldOnesThatHaveEndedAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run(t)()
		for i := range 2 * keptSuperseded {
			s.Gone(s.drift(t, fmt.Sprintf("m-%d", i)))
			s.drift(t, fmt.Sprintf("n-%d", i))
			time.Sleep(2 * s.opts.Quiet)
		}
		time.Sleep(2 * s.opts.Replan)
		if got := strings.Count(s.proposed(t), "Superseded"); got != keptSuperseded {
			t.Errorf("%d superseded ones are kept, want %d", got, keptSuperseded)
		}
	})
}

func TestWhatTheGatesRememberIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		put := func(name string, ago time.Duration) {
			u := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": v1alpha1.GroupVersion().String(), "kind": v1alpha1.KindRemediation,
				"metadata": map[string]any{"name": name, "labels": map[string]any{v1alpha1.LabelGroup: "g"}, "creationTimestamp": time.Now().Add(-ago).UTC().Format(time.RFC3339)},
				"spec":     map[string]any{"planDigest": name},
				"status":   map[string]any{"phase": "Failed", "ended": time.Now().Add(-ago).UTC().Format(time.RFC3339)},
			}}
			if err := s.client.Tracker().Create(v1alpha1.Remediations(), u, ""); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 * kept {
			put(fmt.Sprintf("late-%d", i), time.Duration(i+1)*time.Minute)
			put(fmt.Sprintf("old-%d", i), 48*time.Hour)
		}
		defer s.run(t)()
		s.drift(t, "a")
		time.Sleep(2 * s.opts.Longest)
		synctest.Wait()
		list, err := s.client.Resource(v1alpha1.Remediations()).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		late, old := 0, 0
		for i := range list.Items {
			switch name, _, _ := strings.Cut(list.Items[i].GetName(), "-"); name {
			case "late":
				late++
			case "old":
				old++
			}
		}
		if late != 2*kept || old != 0 {
			t.Errorf("%d of the last day and %d older ones are kept, want %d and none", late, old, 2*kept)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "propose options: Client is missing" {
		t.Errorf("got %v", err)
	}
	s := newSite(t)
	opts := s.opts
	opts.Metrics, opts.Longest = nil, time.Millisecond
	if _, err := New(opts); err == nil || err.Error() != "propose options: Longest must not be below Quiet, nor RetryMax below Retry" {
		t.Errorf("got %v", err)
	}
}

// What is found is reported before anything is planned for it, though plans do not wait for ever.
func TestPlansYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		busy := true
		s.opts.Busy = func() bool { return busy }
		s.opts.Workers = 1
		defer s.run(t)()
		s.drift(t, "a")
		s.drift(t, "b")
		reads := func() int {
			synctest.Wait()
			return len(slices.DeleteFunc(s.client.Actions(), func(a clienttesting.Action) bool { return a.GetVerb() != "get" || a.GetResource() != maps }))
		}
		time.Sleep(s.opts.Patience - time.Second)
		if got := reads(); got != 0 {
			t.Errorf("%d objects were read while reports waited", got)
		}
		time.Sleep(2 * time.Second)
		if got := reads(); got != 1 {
			t.Errorf("%d objects were read after the time that one waits, want 1", got)
		}
		busy = false
		time.Sleep(glance)
		if got := reads(); got != 2 {
			t.Errorf("%d objects were read when no report waited any more, want 2", got)
		}
	})
}
