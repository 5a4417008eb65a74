package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// Server answers what only an API server can. Its errors are the API server's own, wrapped; an object that is not there is
// engine.ErrNotFound.
type Server interface {
	// Get reads an object.
	Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error)
	// Try says what the object would be after a change, which is not made (dry run).
	Try(ctx context.Context, c *Change) (map[string]any, error)
}

// ErrForbidden is wrapped by the error of a Server that has not the right to read an object or to try a change.
var ErrForbidden = errors.New("no right to do so")

// Options are what a Planner needs.
type Options struct {
	Snapshot *engine.Snapshot
	// Inputs are the look-ups and the clock of evaluations.
	Inputs *engine.Inputs
	// Server is nil where there is none, for files.
	Server Server
	// Mode is how far anything may go. What comes to Report is not planned. Default: Propose.
	Mode v1alpha1.Mode
	// Others says what becomes of changes that rules want of other objects than the one that they match. Default:
	// LeaveOthers.
	Others Others
}

// Others says what becomes of changes of other objects.
type Others uint8

const (
	// LeaveOthers: somebody else makes them at once, but for those of policies that say less (Kept): these are planned as by
	// ReadOthers.
	LeaveOthers Others = iota
	// ReadOthers: they are planned to be read, because nobody makes them: each has the obstacle NotCarriedOut.
	ReadOthers
	// PlanOthers: they are planned like all else, whoever makes them.
	PlanOthers
)

// Planner plans by one snapshot. It is safe for concurrent use.
type Planner struct{ opts Options }

// New checks the options and makes a Planner.
func New(opts Options) (*Planner, error) {
	switch {
	case opts.Snapshot == nil:
		return nil, errors.New("planner options: Snapshot is missing")
	case opts.Inputs == nil:
		return nil, errors.New("planner options: Inputs is missing")
	}
	if opts.Mode == "" {
		opts.Mode = v1alpha1.Propose
	}
	return &Planner{opts}, nil
}

// Subject is an object as it stands, in the engine's value model, with what is known beside it.
type Subject struct {
	Kind     schema.GroupVersionKind
	Resource schema.GroupVersionResource // zero where nobody knows, for files
	Object   map[string]any
	// Namespace are the annotations of the object's Namespace.
	Namespace map[string]string
	// Origins say who brought the object into the state that a rule fails on, by RuleKey.
	Origins map[string]v1alpha1.Origin
}

// RuleKey names a rule among all of a snapshot.
func RuleKey(r *engine.Rule) string { return r.Policy.Kind + "/" + r.Policy.Key() + "/" + r.Name }

// name is how a rule is called in sentences and lists: POLICY/RULE.
func name(r *engine.Rule) string {
	if r.Name == "" {
		return r.Policy.Key()
	}
	return r.Policy.Key() + "/" + r.Name
}

// Item is what would be done with one object for one rule.
type Item struct {
	Policy *engine.Policy
	// Rule is the one that its author wrote: those that autogen made of it have it too.
	Rule string
	// Mode is how far it goes: the strictest of the policy's, its Namespace's and the option's.
	Mode   v1alpha1.Mode
	Target v1alpha1.Target
	// Planned is what the target would become; nil where nothing is known that helps. It may hold values of a Secret.
	Planned map[string]any
}

// Object plans for each finding about the object, in the order of the rules. A finding that nothing is known to repair is an
// Item with the obstacle NoFix. What is controlled by another object is planned there. An error means that it could not be
// found out; nothing is known then.
func (p *Planner) Object(ctx context.Context, s Subject) ([]Item, error) {
	o := &planning{Planner: p, ctx: ctx, subject: s}
	items, err := o.items()
	if err != nil {
		return nil, fmt.Errorf("planning for %s: %w", s, err)
	}
	return items, nil
}

