package expr

import (
	"io"
	"time"

	"github.com/kyverno/go-jmespath"

	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// Functions is the function table of pure queries. Make one for a process and share it.
type Functions struct{ pure *jmespath.FunctionCaller }

// NewFunctions builds the table.
func NewFunctions() *Functions { return &Functions{pure: jmesfn.NewCaller(jmesfn.Env{})} }

// Env is all that an evaluation may see. One Env serves one evaluation on one goroutine.
type Env struct {
	// Root is the document that queries read: request, images, element, and the rule's variables.
	Root map[string]any
	// Functions is the shared table.
	Functions *Functions
	// Now is the clock of the time functions; Rand the source of random(). A nil source is an error in
	// the function that wants it, never a fallback to the machine's.
	Now  func() time.Time
	Rand io.Reader

	bound *jmespath.FunctionCaller // made when the first query asks for the clock
}

// With gives an Env with another root and everything else the same.
func (e *Env) With(root map[string]any) *Env {
	child := *e
	child.Root = root
	return &child
}

func (e *Env) pure() *jmespath.FunctionCaller { return e.Functions.pure }

func (e *Env) impure() *jmespath.FunctionCaller {
	if e.bound == nil {
		e.bound = jmesfn.NewCaller(jmesfn.Env{Now: e.Now, Rand: e.Rand})
	}
	return e.bound
}
