package audit

import (
	"cmp"
	"slices"
	"strings"
)

// counts are how many findings there are: by policy, by namespace and by both.
type counts struct {
	policies, namespaces tally
	// pairs are no more than the findings that are known, each of which takes more than one of them.
	pairs tally
}

// pair is a namespace, empty for objects that are in none, and a policy. Of what is counted by one of them the other is empty.
type pair struct{ namespace, policy string }

// tally is how many findings something has, transient ones and settled ones. What has none is not in it.
type tally map[pair]*[2]int

func newCounts() counts {
	return counts{tally{}, tally{}, tally{}}
}

func (c *counts) add(p *past) { c.change(p, 1) }

func (c *counts) remove(p *past) {
	if p != nil {
		c.change(p, -1)
	}
}

func (c *counts) change(p *past, by int) {
	namespace := p.namespace.Value()
	for i := range p.lapses {
		if p.lapses[i].origin == nil {
			continue
		}
		at := 1
		if p.lapses[i].origin.state() == Transient {
			at = 0
		}
		policy := p.lapses[i].rule.Value().policy
		c.policies.change(pair{policy: policy}, at, by)
		c.namespaces.change(pair{namespace: namespace}, at, by)
		c.pairs.change(pair{namespace, policy}, at, by)
	}
}

func (t tally) change(of pair, at, by int) {
	n := t[of]
	if n == nil {
		n = new([2]int)
		t[of] = n
	}
	if n[at] += by; *n == [2]int{} {
		delete(t, of)
	}
}

// list gives all, in any order.
func (t tally) list() []counted {
	out := make([]counted, 0, len(t))
	for of, n := range t {
		out = append(out, counted{of, *n})
	}
	return out
}

const (
	// maxNamed bounds the names that a metric has; with two states, that makes 2,000 series, which is what one exporter of
	// many a cluster has for its Pods. Those with the most findings are told, the others together.
	maxNamed = 1000
	// maxPairs makes as many series: 2,000 pairs in one state.
	maxPairs = 2 * maxNamed
	// others is the name of the others: no policy and no namespace can have it.
	others = "(others)"
)

// counted is how many findings a policy, a namespace or a pair has, by state.
type counted struct {
	of pair
	by [2]int
}

// counted gives the numbers of findings as they are now, and how many objects have findings that have yet to settle.
func (h *history) counted() (policies, namespaces, pairs []counted, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts.policies.list(), h.counts.namespaces.list(), h.counts.pairs.list(), len(h.settling.places)
}

// Findings is how many rules objects fail, by state.
func (a *Auditor) Findings() map[State]int {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	out := map[State]int{}
	for _, by := range a.history.counts.policies {
		out[Transient] += by[0]
		out[Settled] += by[1]
	}
	return out
}

// most gives the limit with the most findings and, under the name of the rest, the sum of those that are beyond it, with
// their number.
func most(list []counted, limit int, rest pair) (told []counted, beyond int) {
	if len(list) <= limit {
		return list, 0
	}
	slices.SortFunc(list, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.by[0]+b.by[1], a.by[0]+a.by[1]), strings.Compare(a.of.namespace, b.of.namespace), strings.Compare(a.of.policy, b.of.policy))
	})
	sum := counted{of: rest}
	for _, n := range list[limit:] {
		sum.by[0] += n.by[0]
		sum.by[1] += n.by[1]
	}
	return append(list[:limit:limit], sum), len(list) - limit
}
