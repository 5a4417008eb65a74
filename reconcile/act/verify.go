package act

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// verify looks whether targets that were written are healthy, and as the rule wants them.
func (w *working) verify(targets []int) (time.Duration, bool, error) {
	moved := false
	for _, i := range targets {
		t, res := w.target(i), result(w.r, i)
		state, message, err := w.verified(t, res)
		if err != nil {
			return 0, false, err
		}
		if state == v1alpha1.TargetVerifying {
			res.Message = cut(message)
			continue
		}
		moved = true
		if res.Time != nil {
			w.looked(i, res.Time.Time, state)
		}
		w.put(w.r, i, state, message)
		switch state {
		case v1alpha1.TargetSucceeded:
			w.metrics.duration.Observe(max(w.now().Sub(w.r.CreationTimestamp.Time), 0).Seconds())
		case v1alpha1.TargetFailed:
			w.opts.Tell(t, ChangeFailed, w.about(message))
			w.opts.Logger.Warn("what was changed has not come good", "object", t.String(), "remediation", w.r.Name, "reason", message)
		}
	}
	w.stopIfFailed(w.r)
	if moved {
		return 0, true, w.save()
	}
	return w.opts.Poll, false, w.saveIf()
}

// verified gives the state that a target is in after its change; Verifying, and for what, as long as that cannot be said.
func (w *working) verified(t *v1alpha1.Target, res *v1alpha1.TargetResult) (v1alpha1.TargetState, string, error) {
	object, err := w.read(w.ctx, t)
	if errors.Is(err, engine.ErrNotFound) {
		return v1alpha1.TargetSkipped, "after its change: " + err.Error(), nil
	}
	if err != nil {
		return "", "", err
	}
	found, err := w.finding(t, object)
	if err != nil {
		return "", "", err
	}
	if found == standing {
		return v1alpha1.TargetFailed, "the rule finds the same again after the change: " + since(object, res), nil
	}
	health, err := healthOf(object)
	if err != nil {
		return "", "", fmt.Errorf("the health of %s: %w", t, err)
	}
	limit := w.r.Spec.Plan.Strategy.HealthTimeout.Duration
	switch {
	case health.Status == status.CurrentStatus && found == mended:
		return v1alpha1.TargetSucceeded, "", nil
	case health.Status == status.CurrentStatus && found == outOfForce:
		return v1alpha1.TargetSucceeded, "healthy; the policy is another since", nil
	case health.Status == status.FailedStatus:
		return v1alpha1.TargetFailed, "not healthy after the change: " + health.Message, nil
	case res.Time != nil && w.now().Sub(res.Time.Time) >= limit && found == unsure:
		return v1alpha1.TargetFailed, fmt.Sprintf("%s after the change it cannot be told whether the rule is content", limit), nil
	case res.Time != nil && w.now().Sub(res.Time.Time) >= limit:
		return v1alpha1.TargetFailed, fmt.Sprintf("not healthy %s after the change: %s", limit, health.Message), nil
	default:
		return v1alpha1.TargetVerifying, health.Message, nil
	}
}

// found is what a rule says of an object.
type found uint8

const (
	unsure found = iota // it could not be evaluated
	mended
	standing
	outOfForce // there is no such rule any more
)

// finding asks the rule of a target again.
func (w *working) finding(t *v1alpha1.Target, object map[string]any) (found, error) {
	p := &w.r.Spec.Plan.Policy
	snapshot := w.opts.Snapshots.Current()
	if !slices.ContainsFunc(snapshot.Policies(), func(other *engine.Policy) bool { return samePolicy(other, p) }) {
		return outOfForce, nil
	}
	resource, _ := w.opts.Resource(kindOf(t))
	judged, err := snapshot.Audit(w.ctx, &engine.Request{
		Operation: engine.Create, Kind: kindOf(t), Resource: resource, Namespace: t.Namespace, Name: t.Name, Object: object,
	}, w.opts.Inputs())
	if err != nil {
		return unsure, fmt.Errorf("evaluating %s: %w", t, err)
	}
	for i := range judged.Decisions {
		d := &judged.Decisions[i]
		if !samePolicy(d.Policy, p) || plan.AuthorsRule(d.Rule) != p.Rule || d.Rule.Name != t.Rule {
			continue
		}
		switch {
		case d.Status == engine.Pass, d.Status == engine.Skip && t.Source != v1alpha1.SourcePattern: // as the plan was proved
			return mended, nil
		case d.Status == engine.Fail, d.Status == engine.Warn:
			return standing, nil
		}
	}
	return unsure, nil
}

// samePolicy reports whether a policy is the very one that a plan was made by.
func samePolicy(p *engine.Policy, as *v1alpha1.PolicyReference) bool {
	return p.Kind == as.Kind && p.Namespace == as.Namespace && p.Name == as.Name && p.Digest == as.Digest
}

// healthOf asks kstatus, which wants whole numbers as integers and not as they are in the engine's value model.
func healthOf(object map[string]any) (*status.Result, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("writing it as JSON: %w", err)
	}
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("reading it as JSON: %w", err)
	}
	return status.Compute(&u)
}
