package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

type current struct{ snapshot *engine.Snapshot }

func (c current) Current() *engine.Snapshot { return c.snapshot }

// noKeys cannot be read.
type noKeys struct{}

func (noKeys) Key(context.Context) ([]byte, error) { return nil, errors.New("away") }

// gateSite is gates in a cluster where policy p enforces, and one Remediation of it is to change the ConfigMap x.
type gateSite struct {
	*gates
	r         *v1alpha1.Remediation
	object    map[string]any
	namespace *metav1.PartialObjectMetadata
	others    []*v1alpha1.Remediation
	broken    error // what the API server says of Namespaces
	unknown   bool  // the Remediations are not followed
}

func newGateSite(t *testing.T, mode string) *gateSite {
	t.Helper()
	s := enginetest.Snapshot(t, gatedPolicy(mode))
	out := &gateSite{
		gates: &gates{
			settings: gate.DefaultSettings(), mode: v1alpha1.Enforce, snapshots: current{s}, keys: stampKeys{}, stopped: func() *gate.Switch { return &gate.Switch{} },
			matched: func(*v1alpha1.PolicyReference) (int, bool) { return 10, true }, now: time.Now,
			present: present{
				inputs: func() *engine.Inputs { return &engine.Inputs{} },
				resource: func(schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
					return schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, true
				},
				settle: audit.Settle{Default: 10 * time.Second},
			},
		},
		r:         plannedFor(s, "r"),
		object:    map[string]any{"metadata": map[string]any{"name": "x", "uid": "x"}},
		namespace: &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
	}
	return out
}

// gatedPolicy is p in a mode.
func gatedPolicy(mode string) string {
	return `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p, annotations: {holdfast.dev/reconcile: ` + mode + `}}
spec:
  rules:
  - {name: a, match: {any: [{resources: {kinds: [ConfigMap]}}]}, validate: {message: m, pattern: {data: {a: b}}}}
`
}

// except excuses ConfigMaps from the policy.
func except(t *testing.T, s *gateSite) {
	t.Helper()
	snapshot, _, err := bundle.Load(t.Context(), bundle.Sources{Paths: []string{"-"}, Stdin: strings.NewReader(gatedPolicy("enforce") + `
---
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: leave, namespace: shop}
spec:
  match: {any: [{resources: {kinds: [ConfigMap]}}]}
  exceptions: [{policyName: p, ruleNames: [a]}]
`)})
	if err != nil {
		t.Fatal(err)
	}
	s.snapshots = current{snapshot}
}

// written has the object written six seconds ago.
func (s *gateSite) written(subresource string) {
	u := unstructured.Unstructured{Object: s.object}
	at := metav1.NewTime(time.Now().Add(-6 * time.Second))
	u.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Update", Time: &at, Subresource: subresource}})
}

