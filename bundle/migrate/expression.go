package migrate

import (
	"slices"
	"strconv"
	"strings"
)

// expression is a boolean CEL expression, kept as a tree so that constants vanish and brackets stand only where needed.
type expression struct {
	op   operation
	args []expression
	text string // of an atom
}

type operation uint8

const (
	atom     operation = iota // a call, a name: binds closest
	relation                  // a == b
	conjunction
	disjunction
	negation
	always
	never
)

func is(text string) expression { return expression{op: atom, text: text} }

func compare(left, operator, right string) expression {
	return expression{op: relation, text: left + " " + operator + " " + right}
}

func (e expression) same(other expression) bool {
	return e.op == other.op && e.text == other.text && slices.EqualFunc(e.args, other.args, expression.same)
}

// join makes a conjunction or a disjunction: neutral vanishes, and absorbing is the whole.
func join(op, neutral, absorbing operation, parts []expression) expression {
	var out []expression
	for _, part := range parts {
		switch part.op {
		case neutral:
			continue
		case absorbing:
			return expression{op: absorbing}
		case op:
			out = append(out, part.args...)
		default:
			out = append(out, part)
		}
	}
	var unique []expression
	for _, part := range out {
		if !slices.ContainsFunc(unique, part.same) {
			unique = append(unique, part)
		}
	}
	switch len(unique) {
	case 0:
		return expression{op: neutral}
	case 1:
		return unique[0]
	default:
		return expression{op: op, args: unique}
	}
}

func and(parts ...expression) expression { return join(conjunction, always, never, parts) }

func or(parts ...expression) expression { return join(disjunction, never, always, parts) }

func not(e expression) expression {
	switch e.op {
	case always:
		return expression{op: never}
	case never:
		return expression{op: always}
	case negation:
		return e.args[0]
	case relation:
		for _, pair := range [...][2]string{{" == ", " != "}, {" != ", " == "}} {
			if strings.Count(e.text, " == ")+strings.Count(e.text, " != ") == 1 && strings.Contains(e.text, pair[0]) {
				return expression{op: relation, text: strings.Replace(e.text, pair[0], pair[1], 1)}
			}
		}
	}
	return expression{op: negation, args: []expression{e}}
}

// asPart puts brackets around a text that somebody wrote, of which it is not known how it binds.
func (e expression) asPart() expression {
	if e.op == atom {
		return is("(" + e.text + ")")
	}
	return e
}

// String writes the expression on one line.
func (e expression) String() string {
	switch e.op {
	case always:
		return "true"
	case never:
		return "false"
	case negation:
		return "!" + e.args[0].within(negation)
	case conjunction, disjunction:
		parts := make([]string, len(e.args))
		for i, arg := range e.args {
			parts[i] = arg.within(e.op)
		}
		return strings.Join(parts, e.sign())
	default:
		return e.text
	}
}

func (e expression) sign() string {
	if e.op == conjunction {
		return " && "
	}
	return " || "
}

// within writes the expression as part of another, in brackets where that binds closer.
func (e expression) within(outer operation) string {
	text := e.String()
	switch {
	case e.op == disjunction && outer != disjunction, e.op == conjunction && outer == negation, e.op == relation && outer == negation:
		return "(" + text + ")"
	default:
		return text
	}
}

// lineWidth is where an expression is broken into lines: with the indentation of a policy it stays below 120 columns.
const lineWidth = 100

// Lines writes the expression with its outermost parts on lines of their own where one line would be long.
func (e expression) Lines() string {
	line := e.String()
	if len(line) <= lineWidth || (e.op != conjunction && e.op != disjunction) {
		return line
	}
	parts := make([]string, len(e.args))
	for i, arg := range e.args {
		parts[i] = arg.within(e.op)
	}
	return strings.Join(parts, strings.TrimRight(e.sign(), " ")+"\n")
}

// quote writes a text as a CEL literal.
func quote(s string) string { return strconv.Quote(s) }

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
