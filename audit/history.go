package audit

import (
	"context"
	"slices"
	"sync"
	"time"
	"unique"

	"github.com/holdfast-io/holdfast/engine"
)

// history is what is known of findings beyond the verdict: since when, by whom, how, and whether they have settled. It
// holds something for objects with findings alone.
type history struct {
	opts *Options
	tell *findingMetrics

	mu       sync.Mutex
	known    map[subject]*past
	settling settling
	snapshot *engine.Snapshot
	versions map[string]version // of policies, by their IDs
	counts   counts
}

// past is what is known of one object.
type past struct {
	namespace string
	failing   []lapse
	// excused are the IDs of the rules that exceptions excuse it from.
	excused []string
}

// lapse is a rule that an object fails. Rules that it came to fail alike share what is known of that: most do, and there is
// one of these for each finding of the cluster.
type lapse struct {
	rule   unique.Handle[ruleName]
	origin *Origin
}

// ruleName is a rule and its policy, by their IDs.
type ruleName struct{ rule, policy string }

// version is a policy as it is now.
type version struct {
	digest string
	since  time.Time // zero: since before anybody here can tell
}

func newHistory(opts *Options, tell *findingMetrics) *history {
	h := &history{opts: opts, tell: tell}
	h.reset()
	return h
}

// reset forgets everything.
func (h *history) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known, h.snapshot, h.versions = map[subject]*past{}, nil, map[string]version{}
	h.settling, h.counts = newSettling(), newCounts()
}

// look is one look at an object.
type look struct {
	subject subject
	object  map[string]any
	finding *Finding
	why     reason
	// known says that it was judged before, again that it was by the same rules, and unchanged that they read the same of
	// it.
	known, again, unchanged bool
	// rests says that the verdict rests on more than the object.
	rests bool
}

// judged completes a finding, and notes it. It reports whether some of it has yet to settle. For one object calls come in
// order.
func (h *history) judged(ctx context.Context, l *look, s *engine.Snapshot) (transient bool) {
	before := h.past(l.subject)
	f := l.finding
	for i := range f.Result.Decisions {
		d := &f.Result.Decisions[i]
		if d.Status != engine.Fail && d.Status != engine.Warn {
			continue
		}
		if f.Origins == nil {
			f.Origins = make([]Origin, len(f.Result.Decisions))
		}
		if o := before.origin(d.Rule.ID()); o != nil {
			f.Origins[i] = *o
		} else {
			f.Origins[i] = h.origin(ctx, l, d, before, s)
		}
	}
	h.note(l)
	return !f.Settles.IsZero()
}

// note keeps what was found. What has had its time by now is settled.
func (h *history) note(l *look) {
	f := l.finding
	h.mu.Lock()
	defer h.mu.Unlock()
	now, before := &past{namespace: f.Object.Namespace}, h.known[l.subject]
	for i := range f.Result.Decisions {
		d := &f.Result.Decisions[i]
		if f.Origins == nil || f.Origins[i].Slip == "" {
			switch was := before.origin(d.Rule.ID()); {
			case len(d.Exceptions) > 0:
				now.excused = append(now.excused, d.Rule.ID())
			case d.Status == engine.Error && was != nil: // it has not passed
				now.failing = append(now.failing, lapse{unique.Make(ruleName{d.Rule.ID(), d.Policy.ID()}), was})
			}
			continue
		}
		o := &f.Origins[i]
		if o.ripe(l.object, f.Seen) || !h.settling.room(l.subject) {
			o.Settles = time.Time{} // without room: rather an alert too early than one that never comes
		}
		if o.Settles.After(f.Settles) {
			f.Settles = o.Settles
		}
		now.failing = append(now.failing, lapse{unique.Make(ruleName{d.Rule.ID(), d.Policy.ID()}), now.share(o)})
		if o.State() == Settled {
			was := before.origin(d.Rule.ID())
			o.JustSettled = was == nil && (l.known || l.why != swept) || was != nil && was.State() == Transient
		}
	}
	h.replace(l.subject, now)
}

// replace puts what is known of an object in the place of what was.
func (h *history) replace(s subject, now *past) {
	h.counts.remove(h.known[s])
	h.settling.put(s, now.settles())
	if now == nil || len(now.failing)+len(now.excused) == 0 {
		delete(h.known, s)
		return
	}
	h.known[s] = now
	h.counts.add(now)
}

