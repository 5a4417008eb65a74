package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// gates find out what the gates go by, and make of their verdicts what the executor does next.
type gates struct {
	settings  gate.Settings
	mode      v1alpha1.Mode
	part      string
	snapshots interface{ Current() *engine.Snapshot }
	// remediations are all of the cluster.
	remediations *propose.Remediations
	namespaces   metadata.Interface
	keys         approval.Keys
	// stopped is how the kill switch stands; nil while that is not known.
	stopped func() *gate.Switch
	// matched is how many objects a rule of a policy is about; false while that is not known.
	matched func(p *v1alpha1.PolicyReference) (int, bool)
	present present
	now     func() time.Time

	mu    sync.Mutex
	known []v1alpha1.Remediation // as of changes
	at    int64
}

// Stopped says why nothing at all may be written.
func (g *gates) Stopped() string { return whyStopped(g.stopped()) }

// Apply asks all gates about a target.
func (g *gates) Apply(ctx context.Context, r *v1alpha1.Remediation, target int, object map[string]any) (act.Verdict, error) {
	t := &r.Spec.Plan.Targets[target]
	f, err := g.facts(ctx, r, t.Namespace)
	if err != nil {
		return act.Verdict{}, err
	}
	f.Target, f.Object = t, object
	if err := g.present.add(ctx, g.snapshots.Current(), f); err != nil {
		return act.Verdict{}, err
	}
	v, stops := gate.First(f)
	if f.Approval.Decision == gate.Rejected { // that ends it, whatever else stands in the way for now
		v, stops = gate.Verdict{Gate: "approval", Reason: gate.ApprovalRejected, Message: "it was rejected by " + f.Approval.By}, true
	}
	if !stops {
		return act.Verdict{Way: act.Go, Phase: v1alpha1.PhaseApproved}, nil
	}
	return verdict(f, &v), nil
}

// Undo asks the gates that a change back has to pass: the kill switch, and where somebody asks, that it is proved who it was.
func (g *gates) Undo(ctx context.Context, r *v1alpha1.Remediation, why act.Why) (act.Verdict, error) {
	if why == act.Failed {
		return act.Verdict{Way: act.Go}, nil
	}
	key, err := g.keys.Key(ctx)
	if err != nil {
		return act.Verdict{}, fmt.Errorf("reading the key of approvals: %w", err)
	}
	if _, asked := approval.RollbackAsked(r, key); !asked {
		return act.Verdict{Way: act.Wait, Message: "spec.rollback was not written by way of Holdfast's webhook: it does not count"}, nil
	}
	return act.Verdict{Way: act.Go}, nil
}

// verdict makes of a gate that stops what is done about it. What is about one target lets the others go on, unless it passes
// by itself soon.
func verdict(f *gate.Facts, v *gate.Verdict) act.Verdict {
	status := v1alpha1.GateStatus{Gate: v.Gate, Reason: string(v.Reason), Message: v.Message, Targets: 1}
	if !v.Until.IsZero() {
		until := metav1.NewTime(v.Until)
		status.Until = &until
	}
	out := act.Verdict{Way: act.Wait, Message: v.Message, Gates: []v1alpha1.GateStatus{status}, Again: v.Until, Phase: v1alpha1.PhaseApproved}
	switch v.Reason {
	case gate.ModeTooLow:
		out.Phase = v1alpha1.PhaseProposed
	case gate.ApprovalRejected:
		out.Way, out.Phase = act.End, v1alpha1.PhaseRejected
	case gate.ApprovalMissing, gate.ApprovalExpired, gate.ApprovalOther, gate.ApprovalForged:
		out.Phase = v1alpha1.PhaseAwaitingApproval
	case gate.HasObstacle, gate.Gone, gate.Replaced, gate.Deleting, gate.Exists, gate.Held, gate.Excepted, gate.AttemptsUsed, gate.UndoneByHand, gate.Fight, gate.NotObserved:
		out.Way = act.Skip
	}
	if f.Approval.Decision != gate.Approved && !f.Mode.Allows(v1alpha1.Enforce) && out.Phase == v1alpha1.PhaseApproved {
		out.Phase = v1alpha1.PhaseAwaitingApproval
	}
	return out
}

