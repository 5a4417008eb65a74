package jmesfn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/nearest"
)

// Unbounded is the MaxArgs of a function that takes any number of arguments.
const Unbounded = -1

// Spec describes one function: what a load-time check needs, and what its documentation is made from.
// A Spec is shared; do not change its slices.
type Spec struct {
	Name             string
	MinArgs, MaxArgs int   // MaxArgs may be Unbounded
	Args             []Arg // the last one repeats where MaxArgs is Unbounded
	Returns          Type
	Standard         bool      // a function of JMESPath itself, not one that Kyverno adds
	NeedsEnv         bool      // the answer depends on the Env: the clock or the randomness
	Doc              string    // one or two sentences
	Examples         []Example // evaluated by the tests
}

// Arg describes one argument.
type Arg struct {
	Name string
	Type Type
	Elem Type // for an array: what its elements may be; 0 is anything

	compile func(string) (prepared, error) // for patterns: see Prepare
}

// Example is an expression that needs no input, with its result as JSON.
type Example struct {
	Expr   string
	Result string
	Varies bool // the result depends on the Env; Result shows one
}

// Signature gives the function's name, arguments and result on one line.
func (s Spec) Signature() string {
	var b strings.Builder
	b.WriteString(s.Name + "(")
	for i, a := range s.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.Name + ": " + a.Type.String())
		if a.Elem != 0 {
			b.WriteString(" of " + a.Elem.String())
		}
	}
	if s.MaxArgs == Unbounded {
		b.WriteString(", ...")
	}
	b.WriteString(") -> " + s.Returns.String())
	return b.String()
}

// CheckArity refuses a wrong number of arguments.
func (s Spec) CheckArity(count int) error {
	if count >= s.MinArgs && (count <= s.MaxArgs || s.MaxArgs == Unbounded) {
		return nil
	}
	want := plural(s.MinArgs, "argument")
	if s.MaxArgs == Unbounded {
		want = "at least " + want
	}
	return fmt.Errorf("function %s: want %s, got %d", s.Name, want, count)
}

func plural(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}

// Lookup finds a function of the language by name.
func Lookup(name string) (Spec, bool) {
	f, ok := functions[name]
	if !ok {
		return Spec{}, false
	}
	return f.Spec, true
}

// NeedsEnv reports whether a function's answer depends on the Env, so that two evaluations may differ.
func NeedsEnv(name string) bool {
	f, ok := functions[name]
	return ok && f.NeedsEnv
}

// Specs lists every function that an author can write, sorted by name.
func Specs() []Spec {
	specs := make([]Spec, 0, len(functions))
	for name, f := range functions {
		if !strings.HasPrefix(name, "\x00") { // hidden, see rewrite.go
			specs = append(specs, f.Spec)
		}
	}
	slices.SortFunc(specs, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) })
	return specs
}

// UnknownError says that there is no such function and names the one that was probably meant.
func UnknownError(name string) error {
	const shown = 64
	if len(name) > shown {
		return fmt.Errorf("unknown function %q...", name[:shown])
	}
	specs := Specs()
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	best := nearest.Name(name, names)
	if best == "" {
		return fmt.Errorf("unknown function %q", name)
	}
	return fmt.Errorf("unknown function %q: did you mean %q?", name, best)
}
