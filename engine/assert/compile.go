package assert

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Tree is a compiled assertion tree. It is immutable and safe for concurrent use.
type Tree struct {
	root node
	refs []string
	free []string
}

// CompileError says at which place of a tree something is wrong.
type CompileError struct {
	Path []any // keys (string, as written) and indexes (int) from the top of the tree
	Err  error
}

func (e *CompileError) Error() string {
	parts := make([]string, len(e.Path))
	for i, p := range e.Path {
		parts[i] = fmt.Sprint(p)
	}
	return fmt.Sprintf("compiling the assertion at /%s: %v", strings.Join(parts, "/"), e.Err)
}

func (e *CompileError) Unwrap() error { return e.Err }

// Compile reads a tree. Errors are *CompileError.
func Compile(doc any) (*Tree, error) {
	c := &compiler{}
	root, err := c.compile(doc, nil, nil)
	if err != nil {
		return nil, err
	}
	t := &Tree{root: root, refs: []string{"@"}, free: c.free}
	if o, ok := root.(*objectNode); ok {
		t.refs = o.references()
	}
	slices.Sort(t.free)
	t.free = slices.Compact(t.free)
	return t, nil
}

// References lists the keys of the judged document that the tree reads, sorted; "@" among them means that it
// reads the document as a whole.
func (t *Tree) References() []string { return t.refs }

// Bindings lists the names that the tree reads as $name and does not bind itself, sorted.
func (t *Tree) Bindings() []string { return t.free }

type compiler struct{ free []string }

// compile reads one node. bound lists the names that are bound around it.
func (c *compiler) compile(doc any, path []any, bound []string) (node, error) {
	switch v := doc.(type) {
	case map[string]any:
		return c.object(v, path, bound)
	case []any:
		out := make(listNode, len(v))
		for i, item := range v {
			var err error
			if out[i], err = c.compile(item, append(path, i), bound); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		return c.text(v, path, bound)
	default:
		return &valueNode{want: doc}, nil
	}
}

func (c *compiler) object(doc map[string]any, path []any, bound []string) (node, error) {
	keys := make([]string, 0, len(doc))
	for key := range doc {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	out := &objectNode{}
	for _, key := range keys {
		st, err := parse(key)
		if err == nil && st.text == "" {
			err = errors.New("names no field")
		}
		if err != nil {
			return nil, wrong(path, key, err)
		}
		out.entries = append(out.entries, entry{statement: st, key: key})
	}
	// what is bound beside is there for all that stand at this level, in whatever order they are written
	slices.SortStableFunc(out.entries, func(a, b entry) int { return a.rank() - b.rank() })
	for i := range out.entries {
		en := &out.entries[i]
		if err := c.reads(&en.statement, path, en.key, bound); err != nil {
			return nil, err
		}
		if en.binding != "" {
			bound = append(slices.Clone(bound), en.binding)
		}
		inner := bound
		if en.eachName != "" {
			inner = append(slices.Clone(bound), en.eachName)
		}
		var err error
		if en.node, err = c.compile(doc[en.key], append(slices.Clone(path), en.key), inner); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// text reads a text on the right side: an expression, or what a field must be equal to.
func (c *compiler) text(s string, path []any, bound []string) (node, error) {
	if !strings.HasSuffix(s, ")") && !strings.HasSuffix(s, `\`) && !strings.Contains(s, "->") {
		return &valueNode{want: s}, nil
	}
	st, err := parse(s)
	if err != nil {
		return nil, &CompileError{Path: slices.Clone(path), Err: err}
	}
	switch {
	case st.query == nil && !st.each && st.binding == "":
		return &valueNode{want: st.text}, nil // without the marks that kept it from being an expression
	case st.query == nil:
		return &valueNode{want: s}, nil
	case st.each:
		return nil, &CompileError{Path: slices.Clone(path), Err: errors.New("~ selects elements: it belongs to a key")}
	case st.binding != "":
		return nil, &CompileError{Path: slices.Clone(path), Err: errors.New("-> binds what a key selects: it belongs to a key")}
	}
	c.note(&st, bound)
	return &valueNode{query: st.query}, nil
}

func (c *compiler) reads(st *statement, path []any, key string, bound []string) error {
	if st.each && st.eachName != "" && st.eachName == st.binding {
		return wrong(path, key, fmt.Errorf("binds $%s twice", st.binding))
	}
	c.note(st, bound)
	return nil
}

// note remembers the bindings that an expression reads and that nothing around it binds.
func (c *compiler) note(st *statement, bound []string) {
	if st.query == nil {
		return
	}
	for _, name := range st.query.Bindings() {
		if !slices.Contains(bound, name) {
			c.free = append(c.free, name)
		}
	}
}

func wrong(path []any, key string, err error) error {
	return &CompileError{Path: append(slices.Clone(path), key), Err: err}
}

func (o *objectNode) references() []string {
	var refs []string
	for i := range o.entries {
		if q := o.entries[i].query; q != nil {
			refs = append(refs, q.References()...)
		} else {
			refs = append(refs, o.entries[i].text)
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}