// start puts what the test has made of the site into a cluster, and follows it.
func (s *gateSite) start(t *testing.T) (stop func()) {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	namespaces := metadatafake.NewSimpleMetadataClient(scheme, s.namespace)
	namespaces.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return s.broken != nil, nil, s.broken })
	s.namespaces = namespaces
	var there []runtime.Object
	for _, r := range append(s.others, s.r) {
		r.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRemediation}
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(r)
		if err != nil {
			t.Fatal(err)
		}
		there = append(there, &unstructured.Unstructured{Object: object})
	}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{v1alpha1.Remediations(): "RemediationList"}, there...)
	s.remediations = propose.NewRemediations(client, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	if s.unknown {
		done <- nil
	} else {
		go func() { done <- s.remediations.Run(ctx) }()
	}
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// verdictText writes a verdict as "WAY PHASE GATE: MESSAGE".
func verdictText(v act.Verdict, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	way := map[act.Way]string{act.Go: "go", act.Wait: "wait", act.Skip: "skip", act.End: "end"}[v.Way]
	names := ""
	for _, g := range v.Gates {
		names += " " + g.Gate
	}
	return strings.TrimSuffix(fmt.Sprintf("%s %s%s: %s", way, v.Phase, names, v.Message), ": ")
}

// What the gates go by is found out anew for each change; what cannot be found out stops.
func TestTheGatesGoByWhatIsThere(t *testing.T) {
	annotate := func(key, value string) func(*testing.T, *gateSite) {
		return func(_ *testing.T, s *gateSite) { s.namespace.Annotations = map[string]string{key: value} }
	}
	approve := func(t *testing.T, s *gateSite) { t.Helper(); stamped(t, s.r, v1alpha1.DecisionApprove, "") }
	for name, test := range map[string]struct {
		mode   string
		change func(*testing.T, *gateSite)
		want   string
	}{
		"nothing in the way":             {"enforce", nil, "go Approved"},
		"a switch of which nobody knows": {"enforce", func(_ *testing.T, s *gateSite) { s.stopped = func() *gate.Switch { return nil } }, "wait Approved switch: it is not known how the kill switch stands"},
		"everything is stopped": {"enforce", func(_ *testing.T, s *gateSite) {
			s.stopped = func() *gate.Switch { return &gate.Switch{Stopped: true, By: "jane"} }
		}, "wait Approved switch: everything is stopped by jane"},
		"a policy that only proposes":                 {"propose", nil, `wait Proposed mode: its mode is "propose", in which nothing is carried out`},
		"a Namespace that only proposes":              {"enforce", annotate(v1alpha1.AnnotationReconcile, "propose"), `wait Proposed mode: its mode is "propose", in which nothing is carried out`},
		"an option that only proposes":                {"enforce", func(_ *testing.T, s *gateSite) { s.gates.mode = v1alpha1.Propose }, `wait Proposed mode: its mode is "propose", in which nothing is carried out`},
		"a policy that is no more":                    {"enforce", func(_ *testing.T, s *gateSite) { s.r.Spec.Plan.Policy.Name = "gone" }, `wait Proposed mode: its mode is "report", in which nothing is carried out`},
		"Namespaces that cannot be read":              {"enforce", func(_ *testing.T, s *gateSite) { s.broken = errors.New("away") }, "error: reading namespace shop: away"},
		"a Namespace that is gone":                    {"enforce", func(_ *testing.T, s *gateSite) { s.namespace.Name = "other" }, "go Approved"},
		"a Namespace that says nonsense":              {"enforce", annotate(v1alpha1.AnnotationLimits, "budget=-1"), `wait Approved settings: the Namespace says what cannot be read in holdfast.dev/limits: budget: "-1" is no number from 0 to 100000`},
		"a budget of the Namespace":                   {"enforce", annotate(v1alpha1.AnnotationLimits, "budget=0"), "wait Approved budget: the budget of Namespace shop is used up: 0 of 0 changes in an hour"},
		"a Namespace that is held":                    {"enforce", annotate(v1alpha1.AnnotationHold, "always frozen"), "skip Approved hold: Namespace shop is held: frozen"},
		"nobody has approved":                         {"approve", nil, "wait AwaitingApproval approval: nobody has approved it yet"},
		"somebody has approved":                       {"approve", approve, "go Approved"},
		"somebody has rejected":                       {"enforce", func(t *testing.T, s *gateSite) { stamped(t, s.r, v1alpha1.DecisionReject, "") }, "end Rejected approval: it was rejected by jane"},
		"somebody has rejected what is only proposed": {"propose", func(t *testing.T, s *gateSite) { stamped(t, s.r, v1alpha1.DecisionReject, "") }, "end Rejected approval: it was rejected by jane"},
		"a forged approval":                           {"approve", func(t *testing.T, s *gateSite) { approve(t, s); s.r.Spec.Approval.Approver = "max" }, "wait AwaitingApproval approval: spec.approval was not written by way of Holdfast's webhook, or the key is another by now: decide again"},
		"a key that cannot be read":                   {"approve", func(t *testing.T, s *gateSite) { approve(t, s); s.keys = noKeys{} }, "wait AwaitingApproval approval: it is not known whether it was approved: the key is not known by which approvals are stamped"},
		"an approval that was used in time": {"approve", func(t *testing.T, s *gateSite) {
			approve(t, s)
			started := metav1.Now()
			s.r.Status.Started = &started
			s.now = func() time.Time { return started.Add(48 * time.Hour) }
		}, "go Approved"},
		"an approval that is too old": {"approve", func(t *testing.T, s *gateSite) {
			approve(t, s)
			s.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
		}, "wait AwaitingApproval approval: the approval of jane has expired: approve it again"},
		"the object is gone":      {"enforce", func(_ *testing.T, s *gateSite) { s.object = nil }, "skip Approved object: the object is gone"},
		"an exception":            {"enforce", except, "skip Approved exception: PolicyException shop/leave excuses it"},
		"it was written just now": {"enforce", func(_ *testing.T, s *gateSite) { s.written("") }, "wait Approved settled: it may be a passing state: it was written just now"},
		"it was written just now, and a while is not long": {"enforce", func(_ *testing.T, s *gateSite) {
			s.written("")
			s.present.settle = audit.Settle{Default: 10 * time.Second, Namespaces: []audit.NamespaceSettle{{Namespaces: "sh*", Time: 5 * time.Second}}}
		}, "go Approved"},
		"its status was written just now": {"enforce", func(_ *testing.T, s *gateSite) { s.written("status") }, "go Approved"},
		"its controller has acted on what was written just now": {"enforce", func(_ *testing.T, s *gateSite) {
			s.written("")
			s.object["metadata"].(map[string]any)["generation"], s.object["status"] = int64(3), map[string]any{"observedGeneration": int64(3)}
		}, "go Approved"},
		"not all has been looked at": {"enforce", func(_ *testing.T, s *gateSite) {
			s.matched = func(*v1alpha1.PolicyReference) (int, bool) { return 0, false }
		}, "wait Approved share: it is not known how many objects the rule matches"},
		"Remediations that nobody knows": {"enforce", func(_ *testing.T, s *gateSite) { s.unknown = true }, "wait Approved share: it is not known how many objects the rule matches"},
		"with others, too many": {"enforce", func(_ *testing.T, s *gateSite) {
			for i := range 6 {
				s.others = append(s.others, s.other(fmt.Sprint(i)))
			}
		}, "wait Approved share: it would change 7 of the 10 objects that the rule matches, and no more than 50% may be"},
		"with others, of another part, ended, or with an obstacle": {"enforce", func(_ *testing.T, s *gateSite) {
			for i := range 9 {
				o := s.other(fmt.Sprint(i))
				switch i % 3 {
				case 0:
					o.Labels[propose.LabelPart] = "1"
				case 1:
					o.Status.Phase = v1alpha1.PhaseSucceeded
				default:
					o.Spec.Plan.Targets[0].Obstacle = &v1alpha1.Obstacle{Reason: v1alpha1.Refused}
				}
				s.others = append(s.others, o)
			}
		}, "go Approved"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newGateSite(t, test.mode)
				if test.change != nil {
					test.change(t, s)
				}
				defer s.start(t)()
				if got := verdictText(s.Apply(t.Context(), s.r, 0, s.object)); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			})
		})
	}
}

