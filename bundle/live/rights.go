package live

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// rights say whether we may do what a policy needs outside of admission.
type rights struct {
	// message is for the status; empty when nothing is known.
	message string
	// missing lists the rights that we lack.
	missing string
	// note says what cannot be known beforehand. It stands beside the conditions, whose text people's tests compare.
	note string
}

const (
	// Rights are given and taken away without a word to us. What is missing is asked about again after a minute, so
	// that it shows soon that it was given; what is there, more seldom.
	recheckMissing, recheckGranted = time.Minute, 10 * time.Minute
	// An answer holds for half a minute: hundreds of policies ask about the same few types.
	answerHolds = 30 * time.Second
	// grantedMessage is Kyverno's. So is another of its 1.19 for policies that no audit judges, which need no rights; but
	// people's tests compare the text, and those of the public library want this one of such policies, too.
	grantedMessage = "Policy is ready for reporting."
)

// right is something that we may do, or may not.
type right struct {
	verb     string
	resource schema.GroupResource
}

func (r right) String() string { return r.verb + " " + r.resource.String() }

// answer is whether we had a right when it was asked about.
type answer struct {
	allowed bool
	at      time.Time
}

// allowed asks whether we have a right, unless that was asked a moment ago.
func (w *statuses) allowed(ctx context.Context, r right) (bool, error) {
	if known, ok := w.answers[r]; ok && time.Since(known.at) < answerHolds {
		return known.allowed, nil
	}
	allowed, err := w.source.opts.Access.Allowed(ctx, r.verb, r.resource)
	if err != nil {
		return false, fmt.Errorf("asking whether we may %s: %w", r, err)
	}
	w.answers[r] = answer{allowed, time.Now()}
	return allowed, nil
}

// rights finds out whether we may do what the policy needs, and when to look again.
func (w *statuses) rights(ctx context.Context, p *engine.Policy) (out rights, again time.Duration, err error) {
	if w.source.opts.Access == nil {
		return out, 0, nil
	}
	needed, open := neededRights(p, w.source.opts.Reconciles)
	var missing []string
	for _, r := range needed {
		allowed, err := w.allowed(ctx, r)
		if err != nil {
			return out, 0, err
		}
		if !allowed {
			missing = append(missing, r.String())
		}
	}
	out.message = grantedMessage
	if len(needed) > 0 {
		again = recheckGranted
	}
	if out.missing = strings.Join(missing, ", "); out.missing != "" {
		out.message = "Policy is not ready for reporting, missing permissions: " + out.missing + "."
		again = recheckMissing
	}
	if open {
		out.note = "What it generates or changes is known only when it is evaluated: whether that may be written, the log and holdfast_reconcile_failures_total tell."
	}
	return out, again, nil
}

// neededRights lists what the policy needs: to read what it matches, for the audit, and to write what it makes. Open
// says that it writes what only an evaluation can tell. What is looked up is not known beforehand either, and answers
// of the look-up tell.
func neededRights(p *engine.Policy, reconciles bool) (needed []right, open bool) {
	add := func(resource schema.GroupResource, verbs ...string) {
		for _, verb := range verbs {
			needed = append(needed, right{verb, resource})
		}
	}
	for _, r := range p.Rules {
		if auditable, _ := r.Auditable(); p.Background && auditable {
			for _, k := range r.Kinds() {
				if k.SubResource.Match("") {
					add(resourceOf(k), "list", "watch")
				}
			}
		}
		if !reconciles {
			continue
		}
		targets, more := r.Targets()
		open = open || more
		for _, resource := range targets {
			add(resource, "get", "list", "update")
		}
		kinds, more := r.Generates()
		open = open || more
		for _, kind := range kinds {
			resource, _ := meta.UnsafeGuessKindToResource(kind)
			add(resource.GroupResource(), "get", "create", "update", "delete")
		}
	}
	slices.SortFunc(needed, func(a, b right) int {
		if c := strings.Compare(a.resource.String(), b.resource.String()); c != 0 {
			return c
		}
		return strings.Compare(a.verb, b.verb)
	})
	return slices.Compact(needed), open
}

// resourceOf is the resource that is selected, as rights name it: * where a wildcard is.
func resourceOf(k engine.KindSelector) schema.GroupResource {
	out := schema.GroupResource{Group: "*", Resource: "*"}
	if k.Group.Literal() {
		out.Group = k.Group.String()
	}
	if k.ByName && k.Plural.Literal() {
		out.Resource = k.Plural.String()
	}
	return out
}
