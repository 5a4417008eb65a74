package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// Options are what a Migrator needs.
type Options struct {
	// Resources are objects on which rules and their translations must agree, beside those that are made.
	Resources []map[string]any
	// Now is the time at which expressions are evaluated.
	Now time.Time
}

// Migrator translates policies. It may be used for many, one after the other.
type Migrator struct {
	compiler  *engine.Compiler
	resources []map[string]any
	world     world
	now       time.Time
}

// New makes a Migrator.
func New(opts Options) (*Migrator, error) {
	compiler, err := engine.NewCompiler()
	if err != nil {
		return nil, fmt.Errorf("making a migrator: %w", err)
	}
	m := &Migrator{compiler: compiler, resources: opts.Resources, world: world{}, now: opts.Now}
	for _, object := range opts.Resources {
		if object["kind"] == "Namespace" && object["apiVersion"] == "v1" {
			m.world[textAt(object, "metadata", "name")] = object
		}
	}
	return m, nil
}

// Result is what became of one policy.
type Result struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Rules     []Rule `json:"rules"`
}

// Rule is what became of one rule.
type Rule struct {
	Name string `json:"name"`
	// Policies are what the rule became; none if it stays as it is.
	Policies []Policy `json:"policies,omitempty"`
	// Reason says why it stays, and Path where in the policy.
	Reason string `json:"reason,omitempty"`
	Path   string `json:"path,omitempty"`
	// Counterexample is a request on which a translation was found to be wrong.
	Counterexample *Counterexample `json:"counterexample,omitempty"`
	// Compared counts the requests on which both agree.
	Compared int `json:"compared,omitempty"`
	// Notes are what should be known of a translation.
	Notes []string `json:"notes,omitempty"`
}

// Translated reports whether the rule became CEL policies.
func (r *Rule) Translated() bool { return len(r.Policies) > 0 }

// Policy is one CEL policy.
type Policy struct {
	Kind     string         `json:"kind"`
	Name     string         `json:"name"`
	Document map[string]any `json:"-"`
	text     fields
}

// Translate translates a kyverno.io ClusterPolicy or Policy, rule by rule. An error means that it is none that works, or
// that the time is over.
func (m *Migrator) Translate(ctx context.Context, document map[string]any) (*Result, error) {
	object, problems := bundle.CompileObject(m.compiler, clone(document))
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s", problems[0].PathString(), problems[0].Message)
	}
	if object.Source == nil {
		return nil, fmt.Errorf("%s is no ClusterPolicy or Policy", object.Policy.Kind)
	}
	out := &Result{Kind: object.Policy.Kind, Namespace: object.Policy.Namespace, Name: object.Policy.Name}
	for i := range object.Source.GetSpec().Rules {
		rule, err := m.rule(ctx, object, i)
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, rule)
	}
	return out, nil
}

func (m *Migrator) rule(ctx context.Context, object *bundle.Object, index int) (Rule, error) {
	src := object.Source
	r := &src.GetSpec().Rules[index]
	out := Rule{Name: r.Name}
	drafts, settings, err := m.drafts(object, index)
	if err != nil {
		return out.refuse(err, index), nil
	}
	alone, err := m.compiled(ruleAlone(object, index))
	if err != nil {
		return out, fmt.Errorf("rule %s alone: %w", r.Name, err)
	}
	requests := m.requests(drafts[len(drafts)-1])
	// The first way to write the rule on which nothing contradicts it is taken.
	for _, way := range drafts {
		var policies []Policy
		var documents []map[string]any
		var notes []string
		for _, part := range way.parts {
			for _, action := range settings.actions {
				text := part.draft.document(headerOf(src), settings, action)
				whole := plainValue(text).(map[string]any)
				documents = append(documents, clone(whole))
				policies = append(policies, Policy{Kind: textAt(whole, "kind"), Name: textAt(whole, "metadata", "name"), Document: whole, text: text})
			}
			notes = append(notes, part.draft.selection.notes...)
		}
		translation, err := m.compiled(documents...)
		if err != nil {
			out.Reason = "the translation cannot be compiled: " + err.Error()
			continue
		}
		counter, seen, err := m.compare(ctx, alone, translation, m.world.with(r), requests)
		if err != nil {
			return out, err
		}
		if counter != nil {
			out.Reason, out.Counterexample = "the translation is not the same: "+counter.String(), counter
			continue
		}
		if seen.empty() {
			out.Counterexample = nil
			out.Reason = "nothing is proved: no object that was made or given is judged by the rule; give some that are (--resource)"
			return out, nil
		}
		notes = append(notes, seen.gaps()...)
		slices.Sort(notes)
		return Rule{Name: r.Name, Policies: policies, Compared: len(requests), Notes: slices.Compact(notes)}, nil
	}
	return out, nil
}

