package mutate

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/fieldpath"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// stop is why a patch, or an element of it, does not apply. Conditions make theirs at load.
type stop struct {
	why  cause
	text string // which condition does not hold
	err  error  // when failed
}

type cause uint8

const (
	unmet       cause = iota // a condition does not hold: this part is left out
	unmetGlobal              // a global condition does not hold: the whole patch is left out
	failed                   // the condition cannot be evaluated
)

func (c *treeCompiler) condition(o *objectNode, anchor pattern.Anchor, f field, value any, path []any) error {
	o.anchored = true
	cond := condition{key: f.key, slot: f.slot}
	why := unmet
	if anchor == pattern.Global {
		why = unmetGlobal
		o.global = true
	}
	cond.missing = &stop{why: why, text: fmt.Sprintf("the condition at %s does not hold: the object has no such field", fieldpath.Text(path))}
	cond.mismatch = &stop{why: why, text: fmt.Sprintf("the condition at %s does not hold", fieldpath.Text(path))}

	if addsFields(value) {
		// The value says what to add to the field, not how it must be.
		cond.presence = true
		var err error
		if f.value, err = c.node(value, path); err != nil {
			return err
		}
		o.global = o.global || f.value.global()
		o.fields = append(o.fields, f)
	} else if err := c.conditionValue(&cond, value, path); err != nil {
		return err
	}
	if anchor == pattern.Global {
		o.globals = append(o.globals, cond)
	} else {
		o.conditions = append(o.conditions, cond)
	}
	return nil
}

// addsFields reports whether a condition's value is an object with a +(key).
func addsFields(value any) bool {
	m, _ := value.(map[string]any)
	for key := range m {
		if anchor, _, ok := pattern.MatchAnchor(key); ok && anchor == pattern.AddIfAbsent {
			return true
		}
	}
	return false
}

// conditionValue compiles what a condition asks of its field.
func (c *treeCompiler) conditionValue(cond *condition, value any, path []any) error {
	opts := expr.TemplateOptions{Self: c.selfAt(path), Key: bareKey}
	if text, ok := scalarText(value); ok {
		t, err := expr.CompileTemplate(text, opts)
		if err != nil {
			return wrong(path, err)
		}
		if t.Static() {
			if text, err = t.RenderText(nil); err != nil {
				return wrong(path, err)
			}
			cond.isScalar = true
			if cond.scalar, err = pattern.CompileScalar(text); err != nil {
				return wrong(path, err)
			}
			if err = cond.scalar.Check(); err != nil {
				return wrong(path, err)
			}
			return nil
		}
	}
	var err error
	if cond.pattern, err = pattern.Compile(value, pattern.Options{Self: opts.Self}); err != nil {
		return wrong(path, err)
	}
	t, err := expr.CompileTemplate(value, opts)
	if err != nil {
		return wrong(path, err)
	}
	if !t.Static() {
		// Rendered with all other variables, so that one that is missing is an error wherever it stands.
		c.slot(t, path, false)
	}
	return nil
}

func bareKey(key string) string {
	_, name, _ := pattern.MatchAnchor(key)
	return name
}

// check evaluates conditions in order. Nil means that all hold.
func (r *resolver) check(conditions []condition, m map[string]any) *stop {
	for i := range conditions {
		c := &conditions[i]
		key := c.key
		if c.slot != noSlot {
			key, _ = r.values[c.slot].(string)
		}
		value, there := m[key]
		if !there {
			return c.missing
		}
		holds, err := c.holds(r, value)
		if err != nil {
			return &stop{why: failed, err: err}
		}
		if !holds {
			return c.mismatch
		}
	}
	return nil
}

func (c *condition) holds(r *resolver, value any) (bool, error) {
	switch {
	case c.presence:
		return true, nil
	case c.isScalar:
		// Kyverno compares the texts of scalars here, so that 5 is the same as "5".
		if text, ok := scalarText(value); ok {
			return c.scalar.Match(text), nil
		}
		return c.scalar.MatchEach(value), nil
	default:
		res := c.pattern.Match(r.env, value)
		if res.Outcome == pattern.Error && !errors.Is(res.Err, pattern.ErrMismatch) {
			return false, res.Err
		}
		return res.Outcome == pattern.Pass, nil
	}
}

// scalarText is the text of a scalar as JSON has it, strings without their quotes.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	default:
		return "", false
	}
}