// facts are those about a Remediation, for objects of a namespace.
func (g *gates) facts(ctx context.Context, r *v1alpha1.Remediation, namespace string) (*gate.Facts, error) {
	now := g.now()
	f := &gate.Facts{Now: now, Remediation: r, Switch: g.stopped(), Mode: v1alpha1.Report}
	var err error
	if f.Namespace, err = namespaceAnnotations(g.namespaces)(ctx, namespace); err != nil {
		return nil, err
	}
	snapshot := g.snapshots.Current()
	ref := &r.Spec.Plan.Policy
	var policy map[string]string
	if p := policyOfSnapshot(snapshot, ref); p != nil {
		policy = p.Annotations
		f.Mode = v1alpha1.Strictest(g.mode, plan.PolicyMode(p), plan.NamespaceMode(f.Namespace))
	}
	f.Settings, f.Unreadable = gate.Effective(g.settings, policy, f.Namespace)
	f.Settings.After = gate.After(snapshot.Policies())
	key, err := g.keys.Key(ctx)
	if err != nil {
		key = nil // which Verify says
	}
	f.Approval = approval.Verify(r, key, used(r, now))
	if !g.remediations.Synced() {
		return f, nil
	}
	all := g.with(r)
	f.Memory = gate.Remember(all, now)
	if matched, known := g.matched(ref); known {
		f.Share = &gate.Share{Changed: g.changed(all, r), Matched: matched}
	}
	return f, nil
}

// used is the time that an approval has to count at: when it was used, which is once, or now.
func used(r *v1alpha1.Remediation, now time.Time) time.Time {
	if s := r.Status.Started; s != nil && s.Time.Before(now) {
		return s.Time
	}
	return now
}

// all gives all Remediations, which are to be read only. They are read out once for each change.
func (g *gates) all() []v1alpha1.Remediation {
	g.mu.Lock()
	defer g.mu.Unlock()
	if changes := g.remediations.Changes(); g.known == nil || changes != g.at {
		g.known, g.at = g.remediations.All(), changes
	}
	return g.known
}

// with gives all Remediations, and of this one what is about to be written.
func (g *gates) with(r *v1alpha1.Remediation) []v1alpha1.Remediation {
	known := g.all()
	out := make([]v1alpha1.Remediation, 0, len(known)+1)
	for i := range known {
		if known[i].Name != r.Name {
			out = append(out, known[i])
		}
	}
	return append(out, *r)
}

// changed is how many objects a rule would change, by all that is open of our part.
func (g *gates) changed(all []v1alpha1.Remediation, of *v1alpha1.Remediation) int {
	objects := map[string]bool{}
	for i := range all {
		r := &all[i]
		if r.Status.Phase.Ended() && r.Name != of.Name || r.Labels[v1alpha1.LabelGroup] != of.Labels[v1alpha1.LabelGroup] || r.Labels[propose.LabelPart] != g.part {
			continue
		}
		for j := range r.Spec.Plan.Targets {
			if t := &r.Spec.Plan.Targets[j]; t.Obstacle == nil {
				objects[t.Kind+"\x00"+t.Namespace+"\x00"+t.Name+"\x00"+t.UID] = true
			}
		}
	}
	return len(objects)
}

// namespaceAnnotations gives those of a Namespace as they are now, because a hold is to be heeded at once; none for objects in
// none.
func namespaceAnnotations(client metadata.Interface) func(ctx context.Context, name string) (map[string]string, error) {
	return func(ctx context.Context, name string) (map[string]string, error) {
		if name == "" {
			return nil, nil
		}
		n, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading namespace %s: %w", name, err)
		}
		return n.Annotations, nil
	}
}