// requests gives all on which the rule and its translation must agree.
func (m *Migrator) requests(w way) []request {
	var out []request
	for i := range w.parts {
		p := &w.parts[i]
		from := []suggestion{{rule: p.rule, shape: p.draft.shape, typ: p.draft.selection.typ}}
		if len(p.below) > 0 {
			main := &w.parts[0]
			from = append(from, suggestion{main.rule, main.draft.shape, main.draft.selection.typ, p.below})
		}
		for _, target := range p.draft.selection.target {
			out = append(out, madeRequests(p.rule, target, from)...)
		}
		out = append(out, m.given(p.draft.selection)...)
	}
	return out
}

// refuse says why the rule stays.
func (r Rule) refuse(err error, index int) Rule {
	path := []any{"spec", "rules", index}
	if why := (*refused)(nil); errors.As(err, &why) {
		if len(why.path) > 0 && why.path[0] == "spec" {
			path = nil
		}
		path = slices.Concat(path, why.path)
	}
	p := engine.Problem{Path: path}
	r.Reason, r.Path = err.Error(), p.PathString()
	return r
}

// way is one way to write a rule: one policy, or several.
type way struct{ parts []part }

// part is one policy, with the rule that it says.
type part struct {
	rule  *kyvernov1.Rule
	draft *draft
	below []string // path of the pod template, of a rule that was made for controllers
}

// drafts gives the ways to write a rule, the best first. A rule on Pods from which Kyverno makes others for their
// controllers is one policy with autogen; where that does not say the same, each of the made rules is a policy too.
func (m *Migrator) drafts(object *bundle.Object, index int) ([]way, settings, error) {
	src := object.Source
	r := &src.GetSpec().Rules[index]
	if r.Validation == nil {
		_, err := translateRule(r, "", false, nil)
		return nil, settings{}, err
	}
	s, err := settingsOf(src, r)
	if err != nil {
		return nil, s, err
	}
	main, err := translateRule(r, policyName(src.GetName(), r.Name), s.enforced(), operationsOf(object, r.Name))
	if err != nil {
		return nil, s, err
	}
	alone, err := typedRule(object, index)
	if err != nil {
		return nil, s, err
	}
	made, err := engine.AutogenRules(alone)
	if err != nil {
		return nil, s, fmt.Errorf("the rules for pod controllers: %w", err)
	}
	if len(made) == 0 {
		if len(main.selection.target) == 1 && main.selection.target[0].kind.Kind == "Pod" {
			main.autogen = []string{}
		}
		return []way{{[]part{{rule: r, draft: main}}}}, s, nil
	}
	short, long := way{}, way{}
	with, without := *main, *main
	with.autogen, without.autogen = []string{}, []string{}
	for _, g := range made {
		d, err := translateRule(&g, policyName(src.GetName(), g.Name), s.enforced(), operationsOf(object, r.Name))
		if err != nil {
			return nil, s, err
		}
		below := []string{"spec", "template"}
		if strings.HasPrefix(g.Name, "autogen-cronjob-") {
			below = []string{"spec", "jobTemplate", "spec", "template"}
		}
		long.parts = append(long.parts, part{&g, d, below})
		for _, target := range d.selection.target {
			if target.plural != "replicationcontrollers" {
				with.autogen = append(with.autogen, target.plural)
				continue
			}
			// autogen in CEL knows none of these
			rest := *d
			only := *d.selection
			only.rules = []resourceRule{{groups: []string{""}, versions: []string{"*"}, operations: only.rules[0].operations, resources: []string{target.plural}}}
			only.target = []targetKind{target}
			rest.selection = &only
			rest.name = policyName(src.GetName(), r.Name) + "-replicationcontrollers"
			short.parts = append(short.parts, part{&g, &rest, below})
		}
	}
	short.parts = append([]part{{rule: r, draft: &with}}, short.parts...)
	long.parts = append([]part{{rule: r, draft: &without}}, long.parts...)
	return []way{short, long}, s, nil
}

