package engine

import (
	"errors"
	"fmt"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// checker is the body of a validate rule. Every form of body is one.
type checker interface {
	// check judges x.object. Nil means that it has nothing to say.
	check(x *scope) *Decision
}

// self is where {{ @ }} points in patterns and patches of the whole object, selfElement in those of a
// foreach.
var (
	self        = []string{"request", "object"}
	selfElement = []string{"element"}
)

// patternCheck passes an object that matches its pattern.
type patternCheck struct {
	pattern *pattern.Pattern
	paths   [][]string // of the object
}

func (c *compiler) compilePatternCheck(doc any, path []any) checker {
	return &patternCheck{c.compilePattern(doc, path, self), documentPaths(doc)}
}

func (c *compiler) compilePattern(doc any, path []any, self []string) *pattern.Pattern {
	doc, err := resolveReferences(doc)
	if err != nil {
		c.wrong(path, err)
		return nil
	}
	p, err := pattern.Compile(doc, pattern.Options{Self: self})
	if err != nil {
		c.wrong(path, err)
		return nil
	}
	c.refs = append(c.refs, p.References()...)
	return p
}

func (p *patternCheck) check(x *scope) *Decision {
	if x.goes() {
		return nil
	}
	res := p.pattern.Match(x.env, x.object)
	switch res.Outcome {
	case pattern.Pass:
		return x.rule.decide(Pass, "")
	case pattern.Skip:
		return x.rule.decide(Skip, joinNonEmpty(": ", "a condition of the pattern does not hold", res.Message))
	case pattern.Error:
		return x.rule.failed(res.Err)
	default:
		return x.fail("failed at "+res.Path, res.Path)
	}
}

// anyPatternCheck passes an object that matches one of its patterns.
type anyPatternCheck struct {
	patterns []*pattern.Pattern
	paths    [][]string // of the object
}

func (c *compiler) compileAnyPattern(doc any, path []any, self []string) checker {
	out := &anyPatternCheck{}
	list, ok := doc.([]any)
	if !ok || len(list) == 0 {
		c.problem(path, "is not a list of patterns")
	}
	for i, doc := range list {
		out.patterns = append(out.patterns, c.compilePattern(doc, at(path, i), self))
		out.paths = append(out.paths, documentPaths(doc)...)
	}
	return out
}

// check passes with the first pattern that does, and skips if every pattern does.
func (p *anyPatternCheck) check(x *scope) *Decision {
	if x.goes() {
		return nil
	}
	var failed []string
	path := ""
	for i, one := range p.patterns {
		res := one.Match(x.env, x.object)
		switch res.Outcome {
		case pattern.Pass:
			return x.rule.decide(Pass, "")
		case pattern.Error:
			if !errors.Is(res.Err, pattern.ErrMismatch) {
				return x.rule.failed(res.Err)
			}
			// this pattern has no answer because the object is not of its shape, which another may be
			fallthrough
		case pattern.Fail:
			failed = append(failed, fmt.Sprintf("anyPattern[%d] at %s", i, res.Path))
			if path == "" {
				path = res.Path
			}
		}
	}
	if len(failed) == 0 {
		return x.rule.decide(Skip, "a condition of each pattern does not hold")
	}
	return x.fail("failed "+strings.Join(failed, ", "), path)
}

// denyCheck fails when its conditions hold; nil conditions always do.
type denyCheck struct{ conditions *condition.Conditions }

func (c *compiler) compileDeny(d *kyvernov1.Deny, path []any) (check checker, messageRefs []string) {
	out := &denyCheck{}
	if d.RawAnyAllConditions != nil {
		out.conditions, messageRefs = c.compileConditions(d.RawAnyAllConditions.Conditions, at(path, "conditions"))
	}
	return out, messageRefs
}

func (d *denyCheck) check(x *scope) *Decision {
	if d.conditions == nil {
		return x.fail("", "")
	}
	res, err := d.conditions.Evaluate(x.env)
	if err != nil {
		return x.rule.failed(fmt.Errorf("deny conditions: %w", err))
	}
	if !res.Met {
		return x.rule.decide(Pass, "")
	}
	return x.fail(res.Message, "")
}

// fail is a failed verdict: the policy's message, and what was found where. A message whose variables cannot
// be resolved must not hide the denial: it is shown as it is written.
func (x *scope) fail(found, path string) *Decision {
	d := x.rule.decide(Fail, x.message(found))
	d.Path = path
	return d
}

func (x *scope) message(found string) string {
	text := ""
	if t := x.rule.validate.message; t != nil {
		err := x.load(x.rule.context.message)
		if err == nil {
			text, err = t.RenderText(x.env)
		}
		if err != nil {
			text = t.Source()
		}
	}
	if text == "" && found == "" {
		return "rule " + x.rule.Name + " failed"
	}
	return joinSentence(strings.TrimSpace(text), found)
}

// goes reports whether the object itself is judged on its way out: a pattern says how an object is to be,
// and there will be none.
func (x *scope) goes() bool { return x.nesting == 0 && x.e.req.Operation == Delete }

// imageCheck stands for verifyImages and ImageValidatingPolicies: it loads, and it is never a pass.
type imageCheck struct{}

var errImageVerification = errors.New("image verification is not built yet")

func (imageCheck) check(x *scope) *Decision { return x.rule.failed(errImageVerification) }

// imagesUnverified warns of who asks for it.
func imagesUnverified(who string) string {
	return errImageVerification.Error() + ": " + who + " answers with an error, which the failurePolicy settles"
}
