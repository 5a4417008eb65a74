package gate

import (
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Remembered is how long what was done counts: whoever deletes Remediations that have ended keeps those of this time.
const Remembered = 24 * time.Hour

// budgetPeriod is what budgets are for.
const budgetPeriod = time.Hour

// Memory is what was done before, by the Remediations of the cluster.
type Memory struct {
	writes     []write            // in the cluster
	namespaces map[string][]write // by Namespace
	policies   map[string]*policyMemory
	objects    map[objectKey]*objectMemory
	open       []*waiting
}

// write is a change that was written, or is being written.
type write struct {
	at  time.Time
	own ownKey
}

// ownKey names a target of a Remediation: what it has done itself does not stand in its way.
type ownKey struct{ remediation, object string }

// objectKey is an object as one rule sees it. Objects that were to be created have no UID, and go by their names.
type objectKey struct{ rule, object string }

type policyMemory struct {
	writes   []write
	outcomes []outcome
	busy     []ownKey // being changed now
}

// outcome is how a change ended, and of which target of which Remediation.
type outcome struct {
	at          time.Time
	failed      bool
	remediation string
	target      *v1alpha1.Target
}

type objectMemory struct {
	attempts  []attempt
	successes []success
	// undone is the Remediation that a person had undone, and when.
	undone   string
	undoneAt time.Time
}

type attempt struct {
	at    time.Time
	times int
	own   ownKey
}

type success struct {
	at          time.Time
	remediation string
}

// Remember gathers what Remediations say of the past, and of what is under way. What was long ago does not count.
func Remember(remediations []v1alpha1.Remediation, now time.Time) *Memory {
	m := &Memory{namespaces: map[string][]write{}, policies: map[string]*policyMemory{}, objects: map[objectKey]*objectMemory{}}
	for i := range remediations {
		r := &remediations[i]
		for j := range r.Status.Results {
			res := &r.Status.Results[j]
			if int(res.Index) < len(r.Spec.Plan.Targets) && res.Index >= 0 {
				m.result(r, res, now)
			}
		}
		if w := waitingOf(r, now); w != nil {
			m.open = append(m.open, w)
		}
	}
	return m
}

// result remembers what became of one target.
func (m *Memory) result(r *v1alpha1.Remediation, res *v1alpha1.TargetResult, now time.Time) {
	t := &r.Spec.Plan.Targets[res.Index]
	own := ownKey{r.Name, objectName(t)}
	busy := res.State == v1alpha1.TargetApplying || res.State == v1alpha1.TargetVerifying
	policy := m.policy(&r.Spec.Plan.Policy)
	m.policies[policyID(&r.Spec.Plan.Policy)] = policy
	if busy {
		policy.busy = append(policy.busy, own)
	}
	if res.Applied != nil || busy {
		w := write{now, own}
		if res.Applied != nil {
			w.at = res.Applied.Time
		}
		policy.writes = append(policy.writes, w)
		m.writes = append(m.writes, w)
		m.namespaces[t.Namespace] = append(m.namespaces[t.Namespace], w)
	}
	at := now
	if res.Time != nil {
		at = res.Time.Time
	}
	if now.Sub(at) >= Remembered {
		return
	}
	object := m.object(&r.Spec.Plan.Policy, t)
	times := max(1, int(res.Attempts))
	switch res.State {
	case v1alpha1.TargetSucceeded:
		policy.outcomes = append(policy.outcomes, outcome{at, false, r.Name, t})
		object.successes = append(object.successes, success{at, r.Name})
	case v1alpha1.TargetRolledBack:
		if askedBack(r, t) {
			if object.undone == "" || at.After(object.undoneAt) {
				object.undone, object.undoneAt = r.Name, at
			}
			return // a person's change of mind is no failure
		}
		fallthrough
	case v1alpha1.TargetFailed, v1alpha1.TargetKept:
		policy.outcomes = append(policy.outcomes, outcome{at, true, r.Name, t})
		object.attempts = append(object.attempts, attempt{at, times, own})
	case v1alpha1.TargetApplying, v1alpha1.TargetVerifying:
		object.attempts = append(object.attempts, attempt{at, int(res.Attempts), own})
	}
}

// askedBack reports whether somebody asked for the target to be put back.
func askedBack(r *v1alpha1.Remediation, t *v1alpha1.Target) bool {
	b := r.Spec.Rollback
	if b == nil {
		return false
	}
	for _, uid := range b.Targets {
		if uid == t.UID {
			return true
		}
	}
	return len(b.Targets) == 0
}

// policy gives what is remembered of a policy; nothing, if it has done nothing.
func (m *Memory) policy(p *v1alpha1.PolicyReference) *policyMemory {
	if known := m.policies[policyID(p)]; known != nil {
		return known
	}
	return &policyMemory{}
}

func (m *Memory) object(p *v1alpha1.PolicyReference, t *v1alpha1.Target) *objectMemory {
	key := objectKey{policyID(p) + "\x00" + p.Rule, objectName(t)}
	if m.objects[key] == nil {
		m.objects[key] = &objectMemory{}
	}
	return m.objects[key]
}

// recall gives what is remembered of an object; nothing, if nothing was done with it.
func (m *Memory) recall(p *v1alpha1.PolicyReference, t *v1alpha1.Target) *objectMemory {
	if known := m.objects[objectKey{policyID(p) + "\x00" + p.Rule, objectName(t)}]; known != nil {
		return known
	}
	return &objectMemory{}
}

// own names what the facts are about.
func (f *Facts) own() ownKey {
	k := ownKey{remediation: f.Remediation.Name}
	if f.Target != nil {
		k.object = objectName(f.Target)
	}
	return k
}

func policyID(p *v1alpha1.PolicyReference) string {
	return strings.Join([]string{p.Kind, p.Namespace, p.Name}, "\x00")
}

func objectName(t *v1alpha1.Target) string {
	if t.UID != "" {
		return t.UID
	}
	return strings.Join([]string{t.APIVersion, t.Kind, t.Namespace, t.Name}, "\x00")
}
