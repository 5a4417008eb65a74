package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

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
			before, behind := around(text, e.Location.Line(), e.Location.Column())
			s.problems = append(s.problems, Problem{path, e.Location.Line(), e.Location.Column() + 1, s.explain(e.Message, before, behind)})
		}
		return expression{}, false
	}
	out := expression{reading: read(checked.NativeRep()), output: checked.OutputType()}
	if slices.Contains(out.facts, varGenerator) && len(s.src.Generations) == 0 {
		s.problem(path, "generator is read, but nothing is generated here: expected a GeneratingPolicy")
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
	planned, err := s.env.Program(checked, joinedListsCost(), cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		s.problem(path, fmt.Sprintf("cannot be planned: %v", err))
		return expression{}, false
	}
	out.program = program{planned, text}
	return out, true
}

// around gives the line's text before a place and behind it. The column counts characters.
func around(text string, line, column int) (before, behind string) {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return "", ""
	}
	chars := []rune(lines[line-1])
	column = max(0, min(column, len(chars)))
	return string(chars[:column]), string(chars[column:])
}

// fits reports whether an expression gives one of the types. What goes through orValue is typed at evaluation only.
func (s *session) fits(e expression, want []*types.Type) bool {
	if slices.ContainsFunc(want, e.output.IsExactType) {
		return true
	}
	if !e.output.IsExactType(types.DynType) || s.src.Types == KnownTypes {
		return false
	}
	return e.orValue || slices.ContainsFunc(e.variables, func(name string) bool { return s.read[name].orValue })
}

// triable are the types that are wanted, and with them any that is known at evaluation only, where that may be tried.
func (s *session) triable(want ...*types.Type) []*types.Type {
	if s.src.Types == KnownTypes {
		return want
	}
	return append(want, types.DynType)
}

// use counts what an expression reads, and what the variables that it reads read.
func (s *session) use(r reading) {
	for _, fact := range r.facts {
		s.facts[fact] = true
	}
	s.rule.paths = append(s.rule.paths, r.paths...)
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

// explain rewrites CEL's words for a name that does not exist, so that they say which do. The text before and behind the
// place says what kind of name is meant.
func (s *session) explain(message, before, behind string) string {
	message = strings.TrimSuffix(message, " (in container '')")
	// what a macro adds is not in the text
	message = strings.NewReplacer(worldType.TypeName()+", ", "", worldType.TypeName(), "").Replace(message)
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name = strings.TrimSuffix(name, "'")
		if name == varParams {
			return "params is read, but there is no parameter: expected paramKind and paramRef"
		}
		if s.src.Language == Kyverno {
			if called := dotted(name, behind); called != "" {
				return "undeclared reference to '" + called + "'" + suggestion(called, functionNames())
			}
			if strings.HasSuffix(before, ".") || strings.HasPrefix(strings.TrimPrefix(behind, name), "(") || strings.HasPrefix(behind, "(") {
				return message + suggestion(name, functionNames())
			}
		}
		return message + suggestion(name, s.names())
	}
	if name, ok := strings.CutPrefix(message, "undefined field '"); ok {
		return message + suggestion(strings.TrimSuffix(name, "'"), s.fieldsOf(before))
	}
	return message
}

// names are those that an expression may begin with.
func (s *session) names() []string {
	known := []string{varObject, varOldObject, varRequest, varNamespace, varVariables}
	if s.src.Language == Kyverno {
		known = append(known, varExceptions, varResource, varHTTP, varGlobalContext, varImage, varGenerator, varJSON, varYAML)
	} else {
		known = append(known, varAuthorizer)
	}
	if s.src.Params == WithParams {
		known = append(known, varParams)
	}
	return known
}

// dotted gives the name with its dots where a name that is not declared begins one of a library: time.nw of time.
func dotted(name, behind string) string {
	rest, ok := strings.CutPrefix(behind, name+".")
	if !ok || !slices.ContainsFunc(functionNames(), func(f string) bool { return strings.HasPrefix(f, name+".") }) {
		return ""
	}
	end := strings.IndexFunc(rest, func(c rune) bool { return !identifier("_" + string(c)) })
	if end < 0 {
		end = len(rest)
	}
	return name + "." + rest[:end]
}

// fieldsOf are the fields of what stands before a dot, as far as its last word tells.
func (s *session) fieldsOf(before string) []string {
	before = strings.TrimSuffix(before, ".")
	word := before[strings.LastIndexFunc(before, func(c rune) bool { return !identifier("_" + string(c)) })+1:]
	typeName, ok := map[string]string{
		varVariables: typeVariables, varRequest: typeRequest, varNamespace: typeNamespace, varExceptions: typeExceptions,
		"userInfo": typeUserInfo, "metadata": typeMetadata, "kind": typeGVK, "requestKind": typeGVK,
		"resource": typeGVR, "requestResource": typeGVR,
	}[word]
	if !ok {
		typeName = typeAccount // of a call
	}
	return slices.Sorted(maps.Keys(s.structs.fields(typeName)))
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
