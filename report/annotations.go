package report

import (
	"fmt"
	"io"

	"github.com/holdfast-io/holdfast/report/github"
	"github.com/holdfast-io/holdfast/report/gitlab"
)

// WriteGitHub writes findings, and what could not be looked at, as annotations of GitHub Actions: the worst first, since
// GitHub shows ten of each level for a step.
func WriteGitHub(w io.Writer, d *Document) error {
	var out []github.Annotation
	for _, c := range d.Coverage {
		if c.Error == "" {
			continue
		}
		a := github.Annotation{Level: github.Error, Title: "not audited", Message: c.Error}
		if c.Source == clusterSource {
			a.Message = c.Place() + ": " + c.Error
		} else {
			a.File, a.Line, a.Column = c.Source, c.Line, c.Column
		}
		out = append(out, a)
	}
	for _, g := range groups(d.Results, false) {
		for i := range g.results {
			r := &g.results[i]
			out = append(out, github.Annotation{
				Level: githubLevel(level(r.Result, r.Severity)),
				File:  r.Origin.File, Line: r.Origin.Line, Column: r.Origin.Column,
				Title: r.id(), Message: g.resource.String() + ": " + orElse(r.Message, r.id()+" failed"),
			})
		}
	}
	summary := d.sentence(unpainted)
	if d.Baseline != nil {
		summary += "\n" + d.Baseline.sentence(d.Bundle.Digest)
	}
	return github.Write(w, out, summary)
}

// clusterSource is the Source of what a live cluster holds.
const clusterSource = "cluster"

func githubLevel(sarif string) github.Level {
	switch sarif {
	case "error":
		return github.Error
	case "warning":
		return github.Warning
	default:
		return github.Notice
	}
}

// WriteGitLab writes findings, and what could not be looked at, as a Code Quality report. What is in no file is given the
// name of its object for a path: GitLab shows nothing without one.
func WriteGitLab(w io.Writer, d *Document) error {
	var out []gitlab.Issue
	for _, c := range d.Coverage {
		if c.Error != "" {
			out = append(out, gitlab.Issue{
				Description: "not audited: " + c.Error, Check: "coverage", Fingerprint: digestOf("coverage", c.Place(), c.Error),
				Severity: gitlab.Blocker, Location: gitlab.At(c.Source, c.Line),
			})
		}
	}
	seen := map[string]int{}
	for _, g := range groups(d.Results, false) {
		for i := range g.results {
			r := &g.results[i]
			file := orElse(r.Origin.File, g.resource.String())
			print := digestOf(r.fingerprint(), file)
			seen[print]++
			if n := seen[print]; n > 1 { // objects without a name yet
				print = digestOf(print, fmt.Sprint(n))
			}
			out = append(out, gitlab.Issue{
				Description: g.resource.String() + ": " + orElse(visible(r.Message), r.id()+" failed"), Check: r.id(), Fingerprint: print,
				Severity: gitlabSeverity(r), Location: gitlab.At(file, r.Origin.Line),
			})
		}
	}
	return gitlab.Write(w, out)
}

func gitlabSeverity(r *Result) gitlab.Severity {
	if r.Result == Error {
		return gitlab.Blocker
	}
	if r.Result == Warn {
		return gitlab.Minor
	}
	switch r.Severity {
	case "critical":
		return gitlab.Blocker
	case "high":
		return gitlab.Critical
	case "low":
		return gitlab.Minor
	case "info":
		return gitlab.Info
	default:
		return gitlab.Major
	}
}