// operationsOf lists the operations on which the rule is evaluated.
func operationsOf(object *bundle.Object, rule string) []string {
	var out []string
	for _, r := range object.Policy.Rules {
		if r.Name == rule {
			for _, op := range r.Operations() {
				out = append(out, string(op))
			}
		}
	}
	return out
}

func policyName(policy, rule string) string {
	if policy == rule {
		return name(policy)
	}
	return name(policy, rule)
}

// annotationAutogen says for which controllers rules are made.
const annotationAutogen = "pod-policies.kyverno.io/autogen-controllers"

// ruleAlone is the policy with one of its rules, from which no more rules are made than in the whole policy.
func ruleAlone(object *bundle.Object, index int) map[string]any {
	out := clone(object.Document)
	spec := out["spec"].(map[string]any)
	spec["rules"] = spec["rules"].([]any)[index : index+1]
	if !slices.ContainsFunc(object.Policy.Rules, func(r *engine.Rule) bool { return r.Autogenerated }) {
		meta := out["metadata"].(map[string]any)
		annotations, _ := meta["annotations"].(map[string]any)
		annotations = maps.Clone(annotations)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations[annotationAutogen] = "none"
		meta["annotations"] = annotations
	}
	return out
}

func typedRule(object *bundle.Object, index int) (kyvernov1.PolicyInterface, error) {
	raw, err := json.Marshal(ruleAlone(object, index))
	if err != nil {
		return nil, fmt.Errorf("writing the policy: %w", err)
	}
	if object.Policy.Namespace != "" {
		out := &kyvernov1.Policy{}
		return out, json.Unmarshal(raw, out)
	}
	out := &kyvernov1.ClusterPolicy{}
	return out, json.Unmarshal(raw, out)
}

// given gives requests on the given resources that are of the kinds of the rule.
func (m *Migrator) given(s *selection) []request {
	var out []request
	user := &authenticationv1.UserInfo{Username: "jane", Groups: []string{"system:authenticated"}}
	for _, object := range m.resources {
		gv, err := schema.ParseGroupVersion(textAt(object, "apiVersion"))
		if err != nil {
			continue
		}
		kind := gv.WithKind(textAt(object, "kind"))
		if !slices.ContainsFunc(s.target, func(t targetKind) bool { return t.kind.Kind == kind.Kind }) {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		out = append(out, requestsFor(kind, plural.Resource, object, object, user)...)
	}
	return out
}

func textAt(document map[string]any, path ...string) string {
	last := len(path) - 1
	for _, key := range path[:last] {
		document, _ = document[key].(map[string]any)
	}
	s, _ := document[path[last]].(string)
	return s
}

// clone copies maps and lists.
func clone(m map[string]any) map[string]any { return deep(m).(map[string]any) }

func deep(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for key := range out {
			out[key] = deep(out[key])
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = deep(out[i])
		}
		return out
	default:
		return v
	}
}
