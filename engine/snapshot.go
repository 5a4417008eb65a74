package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// Snapshot is a compiled bundle with its rule index. It is immutable, named by its digest, and safe for
// concurrent use.
type Snapshot struct {
	digest    string
	contents  Contents
	functions *expr.Functions
	index     [ruleKinds]index
	validate  doors   // of the index
	mutate    doors   // likewise
	following index   // of rules that follow requests
	payload   []*Rule // of policies on payloads
	excused   map[*Rule][]excuse
	ttl       *Rule // of objects that say themselves how long they live; nil where it was taken out
}

// Contents are what a snapshot is made of.
type Contents struct {
	Policies   []*Policy
	Exceptions []*Exception
	// Bindings put policies of the API server in force.
	Bindings []*Binding
	// GlobalContexts are entries that rules may read; they are the business of who answers look-ups.
	GlobalContexts []*GlobalContext
}

// NewSnapshot makes a snapshot of policies alone.
func NewSnapshot(policies []*Policy) (*Snapshot, error) {
	return Assemble(Contents{Policies: policies})
}

// Assemble orders the contents (by name, then namespace, then kind), joins policies with their bindings, indexes the
// rules and computes the digest. Two of the same kind and name are an error.
func Assemble(from Contents) (*Snapshot, error) {
	s := &Snapshot{functions: expr.NewFunctions(), ttl: ttlRule()}
	s.contents.Bindings = slices.SortedStableFunc(slices.Values(from.Bindings), func(a, b *Binding) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind))
	})
	s.contents.Policies = slices.SortedStableFunc(slices.Values(join(from.Policies, s.contents.Bindings)), func(a, b *Policy) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind))
	})
	s.contents.Exceptions = slices.SortedStableFunc(slices.Values(from.Exceptions), func(a, b *Exception) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind(), b.Kind()))
	})
	s.contents.GlobalContexts = slices.SortedStableFunc(slices.Values(from.GlobalContexts), func(a, b *GlobalContext) int {
		return strings.Compare(a.Name, b.Name)
	})
	sum := sha256.New()
	last := ""
	for _, part := range s.contents.parts() {
		if part.name == last {
			return nil, fmt.Errorf("%s stands twice in the bundle", part.name)
		}
		last = part.name
		_, _ = io.WriteString(sum, part.digest+"\n") // a hash does not fail
	}
	s.digest = hex.EncodeToString(sum.Sum(nil))
	s.excused = indexExceptions(s.contents.Policies, s.contents.Exceptions)
	s.buildIndex()
	return s, nil
}

// part is the name of one thing in a bundle, such as ClusterPolicy a, and its digest.
type part struct{ name, digest string }

func (c *Contents) parts() []part {
	var out []part
	for _, p := range c.Policies {
		out = append(out, part{p.Kind + " " + p.Key(), p.Digest})
	}
	for _, x := range c.Exceptions {
		out = append(out, part{x.Kind() + " " + x.Key(), x.Digest})
	}
	for _, b := range c.Bindings {
		out = append(out, part{b.Kind + " " + b.Key(), b.Digest})
	}
	for _, g := range c.GlobalContexts {
		out = append(out, part{kindGlobalContext + " " + g.Name, g.Digest})
	}
	return out
}

// Where gives the part of the snapshot that holds the policies to keep, with an index of its own. The
// digest stays: it names the bundle that the decisions come from.
func (s *Snapshot) Where(keep func(*Policy) bool) *Snapshot {
	part := *s
	part.contents.Policies = slices.DeleteFunc(slices.Clone(s.contents.Policies), func(p *Policy) bool { return !keep(p) })
	if s.ttl != nil && !keep(s.ttl.Policy) {
		part.ttl = nil
	}
	part.buildIndex()
	return &part
}

func (s *Snapshot) buildIndex() {
	var rules [ruleKinds][]*Rule
	s.payload = nil
	for _, p := range s.contents.Policies {
		if p.JudgesPayloads() {
			s.payload = append(s.payload, p.Rules...)
			continue
		}
		for _, r := range p.Rules {
			rules[r.Kind] = append(rules[r.Kind], r)
		}
	}
	for kind := range rules {
		s.index[kind] = newIndex(rules[kind])
	}
	s.validate, s.mutate = s.index[Validate].doors(usage{}), s.index[Mutate].doors(usage{changing: true})
	s.following = newIndex(slices.DeleteFunc(slices.Concat(rules[Mutate], rules[Generate]), func(r *Rule) bool { return !r.FollowsRequests() }))
}

// Digest names the snapshot's content: sha256, in hex, over its policies' digests in order.
func (s *Snapshot) Digest() string { return s.digest }

// Policies lists the policies in evaluation order. Not to be changed.
func (s *Snapshot) Policies() []*Policy { return s.contents.Policies }

// Exceptions lists the exceptions in order. Not to be changed.
func (s *Snapshot) Exceptions() []*Exception { return s.contents.Exceptions }

// Bindings lists the bindings of the API server's own policies in order. Not to be changed.
func (s *Snapshot) Bindings() []*Binding { return s.contents.Bindings }

// GlobalContexts lists the global context entries in order of their names. Not to be changed.
func (s *Snapshot) GlobalContexts() []*GlobalContext { return s.contents.GlobalContexts }

// Matches reports whether any rule of this sort may look at such a request, by the index alone.
func (s *Snapshot) Matches(kind RuleKind, resource *Resource, op Operation) bool {
	return s.index[kind].matches(resource, op)
}
