package report

import (
	"encoding/xml"
	"fmt"
	"io"
)

// The elements of JUnit's XML, as far as CI servers agree on them.
// Source: https://github.com/testmoapp/junitxml
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		File     string      `xml:"file,attr,omitempty"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		File    string       `xml:"file,attr,omitempty"`
		Line    int          `xml:"line,attr,omitempty"`
		Failure *junitDetail `xml:"failure"`
		Error   *junitDetail `xml:"error"`
		Skipped *junitDetail `xml:"skipped"`
		Output  string       `xml:"system-out,omitempty"`
	}
	junitDetail struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the document as JUnit XML: a suite per object, a case per rule. JUnit has no warnings:
// they are cases that pass and say so in their output. What could not be looked at is a case in error.
func WriteJUnit(w io.Writer, d *Document) error {
	out := junitSuites{Name: Source}
	for _, g := range groups(d.Results, true) {
		suite := junitSuite{Name: g.resource.String(), File: g.origin.File}
		for i := range g.results {
			suite.add(junitResult(&g.results[i]))
		}
		out.add(suite)
	}
	gaps := junitSuite{Name: "coverage"}
	for _, c := range d.Coverage {
		if c.Error != "" {
			gaps.add(junitCase{Name: c.Place(), Class: "coverage", Error: &junitDetail{Type: "coverage", Message: "not audited: " + c.Error}})
		}
	}
	if gaps.Tests > 0 {
		out.add(gaps)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	return nil
}

func junitResult(r *Result) junitCase {
	c := junitCase{Name: r.Rule, Class: r.Policy, File: r.Origin.File, Line: r.Origin.Line}
	switch r.Result {
	case Fail:
		c.Failure = &junitDetail{Type: r.Severity, Message: r.Message, Text: r.Properties[PropertyPatch]}
	case Error:
		c.Error = &junitDetail{Type: "error", Message: r.Message}
	case Skip:
		c.Skipped = &junitDetail{Message: r.Message}
	case Warn:
		c.Output = "warning: " + r.Message
	}
	return c
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func (s *junitSuites) add(suite junitSuite) {
	s.Suites = append(s.Suites, suite)
	s.Tests += suite.Tests
	s.Failures += suite.Failures
	s.Errors += suite.Errors
	s.Skipped += suite.Skipped
}
