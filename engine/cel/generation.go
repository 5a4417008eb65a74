package cel

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/cel-go/common/types"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Generation is one way in which a Source of Kyverno's language says what is to be generated: an expression that calls
// generator.Apply, or a template.
type Generation struct {
	Expression string
	Template   *Template
}

// generation is a compiled Generation: one of the two.
type generation struct {
	expression *program
	template   *template
}

// Generate evaluates the generations in their order, and gives the World the objects that they want. The conditions are
// not evaluated. It gives the error of each generation that has no result, which does not keep the others from theirs,
// unless the error comes from outside: then it is the last.
func (r *Rule) Generate(ctx context.Context, in *Input) []error {
	e := r.begin(ctx, in)
	var errs []error
	for i := range r.generations {
		e.budget = celconfig.RuntimeCELCostBudget
		if err := e.generate(&r.generations[i]); err != nil {
			errs = append(errs, fmt.Errorf("generate[%d]: %w", i, err))
			if !errors.Is(err, ErrExpression) || e.exhausted || e.calls > maxCalls {
				return errs
			}
		}
	}
	return errs
}

func (e *evaluation) generate(g *generation) error {
	if g.template == nil {
		_, err := e.run(g.expression) // whether it is true or false says nothing: it may be the answer of a list
		return err
	}
	objects, err := g.template.objects(e)
	if err != nil {
		return err
	}
	if e.in.World == nil {
		return fmt.Errorf("generating: %w", ErrNoWorld)
	}
	for _, object := range objects {
		namespace := namespaceOf(object)
		if namespace == "" {
			namespace = e.rule.namespace
		}
		if err := e.in.World.Generate(namespace, []map[string]any{object}); err != nil {
			return err
		}
	}
	return nil
}

func namespaceOf(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	return namespace
}

func (s *session) compileGenerations() {
	for i := range s.src.Generations {
		g, path := &s.src.Generations[i], at(s.src.Paths.Generations, i)
		switch {
		case g.Template != nil && g.Expression != "":
			s.problem(path, "has an expression and a template: expected one of the two")
		case g.Template != nil:
			t := s.compileTemplate(g.Template, at(path, "template"))
			s.rule.generations = append(s.rule.generations, generation{template: &t})
		case g.Expression == "":
			s.problem(path, "has neither an expression nor a template: expected one of the two")
		default:
			if e, ok := s.compile(g.Expression, at(path, "expression"), types.BoolType); ok {
				s.use(e.reading)
				s.rule.generations = append(s.rule.generations, generation{expression: &e.program})
			}
		}
	}
	s.findMade()
}
