package migrate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// verdicts are the expressions for what a part of a pattern says of its value: that it matches, that a condition leaves it
// out, and that it does not fail, which is one or the other. What is neither fails. None of them ever has no result.
type verdicts struct{ pass, skip, holds expression }

// plainly is the verdict of a part without conditions.
func plainly(pass expression) verdicts {
	return verdicts{pass: pass, skip: expression{op: never}, holds: pass}
}

// guarded is the verdict where a value must be there, or of the right form, to begin with.
func (v verdicts) guarded(by expression) verdicts {
	return verdicts{and(by, v.pass), and(by, v.skip), and(by, v.holds)}
}

// excused is the verdict where an absent value matches.
func (v verdicts) excused(unless expression) verdicts {
	return verdicts{or(unless, v.pass), and(not(unless), v.skip), or(unless, v.holds)}
}

// then is the verdict of two parts of which the first that does not match decides.
func (v verdicts) then(next verdicts) verdicts {
	return verdicts{
		pass:  and(v.pass, next.pass),
		skip:  or(v.skip, and(v.pass, next.skip)),
		holds: and(v.holds, or(v.skip, next.holds)),
	}
}

// walker translates the tree of one pattern.
type walker struct {
	taken []string // names of the loops around the place in hand
}

// refused says that a part of a policy has no faithful translation, and why.
type refused struct {
	path   []any
	reason string
}

func (r *refused) Error() string { return r.reason }

func refuse(format string, args ...any) error { return &refused{reason: fmt.Sprintf(format, args...)} }

// under puts the path before that of what was refused below it.
func under(err error, path ...any) error {
	if r := (*refused)(nil); errors.As(err, &r) {
		return &refused{slices.Concat(path, r.path), r.reason}
	}
	return err
}

func show(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }

// place says where in an object's metadata a map stands, as labels and annotations may have wildcards in their keys.
type place uint8

const (
	anywhere place = iota
	inMetadata
	inLabels
)

func (p place) below(name string) place {
	switch {
	case name == "metadata":
		return inMetadata
	case p == inMetadata && (name == "labels" || name == "annotations"):
		return inLabels
	default:
		return anywhere
	}
}

// plain judges a value under a key without an anchor: one that is absent is null.
func (w *walker) plain(tree any, r reference, at place) (verdicts, error) {
	switch tree := tree.(type) {
	case map[string]any:
		if r.sure() {
			return w.object(tree, r, at)
		}
		if r.typ != nil && onNothing(tree) == pattern.Fail {
			return w.object(tree, r, at) // what is absent fails as what is empty does
		}
		v, err := w.object(tree, r.found(), at)
		return v.guarded(r.has("map")), err
	case []any:
		v, err := w.list(tree, r, r.found().base)
		return v.guarded(r.has("list")), err
	default:
		l, err := compileLeaf(tree)
		if err != nil {
			return verdicts{}, err
		}
		if tree == "*" {
			if r.typ == nil {
				return plainly(compare(r.or("null"), "!=", "null")), nil
			}
			return plainly(r.there()), nil
		}
		test, err := l.test(r, l.scalar.Match(nil), w.taken)
		return plainly(test), err
	}
}

// onNothing is what a map of a pattern says of an object without fields.
func onNothing(tree map[string]any) pattern.Outcome {
	p, err := pattern.Compile(tree, pattern.Options{})
	if err != nil {
		return pattern.Error
	}
	outcome := p.Match(nil, map[string]any{}).Outcome
	if outcome == pattern.Error {
		return pattern.Fail
	}
	return outcome
}

// equality judges a value that may be absent.
func (w *walker) equality(tree any, r reference, at place) (verdicts, error) {
	switch tree := tree.(type) {
	case map[string]any:
		if r.typ == nil && onNothing(tree) == pattern.Pass {
			v, err := w.object(tree, r, at)
			return v.guarded(compare("type("+r.or("{}")+")", "==", "map")), err
		}
		if onNothing(tree) == pattern.Pass {
			return w.object(tree, r, at)
		}
		v, err := w.object(tree, r.found(), at)
		if r.typ == nil {
			v = v.guarded(compare("type("+r.found().base+")", "==", "map"))
		}
		return v.excused(not(r.there())), err
	case []any:
		v, err := w.list(tree, r, r.or("[]"))
		if r.typ == nil {
			v = v.guarded(compare("type("+r.or("[]")+")", "==", "list"))
		}
		return v, err
	default:
		l, err := compileLeaf(tree)
		if err != nil {
			return verdicts{}, err
		}
		test, err := l.test(r, true, w.taken)
		return plainly(test), err
	}
}

