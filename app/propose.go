package app

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
	"github.com/holdfast-io/holdfast/reconcile/propose"
	"github.com/holdfast-io/holdfast/webhook"
)

// proposer plans for findings: a *propose.Proposer, or nobody.
type proposer interface {
	Found(propose.Finding)
	Gone(propose.Object)
	Listed(kind schema.GroupVersionKind, seen func(uid string) bool)
	Run(ctx context.Context) error
}

// proposer makes the one that plans. Those changes of other objects are planned, to be read, that nobody makes anyway.
func (o *ServeOptions) proposer(opts propose.Options) (proposer, error) {
	if o.ReconcileMode == Mode(v1alpha1.Report) {
		return noProposer{}, nil
	}
	opts.Mode = v1alpha1.Mode(o.ReconcileMode)
	var err error
	if opts.Strategy, err = o.strategy(); err != nil {
		return nil, err
	}
	if !o.Reconcile {
		opts.Others = plan.ReadOthers
	}
	return propose.New(opts)
}

// strategy is in which steps plans are carried out, at most.
func (o *ServeOptions) strategy() (v1alpha1.Strategy, error) {
	out := plan.DefaultStrategy()
	if o.ReconcileStrategy == "" {
		return out, nil
	}
	said, err := bounds.ParseStrategy(o.ReconcileStrategy)
	if err != nil {
		return out, fmt.Errorf("--reconcile-strategy: %w", err)
	}
	return said.Over(out), nil
}

// noProposer leaves findings to the reports.
type noProposer struct{}

func (noProposer) Found(propose.Finding) {}

func (noProposer) Gone(propose.Object) {}

func (noProposer) Listed(schema.GroupVersionKind, func(string) bool) {}

func (noProposer) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Mode is how far anything may go with what is found.
type Mode string

// Modes are those that an option takes, from the least to the most.
func Modes() []Mode {
	var out []Mode
	for _, m := range v1alpha1.Modes() {
		out = append(out, Mode(m))
	}
	return out
}

// proposedOn is how plans ask the API server.
func proposedOn(clients *cluster, served *webhook.Discovery) propose.ServerOptions {
	return propose.ServerOptions{
		Client: clients.dynamic, Resource: resourceOf(served), Namespaced: namespacedOf(served), Access: ownAccess{clients.kube},
	}
}

// namespacedOf tells which kinds live in namespaces, from what is served.
func namespacedOf(served *webhook.Discovery) func(schema.GroupVersionKind) bool {
	return func(kind schema.GroupVersionKind) bool {
		return slices.ContainsFunc(served.Resources(), func(r webhook.Resource) bool {
			return r.Kind == kind.Kind && r.Group == kind.Group && r.Version == kind.Version && r.SubResource == "" && r.Namespaced
		})
	}
}

// swept reports whether every type has been listed in full, or cannot be.
func swept(auditor *audit.Auditor) bool {
	coverage := auditor.Coverage()
	return len(coverage) > 0 && !slices.ContainsFunc(coverage, func(c audit.Coverage) bool {
		return c.Listed.IsZero() && c.Error == "" && c.Skipped == ""
	})
}

// proposal is a finding as the proposer takes it.
func proposal(f *audit.Finding) propose.Finding {
	out := propose.Finding{Object: proposedObject(f.Object), Decisions: f.Result.Decisions, Settles: f.Settles}
	for i := range f.Origins {
		if i < len(f.Result.Decisions) && needsSomebody(&f.Result.Decisions[i]) {
			if out.Origins == nil {
				out.Origins = map[string]v1alpha1.Origin{}
			}
			out.Origins[plan.RuleKey(f.Result.Decisions[i].Rule)] = originOf(&f.Origins[i])
		}
	}
	return out
}

func needsSomebody(d *engine.Decision) bool {
	return d.Status == engine.Fail || d.Status == engine.Warn
}

func originOf(o *audit.Origin) v1alpha1.Origin {
	out := v1alpha1.Origin{User: o.Write.User, Manager: o.Write.Manager, Slip: string(o.Slip)}
	if !o.Write.Time.IsZero() {
		t := metav1.NewTime(o.Write.Time)
		out.Time = &t
	}
	return out
}

func proposedObject(o audit.Object) propose.Object {
	return propose.Object{Kind: o.Kind, Resource: o.Resource, Namespace: o.Namespace, Name: o.Name, UID: o.UID}
}
