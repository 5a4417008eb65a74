package report

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report/sarif"
)

// Annotations of a policy that explain it to people.
const (
	annotationDescription = "policies.kyverno.io/description"
	annotationPatch       = "holdfast.dev/patch"
)

// SARIFOptions say what a SARIF log tells of the tool.
type SARIFOptions struct {
	Version string
	// Policies are those that judged: their rules are listed with their help.
	Policies []*engine.Policy
}

// WriteSARIF writes failures, warnings and errors as SARIF 2.1.0, for code scanning. A rule that could not
// be evaluated is a result of level error, because a viewer that shows only results must not show it as
// clean.
func WriteSARIF(w io.Writer, d *Document, opts SARIFOptions) error {
	var gaps []string
	for _, c := range d.Coverage {
		if c.Error != "" {
			gaps = append(gaps, "not audited: "+c.Place()+": "+c.Error)
		}
	}
	run := sarif.NewRun(opts.Version, gaps)
	run.Properties = map[string]any{"bundleDigest": d.Bundle.Digest, "summary": d.Summary}
	state := ""
	if d.Baseline != nil {
		run.Properties["baseline"] = d.Baseline
		state = "new"
	}
	driver := &run.Tool.Driver
	index := map[string]int{}
	for _, p := range opts.Policies {
		for _, r := range p.Rules {
			rule := sarifRuleOf(p, r)
			index[rule.ID] = len(driver.Rules)
			driver.Rules = append(driver.Rules, rule)
		}
	}
	for i := range d.Results {
		r := &d.Results[i]
		if !r.Result.finding() {
			continue
		}
		id := r.id()
		at, ok := index[id]
		if !ok { // a result of a policy that was not handed in: known by what the result says
			at = len(driver.Rules)
			index[id] = at
			text := sarif.Text{Text: id}
			driver.Rules = append(driver.Rules, sarif.Rule{
				ID: id, ShortDescription: text, Help: text, Default: sarif.Configuration{Level: level(Fail, r.Severity)},
			})
		}
		found := sarifResultOf(r, id, at)
		found.BaselineState = state
		run.Results = append(run.Results, found)
	}
	return sarif.Write(w, run)
}

func sarifRuleOf(p *engine.Policy, r *engine.Rule) sarif.Rule {
	title := orElse(p.Title, p.Key())
	if r.Name != "" {
		title += ": " + r.Name
	}
	rule := sarif.Rule{
		ID: r.ID(), Name: p.Name, ShortDescription: sarif.Text{Text: title},
		Help: sarif.Text{Text: title}, Default: sarif.Configuration{Level: level(Fail, severity(p.Severity))},
		Properties: map[string]any{"kind": r.Kind.String(), PropertyPolicyKind: p.Kind},
	}
	if text := oneLine(p.Annotations[annotationDescription]); text != "" {
		rule.FullDescription = &sarif.Text{Text: text}
		rule.Help.Text = text
	}
	if text := oneLine(p.Annotations[annotationPatch]); text != "" {
		rule.Help.Text += "\n\nPatch: " + text
	}
	tags := []string{"security"} // without it code scanning does not look at the score
	if p.Category != "" {
		tags = append(tags, p.Category)
	}
	rule.Properties["tags"] = tags
	if score := securitySeverity(p.Severity); score != "" {
		rule.Properties["security-severity"] = score
	}
	return rule
}

// securitySeverity is what GitHub's code scanning sorts by: a score of 0 to 10, in the middle of the range
// that it shows by the same word.
// Source: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
func securitySeverity(written string) string {
	switch severity(written) {
	case "critical":
		return "9.5"
	case "high":
		return "8.0"
	case "medium":
		return "5.5"
	case "low":
		return "2.0"
	default:
		return ""
	}
}

// level is SARIF's own grade of a result.
func level(s Status, severity string) string {
	switch {
	case s == Warn:
		return "warning"
	case s == Error:
		return "error"
	case severity == "medium":
		return "warning"
	case severity == "low" || severity == "info":
		return "note"
	default:
		return "error"
	}
}

func sarifResultOf(r *Result, id string, index int) sarif.Result {
	res := r.resource()
	out := sarif.Result{
		RuleID: id, RuleIndex: index, Level: level(r.Result, r.Severity),
		Message:    sarif.Text{Text: res.String() + ": " + orElse(r.Message, id+" failed")},
		Properties: map[string]string{"result": string(r.Result)},
	}
	for k, v := range r.Properties {
		out.Properties[k] = v
	}
	location := sarif.Location{Logical: []sarif.Logical{{FullyQualifiedName: res.APIVersion + " " + res.String(), Kind: "resource"}}}
	if r.Origin.File != "" {
		location.Physical = sarif.In(r.Origin.File, r.Origin.Line, r.Origin.Column)
	}
	out.Locations = []sarif.Location{location}
	out.Fingerprints = map[string]string{"holdfastFinding/v1": r.fingerprint()}
	return out
}

// fingerprint knows the finding again when it has moved to another line.
func (r *Result) fingerprint() string {
	res := r.resource()
	return digestOf(r.id(), res.APIVersion, res.Kind, res.Namespace, res.Name, r.Properties[PropertyPath])
}

// digestOf is one short name for several texts.
func digestOf(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
