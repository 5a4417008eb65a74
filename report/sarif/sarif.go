// Package sarif writes SARIF 2.1.0, as far as viewers of findings agree on it. One run of a tool comes in, and the log goes
// out. It knows nothing of what was judged.
//
// Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
package sarif

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
)

// The parts of a log that are written.
type (
	// Run is what one run of a tool found. NewRun makes one.
	Run struct {
		Tool        Tool           `json:"tool"`
		Invocations []Invocation   `json:"invocations"`
		ColumnKind  string         `json:"columnKind"`
		Results     []Result       `json:"results"`
		Properties  map[string]any `json:"properties,omitempty"`
	}
	// Tool names the program.
	Tool struct {
		Driver Driver `json:"driver"`
	}
	// Driver has the rules that the program knows.
	Driver struct {
		Name           string `json:"name"`
		Version        string `json:"version,omitempty"`
		InformationURI string `json:"informationUri"`
		Rules          []Rule `json:"rules"`
	}
	// Rule is what a result can be about.
	Rule struct {
		ID               string         `json:"id"`
		Name             string         `json:"name,omitempty"`
		ShortDescription Text           `json:"shortDescription"`
		FullDescription  *Text          `json:"fullDescription,omitempty"`
		Help             Text           `json:"help"`
		Default          Configuration  `json:"defaultConfiguration"`
		Properties       map[string]any `json:"properties,omitempty"`
	}
	// Configuration is how a rule is graded.
	Configuration struct {
		Level string `json:"level"`
	}
	// Text is a message.
	Text struct {
		Text string `json:"text"`
	}
	// Invocation says whether the tool could do what it was asked.
	Invocation struct {
		ExecutionSuccessful bool           `json:"executionSuccessful"`
		Notifications       []Notification `json:"toolExecutionNotifications,omitempty"`
	}
	// Notification is something about the run and not about what was judged.
	Notification struct {
		Level   string `json:"level"`
		Message Text   `json:"message"`
	}
	// Result is one finding.
	Result struct {
		RuleID    string `json:"ruleId"`
		RuleIndex int    `json:"ruleIndex"`
		Level     string `json:"level"`
		// BaselineState is new for what a baseline does not have; empty where there is none.
		BaselineState string            `json:"baselineState,omitempty"`
		Message       Text              `json:"message"`
		Locations     []Location        `json:"locations"`
		Fingerprints  map[string]string `json:"partialFingerprints"`
		Properties    map[string]string `json:"properties,omitempty"`
	}
	// Location is where a finding is: in a file, and by the name of what it is about.
	Location struct {
		Physical *Physical `json:"physicalLocation,omitempty"`
		Logical  []Logical `json:"logicalLocations"`
	}
	// Physical is a place in a file.
	Physical struct {
		Artifact Artifact `json:"artifactLocation"`
		Region   *Region  `json:"region,omitempty"`
	}
	// Artifact is a file. URI makes what it holds.
	Artifact struct {
		URI string `json:"uri"`
	}
	// Region is a place within; both count from 1.
	Region struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	// Logical is a name.
	Logical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// NewRun is a run of holdfast without rules or results. What could not be looked at makes it one that failed.
func NewRun(version string, gaps []string) *Run {
	invocation := Invocation{ExecutionSuccessful: len(gaps) == 0}
	for _, gap := range gaps {
		invocation.Notifications = append(invocation.Notifications, Notification{"error", Text{gap}})
	}
	return &Run{
		Tool: Tool{Driver{
			Name: "holdfast", Version: version, InformationURI: "https://github.com/holdfast-io/holdfast", Rules: []Rule{},
		}},
		Invocations: []Invocation{invocation},
		ColumnKind:  "unicodeCodePoints",
		Results:     []Result{},
	}
}

// Write writes a log of one run.
func Write(w io.Writer, run *Run) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []*Run `json:"runs"`
	}{"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0", []*Run{run}})
	if err != nil {
		return fmt.Errorf("writing SARIF: %w", err)
	}
	return nil
}

// In is a place in a file; line and column are left out where they are 0.
func In(path string, line, column int) *Physical {
	at := &Physical{Artifact: Artifact{URI(path)}}
	if line > 0 {
		at.Region = &Region{line, column}
	}
	return at
}

// URI makes a reference of a path: relative to where the command ran, or a file URI.
func URI(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
		return fmt.Sprintf("file://%s", u.EscapedPath())
	}
	return u.String()
}
