package clitest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
)

// run judges all expectations of the test, in order.
func (t *test) run(ctx context.Context) []Case {
	err := t.load(ctx)
	cases := []Case{}
	for i := range t.spec.Results {
		r := &t.spec.Results[i]
		r.index = i
		if err != nil {
			cases = append(cases, t.unjudged(r, err)...)
			continue
		}
		cases = append(cases, t.result(ctx, r)...)
	}
	return cases
}

// unjudged are the cases of a result in a test that cannot be loaded.
func (t *test) unjudged(r *result, err error) []Case {
	for _, p := range t.policiesOf(r) {
		if p.compiled == nil {
			status, reason := p.refusal()
			return t.all(r, status, reason)
		}
	}
	if needs := (*needsNetwork)(nil); errors.As(err, &needs) {
		return t.all(r, Skip, needs.Error())
	}
	if unbuilt := (*notBuiltError)(nil); errors.As(err, &unbuilt) {
		return t.all(r, Skip, unbuilt.Error())
	}
	return t.all(r, Error, "the test cannot be loaded: "+err.Error())
}

// all gives every case of a result the same status.
func (t *test) all(r *result, status Status, reason string) []Case {
	var out []Case
	for _, name := range r.names() {
		if t.selected(r, name) {
			c := r.newCase(name)
			c.Status, c.Reason = status, reason
			out = append(out, c)
		}
	}
	return out
}

// names are the resources as the result names them; one empty name for a result that names none.
func (r *result) names() []string {
	names := slices.Clone(r.Resources)
	if r.Resource != "" {
		names = append(names, r.Resource)
	}
	for _, s := range r.ResourceSpecs {
		names = append(names, (&object{namespace: s.Namespace, name: s.Name}).String())
	}
	if len(names) == 0 {
		names = []string{""}
	}
	return names
}

func (r *result) newCase(resource string) Case {
	return Case{Policy: r.Policy, Rule: r.Rule, Kind: r.Kind, Resource: resource, Want: r.want(), result: r.index}
}

func (t *test) selected(r *result, resource string) bool {
	return t.only == nil || t.only.MatchString(r.Policy+"/"+r.Rule+"/"+resource)
}

// result judges one expectation.
func (t *test) result(ctx context.Context, r *result) []Case {
	switch r.want() {
	case "pass", "fail", "skip", "warn", "error":
	default:
		return t.all(r, Error, fmt.Sprintf("unknown result %q: expected pass, fail, skip, warn or error", r.want()))
	}
	policies := t.policiesOf(r)
	if len(policies) == 0 {
		return t.all(r, Fail, fmt.Sprintf("the test has no policy %s", r.Policy))
	}
	for _, p := range policies {
		if p.compiled == nil {
			status, reason := p.refusal()
			return t.all(r, status, reason)
		}
	}
	if !slices.ContainsFunc(policies, func(p *policy) bool { return p.hasRule(r.Rule) }) {
		return t.all(r, Fail, fmt.Sprintf("the policy has no rule %s", r.Rule))
	}
	var out []Case
	for _, found := range t.resources(r) {
		if !t.selected(r, found.name) {
			continue
		}
		if len(found.objects) == 0 {
			c := r.newCase(found.name)
			c.Status, c.Reason = Fail, "the test has no such resource"
			out = append(out, c)
		}
		for _, o := range found.objects {
			out = append(out, t.judgeCase(ctx, r, o))
		}
	}
	return out
}

// policiesOf are the policies that a result means.
func (t *test) policiesOf(r *result) []*policy {
	kind := r.policyKind()
	return slices.DeleteFunc(slices.Clone(t.policies), func(p *policy) bool {
		return !p.is(r.Policy) || kind != "" && strings.TrimPrefix(p.kind, "Namespaced") != kind
	})
}

// policyKind is the kind of policy that the result says it means, if it does.
func (r *result) policyKind() string {
	for _, flag := range []struct {
		set  bool
		kind string
	}{
		{r.IsValidatingPolicy, "ValidatingPolicy"}, {r.IsMutatingPolicy, "MutatingPolicy"},
		{r.IsGeneratingPolicy, "GeneratingPolicy"}, {r.IsDeletingPolicy, "DeletingPolicy"},
		{r.IsImageValidatingPolicy, "ImageValidatingPolicy"},
		{r.IsValidatingAdmissionPolicy, "ValidatingAdmissionPolicy"},
		{r.IsMutatingAdmissionPolicy, "MutatingAdmissionPolicy"},
	} {
		if flag.set {
			return flag.kind
		}
	}
	return ""
}