// field is a key of a pattern, taken apart.
type field struct {
	key, name string
	anchor    pattern.Anchor
	value     any
}

// object judges a map. The value at r is one, or absent, which counts as one without fields.
func (w *walker) object(tree map[string]any, r reference, at place) (verdicts, error) {
	anchors, rest := fieldsOf(tree)
	out, err := w.anchors(anchors, r, at)
	if err != nil {
		return verdicts{}, err
	}
	for _, f := range rest {
		v, err := w.field(f, r, at)
		if err != nil {
			return verdicts{}, under(err, f.key)
		}
		out = out.then(v)
	}
	return out, nil
}

// anchors judges the keys that decide whether a map counts. A part further below that is left out does not count, unless
// nothing else among them matched.
func (w *walker) anchors(list []field, r reference, at place) (verdicts, error) {
	out := plainly(expression{op: always})
	judged := make([]verdicts, len(list))
	far := 0
	for i, f := range list {
		v, err := w.field(f, r, at)
		if err != nil {
			return verdicts{}, under(err, f.key)
		}
		judged[i] = v
		if f.anchor == pattern.Equality && v.skip.op != never {
			far++
		}
	}
	if far > 0 && len(list) > 1 {
		return verdicts{}, refuse("conditions stand below one of several anchored keys, which do not count unless no other matches")
	}
	for _, v := range judged {
		out = out.then(v)
	}
	return out, nil
}

func (w *walker) field(f field, r reference, at place) (verdicts, error) {
	if at == inLabels && glob.HasWildcard(f.name) {
		return verdicts{}, refuse("the key is a wildcard, which stands for the first label in order")
	}
	child, below := r.child(f.name), at.below(f.name)
	switch f.anchor {
	case pattern.Negation:
		return plainly(not(child.there())), nil
	case pattern.Equality:
		return w.equality(f.value, child, below)
	case pattern.Existence:
		return w.existence(f.value, child)
	case pattern.Condition:
		pass, err := w.condition(f.value, child, below)
		return verdicts{pass: pass, skip: not(pass), holds: expression{op: always}}, err
	case pattern.Global:
		pass, err := w.condition(f.value, child, below)
		pass = or(not(child.there()), pass)
		return verdicts{pass: pass, skip: not(pass), holds: expression{op: always}}, err
	default:
		return w.plain(f.value, child, below)
	}
}

// condition is true where the value is there and matches.
func (w *walker) condition(tree any, r reference, at place) (expression, error) {
	switch tree := tree.(type) {
	case map[string]any, []any:
		v, err := w.plain(tree, r, at)
		return v.pass, err
	default:
		l, err := compileLeaf(tree)
		if err != nil {
			return expression{}, err
		}
		if r.typ != nil && r.typ.form == objectForm && tree == "*" {
			return expression{op: never}, nil // an object has no text
		}
		return l.test(r, false, w.taken)
	}
}

// existence asks for each element of the pattern that some element of the list matches it.
func (w *walker) existence(tree any, r reference) (verdicts, error) {
	list, ok := tree.([]any)
	if !ok {
		return verdicts{}, refuse("the anchor ^(k) needs a list of objects")
	}
	found := r.found()
	var all []expression
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return verdicts{}, under(refuse("the anchor ^(k) needs a list of objects"), i)
		}
		v, name, err := w.element(m, r)
		if err != nil {
			return verdicts{}, under(err, i)
		}
		all = append(all, is(found.base+".exists("+name+", "+v.pass.String()+")"))
	}
	pass := and(all...)
	if r.typ == nil {
		pass = and(compare("type("+found.base+")", "==", "list"), pass)
	}
	return plainly(or(not(r.there()), pass)), nil
}

