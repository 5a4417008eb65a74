// Package condition evaluates the preconditions and deny conditions of Kyverno's policies: comparisons
// of a key with a value by an operator, joined by any and all.
//
// The conditions of a rule come in at load as JSON and are compiled there; an Env comes in at
// evaluation; whether they are met goes out, with the messages of the conditions that decided. A
// variable that cannot be resolved is an error, and never a condition that is not met. The package
// reads nothing but the Env, keeps no state between evaluations, and changes no value that it is handed.
//
// The semantics are those of Kyverno 1.19 (https://kyverno.io/docs/policy-types/cluster-policy/preconditions).
// DIFFERENCES.md beside this file lists where they part, and why.
package condition

import (
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// Conditions is a compiled set of conditions. It is immutable and safe for concurrent use; nil is met.
type Conditions struct {
	blocks      []block // each must hold
	refs        []string
	messageRefs []string
}

// block is one any/all object, or the older plain list, which is all without the name.
type block struct {
	path      string // for errors: "" or "[2]"
	any, all  []condition
	hasAny    bool // any was written, be it empty: then one of its conditions must hold
	plain     bool
	separator string // between the messages of conditions that hold
}

type condition struct {
	key, value side
	operator   operator
	message    *message // nil when there is none
}

type message struct {
	source   string
	template *expr.Template
}

// side is a key or a value: prepared when it holds no variable, else a template.
type side struct {
	static  operand
	dynamic *expr.Template
}

// Result is the outcome of an evaluation.
type Result struct {
	// Met says whether the conditions hold.
	Met bool
	// Message joins the messages of the conditions that held, if Met, else of those that did not.
	// Conditions that were not reached give none.
	Message string
}

// Evaluate tells whether the conditions hold in env. It stops as soon as the answer is known: any at the
// first condition that holds, all at the first that does not, and a variable of a condition that is not
// reached is not resolved. All is evaluated even where any did not hold, as Kyverno does, for its
// messages and its errors.
func (c *Conditions) Evaluate(env *expr.Env) (Result, error) {
	if c == nil {
		return Result{Met: true}, nil
	}
	var held string
	for i := range c.blocks {
		res, err := c.blocks[i].evaluate(env)
		if err != nil || !res.Met {
			return res, err
		}
		held = join(held, ";", res.Message)
	}
	return Result{Met: true, Message: held}, nil
}

// References lists what the keys and values read of the root document, as expr.Template's References
// does. It does not count messages: no verdict depends on them.
func (c *Conditions) References() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.refs)
}

// MessageReferences lists what the messages read.
func (c *Conditions) MessageReferences() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.messageRefs)
}

func (b *block) evaluate(env *expr.Env) (Result, error) {
	var held, failed string
	anyMet := !b.hasAny
	for i := range b.any {
		met, err := b.any[i].evaluate(env)
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", b.place("any", i), err)
		}
		if met {
			anyMet = true
			held = b.any[i].text(env)
			break
		}
		failed = join(failed, "; ", b.any[i].text(env))
	}
	allMet := true
	for i := range b.all {
		met, err := b.all[i].evaluate(env)
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", b.place("all", i), err)
		}
		if !met {
			allMet = false
			failed = join(failed, "; ", b.all[i].text(env))
			break
		}
		held = join(held, b.separator, b.all[i].text(env))
	}
	if anyMet && allMet {
		return Result{Met: true, Message: held}, nil
	}
	return Result{Message: failed}, nil
}

func (b *block) place(name string, i int) string {
	switch {
	case b.plain:
		return fmt.Sprintf("[%d]", i)
	case b.path == "":
		return fmt.Sprintf("%s[%d]", name, i)
	default:
		return fmt.Sprintf("%s.%s[%d]", b.path, name, i)
	}
}

func (c *condition) evaluate(env *expr.Env) (bool, error) {
	var made [2]operand
	key, err := c.key.resolve(env, &made[0])
	if err != nil {
		return false, fmt.Errorf("key: %w", err)
	}
	value, err := c.value.resolve(env, &made[1])
	if err != nil {
		return false, fmt.Errorf("value: %w", err)
	}
	return c.operator.test(key, value)
}

// text renders the condition's message. One whose variables cannot be resolved stays as it was written:
// the verdict stands without it.
func (c *condition) text(env *expr.Env) string {
	if c.message == nil {
		return ""
	}
	text, err := c.message.template.RenderText(env)
	if err != nil {
		return c.message.source
	}
	return text
}

// resolve gives the prepared operand, or makes one of the template's value in the caller's memory.
func (s *side) resolve(env *expr.Env, made *operand) (*operand, error) {
	if s.dynamic == nil {
		return &s.static, nil
	}
	v, err := s.dynamic.Render(env)
	if err != nil {
		return nil, err
	}
	made.value = v
	return made, nil
}

func join(a, separator, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return a + separator + b
	}
}
