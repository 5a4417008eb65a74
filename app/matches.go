package app

import (
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// matches counts the objects that each rule is about, so that a rule which would change most of them is seen. A nil one counts
// nothing: nobody changes anything.
//
// Objects of a kind are mostly judged by the same rules, so that an object costs its UID and a pointer.
type matches struct {
	mu      sync.Mutex
	objects map[string]*matchedSet // by UID
	sets    map[string]*matchedSet // by their rules
	counts  map[matchedRule]int
}

// matchedSet is the rules of one or more objects.
type matchedSet struct {
	kind    schema.GroupVersionKind
	key     string
	rules   []matchedRule
	objects int
}

// matchedRule is a rule as its author wrote it.
type matchedRule struct{ kind, policy, rule string }

func newMatches() *matches {
	m := &matches{}
	m.reset()
	return m
}

// reset forgets everything: an auditor that begins tells of all objects again.
func (m *matches) reset() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects, m.sets, m.counts = map[string]*matchedSet{}, map[string]*matchedSet{}, map[matchedRule]int{}
}

// Found takes which rules have judged an object.
func (m *matches) Found(f *audit.Finding) {
	if m == nil {
		return
	}
	var rules []matchedRule
	for i := range f.Result.Decisions {
		if d := &f.Result.Decisions[i]; d.Status == engine.Pass || d.Status == engine.Fail || d.Status == engine.Warn {
			rules = append(rules, matchedRule{d.Policy.Kind, d.Policy.Key(), plan.AuthorsRule(d.Rule)})
		}
	}
	slices.SortFunc(rules, func(a, b matchedRule) int { return strings.Compare(a.key(), b.key()) })
	rules = slices.Compact(rules)
	var key strings.Builder
	key.WriteString(f.Object.Kind.String())
	for _, r := range rules {
		key.WriteString("\x01" + r.key())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(f.Object.UID)
	if len(rules) == 0 {
		return
	}
	set := m.sets[key.String()]
	if set == nil {
		set = &matchedSet{kind: f.Object.Kind, key: key.String(), rules: rules}
		m.sets[set.key] = set
	}
	set.objects++
	m.objects[f.Object.UID] = set
	for _, r := range rules {
		m.counts[r]++
	}
}

func (r matchedRule) key() string { return r.kind + "\x00" + r.policy + "\x00" + r.rule }

// forget drops an object. The lock must be held.
func (m *matches) forget(uid string) {
	set := m.objects[uid]
	if set == nil {
		return
	}
	delete(m.objects, uid)
	for _, r := range set.rules {
		if m.counts[r]--; m.counts[r] == 0 {
			delete(m.counts, r)
		}
	}
	if set.objects--; set.objects == 0 {
		delete(m.sets, set.key)
	}
}

// Gone takes that an object is no longer there.
func (m *matches) Gone(o audit.Object) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(o.UID)
}

// Listed takes which objects of a type are there.
func (m *matches) Listed(t audit.Type, seen func(uid string) bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for uid, set := range m.objects {
		if set.kind == t.Kind && !seen(uid) {
			m.forget(uid)
		}
	}
}

// of gives how many objects a rule is about.
func (m *matches) of(p *v1alpha1.PolicyReference) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[matchedRule{p.Kind, p.Key(), p.Rule}]
}
