package jmesfn

import (
	"io"
	"sync"
	"time"

	"github.com/kyverno/go-jmespath"
)

// Env carries what a function may not take from the machine. A function that needs a part which is nil fails;
// it never falls back to the machine's.
type Env struct {
	// Now is the clock of time_now, time_now_utc and time_since.
	Now func() time.Time
	// Rand is the source of random: 32 bytes are read from it for each call. It must be safe for
	// concurrent use if the caller is used so.
	Rand io.Reader
}

// runtime is what the functions of one caller share.
type runtime struct {
	env Env
	// expressions evaluates expression references; see each.
	expressions func() *jmespath.FunctionCaller
}

// NewCaller gives a function table with every function, bound to env. It is safe for concurrent use.
func NewCaller(env Env) *jmespath.FunctionCaller {
	rt := &runtime{env: env}
	rt.expressions = sync.OnceValue(func() *jmespath.FunctionCaller {
		caller := jmespath.NewFunctionCaller()
		register(caller, rt, "map")
		return caller
	})
	caller := jmespath.NewFunctionCaller()
	register(caller, rt, "")
	return caller
}

// register adds every function but one to a caller. The argument lists stay empty: the library checks only
// fixed ones, quotes values in its errors, and the dispatcher of this package does it better.
func register(caller *jmespath.FunctionCaller, rt *runtime, except string) {
	for name, f := range functions {
		if name == except {
			continue
		}
		caller.Register(jmespath.FunctionEntry{
			Name:    name,
			Handler: func(args []any) (any, error) { return f.run(rt, args) },
		})
	}
}

// each evaluates an expression reference on every element of a list, in order. The library alone can look
// into a reference, and its own map is the one function that does it without side effects; the others that
// take a reference are built on this. (The library's sort_by sorts the argument itself, in place.)
func (rt *runtime) each(expression any, list []any) ([]any, error) {
	out, err := rt.expressions().CallFunction("map", []any{expression, list}, jmespath.NewInterpreter())
	if err != nil {
		return nil, err
	}
	return out.([]any), nil
}
