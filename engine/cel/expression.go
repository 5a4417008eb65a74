package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"

	"github.com/holdfast-io/holdfast/engine/nearest"
)

// expression is a compiled expression with what the compiler knows about it.
type expression struct {
	program
	reading
	output *types.Type
	times  int // how often it may hold a value: see nesting
}

// compile compiles one expression to a value of one of the types, or of any if none is named.
func (s *session) compile(text string, path []any, want ...*types.Type) (expression, bool) {
	if strings.TrimSpace(text) == "" {
		s.problem(path, "is empty: expected a CEL expression")
		return expression{}, false
	}
	checked, issues := s.env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			s.problems = append(s.problems, Problem{path, e.Location.Line(), e.Location.Column() + 1, s.explain(e.Message)})
		}
		return expression{}, false
	}
	out := expression{reading: read(checked.NativeRep()), output: checked.OutputType()}
	if slices.Contains(out.facts, varAuthorizer) {
		s.problem(path, "authorizer is not built yet")
		return expression{}, false
	}
	s.rule.requestObjects = s.rule.requestObjects || out.requestObjects && s.src.Language == Kyverno
	var most int
	if out.times, most = nesting(checked.NativeRep(), s.times); most > maxNesting {
		s.problem(path, fmt.Sprintf("holds the same value more than %d times: comparing it would take too long", maxNesting))
		return expression{}, false
	}
	if len(want) > 0 && !s.fits(out, want) {
		names := make([]string, len(want))
		for i, t := range want {
			names[i] = t.String()
		}
		s.problem(path, fmt.Sprintf("gives %s: expected %s", out.output, strings.Join(names, " or ")))
		return expression{}, false
	}
	// the limits on the cost of an evaluation are options of the environment
	planned, err := s.env.Program(checked, joinedListsCost())
	if err != nil {
		s.problem(path, fmt.Sprintf("cannot be planned: %v", err))
		return expression{}, false
	}
	out.program = program{planned, text}
	return out, true
}

// fits reports whether an expression gives one of the types. What goes through orValue is typed at evaluation only.
func (s *session) fits(e expression, want []*types.Type) bool {
	if slices.ContainsFunc(want, e.output.IsExactType) {
		return true
	}
	if !e.output.IsExactType(types.DynType) {
		return false
	}
	return e.orValue || slices.ContainsFunc(e.variables, func(name string) bool { return s.read[name].orValue })
}

// use counts what an expression reads, and what the variables that it reads read.
func (s *session) use(r reading) {
	for _, fact := range r.facts {
		s.facts[fact] = true
	}
	for _, name := range r.variables {
		if name == "" { // all of them
			for name := range s.read {
				s.useVariable(name)
			}
			continue
		}
		s.useVariable(name)
	}
}

func (s *session) useVariable(name string) {
	if !s.used[name] {
		s.used[name] = true
		s.use(s.read[name])
	}
}

func (s *session) problem(path []any, message string) {
	s.problems = append(s.problems, Problem{Path: path, Message: message})
}

// explain rewrites CEL's words for a name that does not exist, so that they say which do.
func (s *session) explain(message string) string {
	message = strings.TrimSuffix(message, " (in container '')")
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name = strings.TrimSuffix(name, "'")
		known := []string{varObject, varOldObject, varRequest, varNamespace, varVariables}
		if s.src.Language == Kyverno {
			known = append(known, varExceptions, varResource, varHTTP, varGlobalContext, varImage, varGenerator, varJSON, varYAML)
		} else {
			known = append(known, varAuthorizer)
		}
		if s.src.Params == WithParams {
			known = append(known, varParams)
		}
		if name == varParams {
			return "params is read, but there is no parameter: expected paramKind and paramRef"
		}
		return message + suggestion(name, known)
	}
	if name, ok := strings.CutPrefix(message, "undefined field '"); ok {
		return message + suggestion(strings.TrimSuffix(name, "'"), slices.Sorted(maps.Keys(s.structs.variables)))
	}
	return message
}

func suggestion(name string, known []string) string {
	if near := nearest.Name(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

// at extends a path without sharing its memory.
func at(path []any, more ...any) []any { return slices.Concat(path, more) }

func identifier(name string) bool {
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