// share gives an origin like this one that the object has already, or a copy of it.
func (p *past) share(o *Origin) *Origin {
	for i := range p.failing {
		if p.failing[i].origin.like(o) {
			return p.failing[i].origin
		}
	}
	kept := *o
	return &kept
}

func (o *Origin) like(other *Origin) bool {
	return o.First.Equal(other.First) && o.Detected == other.Detected && o.Slip == other.Slip && o.Settles.Equal(other.Settles) && o.awaits == other.awaits &&
		o.Write.like(&other.Write)
}

func (w *Write) like(other *Write) bool {
	return w.User == other.User && w.Manager == other.Manager && w.Subresource == other.Subresource && w.Operation == other.Operation &&
		w.Time.Equal(other.Time) && slices.Equal(w.Groups, other.Groups)
}

// ripe reports whether it is time to take the finding for drift: its time has come, or the controller that was to act on
// the object has seen it and left it so.
func (o *Origin) ripe(object map[string]any, now time.Time) bool {
	return !now.Before(o.Settles) || o.awaits > 0 && observed(object) >= o.awaits
}

// ripe reports whether an object that is as it was is to be looked at all the same, because something of it settles.
func (h *history) ripe(s subject, object map[string]any, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.known[s]
	return p != nil && slices.ContainsFunc(p.failing, func(l lapse) bool {
		return l.origin.State() == Transient && l.origin.ripe(object, now)
	})
}

func (h *history) past(s subject) *past {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known[s]
}

// forget drops an object that is gone.
func (h *history) forget(s subject) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replace(s, nil)
}

// origin gives how the object came to fail a rule that it has failed all the while; nil if it has not.
func (p *past) origin(rule string) *Origin {
	if p == nil {
		return nil
	}
	for i := range p.failing {
		if p.failing[i].rule.Value().rule == rule {
			return p.failing[i].origin
		}
	}
	return nil
}

// settles is when the first of it does; zero if all is settled.
func (p *past) settles() time.Time {
	var first time.Time
	if p == nil {
		return first
	}
	for i := range p.failing {
		if at := p.failing[i].origin.Settles; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// origin finds out how the object came to fail a rule that it was not seen to fail before.
func (h *history) origin(ctx context.Context, l *look, d *engine.Decision, before *past, s *engine.Snapshot) Origin {
	f := l.finding
	e := &evidence{decision: d, past: before, unchanged: l.unchanged, policySince: h.since(s, d.Policy, f.Seen)}
	e.attribute(ctx, l, h.opts.Writes)
	o := Origin{First: f.Seen, Write: e.write, Slip: e.slip()}
	began := e.write.Time
	switch o.Slip {
	case SlipSurroundings, SlipException, SlipElsewhere:
		o.Write, began = Write{}, time.Time{} // it was no write of the object
	case SlipPolicyNewer:
		began = e.policySince
	}
	if (l.known || l.why != swept) && !began.IsZero() {
		o.Detected = max(f.Seen.Sub(began), 0)
		h.tell.detected(&o, e)
	}
	if wait := h.opts.Settle.of(d.Policy, f.Object.Namespace); wait > 0 {
		if e.write.Time.IsZero() {
			e.write.Time = f.Seen
		}
		o.Settles = e.write.Time.Add(wait)
		if seen := observed(l.object); seen > 0 && seen < f.Object.Generation {
			o.awaits = f.Object.Generation
		}
	}
	return o
}

// since is when the policy came to be as it is in the snapshot; zero if that was before anybody can tell. A policy that
// was there at the start is as old as the cluster says; of one from a file nobody says it.
func (h *history) since(s *engine.Snapshot, p *engine.Policy, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.snapshot != s {
		first := h.snapshot == nil
		versions := make(map[string]version, len(s.Policies()))
		for _, q := range s.Policies() {
			v := version{q.Digest, q.Created}
			if before, ok := h.versions[q.ID()]; ok && before.digest == q.Digest {
				v = before
			} else if !first {
				v.since = now
			}
			versions[q.ID()] = v
		}
		h.snapshot, h.versions = s, versions
	}
	return h.versions[p.ID()].since
}

// observed is the generation that the object's controller has acted on; 0 where there is none that says so.
func observed(object map[string]any) int64 {
	status, _ := object["status"].(map[string]any)
	switch n := status["observedGeneration"].(type) {
	case float64:
		return int64(n)
	case int64:
		return n
	default:
		return 0
	}
}
