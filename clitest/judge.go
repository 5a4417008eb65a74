package clitest

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regexp"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// test is one test on its way.
type test struct {
	spec    *testFile
	folder  *folder
	library *library
	only    *regexp.Regexp

	values   *values
	user     *authenticationv1.UserInfo
	dryRun   bool
	policies []*policy
	objects  []*object
	targets  []*object
	crds     []*manifest.Document
	scopes   manifest.Scopes
	world    world
	judged   map[judgedKey][]verdict
}

// judgedKey names one evaluation: results that ask for the same share it.
type judgedKey struct {
	object    *object
	operation string
}

// verdict is what one rule says of one object.
type verdict struct {
	policy  *policy
	rule    string
	status  string
	message string
	// object is what the policy made of it: what patchedResources are compared with.
	object *object
}

// judge asks all policies about an object, as they stand in the test: first all that mutate, one on what the
// other made, then all that validate what came of it.
func (t *test) judge(ctx context.Context, o *object, operation string) []verdict {
	key := judgedKey{o, operation}
	if found, ok := t.judged[key]; ok {
		return found
	}
	var out []verdict
	current := o
	for _, p := range t.policies {
		if !p.has(engine.Mutate) {
			continue
		}
		mutated, verdicts := t.mutate(ctx, p, current, operation)
		out, current = append(out, verdicts...), mutated
	}
	for _, p := range t.policies {
		if p.has(engine.Validate) {
			out = append(out, t.validate(ctx, p, current, operation)...)
		}
	}
	if t.judged == nil {
		t.judged = map[judgedKey][]verdict{}
	}
	t.judged[key] = out
	return out
}

// has reports whether the policy, if it is compiled, has rules of a sort.
func (p *policy) has(kind engine.RuleKind) bool {
	if p.compiled == nil {
		return false
	}
	for _, r := range p.compiled.Rules {
		if r.Kind == kind {
			return true
		}
	}
	return false
}

func (t *test) mutate(ctx context.Context, p *policy, o *object, operation string) (*object, []verdict) {
	req, in, err := t.request(p, o, operation)
	if err != nil {
		return o, []verdict{{policy: p, status: engine.Error.String(), message: err.Error(), object: o}}
	}
	mutation, err := p.snapshot.Mutate(ctx, req, in)
	if err != nil {
		return o, []verdict{{policy: p, status: engine.Error.String(), message: err.Error(), object: o}}
	}
	after := *o
	after.value = mutation.Object
	return &after, verdicts(p, &after, mutation.Decisions)
}

func (t *test) validate(ctx context.Context, p *policy, o *object, operation string) []verdict {
	req, in, err := t.request(p, o, operation)
	if err != nil {
		return []verdict{{policy: p, status: engine.Error.String(), message: err.Error(), object: o}}
	}
	return verdicts(p, o, p.snapshot.Validate(ctx, req, in))
}

func verdicts(p *policy, o *object, decisions []engine.Decision) []verdict {
	out := make([]verdict, len(decisions))
	for i := range decisions {
		d := &decisions[i]
		out[i] = verdict{policy: p, rule: d.Rule.Name, status: d.Status.String(), message: d.Message, object: o}
	}
	return out
}

// request makes the admission request that the test describes: of the operation of the result, or else of the
// values; with the facts that the values give.
func (t *test) request(p *policy, o *object, operation string) (*engine.Request, *engine.Inputs, error) {
	given := t.values.given(p.name, o.name)
	if operation == "" {
		operation, _ = given["request.operation"].(string)
	}
	req := &engine.Request{
		Operation: engine.Operation(operation), Kind: o.kind, Namespace: o.namespace, Name: o.name,
		DryRun: t.dryRun, User: t.user,
	}
	req.Kind, req.SubResource = t.parent(o.kind)
	switch req.Operation {
	case engine.Delete:
		req.OldObject = o.value
	case engine.Update:
		req.Object, req.OldObject = o.value, o.value
	case engine.Create, engine.Connect:
		req.Object = o.value
	case "":
		req.Operation, req.Object = engine.Create, o.value
	default:
		return nil, nil, fmt.Errorf("unknown operation %q: expected CREATE, UPDATE, DELETE or CONNECT", operation)
	}
	if err := overlay(req, given); err != nil {
		return nil, nil, err
	}
	return req, &engine.Inputs{
		Lookups: &t.world, Now: time.Now, Rand: rand.Reader,
		Given: t.values.lookups(p.name, given),
	}, nil
}

// parent is the kind that an object of a subresource's kind is a part of, with the part; of others, itself.
func (t *test) parent(kind schema.GroupVersionKind) (of schema.GroupVersionKind, part string) {
	if t.values == nil {
		return kind, ""
	}
	for i := range t.values.Subresources {
		s := &t.values.Subresources[i]
		if kind == groupVersionKind(&s.Subresource) {
			return groupVersionKind(&s.ParentResource), afterSlash(s.Subresource.Name)
		}
	}
	return kind, ""
}
