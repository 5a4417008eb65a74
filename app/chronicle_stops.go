package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// stopRecord records when what stops changes begins and ceases to: the kill switch, and the circuit breaker of a policy. How they
// stand is compared with the ledger's last word on it, whoever wrote that: what changed while nobody looked is recorded by who
// looks next.
type stopRecord struct {
	ledger planLedger
	// stopped is how the kill switch stands; nil while that is not known.
	stopped func() *gate.Switch
	// breakers are those that are known of, by policy; false while they are not known.
	breakers func() ([]breaker, bool)
	log      *slog.Logger
	wake     chan struct{}
	// told is the outcome of the ledger's last entry about each policy; nil until it was asked. Only run uses it.
	told map[v1alpha1.PolicyReference]string
	// halted is how the kill switch stands by the ledger; nil until it was asked. Only run uses it.
	halted *gate.Switch
}

// breaker is the circuit breaker of a policy.
type breaker struct {
	// policy is the one in force, without a rule: its rules have one breaker.
	policy v1alpha1.PolicyReference
	bundle string
	limits gate.Breaker
	gate.Standing
}

// named is the policy whatever its text is.
func (b *breaker) named() v1alpha1.PolicyReference {
	return v1alpha1.PolicyReference{Kind: b.policy.Kind, Namespace: b.policy.Namespace, Name: b.policy.Name}
}

// stops gives the record of what stops changes; nil without a ledger.
func (c *chronicle) stops(r stopRecord) *stopRecord {
	if c == nil {
		return nil
	}
	r.ledger, r.wake = c.Recorder, make(chan struct{}, 1)
	return &r
}

// changed tells that something may stand otherwise. It returns at once.
func (r *stopRecord) changed() {
	if r != nil {
		signal(r.wake)
	}
}

// breakersEvery is how often it is looked how breakers stand: they change with time alone, too.
const breakersEvery = 5 * time.Second