func (p *policy) hasRule(name string) bool {
	return slices.ContainsFunc(p.compiled.Rules, func(r *engine.Rule) bool { return p.means(r.Name, name) })
}

// means reports whether a result means a rule of the policy, by the name that it gives, if it gives one. The policies in
// CEL have no rules by name, and what is written there is not looked at, as in Kyverno's CLI.
func (p *policy) means(rule, written string) bool {
	return written == "" || isRule(rule, written) || p.kind != "ClusterPolicy" && p.kind != "Policy"
}

// isRule reports whether a rule is the one that is written, or was made from it for pod controllers.
func isRule(name, written string) bool {
	return name == written || name == "autogen-"+written || name == "autogen-cronjob-"+written
}

// judgeCase judges one expectation about one object.
func (t *test) judgeCase(ctx context.Context, r *result, o *object) Case {
	c := r.newCase(o.String())
	if c.Kind == "" {
		c.Kind = o.kind.Kind
	}
	applied := 0
	for _, v := range t.verdictsOn(ctx, r, o) {
		if errors.Is(v.err, engine.ErrNoElement) {
			continue
		}
		applied++
		if !t.agree(ctx, &c, r, &v) {
			return c
		}
	}
	if applied == 0 {
		t.notApplied(ctx, &c, r, o)
		return c
	}
	c.Status = Pass
	return c
}

// notApplied is the outcome where no rule has anything to say of the object: a skip, which lets it pass as it is.
// Kyverno's CLI lets such a case pass whatever it wants; here who wants a failure is not told that there is one.
func (t *test) notApplied(ctx context.Context, c *Case, r *result, o *object) {
	const none = "no rule applies to the resource"
	c.Got = engine.Skip.String()
	switch c.Want {
	case engine.Skip.String():
		c.Status = Pass
	case engine.Pass.String():
		c.Status, c.Reason = Pass, none+", which passes as it is"
		if slices.ContainsFunc(t.policiesOf(r), (*policy).deletes) {
			c.Status, c.Reason = Fail, "the policy does not select the resource, and would not delete it"
		} else if r.generated() != nil {
			c.Status, c.Reason = Fail, none+": nothing is generated"
		} else if file := r.patched(); file != "" && t.folder.has(ctx, file) {
			t.comparePatched(ctx, c, r, &verdict{object: o}, file)
		}
	default:
		c.Status, c.Reason = Fail, none
	}
}

// verdictsOn are the verdicts that a result is about: on the object itself, and on it as a target of others.
func (t *test) verdictsOn(ctx context.Context, r *result, o *object) []verdict {
	policies := t.policiesOf(r)
	var out []verdict
	triggers := t.objects
	if o.payload != nil {
		triggers = []*object{o}
	}
	for _, trigger := range triggers {
		if trigger != o && !slices.Contains(t.targets, o) {
			continue
		}
		for _, v := range t.judge(ctx, trigger, r.Operation) {
			if v.object.same(o) && slices.Contains(policies, v.policy) && v.policy.means(v.rule, r.Rule) {
				out = append(out, v)
			}
		}
	}
	return out
}

// agree holds one verdict against the result, and says in the case why they differ.
func (t *test) agree(ctx context.Context, c *Case, r *result, v *verdict) bool {
	c.Got = v.status
	if v.err != nil && v.status != c.Want {
		if found := notBuilt.FindStringSubmatch(v.err.Error()); found != nil {
			c.Status, c.Reason = Skip, found[1]+" is not built yet"
			return false
		}
		if needs := (*needsNetwork)(nil); errors.As(v.err, &needs) {
			c.Status, c.Reason = Skip, needs.Error()
			return false
		}
	}
	switch file := r.patched(); {
	case v.unmade && r.GeneratedResource == "" && len(r.GeneratedResources) == 0:
		// As with Kyverno's CLI: the result is about whether the rule applies, and the test does not give what it
		// would clone. With a file of what is to be made, it is about that.
		v.status, c.Got = engine.Pass.String(), engine.Pass.String()
	case v.generates:
		if !t.compareGenerated(ctx, c, r, v) {
			return false
		}
	case file != "":
		if !t.comparePatched(ctx, c, r, v, file) {
			return false
		}
	}
	if v.status != c.Want {
		c.Status, c.Reason = Fail, v.message
		return false
	}
	return true
}
