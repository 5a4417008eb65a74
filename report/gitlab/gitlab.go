// Package gitlab writes Code Quality reports, which GitLab shows in merge requests beside the lines of the change. Issues
// come in. It knows nothing of what was judged.
//
// Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
package gitlab

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"
)

// Severity is how grave an issue is.
type Severity string

// The severities that GitLab has, from the highest.
const (
	Blocker  Severity = "blocker"
	Critical Severity = "critical"
	Major    Severity = "major"
	Minor    Severity = "minor"
	Info     Severity = "info"
)

// Issue is one finding.
type Issue struct {
	Description string `json:"description"`
	// Check names the rule.
	Check string `json:"check_name"`
	// Fingerprint knows the issue again in another revision. GitLab takes one of two that have the same.
	Fingerprint string   `json:"fingerprint"`
	Severity    Severity `json:"severity"`
	Location    Location `json:"location"`
}

// Location is a line of a file of the repository.
type Location struct {
	Path  string `json:"path"`
	Lines Lines  `json:"lines"`
}

// Lines has the line, which counts from 1.
type Lines struct {
	Begin int `json:"begin"`
}

// At is a place. GitLab wants a path from the root of the repository without ./ before it, and a line in any case.
func At(file string, line int) Location {
	return Location{path.Clean(filepath.ToSlash(file)), Lines{max(line, 1)}}
}

// Write writes the report.
func Write(w io.Writer, issues []Issue) error {
	if issues == nil {
		issues = []Issue{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(issues); err != nil {
		return fmt.Errorf("writing a Code Quality report: %w", err)
	}
	return nil
}