// run records until ctx ends.
func (r *stopRecord) run(ctx context.Context) error {
	if r == nil {
		<-ctx.Done()
		return nil
	}
	r.told, r.halted = nil, nil // another replica may have told meanwhile
	tick := time.NewTicker(breakersEvery)
	defer tick.Stop()
	for {
		if err := r.record(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug("what stops changes cannot be recorded yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-tick.C:
		}
	}
}

func (r *stopRecord) record(ctx context.Context) error {
	if err := r.halt(ctx); err != nil {
		return err
	}
	list, known := r.breakers()
	if !known {
		return nil
	}
	if r.told == nil {
		told, err := r.load(ctx)
		if err != nil {
			return err
		}
		r.told = told
	}
	for policy := range r.told { // a policy of which nothing is remembered has a closed one
		if !slices.ContainsFunc(list, func(b breaker) bool { return b.named() == policy }) {
			list = append(list, breaker{policy: policy, Standing: gate.Standing{State: gate.Closed}})
		}
	}
	slices.SortFunc(list, func(a, b breaker) int {
		return cmp.Or(strings.Compare(a.policy.Kind, b.policy.Kind), strings.Compare(a.policy.Key(), b.policy.Key()))
	})
	for i := range list {
		if err := r.breaker(ctx, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// outcomeOf is how an entry says how a breaker stands.
func outcomeOf(state gate.BreakerState) string {
	switch state {
	case gate.Open:
		return "opened"
	case gate.HalfOpen:
		return "half-opened"
	default:
		return "closed"
	}
}

// load asks the ledger how the breakers stood that it last told of.
func (r *stopRecord) load(ctx context.Context) (map[v1alpha1.PolicyReference]string, error) {
	told := map[v1alpha1.PolicyReference]string{}
	q := ledger.Query{Kinds: []ledger.Kind{ledger.BreakerChanged}}
	for {
		page, err := r.ledger.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("asking how breakers stood: %w", err)
		}
		for i := range page.Entries { // the newest first
			if p := policyReferenceOf(&page.Entries[i].Policy); told[p] == "" {
				told[p] = page.Entries[i].Outcome
			}
		}
		if !page.More {
			return told, nil
		}
		q.From = page.Next
	}
}

// policyReferenceOf is a policy of an entry, as breakers know it.
func policyReferenceOf(p *ledger.Policy) v1alpha1.PolicyReference {
	out := v1alpha1.PolicyReference{Kind: p.Kind, Name: p.Name}
	if namespace, name, ok := strings.Cut(p.Name, "/"); ok {
		out.Namespace, out.Name = namespace, name
	}
	return out
}

// breaker records a breaker that stands otherwise than the ledger says.
func (r *stopRecord) breaker(ctx context.Context, b *breaker) error {
	policy := b.named()
	outcome, before := outcomeOf(b.State), r.told[policy]
	if outcome == before || before == "" && b.State == gate.Closed {
		return nil
	}
	last, err := r.last(ctx, ledger.Query{Kinds: []ledger.Kind{ledger.BreakerChanged}, Policy: policy.Key()}, func(e *ledger.Entry) bool { return e.Policy.Kind == policy.Kind })
	if err != nil {
		return err
	}
	if last == nil || last.Outcome != outcome { // another replica may have told
		if _, err := r.ledger.Append(ctx, b.entry(outcome)); err != nil {
			return err
		}
	}
	r.told[policy] = outcome
	if b.State == gate.Closed {
		delete(r.told, policy)
	}
	return nil
}

// last gives the newest entry of a query's first page that is such.
func (r *stopRecord) last(ctx context.Context, q ledger.Query, such func(*ledger.Entry) bool) (*ledger.Entry, error) {
	page, err := r.ledger.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("asking what was told last: %w", err)
	}
	for i := range page.Entries {
		if such(&page.Entries[i]) {
			return &page.Entries[i], nil
		}
	}
	return nil, nil
}

// entry says how a breaker stands, by which figures and which failure.
func (b *breaker) entry(outcome string) ledger.Entry {
	e := ledger.Entry{
		Kind: ledger.BreakerChanged, Outcome: outcome, Bundle: b.bundle, Actor: ledger.Actor{Manager: act.FieldManager},
		Policy:  ledger.Policy{Kind: b.policy.Kind, Name: b.policy.Key(), Digest: b.policy.Digest},
		Details: map[string]string{"changes": strconv.Itoa(b.Changes), "failed": strconv.Itoa(b.Failed)},
	}
	figures := fmt.Sprintf("%d of %s failed in the last %s, and no more than %d%% may", b.Failed, count(b.Changes, "change", "changes"), duration.HumanDuration(b.limits.Period), b.limits.Failures)
	switch b.State {
	case gate.Open:
		e.Message = figures + ": none is made until " + b.Until.UTC().Format("2006-01-02 15:04 UTC")
		e.Details["until"] = b.Until.UTC().Format(time.RFC3339)
	case gate.HalfOpen:
		e.Message = figures + ": changes are made one at a time"
	default:
		e.Message = "no more of the last changes have failed than may: changes are made again"
	}
	if b.State != gate.Closed && b.Target != nil { // the failure by which it stands so
		e.Object, e.Remediation = targetObject(b.Target), b.Remediation
	}
	return e
}

// halt records how the kill switch stands, if the ledger says otherwise.
func (r *stopRecord) halt(ctx context.Context) error {
	s := r.stopped()
	if s == nil || r.halted != nil && *r.halted == *s {
		return nil
	}
	last, err := r.last(ctx, ledger.Query{Kinds: []ledger.Kind{ledger.SwitchChanged}, Limit: 1}, func(*ledger.Entry) bool { return true })
	if err != nil {
		return err
	}
	e := ledger.Entry{Kind: ledger.SwitchChanged, Outcome: "released", Message: "changes are made again"}
	if s.Stopped {
		e.Outcome, e.Message, e.Actor.User, e.Time = "stopped", s.Reason, s.By, s.Since
	}
	never := last == nil && !s.Stopped
	same := last != nil && last.Outcome == e.Outcome && (!s.Stopped || last.Time.Equal(s.Since))
	if !never && !same {
		if _, err := r.ledger.Append(ctx, e); err != nil {
			return err
		}
	}
	r.halted = s
	return nil
}