// String names the object: Deployment/shop/web.
func (s Subject) String() string {
	parts := []string{s.Kind.Kind, text(metadata(s.Object), "namespace"), text(metadata(s.Object), "name")}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// planning is one object on its way.
type planning struct {
	*Planner
	ctx     context.Context
	subject Subject
	// failing are the rules that fail on the object as it stands.
	failing map[*engine.Rule]bool
}

func (o *planning) items() ([]Item, error) {
	items, err := o.own()
	if err != nil || len(items) == 0 {
		return nil, err
	}
	ref := controller(o.subject.Object)
	if ref == nil {
		return items, nil
	}
	return o.atOwner(items, *ref)
}

// own plans for the object itself.
func (o *planning) own() ([]Item, error) {
	found, err := o.judge(o.subject.Object)
	if err != nil {
		return nil, err
	}
	o.failing = failing(found)
	var findings []*finding
	for i := range found.Decisions {
		d := &found.Decisions[i]
		if f := o.finding(d); f != nil {
			findings = append(findings, f...)
		}
	}
	// What a mutate rule wants comes first: most of it clears what a validate rule of its kind finds.
	slices.SortStableFunc(findings, func(a, b *finding) int { return order(a.decision.Rule.Kind) - order(b.decision.Rule.Kind) })
	var kept []*finding
	for _, f := range findings {
		if by := clearedBy(kept, f); by != nil {
			by.repairs = append(by.repairs, name(f.decision.Rule))
			continue
		}
		if err := o.fix(f); err != nil {
			return nil, err
		}
		kept = append(kept, f)
	}
	if err := o.conflicts(kept); err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(kept))
	for _, f := range kept {
		if err := o.try(f); err != nil {
			return nil, err
		}
		if f.toRead {
			f.block(v1alpha1.NotCarriedOut, "what a rule wants of another object no Remediation makes: serve --reconcile does, where the mode of the policy is enforce or is not said")
		}
		it, err := f.item(o)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	return items, nil
}

func order(k engine.RuleKind) int {
	return slices.Index([]engine.RuleKind{engine.Mutate, engine.Generate, engine.Validate, engine.Cleanup}, k)
}

// judge evaluates the whole bundle on an object in the subject's place.
func (o *planning) judge(object map[string]any) (engine.Mutation, error) {
	return o.opts.Snapshot.Audit(o.ctx, o.request(object), o.opts.Inputs)
}

func (o *planning) request(object map[string]any) *engine.Request {
	meta := metadata(object)
	return &engine.Request{
		Operation: engine.Create, Kind: o.subject.Kind, Resource: o.subject.Resource,
		Namespace: text(meta, "namespace"), Name: text(meta, "name"), Object: object,
	}
}

// fails reports whether the decision is one that a plan must not bring about.
func fails(d *engine.Decision) bool {
	return d.Rule.Kind != engine.Cleanup && (d.Status == engine.Fail || d.Status == engine.Warn || d.Status == engine.Error)
}

func failing(m engine.Mutation) map[*engine.Rule]bool {
	out := map[*engine.Rule]bool{}
	for i := range m.Decisions {
		if fails(&m.Decisions[i]) {
			out[m.Decisions[i].Rule] = true
		}
	}
	return out
}

// finding makes findings of a decision that somebody is to plan for: one for each object that it is about.
func (o *planning) finding(d *engine.Decision) []*finding {
	if !fails(d) || d.Status == engine.Error {
		return nil
	}
	mode := v1alpha1.Strictest(o.opts.Mode, PolicyMode(d.Policy), NamespaceMode(o.subject.Namespace))
	if mode == v1alpha1.Report {
		return nil
	}
	if d.Rule.Kind == engine.Validate || (d.Rule.Kind == engine.Mutate && !d.Rule.ChangesOthers()) {
		return []*finding{{decision: d, mode: mode}}
	}
	toRead := o.opts.Others == ReadOthers || o.opts.Others == LeaveOthers && !Kept(d.Policy)
	if o.opts.Others != PlanOthers && !toRead {
		return nil
	}
	var out []*finding
	for i := range d.Changes {
		if c := &d.Changes[i]; c.Action != engine.UpdateObject || len(c.Patch) > 0 {
			out = append(out, &finding{decision: d, mode: mode, other: c, toRead: toRead})
		}
	}
	return out
}

func metadata(object map[string]any) map[string]any {
	meta, _ := object["metadata"].(map[string]any)
	return meta
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}
