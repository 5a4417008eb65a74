package clitest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-io/holdfast/report/github"
	"github.com/holdfast-io/holdfast/report/gitlab"
	"github.com/holdfast-io/holdfast/report/sarif"
)

// failed calls found with each case that failed or could not be judged, and the file that it is in.
func (r *Report) failed(found func(f *File, c *Case)) {
	for i := range r.Files {
		f := &r.Files[i]
		for j := range f.Cases {
			if c := &f.Cases[j]; c.Status == Fail || c.Status == Error {
				found(f, c)
			}
		}
	}
}

// id names what the case is about among those of a tool: the policy and its rule, or the test file by itself.
func (c *Case) id() string {
	if c.Policy == "" {
		return "test-file"
	}
	return c.rule()
}

// sentence says of which object what was wanted.
func (c *Case) sentence() string {
	return strings.TrimPrefix(strings.TrimSpace(c.Kind+" "+c.Resource)+": "+visible(c.said()), ": ")
}

// fingerprint knows the case again when it has moved to another line.
func (c *Case) fingerprint(file string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{file, c.Policy, c.Rule, c.Kind, c.Resource, c.Want, fmt.Sprint(c.result)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// WriteGitHub writes what failed as annotations of GitHub Actions, at the results of the test files.
func (r *Report) WriteGitHub(w io.Writer) error {
	var out []github.Annotation
	r.failed(func(f *File, c *Case) {
		out = append(out, github.Annotation{Level: github.Error, File: f.Path, Line: c.Line, Title: c.id(), Message: c.sentence()})
	})
	return github.Write(w, out, r.Summary.String())
}

// WriteGitLab writes what failed as a Code Quality report.
func (r *Report) WriteGitLab(w io.Writer) error {
	var out []gitlab.Issue
	r.failed(func(f *File, c *Case) {
		out = append(out, gitlab.Issue{
			Description: c.sentence(), Check: c.id(), Fingerprint: c.fingerprint(f.Path), Severity: gitlab.Major,
			Location: gitlab.At(f.Path, c.Line),
		})
	})
	return gitlab.Write(w, out)
}

// WriteSARIF writes what failed as SARIF 2.1.0. The rules are those that cases failed of.
func (r *Report) WriteSARIF(w io.Writer, version string) error {
	var broken []string
	for i := range r.Files {
		if r.Files[i].broken {
			broken = append(broken, r.Files[i].Cases[0].Reason)
		}
	}
	run := sarif.NewRun(version, broken)
	driver := &run.Tool.Driver
	index := map[string]int{}
	r.failed(func(f *File, c *Case) {
		id := c.id()
		at, ok := index[id]
		if !ok {
			at = len(driver.Rules)
			index[id] = at
			text := sarif.Text{Text: "tests of " + id}
			driver.Rules = append(driver.Rules, sarif.Rule{
				ID: id, ShortDescription: text, Help: text, Default: sarif.Configuration{Level: "error"},
			})
		}
		run.Results = append(run.Results, sarif.Result{
			RuleID: id, RuleIndex: at, Level: "error", Message: sarif.Text{Text: c.sentence()},
			Locations: []sarif.Location{{
				Physical: sarif.In(f.Path, c.Line, 0),
				Logical:  []sarif.Logical{{FullyQualifiedName: strings.TrimSpace(f.Path + " " + c.Kind + " " + c.Resource), Kind: "test"}},
			}},
			Fingerprints: map[string]string{"holdfastTest/v1": c.fingerprint(f.Path)},
		})
	})
	return sarif.Write(w, run)
}
