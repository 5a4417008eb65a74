package engine

import (
	"errors"
	"fmt"
	"strconv"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// loop is what every foreach has: the list, and what is evaluated for each element before its body.
type loop struct {
	list          *query
	context       block
	preconditions *condition.Conditions
	where         string // for errors: foreach[0]
}

// compileLoop compiles a foreach; body compiles what is inside, and what that reads is told from what the
// message alone does.
func (c *compiler) compileLoop(list string, context []kyvernov1.ContextEntry, conditions *kyvernov1.AnyAllConditions, path []any, body func() (messageRefs []string)) (out loop, messageRefs []string) {
	index := path[len(path)-1]
	out.where = fmt.Sprintf("foreach[%v]", index)
	if list == "" {
		c.problem(at(path, "list"), "is missing")
	} else {
		out.list = c.compileQuery(list, at(path, "list"), onDocument)
	}
	out.context = c.compileContext(context, at(path, "context"))
	before := c.collect(func() {
		if conditions != nil {
			out.preconditions, messageRefs = c.compileConditions(conditions, at(path, "preconditions"))
		}
	})
	within := c.collect(func() { messageRefs = append(messageRefs, body()...) })
	out.context.plan(before, append(within, messageRefs...), nil)
	return out, messageRefs
}

// elements evaluates the list. A single object or text is a list of one, null an empty one. A list that is not
// there is an error that wraps expr.ErrNotFound.
func (l *loop) elements(x *scope) ([]any, error) {
	value, err := l.list.in(x.env, x.env.Root)
	if err != nil {
		return nil, fmt.Errorf("%s: the list: %w", l.where, err)
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	case map[string]any, string:
		return []any{v}, nil
	default:
		return nil, fmt.Errorf("%s: the list is %v: expected a list", l.where, v)
	}
}

// enter opens the scope of one element: its variables, the context, the preconditions. A nil scope without a
// decision means that the element is left out.
func (l *loop) enter(x *scope, element any, index int) (*scope, error) {
	if err := x.e.ctx.Err(); err != nil {
		return nil, fmt.Errorf("not evaluated in time: %w", err)
	}
	in := x.inner()
	in.element, in.nesting = index, x.nesting+1
	level := strconv.Itoa(x.nesting)
	in.set("element", element)
	in.set("element"+level, element)
	in.set("elementIndex", float64(index))
	in.set("elementIndex"+level, float64(index))
	if err := in.addGiven(); err != nil {
		return nil, err
	}
	if err := in.load(l.context.before); err != nil {
		return nil, fmt.Errorf("%s, element %d: %w", l.where, index, err)
	}
	if l.preconditions != nil {
		res, err := l.preconditions.Evaluate(in.env)
		if errors.Is(err, expr.ErrNotFound) {
			return nil, nil // elements differ, and one without the key is not what the rule is about
		}
		if err != nil {
			return nil, fmt.Errorf("%s, element %d: preconditions: %w", l.where, index, err)
		}
		if !res.Met {
			return nil, nil
		}
	}
	if err := in.load(l.context.body); err != nil {
		return nil, fmt.Errorf("%s, element %d: %w", l.where, index, err)
	}
	return in, nil
}

// forEachCheck judges each element of lists.
type forEachCheck struct{ loops []checkLoop }

type checkLoop struct {
	loop
	body checker
	// scoped says whether a pattern judges the element or the whole object; nil means the element if it is
	// an object.
	scoped *bool
	deny   bool
}

func (c *compiler) compileForEach(list []kyvernov1.ForEachValidation, path []any, depth int) (check *forEachCheck, messageRefs []string) {
	check = &forEachCheck{}
	if depth > maxForEach {
		c.problem(path, fmt.Sprintf("is nested more than %d deep", maxForEach))
		return check, nil
	}
	for i := range list {
		v, where := &list[i], at(path, i)
		one := checkLoop{scoped: v.ElementScope}
		var refs []string
		one.loop, refs = c.compileLoop(v.List, v.Context, v.AnyAllConditions, where, func() []string {
			return c.compileForEachBody(&one, v, where, depth)
		})
		messageRefs = append(messageRefs, refs...)
		check.loops = append(check.loops, one)
	}
	return check, messageRefs
}

// maxForEach is how many foreach may stand in one another: each multiplies the work.
const maxForEach = 8

func (c *compiler) compileForEachBody(out *checkLoop, v *kyvernov1.ForEachValidation, path []any, depth int) (messageRefs []string) {
	parts := 0
	if doc := v.GetPattern(); doc != nil {
		parts++
		out.body = &patternCheck{c.compilePattern(doc, at(path, "pattern"), selfElement), documentPaths(doc)}
	}
	if doc := v.GetAnyPattern(); doc != nil {
		parts++
		out.body = c.compileAnyPattern(doc, at(path, "anyPattern"), selfElement)
	}
	if v.Deny != nil {
		parts++
		out.body, messageRefs = c.compileDeny(v.Deny, at(path, "deny"))
		out.deny = true
	}
	if nested := v.GetForEachValidation(); len(nested) > 0 {
		parts++
		inner, refs := c.compileForEach(nested, at(path, "foreach"), depth+1)
		out.body, out.deny, messageRefs = inner, inner.denies(), refs
	}
	if parts != 1 {
		c.problem(path, fmt.Sprintf("has %d of pattern, anyPattern, deny and foreach: expected exactly one", parts))
	}
	return messageRefs
}

// denies reports whether there is a deny somewhere inside.
func (f *forEachCheck) denies() bool {
	for i := range f.loops {
		if f.loops[i].deny {
			return true
		}
	}
	return false
}

// check passes if an element passes and none fails; the first that does not pass decides.
func (f *forEachCheck) check(x *scope) *Decision {
	passed := false
	for i := range f.loops {
		l := &f.loops[i]
		elements, err := l.elements(x)
		if err != nil && !errors.Is(err, expr.ErrNotFound) { // an object without the list has nothing to judge
			return x.rule.failed(err)
		}
		for index, element := range elements {
			if element == nil {
				continue
			}
			d := l.checkElement(x, element, index)
			if d == nil || d.Status == Skip {
				continue
			}
			if d.Status != Pass {
				return d
			}
			passed = true
		}
	}
	if !passed {
		d := x.rule.decide(Skip, ErrNoElement.Error())
		d.Err = ErrNoElement
		return d
	}
	return x.rule.decide(Pass, "")
}

func (l *checkLoop) checkElement(x *scope, element any, index int) *Decision {
	object, isObject := element.(map[string]any)
	if l.scoped != nil && *l.scoped && !isObject {
		return x.rule.failed(fmt.Errorf("%s, element %d: elementScope is true, and the element is no object", l.where, index))
	}
	in, err := l.enter(x, element, index)
	if err != nil {
		return x.rule.failed(err)
	}
	if in == nil {
		return nil
	}
	if isObject && (l.scoped == nil || *l.scoped) {
		in.object = object
	} else if x.e.req.Operation == Delete && !l.deny {
		return nil // as for a pattern outside of a foreach
	}
	d := l.body.check(in)
	if d != nil && d.Status == Fail {
		d.Message = fmt.Sprintf("%s (element %d of %s)", d.Message, index, l.list.String())
	}
	return d
}
