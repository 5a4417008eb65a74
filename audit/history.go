package audit

import (
	"context"
	"slices"
	"strings"
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
	// began is when it did. Times to wait are counted from there, so that they go on as they did when somebody sets the clock.
	began time.Time

	mu       sync.Mutex
	known    map[subject]*past
	settling settling
	snapshot *engine.Snapshot
	versions map[string]version // of policies, by their IDs
	counts   counts
}

// past is what is known of one object.
type past struct {
	namespace unique.Handle[string]
	lapses    []lapse
}

// lapse is a rule that an object fails, or without an origin, one that an exception excuses it from. Rules that it came to
// fail alike share what is known of that: most do, and there is one of these for each finding of the cluster.
type lapse struct {
	rule   unique.Handle[ruleName]
	origin *kept
}

// ruleName is a rule and its policy, by their IDs.
type ruleName struct{ rule, policy string }

// version is a policy as it is now.
type version struct {
	digest string
	since  time.Time // zero: since before anybody here can tell
}

func newHistory(opts *Options, tell *findingMetrics) *history {
	h := &history{opts: opts, tell: tell, began: time.Now()}
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
	// at is when, by the clock that nobody sets.
	at      time.Time
	object  map[string]any
	finding *Finding
	why     reason
	// known says that it was judged before, again that it was by the same rules, and unchanged that they read the same of
	// it.
	known, again, unchanged bool
	// rests says that the verdict rests on more than the object.
	rests bool
	// answers are those of admission.
	answers []answer
}

// judged completes a finding, and notes it. It reports whether some of it has yet to settle. For one object calls come in
// order.
func (h *history) judged(ctx context.Context, l *look, s *engine.Snapshot) (transient bool) {
	before := h.past(l.subject)
	l.at = time.Now()
	f := l.finding
	for i := range f.Result.Decisions {
		d := &f.Result.Decisions[i]
		if d.Status != engine.Fail && d.Status != engine.Warn {
			continue
		}
		if f.Origins == nil {
			f.Origins = make([]Origin, len(f.Result.Decisions))
		}
		if k := before.origin(d.Rule.ID()); k != nil {
			f.Origins[i] = h.told(k)
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
	now, before := &past{namespace: unique.Make(f.Object.Namespace)}, h.known[l.subject]
	for i := range f.Result.Decisions {
		d := &f.Result.Decisions[i]
		if f.Origins == nil || f.Origins[i].Slip == "" {
			switch was := before.origin(d.Rule.ID()); {
			case len(d.Exceptions) > 0:
				now.add(d, nil)
			case d.Status == engine.Error && was != nil: // it has not passed
				now.add(d, was)
			}
			continue
		}
		o := &f.Origins[i]
		if o.ripe(l.object, l.at) || !h.settling.room(l.subject) {
			o.Settles = time.Time{} // without room: rather an alert too early than one that never comes
		}
		if o.Settles.After(f.Settles) {
			f.Settles = o.Settles
		}
		now.add(d, now.share(h.keep(o)))
		if o.State() == Settled {
			was := before.origin(d.Rule.ID())
			o.JustSettled = was == nil && (l.known || l.why != swept) || was != nil && was.state() == Transient
		}
	}
	h.replace(l.subject, now)
}

// replace puts what is known of an object in the place of what was.
func (h *history) replace(s subject, now *past) {
	h.counts.remove(h.known[s])
	h.settling.put(s, h.first(now))
	if now == nil || len(now.lapses) == 0 {
		delete(h.known, s)
		return
	}
	h.known[s] = now
	h.counts.add(now)
}

// add takes up a rule that the object fails, or with no origin, one that it is excused from.
func (p *past) add(d *engine.Decision, origin *kept) {
	p.lapses = append(p.lapses, lapse{unique.Make(ruleName{d.Rule.ID(), d.Policy.ID()}), origin})
}

// share gives an origin like this one that the object has already, or a copy of it.
func (p *past) share(k kept) *kept {
	for i := range p.lapses {
		if o := p.lapses[i].origin; o != nil && *o == k {
			return o
		}
	}
	return &k
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
	return p != nil && slices.ContainsFunc(p.lapses, func(l lapse) bool {
		if l.origin == nil || l.origin.state() == Settled {
			return false
		}
		o := h.told(l.origin)
		return o.ripe(object, now)
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
func (p *past) origin(rule string) *kept {
	if p == nil {
		return nil
	}
	for i := range p.lapses {
		if p.lapses[i].rule.Value().rule == rule {
			return p.lapses[i].origin
		}
	}
	return nil
}

// excuses reports whether an exception excused the object from the rule.
func (p *past) excuses(rule string) bool {
	return p != nil && slices.ContainsFunc(p.lapses, func(l lapse) bool { return l.origin == nil && l.rule.Value().rule == rule })
}

// first is when the first of it is to be taken for drift; zero if all is.
func (h *history) first(p *past) time.Time {
	var first time.Time
	if p == nil {
		return first
	}
	for i := range p.lapses {
		if p.lapses[i].origin == nil {
			continue
		}
		if at := h.settles(p.lapses[i].origin); !at.IsZero() && (first.IsZero() || at.Before(first)) {
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
	seen, inSpec := observed(l.object), strings.HasPrefix(d.Path, "/spec/")
	if wait := h.opts.Settle.For(d.Policy, f.Object.Namespace); wait > 0 && !(inSpec && seen > 0 && seen >= f.Object.Generation) {
		if !l.fresh() && !e.write.Time.IsZero() {
			wait = min(max(e.write.Time.Add(wait).Sub(f.Seen), 0), wait)
		}
		o.Settles = l.at.Add(wait)
		if seen > 0 && seen < f.Object.Generation {
			o.awaits = f.Object.Generation
		}
	}
	return o
}

// fresh reports whether the object has come to be as it is just now, whatever the clocks say: an event told of it, and it was
// not seen before, or the same rules found it to be otherwise.
func (l *look) fresh() bool { return l.why == changed && (l.again || !l.known) }

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
