package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Source is what a rule or a policy says in CEL.
type Source struct {
	// Language is Kubernetes if nothing is said.
	Language Language
	// Namespace is the policy's in Kyverno's language, empty for a cluster policy. It is where look-ups of a namespaced
	// policy go: its functions take no namespace.
	Namespace string
	// Conditions must all be true for the rest to be evaluated.
	Conditions []admissionregistrationv1.MatchCondition
	// Variables are known to the other expressions as variables.<name>, and to the variables behind them.
	Variables   []admissionregistrationv1.Variable
	Validations []admissionregistrationv1.Validation
	// Message is for validations without a message of their own.
	Message     string
	Annotations []admissionregistrationv1.AuditAnnotation
	// Mutations change the object, in their order.
	Mutations []Mutation
	// Failures tells what becomes of the other mutations where one has no result.
	Failures FailuresUse
	// Generations say what is to be generated, in Kyverno's language.
	Generations []Generation
	// Target, if any, gives other objects that the rule is about.
	Target string
	// Types tells whether an expression must have the type that is wanted of it before it is evaluated.
	Types TypesUse
	// Params tells whether there is a parameter for expressions to read.
	Params ParamsUse
	// Paths say where the lists stand, for errors.
	Paths Paths
}

// TypesUse tells what becomes of an expression whose type is known at evaluation only.
type TypesUse bool

// A messageExpression or an annotation of any type is taken and tried; or it is refused, as by an API server.
const (
	TriedTypes TypesUse = false
	KnownTypes TypesUse = true
)

// ParamsUse tells whether expressions may read a parameter.
type ParamsUse bool

// A Source has a parameter or none.
const (
	WithoutParams ParamsUse = false
	WithParams    ParamsUse = true
)

// FailuresUse tells what one mutation without a result means for the others.
type FailuresUse bool

// A failure ends them all; or it is passed over, as by an API server with failurePolicy Ignore.
const (
	EndingFailures     FailuresUse = false
	PassedOverFailures FailuresUse = true
)

// Paths are the paths of a Source's lists in the document: keys (string) and indexes (int).
type Paths struct{ Conditions, Variables, Validations, Annotations, Mutations, Generations, Target []any }

// Rule is a compiled Source. It is immutable and safe for concurrent use.
type Rule struct {
	conditions  []condition
	variables   []program
	names       map[string]int // of variables
	validations []validation
	annotations []annotation
	mutations   []mutation
	generations []generation
	makes       []Made   // of generations
	makesMore   bool     // the generations may make more than that
	target      *program // nil: none
	fresh       bool     // variables are evaluated anew for each mutation
	failures    FailuresUse
	asking      bool // a variable asks the authorizer
	facts       []string
	paths       [][]string // of what is read of the object
	language    Language
	namespace   string // of the policy
	// requestObjects says that the request is read with its object and oldObject, or as a whole.
	requestObjects bool
}

type condition struct {
	program
	name string
}

type validation struct {
	program
	message    string
	messageCEL *program // nil without a messageExpression
	reason     metav1.StatusReason
}

type annotation struct {
	program
	key string
}

// program is one expression, ready to be evaluated.
type program struct {
	cel.Program
	text string
}

// References lists what the expressions read, sorted: object, oldObject, params, request.<field> (or request, where an
// expression takes it as a whole), namespaceObject.metadata.name (or namespaceObject, for anything else of it), exceptions,
// and what they ask the World: authorizer (what the requester may do) and authorizer.serviceAccount (what others may),
// resource, http, globalContext, image (of a registry), generator, time, random. A variable counts only if it is used.
func (r *Rule) References() []string { return r.facts }

// ObjectPaths lists what the expressions read of the object that is judged: for each place the keys that lead to it, none
// where they read the object as a whole. A variable counts only if it is used.
func (r *Rule) ObjectPaths() [][]string { return r.paths }

