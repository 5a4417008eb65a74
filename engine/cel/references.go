package cel

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// reading is what an expression reads of its surroundings.
type reading struct {
	// facts are request.<field> (or request as a whole), namespaceObject.metadata.name (or namespaceObject), and the other
	// names: object, oldObject, params, exceptions, and what is asked of the World. See Rule.References.
	facts []string
	// variables are the names of variables.<name>.
	variables []string
	// orValue says that a part of the expression has no type before it is evaluated, because of orValue.
	orValue bool
	// paths are what is read of the object that is judged: the keys that lead to it, none for the object as a whole.
	paths [][]string
	// requestObjects says that request.object or request.oldObject is read, or the request as a whole.
	requestObjects bool
}

func read(a *ast.AST) reading {
	r := reader{}
	r.walk(a.Expr())
	slices.Sort(r.facts)
	r.facts = slices.Compact(r.facts)
	return r.reading
}

type reader struct {
	reading
	bound []string // names of comprehensions around the place in hand
}

// walk visits an expression; path is what is selected from it, the innermost field first.
func (r *reader) walk(e ast.Expr, path ...string) {
	switch e.Kind() {
	case ast.IdentKind:
		r.name(e.AsIdent(), path)
	case ast.SelectKind:
		s := e.AsSelect()
		r.walk(s.Operand(), append([]string{s.FieldName()}, path...)...)
	case ast.CallKind:
		r.call(e.AsCall(), path)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.walk(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.walk(entry.AsMapEntry().Key())
			r.walk(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.walk(field.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		r.walk(c.IterRange())
		r.walk(c.AccuInit())
		outside := len(r.bound)
		r.bound = append(r.bound, c.AccuVar())
		r.walk(c.Result())
		r.bound = append(r.bound, c.IterVar(), c.IterVar2())
		r.walk(c.LoopCondition())
		r.walk(c.LoopStep())
		r.bound = r.bound[:outside]
	}
}

// call visits x.?field and x["field"] as selections, and the arguments of all other calls.
func (r *reader) call(c ast.CallExpr, path []string) {
	args := c.Args()
	switch c.FunctionName() {
	case orValueFunction:
		r.orValue = true
	case nowFunction:
		r.facts = append(r.facts, "time")
	case randomFunction, randomRandomFunction:
		r.facts = append(r.facts, "random")
	case operators.OptSelect, operators.Index, operators.OptIndex:
		if len(args) == 2 && args[1].Kind() == ast.LiteralKind {
			if key, ok := args[1].AsLiteral().(types.String); ok {
				r.walk(args[0], append([]string{string(key)}, path...)...)
				return
			}
		}
	}
	switch {
	case accountOf(c) && !slices.Contains(r.bound, varAuthorizer):
		r.facts = append(r.facts, factAccount)
	case c.IsMemberFunction():
		r.walk(c.Target())
	}
	for _, arg := range args {
		r.walk(arg)
	}
}

// factAccount stands for checks of what a service account may do, which need no requester.
const factAccount = varAuthorizer + ".serviceAccount"

// accountOf reports whether a call is authorizer.serviceAccount(...).
func accountOf(c ast.CallExpr) bool {
	return c.IsMemberFunction() && c.FunctionName() == "serviceAccount" &&
		c.Target().Kind() == ast.IdentKind && strings.TrimPrefix(c.Target().AsIdent(), ".") == varAuthorizer
}

func (r *reader) name(name string, path []string) {
	if slices.Contains(r.bound, name) {
		return
	}
	root, _, _ := strings.Cut(strings.TrimPrefix(name, "."), ".")
	switch root {
	case varRequest:
		switch {
		case len(path) == 0:
			r.requestObjects = true
			r.paths = append(r.paths, nil)
		case path[0] == varObject || path[0] == varOldObject: // of Kyverno's language
			r.requestObjects = true
			root = path[0]
			if root == varObject {
				r.paths = append(r.paths, path[1:])
			}
		default:
			root += "." + path[0]
		}
	case varNamespace:
		// the name is known where nothing else about the namespace is
		if len(path) > 1 && path[0] == "metadata" && path[1] == "name" {
			root += ".metadata.name"
		}
	case varVariables:
		variable := "" // all of them
		if len(path) > 0 {
			variable = path[0]
		}
		r.variables = append(r.variables, variable)
		return
	case varObject:
		r.paths = append(r.paths, path)
	case varOldObject, varParams, varAuthorizer:
	case varExceptions, varResource, varHTTP, varGlobalContext, varImage, varGenerator:
	default:
		return
	}
	r.facts = append(r.facts, root)
}