// element judges one element of the list at r.
func (w *walker) element(tree map[string]any, r reference) (verdicts, string, error) {
	name := r.variable(w.taken)
	one := reference{base: name}
	if r.typ != nil {
		if r.typ.form != listForm {
			return verdicts{}, "", refuse("the pattern is a list where the field is none")
		}
		one.typ = r.typ.element
	}
	w.taken = append(w.taken, name)
	v, err := w.object(tree, one, anywhere)
	w.taken = w.taken[:len(w.taken)-1]
	if one.typ == nil {
		v = v.guarded(compare("type("+name+")", "==", "map"))
	}
	return v, name, err
}

// list judges a list, which value gives.
func (w *walker) list(items []any, r reference, value string) (verdicts, error) {
	if len(items) == 0 {
		return verdicts{}, refuse("an empty list in the pattern matches no list")
	}
	switch first := items[0].(type) {
	case map[string]any:
		v, name, err := w.element(first, r)
		if err != nil {
			return verdicts{}, under(err, 0)
		}
		over := func(macro string, body expression) expression {
			if body.op == always && macro == "all" {
				return body
			}
			return is(value + "." + macro + "(" + name + ", " + body.String() + ")")
		}
		if v.skip.op == never {
			return plainly(over("all", v.pass)), nil
		}
		holds, none := over("all", v.holds), compare(value, "==", "[]")
		return verdicts{
			pass:  and(holds, or(none, over("exists", v.pass))),
			skip:  and(compare(value, "!=", "[]"), over("all", v.skip)),
			holds: holds,
		}, nil
	case []any:
		return verdicts{}, under(refuse("lists of lists are matched element by element"), 0)
	default:
		l, err := compileLeaf(first)
		if err != nil {
			return verdicts{}, err
		}
		name := r.variable(w.taken)
		one := reference{base: name}
		if r.typ != nil {
			if r.typ.form != listForm {
				return verdicts{}, refuse("the pattern is a list where the field is none")
			}
			one.typ = r.typ.element
		}
		var test expression
		if one.typ == nil {
			test, err = l.onAny(name)
		} else {
			test, err = l.test(one, false, append(w.taken, name))
		}
		if err != nil || test.op == always {
			return plainly(test), under(err, 0)
		}
		return plainly(is(value + ".all(" + name + ", " + test.String() + ")")), nil
	}
}

// fieldsOf takes the keys of a map apart, in the order in which they decide: anchors in the order of their keys; then what
// is global or has anchors below, last key first; then the others.
func fieldsOf(tree map[string]any) (anchors, rest []field) {
	var first []field
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		f := field{key: key, name: key, value: tree[key]}
		if kind, name, ok := pattern.MatchAnchor(key); ok {
			f.anchor, f.name = kind, name
		}
		switch {
		case f.anchor == pattern.Global || f.anchor == pattern.NoAnchor && hasAnchors(f.value):
			first = append(first, f)
		case f.anchor == pattern.NoAnchor:
			rest = append(rest, f)
		default:
			anchors = append(anchors, f)
		}
	}
	slices.Reverse(first)
	return anchors, append(first, rest...)
}

func hasAnchors(tree any) bool {
	switch tree := tree.(type) {
	case map[string]any:
		for key, value := range tree {
			if _, _, ok := pattern.MatchAnchor(key); ok || hasAnchors(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(tree, hasAnchors)
	}
	return false
}

// checkStatic refuses what is known only at evaluation.
func checkStatic(tree any, path ...any) error {
	dynamic := func(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "$(") }
	switch tree := tree.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			if dynamic(key) {
				return under(refuse("a variable in a key of the pattern"), append(path, key)...)
			}
			if err := checkStatic(tree[key], append(slices.Clone(path), key)...); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range tree {
			if err := checkStatic(item, append(slices.Clone(path), i)...); err != nil {
				return err
			}
		}
	case string:
		if dynamic(tree) {
			return under(refuse("a variable in the pattern brings its operators and wildcards with it"), path...)
		}
	}
	return nil
}
