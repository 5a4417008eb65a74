package webhook

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/engine"
)

// view is a snapshot as the handler asks it: each group's policies with an index of their own, so that a
// request for one group never meets the rules of another.
type view struct {
	snapshot *engine.Snapshot
	all      *engine.Snapshot
	groups   map[Group]*engine.Snapshot
	// kinds and plurals are those that the bundle names, for metrics.
	kinds, plurals map[string]struct{}
	// times is where the times of each policy's rules go, by hook.
	times map[*engine.Policy][2]prometheus.Observer
}

func newView(s *engine.Snapshot) *view {
	v := &view{
		snapshot: s,
		all:      s.Where(func(p *engine.Policy) bool { return p.Admission }),
		groups:   map[Group]*engine.Snapshot{},
		kinds:    map[string]struct{}{},
		plurals:  map[string]struct{}{},
	}
	for _, p := range v.all.Policies() {
		g := GroupOf(p)
		if v.groups[g] == nil {
			v.groups[g] = v.all.Where(func(p *engine.Policy) bool { return GroupOf(p) == g })
		}
		for _, r := range p.Rules {
			for _, k := range r.Kinds() {
				switch {
				case k.ByName && k.Plural.Literal():
					v.plurals[k.Plural.String()] = struct{}{}
				case !k.ByName && k.Kind.Literal():
					v.kinds[k.Kind.String()] = struct{}{}
				}
			}
		}
	}
	return v
}

// names reports whether a policy names the resource, by its kind or its plural.
func (v *view) names(r *engine.Resource) bool {
	_, kind := v.kinds[r.Kind.Kind]
	_, plural := v.plurals[r.Plural]
	return kind || plural
}

// of gives the policies that answer at the target; nil when there are none.
func (v *view) of(t target) *engine.Snapshot {
	if t.group == nil {
		return v.all
	}
	return v.groups[*t.group]
}

// view gives the view of the current snapshot, nil when there is none. It is built at the first request
// that sees a snapshot; the others wait for it, which takes microseconds for each policy.
func (h *Handler) view() *view {
	current := h.opts.Snapshots.Current()
	if current == nil {
		return nil
	}
	if v := h.current.Load(); v != nil && v.snapshot == current {
		return v
	}
	h.building.Lock()
	defer h.building.Unlock()
	if v := h.current.Load(); v != nil && v.snapshot == current {
		return v
	}
	v := newView(current)
	v.times = h.timing.follow(v.all.Policies())
	h.current.Store(v)
	return v
}
