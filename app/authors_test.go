package app

import (
	"context"
	"errors"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/webhook"
)

// admission remembers one write, or none.
type admission struct{ user string }

func (a admission) Of(context.Context, audit.Trace) (*audit.Admitted, bool) {
	if a.user == "" {
		return nil, false
	}
	return &audit.Admitted{Write: audit.Write{User: a.user}}, true
}

func (admission) Registered() time.Time { return time.Time{} }

// register has what the ledger tells.
type register struct {
	user string
	err  error
}

func (r register) editor(context.Context, *unstructured.Unstructured) (string, error) {
	return r.user, r.err
}

type served []webhook.Resource

func (s served) Resources() []webhook.Resource { return s }

func policyOfCluster(name string, generation int64, at time.Time) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy"}}
	u.SetName(name)
	u.SetUID("uid-of-p")
	u.SetGeneration(generation)
	when := metav1.NewTime(at)
	u.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, Time: &when, FieldsType: "FieldsV1"}})
	return u
}

func TestTheLastEditorIsWhomAdmissionOrTheLedgerKnows(t *testing.T) {
	policies := schema.GroupVersionResource{Group: "kyverno.io", Version: "v1", Resource: "clusterpolicies"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{policies: "ClusterPolicyList"},
		policyOfCluster("p", 1, time.Now()), policyOfCluster("q", 1, time.Now()))
	for name, test := range map[string]struct {
		policy    v1alpha1.PolicyReference
		remembers string
		record    register
		want, err string
	}{
		"admission remembers":     {v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p"}, "ana", register{user: "ben"}, "ana", ""},
		"the ledger tells":        {v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p"}, "", register{user: "ben"}, "ben", ""},
		"neither knows":           {v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p"}, "", register{}, "", "the last editor is not known: nobody remembers its last write, and it is not in the ledger; to write it again makes it known"},
		"the ledger is away":      {v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p"}, "", register{err: errors.New("away")}, "", "the last editor is not known: nobody remembers its last write, and the ledger cannot be asked: away"},
		"a policy of a file":      {v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "of-a-file"}, "ana", register{user: "ben"}, "", "the last editor is not known: the policy comes from a file"},
		"a kind that nobody has":  {v1alpha1.PolicyReference{Kind: "MutatingPolicy", Name: "p"}, "ana", register{}, "", "the last editor is not known: the cluster has no policies of kind MutatingPolicy"},
		"a resource of that kind": {v1alpha1.PolicyReference{Kind: "Other", Name: "p"}, "ana", register{}, "", "the last editor is not known: the cluster has no policies of kind Other"},
	} {
		t.Run(name, func(t *testing.T) {
			a := authors{
				client: client, writes: admission{test.remembers}, record: test.record,
				served: served{{Kind: "ClusterPolicy", Group: "kyverno.io", Version: "v1", Name: "clusterpolicies"}, {Kind: "Other", Group: "x", Version: "v1", Name: "others"}},
			}
			got, err := a.LastEditor(t.Context(), &test.policy)
			switch {
			case test.err == "" && (err != nil || got != test.want):
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			case test.err != "" && (err == nil || err.Error() != test.err || !errors.Is(err, approval.ErrUnknownAuthor)):
				t.Errorf("got  %v\nwant %s", err, test.err)
			}
		})
	}
}

// After a restart the ledger tells, as long as the policy stands as the write on record left it.
func TestTheLedgerTellsWhoWroteAPolicy(t *testing.T) {
	r := newRecorded(t)
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	write := func(user string, generation int64, at time.Time) {
		object := policyOfCluster("p", generation, at).Object
		r.policyWritten(&engine.Request{
			Operation: engine.Update, Kind: schema.GroupVersionKind{Group: "kyverno.io", Version: "v1", Kind: "ClusterPolicy"},
			User: &authenticationv1.UserInfo{Username: user}, Object: engine.Normalize(object),
		})
	}
	write("ana", 1, at)
	write("ben", 2, at.Add(time.Minute))
	write("ana", 3, at.Add(2*time.Minute))
	write("ben", 3, at.Add(2*time.Minute)) // one of the two was refused by somebody after us
	again := newAgain(t, r)
	for name, test := range map[string]struct {
		policy *unstructured.Unstructured
		want   string
	}{
		"as it was written":                        {policyOfCluster("p", 2, at.Add(time.Minute)), "ben"},
		"an older state":                           {policyOfCluster("p", 1, at), "ana"},
		"written since, while nobody was asked":    {policyOfCluster("p", 4, at.Add(time.Hour)), ""},
		"an annotation since, of which none knows": {policyOfCluster("p", 2, at.Add(time.Hour)), ""},
		"two at one time":                          {policyOfCluster("p", 3, at.Add(2*time.Minute)), ""},
		"another policy":                           {policyOfCluster("q", 1, at), ""},
	} {
		if got, err := again.editor(t.Context(), test.policy); err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, test.want)
		}
	}
	if got, err := (*chronicle)(nil).editor(t.Context(), policyOfCluster("p", 1, at)); err != nil || got != "" {
		t.Errorf("without a ledger: got %q, %v", got, err)
	}
}

// newAgain ends a record, and opens its ledger again.
func newAgain(t *testing.T, r *recorded) *recorded {
	t.Helper()
	r.stop()
	return recordIn(t, r.file)
}
