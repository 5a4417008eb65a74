package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// writes tells the auditor of the writes that admission let pass.
type writes struct {
	// memory is this process's; nil where it does not admit.
	memory *webhook.Memory
	// peers are those that admit, this process too if it does; nil where they cannot be asked.
	peers *peers
	// alone says that no other process admits.
	alone      bool
	registered atomic.Pointer[time.Time]
	known      chan struct{} // closed when registered is
}

// clocks is how far the API server's clock and ours may be apart, and what cutting to the second takes off.
const clocks = 2 * time.Second

// Of asks the memory, and then the other replicas'.
func (w *writes) Of(ctx context.Context, t audit.Trace) (*audit.Admitted, bool) {
	if w.memory != nil {
		if r, ok := w.memory.Recall(webhook.Trace(t)); ok {
			return admittedOf(&r), true
		}
	}
	stamp := t.Stamp
	if stamp == "" {
		stamp = t.Newest
	}
	at, err := time.Parse(time.RFC3339, stamp)
	switch {
	case err != nil:
		return nil, false
	case w.alone:
		return nil, at.After(w.memory.Since().Add(clocks))
	case w.peers == nil:
		return nil, false
	}
	r, complete := w.peers.recall(ctx, webhook.Trace(t), at)
	if r == nil {
		return nil, complete
	}
	return admittedOf(r), true
}

// Registered is since when the API server has the webhook configuration.
func (w *writes) Registered() time.Time {
	if at := w.registered.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// writes makes what the auditor asks.
func (o *ServeOptions) writes(now time.Time) *writes {
	w := &writes{alone: o.Admission && o.WebhookURL != "", known: make(chan struct{})}
	if o.Admission {
		w.memory = webhook.NewMemory(now)
	}
	return w
}

// close lets go of connections to other replicas.
func (w *writes) close() {
	if w.peers != nil {
		w.peers.close()
	}
}

// find finds out since when the webhook is registered, once registered says that it is. Nothing else waits for it for long.
func (w *writes) find(ctx context.Context, registered <-chan struct{}, get func(context.Context) (time.Time, error)) error {
	select {
	case <-ctx.Done():
		return nil
	case <-registered:
	}
	for {
		if at, err := get(ctx); err == nil {
			w.registered.Store(&at)
			close(w.known)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Minute): // without it findings say less, and that is all
		}
	}
}

// awaited waits for what find finds, for a moment: the registration takes as much.
func (w *writes) awaited(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.known:
	case <-time.After(3 * time.Second):
	}
}

// registration reads since when the API server has the webhook configuration.
func registration(client kubernetes.Interface, name string) func(context.Context) (time.Time, error) {
	return func(ctx context.Context) (time.Time, error) {
		c, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the webhook configuration %s: %w", name, err)
		}
		return c.GetCreationTimestamp().Time, nil
	}
}

func admittedOf(r *webhook.Remembered) *audit.Admitted {
	out := &audit.Admitted{Write: audit.Write{
		User: r.User, Groups: r.Groups, Manager: r.Manager, Subresource: r.Subresource, Operation: r.Operation, Time: r.Time,
	}}
	for _, d := range r.Despite {
		switch d.Why {
		case webhook.NotEnforced:
			out.NotEnforced = append(out.NotEnforced, d.Rule)
		case webhook.NotEvaluated:
			out.NotEvaluated = append(out.NotEvaluated, d.Rule)
		case webhook.Excepted:
			out.Excepted = append(out.Excepted, d.Rule)
		}
	}
	return out
}

// sinceOf is what a report tells of an origin; nil for what is no finding.
func sinceOf(o *audit.Origin) *report.Since {
	if o.Slip == "" {
		return nil
	}
	return &report.Since{
		First: o.First, Writer: o.Write.User, Manager: o.Write.Manager, Written: o.Write.Time, Detected: o.Detected, Slipped: o.Slip.String(),
	}
}

// sincesOf is what one look at an object tells of each decision: nothing of when it was first seen to fail.
func sincesOf(f *audit.Finding) []*report.Since {
	out := make([]*report.Since, len(f.Result.Decisions))
	for i := range f.Origins {
		if out[i] = sinceOf(&f.Origins[i]); out[i] != nil {
			out[i].First = time.Time{}
		}
	}
	return out
}

// resultsOf are the results of a finding, with what is known of how each came about. Of those that are nobody's business, which
// are the most, they have the outcome alone.
func resultsOf(f *audit.Finding, spelled func(report.Status) bool) []report.Result {
	subject := subjectOf(f)
	results := make([]report.Result, len(f.Result.Decisions))
	for i := range f.Result.Decisions {
		d := &f.Result.Decisions[i]
		if s := report.Status(d.Status.String()); d.Status == engine.Pass && !spelled(s) {
			results[i].Result = s
			continue
		}
		results[i] = report.FromDecision(d, subject)
		if f.Origins == nil || f.Origins[i].Slip == "" {
			continue
		}
		results[i].Since = sinceOf(&f.Origins[i])
		results[i].Settle(report.State(f.Origins[i].State()))
	}
	return results
}
