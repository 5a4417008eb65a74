package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/lookup"
	"github.com/holdfast-io/holdfast/reconcile/plan"
	"github.com/holdfast-io/holdfast/reconcile/propose"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// ExplainOptions are what `holdfast explain` takes.
type ExplainOptions struct {
	// Object is KIND/NAME; the kind as kubectl takes it, with the group behind a dot where two have the same.
	Object string
	// Namespace of the object, if its kind lives in namespaces.
	Namespace string
	// Bundle are the bundle's paths; none means the shipped one.
	Bundle []string
	// Packs say which of its policies are in force, and how.
	Packs PackOptions
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig string
	// Output is Table, JSON or YAML.
	Output  Format
	Lookups LookupOptions
	Version string
}

// Validate names the first option that cannot be.
func (o *ExplainOptions) Validate() error {
	if kind, name, ok := strings.Cut(o.Object, "/"); !ok || kind == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("%q: expected KIND/NAME, such as deployment/shop", o.Object)
	}
	return errors.Join(o.Packs.Validate(), o.Lookups.Validate())
}

// explanation is what there is to say of one object.
type explanation struct {
	Object report.Resource `json:"object"`
	Bundle string          `json:"bundle"` // digest
	// Written is the last write of the object that it tells of itself.
	Written *v1alpha1.Origin `json:"written,omitempty"`
	// Hold says that the object, or its Namespace, is held.
	Hold     string             `json:"hold,omitempty"`
	Findings []explainedFinding `json:"findings"`
}

// explainedFinding is one rule that the object fails.
type explainedFinding struct {
	Policy  string        `json:"policy"`
	Rule    string        `json:"rule,omitempty"`
	Result  report.Status `json:"result"`
	Message string        `json:"message"`
	Mode    v1alpha1.Mode `json:"mode"`
	// Target is what would mend it, with what stands in the way; nil where nothing is planned in this mode.
	Target *v1alpha1.Target `json:"target,omitempty"`
	// DriftedBy is who brought it about, where a Remediation says so.
	DriftedBy *v1alpha1.Origin `json:"driftedBy,omitempty"`
	// Remediations of the cluster that are about it, as NAME (PHASE, and the gates that it waits at).
	Remediations []string `json:"remediations,omitempty"`
}

// Explain says of one object of a cluster why it drifts, who brought it about and since when, what would mend it, and what
// stands in the way. Findings make the exit code Findings.
func Explain(ctx context.Context, opts ExplainOptions, streams IO) (Exit, error) {
	snapshot, _, err := load(ctx, opts.Bundle, opts.Packs, streams)
	if err != nil {
		return Failed, err
	}
	clients, err := connect(userKubeconfig(opts.Kubeconfig), opts.Version, streams.Log)
	if err != nil {
		return Failed, err
	}
	defer clients.close()
	served, err := webhook.NewDiscovery(webhook.DiscoveryOptions{Client: clients.discovery, Logger: streams.Log})
	if err != nil {
		return Failed, err
	}
	if err := served.Refresh(); err != nil {
		return Failed, fmt.Errorf("asking what the cluster serves: %w", err)
	}
	lookups, err := lookup.New(opts.Lookups.on(clients, ownNamespace, streams.Log, nil))
	if err != nil {
		return Failed, err
	}
	lookups.SetEntries(snapshot.GlobalContexts())
	parts := newLifecycle(ctx, streams.Log)
	parts.start("look-ups", lookups.Run)
	defer func() { _ = parts.stop() }() // watches end without an error
	if err := lookups.WaitForSync(ctx); err != nil {
		return Failed, err
	}
	x := explainer{
		opts: opts, clients: clients, served: served, snapshot: snapshot, server: propose.NewServer(proposedOn(clients, served)),
		inputs: &engine.Inputs{Lookups: lookups, Now: time.Now, Rand: rand.Reader},
	}
	e, err := x.explain(ctx)
	if err != nil {
		return Failed, err
	}
	if err := writeExplanation(e, opts.Output, streams); err != nil {
		return Failed, err
	}
	if len(e.Findings) > 0 {
		return Findings, nil
	}
	return Clean, nil
}