// other is a Remediation of the same rule for another object.
func (s *gateSite) other(name string) *v1alpha1.Remediation {
	o := s.r.DeepCopy()
	o.Name, o.UID, o.Labels[v1alpha1.LabelGroup] = "other-"+name, "", s.r.Labels[v1alpha1.LabelGroup]
	o.Spec.Plan.Targets[0].Name, o.Spec.Plan.Targets[0].UID = name, name
	return o
}

func TestWhoAsksForAChangeBackIsProved(t *testing.T) {
	s := newGateSite(t, "enforce")
	undo := func(why act.Why) string { return verdictText(s.Undo(t.Context(), s.r, why)) }
	wants(t, "too much has failed", undo(act.Failed), "go ")
	s.r.Spec.Rollback = &v1alpha1.Rollback{AskedBy: &v1alpha1.Asked{User: "mallory", Stamp: "forged"}}
	wants(t, "a forged wish", undo(act.Asked), "wait : spec.rollback was not written by way of Holdfast's webhook: it does not count")
	s.keys = noKeys{}
	wants(t, "a key that cannot be read", undo(act.Asked), "error: reading the key of approvals: away")
}

// One that is recorded reads as its type has it: a Remediation of all that the gates look at is read out once.
func TestTheSameRemediationsAreReadOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newGateSite(t, "enforce")
		defer s.start(t)()
		first := s.all()
		if len(first) != 1 || len(first[0].Spec.Plan.Targets) != 1 || first[0].Spec.Plan.Targets[0].Patch != "" {
			t.Fatalf("got %+v", first)
		}
		if again := s.all(); &again[0] != &first[0] {
			t.Error("they were read out again without a change")
		}
		changed := s.r.DeepCopy()
		changed.Status.Phase = v1alpha1.PhaseRunning
		if with := s.with(changed); len(with) != 1 || with[0].Status.Phase != v1alpha1.PhaseRunning {
			t.Errorf("what is about to be written does not count: %+v", with)
		}
	})
}
