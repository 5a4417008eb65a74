package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
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
	driver := sarifDriver{Name: Source, Version: opts.Version, InformationURI: "https://github.com/holdfast-io/holdfast", Rules: []sarifRule{}}
	index := map[string]int{}
	for _, p := range opts.Policies {
		for _, r := range p.Rules {
			rule := sarifRuleOf(p, r)
			index[rule.ID] = len(driver.Rules)
			driver.Rules = append(driver.Rules, rule)
		}
	}
	run := sarifRun{
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
		Properties: map[string]any{"bundleDigest": d.Bundle.Digest, "summary": d.Summary},
	}
	invocation := sarifInvocation{ExecutionSuccessful: d.Complete()}
	for _, c := range d.Coverage {
		if c.Error != "" {
			invocation.Notifications = append(invocation.Notifications, sarifNotification{"error", sarifText{"not audited: " + c.Place() + ": " + c.Error}})
		}
	}
	run.Invocations = []sarifInvocation{invocation}
	for i := range d.Results {
		r := &d.Results[i]
		if r.Result == Pass || r.Result == Skip {
			continue
		}
		id := r.id()
		at, ok := index[id]
		if !ok { // a result of a policy that was not handed in: known by what the result says
			at = len(driver.Rules)
			index[id] = at
			driver.Rules = append(driver.Rules, sarifRule{
				ID: id, ShortDescription: sarifText{id}, Help: sarifText{id}, Default: sarifLevel{level(Fail, r.Severity)},
			})
		}
		run.Results = append(run.Results, sarifResultOf(r, id, at))
	}
	run.Tool.Driver = driver
	return writeJSON(w, sarifLog{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{run},
	})
}

func sarifRuleOf(p *engine.Policy, r *engine.Rule) sarifRule {
	title := orElse(p.Title, p.Key())
	if r.Name != "" {
		title += ": " + r.Name
	}
	rule := sarifRule{
		ID: r.ID(), Name: p.Name, ShortDescription: sarifText{title},
		Help: sarifText{title}, Default: sarifLevel{level(Fail, severity(p.Severity))},
		Properties: map[string]any{"kind": r.Kind.String(), PropertyPolicyKind: p.Kind},
	}
	if text := oneLine(p.Annotations[annotationDescription]); text != "" {
		rule.FullDescription = &sarifText{text}
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

func sarifResultOf(r *Result, id string, index int) sarifResult {
	res := r.resource()
	out := sarifResult{
		RuleID: id, RuleIndex: index, Level: level(r.Result, r.Severity),
		Message:    sarifText{res.String() + ": " + orElse(r.Message, id+" failed")},
		Properties: map[string]string{"result": string(r.Result)},
	}
	for k, v := range r.Properties {
		out.Properties[k] = v
	}
	location := sarifLocation{Logical: []sarifLogical{{res.APIVersion + " " + res.String(), "resource"}}}
	if r.Origin.File != "" {
		location.Physical = &sarifPhysical{Artifact: sarifArtifact{fileURI(r.Origin.File)}}
		if r.Origin.Line > 0 {
			location.Physical.Region = &sarifRegion{r.Origin.Line, r.Origin.Column}
		}
	}
	out.Locations = []sarifLocation{location}
	sum := sha256.Sum256([]byte(strings.Join([]string{id, res.APIVersion, res.Kind, res.Namespace, res.Name, r.Properties[PropertyPath]}, "\x00")))
	out.Fingerprints = map[string]string{"holdfastFinding/v1": hex.EncodeToString(sum[:16])}
	return out
}

// fileURI makes a reference of a path: relative to where the command ran, or a file URI.
func fileURI(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
		return fmt.Sprintf("file://%s", u.EscapedPath())
	}
	return u.String()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