type explainer struct {
	opts     ExplainOptions
	clients  *cluster
	served   *webhook.Discovery
	snapshot *engine.Snapshot
	server   *propose.Server
	inputs   *engine.Inputs
}

func (x *explainer) explain(ctx context.Context) (*explanation, error) {
	kind, name, _ := strings.Cut(x.opts.Object, "/")
	r, err := x.resource(kind)
	if err != nil {
		return nil, err
	}
	namespace := ""
	if r.Namespaced {
		namespace = x.opts.Namespace
	}
	gvr := schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}
	u, err := x.clients.dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", x.opts.Object, err)
	}
	annotations, err := x.server.Annotations(ctx, namespace)
	if err != nil {
		return nil, err
	}
	s := plan.Subject{
		Kind: schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}, Resource: gvr,
		Object: engine.Normalize(u.Object), Namespace: annotations,
	}
	e := &explanation{
		Object: report.Resource{APIVersion: u.GetAPIVersion(), Kind: r.Kind, Namespace: namespace, Name: name, UID: string(u.GetUID())},
		Bundle: x.snapshot.Digest(), Written: lastWritten(u), Findings: []explainedFinding{},
		Hold: holdText(u.GetAnnotations(), annotations, x.inputs.Now()),
	}
	return e, x.findings(ctx, e, s)
}

// findings judges the object, and adds what is planned and what is pending.
func (x *explainer) findings(ctx context.Context, e *explanation, s plan.Subject) error {
	found, err := x.snapshot.Audit(ctx, &engine.Request{
		Operation: engine.Create, Kind: s.Kind, Resource: s.Resource, Namespace: e.Object.Namespace, Name: e.Object.Name, Object: s.Object,
	}, x.inputs)
	if err != nil {
		return fmt.Errorf("judging %s: %w", e.Object, err)
	}
	planner, err := plan.New(plan.Options{Snapshot: x.snapshot, Inputs: x.inputs, Server: x.server, Mode: v1alpha1.Enforce, Others: plan.PlanOthers})
	if err != nil {
		return err
	}
	items, err := planner.Object(ctx, s)
	if err != nil {
		return err
	}
	list, _, err := remediations(ctx, x.clients.dynamic, func(r *v1alpha1.Remediation) bool {
		return pending(r) || r.Status.Phase == v1alpha1.PhaseRejected // it stands in the way of the same plan
	})
	if err != nil && !apierrors.IsNotFound(err) { // a cluster without Remediations has none
		return err
	}
	for i := range found.Decisions {
		d := &found.Decisions[i]
		if d.Status != engine.Fail && d.Status != engine.Warn && d.Status != engine.Error {
			continue
		}
		result := report.FromDecision(d, report.Subject{Resource: e.Object, Object: s.Object})
		f := explainedFinding{
			Policy: d.Policy.Key(), Rule: d.Rule.Name, Result: result.Result, Message: result.Message,
			Mode: v1alpha1.Strictest(plan.PolicyMode(d.Policy), plan.NamespaceMode(s.Namespace)),
		}
		if (d.Rule.Kind == engine.Generate || d.Rule.ChangesOthers()) && plan.Kept(d.Policy) {
			f.Mode = plan.NamespaceMode(s.Namespace) // what is wanted of other objects is made unless somebody says less
		}
		f.plan(d, items)
		f.pending(d, list, e.Object.UID)
		e.Findings = append(e.Findings, f)
	}
	return nil
}

// plan adds what would mend it: the plan of its own rule, or of one that clears it too.
func (f *explainedFinding) plan(d *engine.Decision, items []plan.Item) {
	for i := range items {
		it := &items[i]
		own := it.Policy == d.Policy && it.Rule == plan.AuthorsRule(d.Rule)
		if own || slices.Contains(it.Target.Repairs, d.Policy.Key()+"/"+d.Rule.Name) {
			f.Target = &it.Target
			return
		}
	}
}

