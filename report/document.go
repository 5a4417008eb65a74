package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Document is what one audit answers.
type Document struct {
	Bundle   Bundle     `json:"bundle"`
	Results  []Result   `json:"results"`
	Summary  Summary    `json:"summary"`
	Coverage []Coverage `json:"coverage"`
	// Baseline says what was left out because an earlier document has it; nil if there was none.
	Baseline *Baseline `json:"baseline,omitempty"`
}

// Bundle names the policies that judged.
type Bundle struct {
	Digest string `json:"digest"`
	// Policies is their number.
	Policies int `json:"policies"`
}

// Summary counts results.
type Summary struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

// Summarize counts the results by outcome.
func Summarize(results []Result) Summary {
	var s Summary
	for i := range results {
		switch results[i].Result {
		case Pass:
			s.Pass++
		case Fail:
			s.Fail++
		case Warn:
			s.Warn++
		case Error:
			s.Error++
		case Skip:
			s.Skip++
		}
	}
	return s
}

// Coverage says what was looked at: one entry per type of object in a file or in the cluster, and one per
// thing that could not be looked at. What is not in here is not known to be clean.
type Coverage struct {
	// Source is the file, or "cluster".
	Source string `json:"source"`
	// Line and Column are where in the file the Error is; 0 means the file as a whole.
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	// Objects is the number of objects that were judged.
	Objects int `json:"objects"`
	// Listed is when the cluster's list was complete.
	Listed *time.Time `json:"listed,omitempty"`
	// Skipped says why the objects of this entry were not judged, where that is as it should be.
	Skipped string `json:"skipped,omitempty"`
	// Error says what kept objects from being judged.
	Error string `json:"error,omitempty"`
}

// Place names what the entry is about: file:line:column, and the type of object if it has one.
func (c *Coverage) Place() string {
	place := c.Source
	if c.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", c.Source, c.Line, c.Column)
	}
	if c.Kind != "" {
		place += ": " + strings.TrimSpace(c.APIVersion+" "+c.Kind)
	}
	return place
}

// SortCoverage orders entries by source, place and type, with every other field to break a tie.
func SortCoverage(coverage []Coverage) {
	slices.SortStableFunc(coverage, func(a, b Coverage) int {
		return cmp.Or(
			strings.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.APIVersion, b.APIVersion), strings.Compare(a.Kind, b.Kind),
			strings.Compare(a.Error, b.Error), strings.Compare(a.Skipped, b.Skipped), cmp.Compare(a.Objects, b.Objects),
		)
	})
}

// Complete reports whether all was looked at.
func (d *Document) Complete() bool {
	for _, c := range d.Coverage {
		if c.Error != "" {
			return false
		}
	}
	return true
}

// normalized makes empty lists of missing ones, so that readers find what the contract names.
func (d *Document) normalized() *Document {
	out := *d
	if out.Results == nil {
		out.Results = []Result{}
	}
	if out.Coverage == nil {
		out.Coverage = []Coverage{}
	}
	return &out
}

// WriteJSON writes the document as one indented JSON object.
func WriteJSON(w io.Writer, d *Document) error { return writeJSON(w, d.normalized()) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// WriteYAML writes the document as YAML, with the fields of WriteJSON.
func WriteYAML(w io.Writer, d *Document) error {
	raw, err := yaml.Marshal(d.normalized())
	if err == nil {
		_, err = w.Write(raw)
	}
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	return nil
}
