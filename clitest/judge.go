package clitest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
	payloads []*object
	targets  []*object
	sources  []*object // what generate rules clone
	cluster  []*object // of clusterResources and context
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
	err     error // the cause of an error
	// object is what the verdict is about, as the policy left it: what patchedResources are compared with.
	object *object
	// generated are the objects that a generate rule makes; generates says that it is one.
	generated []*object
	generates bool
	// unmade says that the rule applies, and that something it generates cannot be told.
	unmade bool
}

// judge asks all policies about an object, as they stand in the test: first all that mutate, one on what the
// other made, then all that validate what came of it, and those that generate. The verdicts that are about
// other objects than the one itself are those on the targets of mutate rules.
func (t *test) judge(ctx context.Context, o *object, operation string) []verdict {
	key := judgedKey{o, operation}
	if found, ok := t.judged[key]; ok {
		return found
	}
	out := t.judgeAsPayload(ctx, o)
	if o.payload != nil {
		t.keep(key, out)
		return out
	}
	current := o
	for _, p := range t.policies {
		if p.has(engine.Mutate) {
			mutated, verdicts := t.mutate(ctx, p, current, operation)
			out, current = append(out, verdicts...), mutated
		}
	}
	for _, p := range t.policies {
		if p.has(engine.Validate) {
			out = append(out, t.ask(p, current, operation, func(req *engine.Request, in *engine.Inputs) []verdict {
				return verdicts(p, current, p.snapshot.Validate(ctx, req, in))
			})...)
		}
	}
	for _, p := range t.policies {
		if p.deletes() {
			out = append(out, t.cleanUp(ctx, p, current)...)
		}
	}
	for _, p := range t.policies {
		if p.has(engine.Generate) {
			out = append(out, t.generate(ctx, p, current, operation)...)
		}
	}
	t.keep(key, out)
	return out
}

func (t *test) keep(key judgedKey, verdicts []verdict) {
	if t.judged == nil {
		t.judged = map[judgedKey][]verdict{}
	}
	t.judged[key] = verdicts
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

// ask makes the request of an object for a policy, and a verdict of it if that cannot be.
func (t *test) ask(p *policy, o *object, operation string, judge func(*engine.Request, *engine.Inputs) []verdict) []verdict {
	req, in, err := t.request(p, o, operation)
	if err != nil {
		return []verdict{{policy: p, status: engine.Error.String(), message: err.Error(), err: err, object: o}}
	}
	return judge(req, in)
}

// mutate gives what the policy makes of the object, and what it says of it and of its targets.
func (t *test) mutate(ctx context.Context, p *policy, o *object, operation string) (*object, []verdict) {
	after := *o
	found := t.ask(p, o, operation, func(req *engine.Request, in *engine.Inputs) []verdict {
		mutation, err := p.snapshot.Mutate(ctx, req, in)
		if err != nil {
			return []verdict{{policy: p, status: engine.Error.String(), message: err.Error(), err: err, object: o}}
		}
		after.value = mutation.Object
		out := verdicts(p, &after, mutation.Decisions)
		for _, d := range p.snapshot.MutateExisting(ctx, req, in) {
			v := newVerdict(p, &after, &d)
			out = append(out, v)
			for i := range d.Changes {
				v.object = changed(&d.Changes[i])
				out = append(out, v)
			}
		}
		return out
	})
	return &after, found
}

// generate gives what the policy says of the object and makes for it. Of what is there it sees what it may
// clone: the result says what is made, whether or not it is there already.
func (t *test) generate(ctx context.Context, p *policy, o *object, operation string) []verdict {
	return t.ask(p, o, operation, func(req *engine.Request, in *engine.Inputs) []verdict {
		world := t.world
		world.objects = append(append([]*object{o}, t.sources...), t.cluster...)
		in.Lookups = &world
		out := []verdict{}
		for _, d := range p.snapshot.Generate(ctx, req, in) {
			v := newVerdict(p, o, &d)
			v.generates = true
			v.unmade = d.Rule.Name != "" && errors.As(d.Err, new(*engine.GenerateError)) // a GeneratingPolicy has no rules
			for i := range d.Changes {
				if d.Changes[i].Object != nil {
					v.generated = append(v.generated, changed(&d.Changes[i]))
				}
			}
			out = append(out, v)
		}
		return out
	})
}

// changed is the object of a change, as it is wanted.
func changed(c *engine.Change) *object {
	return &object{kind: c.Kind, namespace: c.Namespace, name: c.Name, value: c.Object}
}

func verdicts(p *policy, o *object, decisions []engine.Decision) []verdict {
	out := make([]verdict, len(decisions))
	for i := range decisions {
		out[i] = newVerdict(p, o, &decisions[i])
	}
	return out
}

func newVerdict(p *policy, o *object, d *engine.Decision) verdict {
	return verdict{policy: p, rule: d.Rule.Name, status: d.Status.String(), message: d.Message, err: d.Err, object: o}
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

func groupVersionKind(r *metav1.APIResource) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

func afterSlash(name string) string {
	_, part, _ := strings.Cut(name, "/")
	return part
}