// standsAt says in a few words where a Remediation stands, and at which gates it waits.
func standsAt(r *v1alpha1.Remediation) string {
	out := string(r.Status.Phase)
	if a := r.Spec.Approval; r.Status.Phase == v1alpha1.PhaseRejected && a != nil {
		out += " by " + a.Approver
		if a.Reason != "" {
			out += ": " + a.Reason
		}
		return out
	}
	for i, g := range r.Status.Gates {
		if i == 0 {
			out += ", waits at the gate "
		} else {
			out += ", "
		}
		out += g.Gate
	}
	return out
}

// pending adds the Remediations that are about it, and who they say brought it about.
func (f *explainedFinding) pending(d *engine.Decision, list []v1alpha1.Remediation, uid string) {
	for i := range list {
		p := &list[i].Spec.Plan
		if p.Policy.Kind != d.Policy.Kind || p.Policy.Key() != d.Policy.Key() || p.Policy.Rule != plan.AuthorsRule(d.Rule) {
			continue
		}
		for j := range p.Targets {
			t := &p.Targets[j]
			if t.UID != uid && (f.Target == nil || !sameTarget(t, f.Target)) {
				continue
			}
			f.Remediations = append(f.Remediations, fmt.Sprintf("%s (%s)", list[i].Name, standsAt(&list[i])))
			if f.DriftedBy == nil {
				f.DriftedBy = t.DriftedBy
			}
			break
		}
	}
}

// sameTarget reports whether two targets are the same object. What is to be created has no UID, and goes by its name.
func sameTarget(a, b *v1alpha1.Target) bool {
	return a.UID == b.UID && a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name
}

// resource finds what is meant by a kind: its name, its plural, and the group behind a dot.
func (x *explainer) resource(named string) (*webhook.Resource, error) {
	word, group, grouped := strings.Cut(strings.ToLower(named), ".")
	var best *webhook.Resource
	var names []string
	resources := x.served.Resources()
	for i := range resources {
		r := &resources[i]
		if r.SubResource != "" || !slices.Contains(r.Verbs, "get") {
			continue
		}
		names = append(names, strings.ToLower(r.Kind))
		if (strings.ToLower(r.Kind) != word && r.Name != word) || (grouped && r.Group != group) {
			continue
		}
		// The groups of Kubernetes itself have no dots in their names, or end in k8s.io, and what is meant is in them.
		if best == nil || (r.Group == best.Group && r.Version == "v1") || (strings.Contains(best.Group, ".") && !strings.Contains(r.Group, ".")) {
			best = r
		}
	}
	if best == nil {
		message := fmt.Sprintf("the cluster serves no kind %q", named)
		if near := Nearest(word, names); near != "" {
			message += ": did you mean " + near + "?"
		}
		return nil, errors.New(message)
	}
	return best, nil
}

// lastWritten is the last write that the object's managedFields tell of, of the object itself. They name no user.
func lastWritten(u *unstructured.Unstructured) *v1alpha1.Origin {
	var last *v1alpha1.Origin
	for _, f := range u.GetManagedFields() {
		if f.Subresource == "" && f.Time != nil && (last == nil || f.Time.After(last.Time.Time)) {
			last = &v1alpha1.Origin{Manager: f.Manager, Time: f.Time}
		}
	}
	return last
}

// holdText says whether the object is held.
func holdText(object, namespace map[string]string, now time.Time) string {
	for _, at := range []struct {
		where       string
		annotations map[string]string
	}{{"the object", object}, {"its Namespace", namespace}} {
		h, ok, err := plan.HoldOf(at.annotations)
		switch {
		case err != nil:
			return at.where + " is held: " + err.Error()
		case ok && h.Holds(now):
			text := at.where + " is held"
			if !h.Until.IsZero() {
				text += " until " + h.Until.UTC().Format(time.RFC3339)
			}
			if h.Reason != "" {
				text += ": " + h.Reason
			}
			return text
		}
	}
	return ""
}