// Compile compiles all expressions. What is wrong with them comes back in one *CompileError.
func (c *Compiler) Compile(src Source) (*Rule, error) {
	made, err := c.declare(&src)
	if err != nil {
		return nil, err
	}
	made.mu.Lock()
	defer made.mu.Unlock()
	made.structs.variables = make(map[string]*types.Type, len(src.Variables))
	s := &session{
		env: made.env, structs: made.structs, src: &src,
		rule:  &Rule{names: make(map[string]int, len(src.Variables)), language: src.Language, namespace: src.Namespace, fresh: src.Language == Kubernetes, failures: src.Failures},
		facts: map[string]bool{}, read: make(map[string]reading, len(src.Variables)), used: map[string]bool{}, times: make(map[string]int, len(src.Variables)),
	}
	s.compileVariables()
	s.compileConditions()
	s.compileValidations()
	s.compileAnnotations()
	s.compileMutations()
	s.compileGenerations()
	s.compileTarget()
	if len(s.problems) > 0 {
		return nil, &CompileError{s.problems}
	}
	s.rule.facts = slices.Sorted(maps.Keys(s.facts))
	return s.rule, nil
}

// session is the compilation of one Source.
type session struct {
	env      *cel.Env
	structs  *provider
	src      *Source
	rule     *Rule
	problems []Problem
	facts    map[string]bool
	read     map[string]reading // what the variables read
	times    map[string]int     // what nesting says of the variables
	used     map[string]bool    // variables that other expressions than variables read
}

func (s *session) compileVariables() {
	for i, v := range s.src.Variables {
		path := at(s.src.Paths.Variables, i)
		if !identifier(v.Name) {
			s.problem(at(path, "name"), fmt.Sprintf("%q is not a name: expected letters, digits and _, and no digit first", v.Name))
			continue
		}
		if _, twice := s.structs.variables[v.Name]; twice {
			s.problem(at(path, "name"), fmt.Sprintf("%q stands twice: names of variables are unique", v.Name))
			continue
		}
		e, ok := s.compile(v.Expression, at(path, "expression"))
		if !ok {
			s.structs.variables[v.Name] = types.DynType // its own error is enough
			continue
		}
		s.structs.variables[v.Name] = e.output
		s.read[v.Name], s.times[v.Name] = e.reading, e.times
		if _, asks := e.asksAuthorizer(); asks {
			s.rule.asking = true
		}
		s.rule.names[v.Name] = len(s.rule.variables)
		s.rule.variables = append(s.rule.variables, e.program)
	}
}

func (s *session) compileConditions() {
	for i, c := range s.src.Conditions {
		if e, ok := s.compile(c.Expression, at(s.src.Paths.Conditions, i, "expression"), types.BoolType); ok {
			s.use(e.reading)
			s.rule.conditions = append(s.rule.conditions, condition{e.program, c.Name})
		}
	}
}

func (s *session) compileValidations() {
	for i, v := range s.src.Validations {
		path := at(s.src.Paths.Validations, i)
		out := validation{message: strings.TrimSpace(v.Message), reason: metav1.StatusReasonInvalid}
		if out.message == "" {
			out.message = strings.TrimSpace(s.src.Message)
		}
		if v.Reason != nil {
			out.reason = *v.Reason
		}
		if v.MessageExpression != "" {
			where := at(path, "messageExpression")
			e, ok := s.compile(v.MessageExpression, where, s.triable(types.StringType)...)
			switch _, asks := e.asksAuthorizer(); {
			case asks:
				s.problem(where, "authorizer is not known to a messageExpression")
			case ok:
				s.use(e.reading)
				out.messageCEL = &e.program
			}
		}
		if e, ok := s.compile(v.Expression, at(path, "expression"), types.BoolType); ok {
			s.use(e.reading)
			out.program = e.program
			s.rule.validations = append(s.rule.validations, out)
		}
	}
}

func (s *session) compileAnnotations() {
	for i, a := range s.src.Annotations {
		path := at(s.src.Paths.Annotations, i)
		if a.Key == "" {
			s.problem(at(path, "key"), "is missing")
		}
		if e, ok := s.compile(a.ValueExpression, at(path, "valueExpression"), s.triable(types.StringType, types.NullType)...); ok {
			s.use(e.reading)
			s.rule.annotations = append(s.rule.annotations, annotation{e.program, a.Key})
		}
	}
}
