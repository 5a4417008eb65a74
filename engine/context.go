package engine

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
)

// entry is one variable of a context.
type entry struct {
	name   string
	source source
	refs   []string // what it reads of the root document, sorted
}

// source is where an entry's value comes from.
type source interface {
	value(x *scope) (any, error)
}

func (n *entry) value(x *scope) (any, error) {
	if _, ok := n.source.(*variable); !ok && x.e.in.Given != nil {
		if value, ok := x.env.Root[n.name]; ok { // given in place of a look-up
			return value, nil
		}
	}
	return n.source.value(x)
}

// block is the context of a rule, of a foreach or of a target, in the parts that are loaded one after the
// other: an entry is evaluated when something that is about to be evaluated reads it, and not before. Nothing
// is looked up for a rule whose preconditions do not hold.
type block struct {
	entries []*entry
	before  []*entry // what the preconditions read, directly or through others
	body    []*entry // what else the body reads
	message []*entry // what the message alone reads
}

// plan sorts the entries by what reads them.
func (b *block) plan(before, body, message []string) {
	planned := map[*entry]bool{}
	take := func(refs []string) []*entry {
		wanted := map[*entry]bool{}
		for changed := true; changed; {
			changed = false
			for _, n := range b.entries {
				if wanted[n] || planned[n] || (!slices.Contains(refs, n.name) && !slices.Contains(refs, "@")) {
					continue
				}
				wanted[n], changed = true, true
				refs = slices.Concat(refs, n.refs)
			}
		}
		var out []*entry
		for _, n := range b.entries {
			if wanted[n] {
				out = append(out, n)
				planned[n] = true
			}
		}
		return out
	}
	b.before = take(before)
	b.body = take(body)
	b.message = take(message)
}

// compileContext reads the entries. What they read counts as read by the rule.
func (c *compiler) compileContext(list []kyvernov1.ContextEntry, path []any) block {
	var out block
	for i := range list {
		e, where := &list[i], at(path, i)
		if e.Name == "" {
			c.problem(at(where, "name"), "is missing")
		}
		n := &entry{name: e.Name}
		n.refs = c.collect(func() {
			sources := 0
			for _, form := range []struct {
				used    bool
				compile func() source
			}{
				{e.Variable != nil, func() source { return c.compileVariable(e.Variable, at(where, "variable")) }},
				{e.ConfigMap != nil, func() source { return c.compileConfigMap(e.ConfigMap, at(where, "configMap")) }},
				{e.APICall != nil, func() source { return c.compileCall(e.APICall, at(where, "apiCall")) }},
				{e.GlobalReference != nil, func() source { return c.compileGlobal(e.GlobalReference, at(where, "globalReference")) }},
				{e.ImageRegistry != nil, func() source { return c.compileImageData(e.ImageRegistry, at(where, "imageRegistry")) }},
			} {
				if form.used {
					sources++
					n.source = form.compile()
				}
			}
			if sources != 1 {
				c.problem(where, fmt.Sprintf("has %d sources: expected one of variable, configMap, apiCall, imageRegistry and globalReference", sources))
			}
		})
		out.entries = append(out.entries, n)
	}
	return out
}

// collect gives what was read in the course of compile, sorted; it counts as read by the rule too.
func (c *compiler) collect(compile func()) []string {
	from := len(c.refs)
	compile()
	refs := slices.Clone(c.refs[from:])
	slices.Sort(refs)
	return slices.Compact(refs)
}

// splitDotted splits a.b."c.d" at its dots.
func splitDotted(path string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(path))
	r.Comma = '.'
	keys, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%q is not a path like dictionary.data.env: %w", path, err)
	}
	return keys, nil
}
