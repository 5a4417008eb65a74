package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// Snapshot is a compiled bundle with its rule index. It is immutable, named by its digest, and safe for
// concurrent use.
type Snapshot struct {
	digest    string
	policies  []*Policy
	functions *expr.Functions
	index     [ruleKinds]index
}

// NewSnapshot orders the policies (by name, then namespace, then kind), indexes their rules and computes the
// digest. Two policies of the same kind and name are an error.
func NewSnapshot(policies []*Policy) (*Snapshot, error) {
	s := &Snapshot{policies: slices.Clone(policies), functions: expr.NewFunctions()}
	slices.SortStableFunc(s.policies, func(a, b *Policy) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
			return c
		}
		return strings.Compare(a.Kind, b.Kind)
	})
	sum := sha256.New()
	for i, p := range s.policies {
		if i > 0 && s.policies[i-1].Kind == p.Kind && s.policies[i-1].Key() == p.Key() {
			return nil, fmt.Errorf("%s %s stands twice in the bundle", p.Kind, p.Key())
		}
		_, _ = io.WriteString(sum, p.Digest+"\n") // a hash does not fail
	}
	s.digest = hex.EncodeToString(sum.Sum(nil))
	s.buildIndex()
	return s, nil
}

// Where gives the part of the snapshot that holds the policies to keep, with an index of its own. The
// digest stays: it names the bundle that the decisions come from.
func (s *Snapshot) Where(keep func(*Policy) bool) *Snapshot {
	part := &Snapshot{digest: s.digest, functions: s.functions}
	for _, p := range s.policies {
		if keep(p) {
			part.policies = append(part.policies, p)
		}
	}
	part.buildIndex()
	return part
}

func (s *Snapshot) buildIndex() {
	var rules [ruleKinds][]*Rule
	for _, p := range s.policies {
		for _, r := range p.Rules {
			rules[r.Kind] = append(rules[r.Kind], r)
		}
	}
	for kind := range rules {
		s.index[kind] = newIndex(rules[kind])
	}
}

// Digest names the snapshot's content: sha256, in hex, over its policies' digests in order.
func (s *Snapshot) Digest() string { return s.digest }

// Policies lists the policies in evaluation order. Not to be changed.
func (s *Snapshot) Policies() []*Policy { return s.policies }

// Matches reports whether any rule of this sort may look at such a request, by the index alone.
func (s *Snapshot) Matches(kind RuleKind, gvk schema.GroupVersionKind, sub string, op Operation) bool {
	return slices.ContainsFunc(s.index[kind].rules(gvk.Kind), func(r *Rule) bool {
		return r.operations.has(op) && r.Selects(gvk, sub)
	})
}

// index finds the rules that may match a kind, in evaluation order. A list holds every rule whose kinds
// match by name, so that a request on a kind that no rule names costs one map look-up.
type index struct {
	byKind   map[string][]*Rule
	wildcard []*Rule // rules with a wildcard kind, for kinds that no rule names
}

func newIndex(rules []*Rule) index {
	ix := index{byKind: map[string][]*Rule{}}
	for _, r := range rules {
		wild := false
		for _, k := range r.match.kinds() {
			if k.Kind.Literal() {
				ix.byKind[k.Kind.String()] = nil
			} else {
				wild = true
			}
		}
		if wild {
			ix.wildcard = append(ix.wildcard, r)
		}
	}
	// A rule is in the list of each kind that it names, and one with wildcards in the list of any that they fit.
	for _, r := range rules {
		for _, k := range r.match.kinds() {
			if k.Kind.Literal() {
				ix.add(k.Kind.String(), r)
				continue
			}
			for kind := range ix.byKind {
				if k.Kind.Match(kind) {
					ix.add(kind, r)
				}
			}
		}
	}
	return ix
}

// add appends the rule, once; rules come in evaluation order.
func (ix *index) add(kind string, r *Rule) {
	list := ix.byKind[kind]
	if len(list) == 0 || list[len(list)-1] != r {
		ix.byKind[kind] = append(list, r)
	}
}

func (ix *index) rules(kind string) []*Rule {
	if list, ok := ix.byKind[kind]; ok {
		return list
	}
	return ix.wildcard
}
