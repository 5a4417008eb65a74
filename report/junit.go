package report

import (
	"io"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report/junit"
)

// WriteJUnit writes the document as JUnit XML: a suite per object, a case per rule. JUnit has no warnings:
// they are cases that pass and say so in their output. What could not be looked at is a case in error.
func WriteJUnit(w io.Writer, d *Document) error {
	out := junit.Suites{Name: Source}
	for _, g := range groups(d.Results, true) {
		suite := junit.Suite{Name: g.resource.String(), File: g.origin.File}
		for i := range g.results {
			suite.Add(junitResult(&g.results[i]))
		}
		out.Add(suite)
	}
	gaps := junit.Suite{Name: "coverage"}
	for _, c := range d.Coverage {
		if c.Error != "" {
			gaps.Add(junit.Case{Name: c.Place(), Class: "coverage", Error: &junit.Detail{Type: "coverage", Message: "not audited: " + c.Error}})
		}
	}
	if gaps.Tests > 0 {
		out.Add(gaps)
	}
	return out.Write(w)
}

func junitResult(r *Result) junit.Case {
	// Servers join what has the same class and name. A policy without rules is a case by itself.
	c := junit.Case{Name: r.Rule, Class: engine.RuleID(r.Properties[PropertyPolicyKind], r.Policy, ""), File: r.Origin.File, Line: r.Origin.Line}
	if c.Name == "" {
		c.Name = r.Policy
	}
	switch r.Result {
	case Fail:
		c.Failure = &junit.Detail{Type: r.Severity, Message: r.Message, Text: r.Properties[PropertyPatch]}
	case Error:
		c.Error = &junit.Detail{Type: "error", Message: r.Message}
	case Skip:
		c.Skipped = &junit.Detail{Message: r.Message}
	case Warn:
		c.Output = "warning: " + r.Message
	}
	return c
}
